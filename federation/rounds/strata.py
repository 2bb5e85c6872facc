"""The cause of a finding: the same indicator by the groups of a variable, per hospital; of an
indicator with and without something, of all hospitals together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.indicators.definition import Indicator
from federation.query.codebook import Codebook
from federation.query.cohort import Leaf
from federation.rounds.answers import SMALL, Answer, Json, refused
from federation.rounds.differences import differences_by

_PREFIX = "stratum:"
_Holds = tuple[str, frozenset[str]] | None


def strata_of(
    indicator: Indicator, answers: Mapping[str, Answer], codebook: Codebook
) -> tuple[Json, ...]:
    """Per variable its rows: {site, level, n, observed, value, hidden}, of a mix with `levels`, of
    a difference with `difference` and without a site."""
    found: dict[str, list[Json]] = {}
    holds = _holds(indicator, codebook)
    for role, answer in sorted(answers.items()):
        if not role.startswith(_PREFIX):
            continue
        variable, _, level = role.removeprefix(_PREFIX).partition("=")
        rows = found.setdefault(variable, [])
        if indicator.measure == "difference" and answer.pooled:
            rows.extend(differences_by(indicator, answer, variable))
        elif not answer.own:
            rows.append({"site": None, "level": level or None, "hidden": answer.why or SMALL})
        for site, part in sorted(answer.own.items()):
            rows.extend(_rows(holds, site, part, variable, level or None))
    return tuple({"variable": name, "rows": rows} for name, rows in sorted(found.items()))


def _rows(holds: _Holds, site: str, part: Json, variable: str, level: str | None) -> list[Json]:
    why = refused(part)
    if why is not None:
        return [{"site": site, "level": level, "n": None, "value": None, "hidden": why}]
    if level is not None:
        return [_one(site, level, part.get("n"), observed=part.get("observed"))]
    if "variables" in part:
        groups = part["variables"][0].get("groups") or []
        return [
            _one(
                site,
                str(each.get("level")),
                each.get("n"),
                value=each.get("median", each.get("mean")),
            )
            for each in groups
        ]
    if "groups" in part:
        return [
            _one(site, str(each.get("level")), each.get("n"), value=_last(each))
            for each in part["groups"]
        ]
    return _of_cells(holds, site, part, variable)


def _holds(indicator: Indicator, codebook: Codebook) -> _Holds:
    """The variable that a share counts and its groups for which it holds, as a table names them."""
    leaf = indicator.numerator
    if not isinstance(leaf, Leaf):
        return None  # a tree is asked per group and counted at the hospital
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    named = {str(each).lower() if isinstance(each, bool) else str(each) for each in values}
    if leaf.op == "!=":
        named = set(codebook.variables[leaf.var].group_labels or ()) - named
    return leaf.var, frozenset(named)


def _of_cells(holds: _Holds, site: str, part: Json, variable: str) -> list[Json]:
    """From a table: per level of the stratum all; of a share those for whom it holds, of a mix the
    parts."""
    made: dict[str, dict[str, list[int | None]]] = {}
    parts_of: dict[str, dict[str, int | None]] = {}
    for cell in part.get("cells") or ():
        by = cell["by"]
        into = made.setdefault(str(by[variable]), {"n": [], "yes": []})
        into["n"].append(cell.get("n"))
        if holds is not None and str(by.get(holds[0])) in holds[1]:
            into["yes"].append(cell.get("n"))
        for name, value in by.items():
            if name != variable:
                parts_of.setdefault(str(by[variable]), {})[str(value)] = cell.get("n")
    rows = []
    for level, parts in made.items():
        n = _total(parts["n"])
        if holds is None:  # a mix or a volume: what is shown is how many
            levels = [
                {"level": kind, "n": part, "share": part / n if n and part is not None else None}
                for kind, part in parts_of.get(level, {}).items()
            ]
            row = _one(site, level, n, observed=n, value=n)
            rows.append(
                {**row, "observed": None, "value": None, "levels": levels} if levels else row
            )
        else:
            rows.append(_one(site, level, n, observed=_total(parts["yes"])))
    return rows


def _total(parts: list[int | None]) -> int | None:
    """The sum; None when there is nothing to add up, or one of them is hidden."""
    shown = [each for each in parts if each is not None]
    return sum(shown) if parts and len(shown) == len(parts) else None


def _one(
    site: str,
    level: str,
    n: int | None,
    *,
    observed: int | None = None,
    value: Any = None,
) -> Json:
    if value is None and observed is not None and n:
        value = observed / n
    hidden = SMALL if n is None or value is None else None
    return {
        "site": site,
        "level": level,
        "n": n,
        "observed": observed,
        "value": value,
        "hidden": hidden,
    }


def _last(group: Mapping[str, Any]) -> Any:
    at = group.get("at") or []
    return at[-1].get("s") if at else None
