"""The quarters of each hospital, and which rules of a control chart they break."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from federation.methods.control_charts import Point, p_chart
from federation.rounds.answers import Json, refused


def trend_of(own: Mapping[str, Json]) -> Json:
    """Rows per hospital with their quarters, and the findings of the rules (domain.md 3.3): `side`
    1 above the middle or rising, -1 below it or falling. A hidden quarter ends a run."""
    rows: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    for site, part in sorted(own.items()):
        why = refused(part)
        if why is not None:
            rows.append({"site": site, "quarters": [], "hidden": why})
            continue
        quarters = [copy.deepcopy(dict(each)) for each in part.get("quarters") or ()]
        rows.append({"site": site, "quarters": quarters, "hidden": None})
        points = [Point(q["quarter"], q.get("n"), q.get("observed")) for q in quarters]
        rules.extend(
            {"site": site, "rule": found.rule, "side": found.side, "quarter": found.label}
            for found in p_chart(points).findings
        )
    return {"rows": rows, "rules": rules}
