"""The quarters of each hospital, and which rules of a control chart they break."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from federation.methods.control_charts import Point, p_chart
from federation.rounds.answers import Json, refused


def trend_of(own: Mapping[str, Json]) -> Json:
    """Rows per hospital with their quarters, and the findings of the rules (domain.md 3.3)."""
    rows: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    for site, part in sorted(own.items()):
        why = refused(part)
        if why is not None:
            rows.append({"site": site, "quarters": [], "hidden": why})
            continue
        quarters = [copy.deepcopy(dict(each)) for each in part.get("quarters") or ()]
        rows.append({"site": site, "quarters": quarters, "hidden": None})
        shown = _shown(quarters)
        if not shown:
            continue
        chart = p_chart([Point(each["quarter"], each["n"], each["observed"]) for each in shown])
        rules.extend(
            {"site": site, "rule": found.rule, "quarter": shown[found.place]["quarter"]}
            for found in chart.findings
        )
    return {"rows": rows, "rules": rules}


def _shown(quarters: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [each for each in quarters if each.get("n") and each.get("observed") is not None]
