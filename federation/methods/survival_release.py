"""From pooled survival counts to the released curves.

On exact times every event time is a point. On the public grid only merged points are released
(rule O11), and everything else (median, asked times, restricted mean) is read off those points,
so that nothing says more about the grid in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Mask, Released, Sums
from federation.methods.cox_score import unpack_symmetric
from federation.methods.curve_sets import published
from federation.methods.logrank import LogrankSums, logrank_statistic, logrank_sums
from federation.methods.release import Release, number, seen
from federation.methods.survival_curve import (
    Curve,
    first_at_or_below_half,
    kaplan_meier,
    median,
    restricted_mean,
)
from federation.methods.survival_plan import last_followed

Ints = npt.NDArray[np.int64]
Labels = tuple[str | None, ...]


@dataclass(frozen=True)
class _Group:
    """Pooled counts of one group: events (T,), leaving (T + 1,), its last time if known, and the
    different patients in it where a row is not a patient."""

    label: str | None
    times: npt.NDArray[np.float64]
    events: Ints
    leaving: Ints
    last: float | None
    patients: int | None

    @property
    def n(self) -> int:
        return int(self.leaving.sum())

    @property
    def curve(self) -> Curve:
        at_risk = np.cumsum(self.leaving[::-1])[::-1][1:]
        return kaplan_meier(self.times, self.events, at_risk)


def points(ask: Ask, pooled: Sums, k: int) -> list[int]:
    """Grid indices of the released points of group `k`."""
    if "first.leaving" in pooled:
        return published(ask, pooled["first.events"][k], pooled["first.leaving"][k][1:])
    events, leaving = pooled["events"][:, k].sum(axis=0), pooled["leaving"][:, k].sum(axis=0)
    return published(ask, events, leaving[1:])


def release_survival(
    ask: Ask, labels: Labels, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `survival` for masks `shown` of the tables total, groups, events."""
    release = Release(ask)
    events = finished.pooled["events"].sum(axis=0)
    leaving = finished.pooled["leaving"].sum(axis=0)
    times = np.asarray(finished.facts["times"], dtype=np.float64)
    last = finished.facts["last"]
    total = bool(seen(shown, "total"))
    by = ask.params["by"]
    group_seen = seen(shown, "groups", (len(labels),)) if by is not None else np.array([total])
    shape = (len(labels), 2) if by is not None else (2,)
    event_seen = np.asarray(seen(shown, "events", shape).reshape(len(labels), 2).all(axis=1))
    people, sizes = finished.pooled.get("patients"), finished.pooled.get("patients.groups")
    groups = []
    for k, label in enumerate(labels):
        group = _Group(
            label,
            times,
            events[k],
            leaving[k],
            None if last is None else last[k],
            None if sizes is None else int(sizes[k]),
        )
        visible = bool(group_seen[k]), bool(group_seen[k] and event_seen[k])
        kept = points(ask, finished.pooled, k) if ask.strict else None
        groups.append(_release_group(ask, release, group, f"groups[{k}]", kept, *visible))
    everything = bool(group_seen.all() and event_seen.all())
    variable = ask.codebook.variables[ask.params["time"]]
    result: dict[str, Any] = {
        **release.counted(
            int(leaving.sum()), total, "n", None if people is None else int(people[0])
        ),
        "missing": release.missing(int(finished.pooled["missing"][0])),
        "unit": variable.unit or "days",
        "ci": "log-log",
        "at_risk_counted": "just before t" if last is not None else "after t",
        "groups": groups,
        "logrank": _logrank(ask, release, labels, finished, everything),
    }
    if last is None:
        # Spacing of the grid in the variable's own unit.
        result["grid"] = float(times[1] - times[0]) if times.size > 1 else None
        release.warnings.append(
            "Times are rounded up to the grid, and points of the curve are merged until each "
            "step covers enough patients and events."
            if ask.strict
            else "Times are rounded up to the grid."
        )
    return release.done(result)


def _release_group(
    ask: Ask,
    release: Release,
    group: _Group,
    where: str,
    kept: list[int] | None,
    visible: bool,
    events_visible: bool,
) -> dict[str, Any]:
    """One group; `kept` are the grid indices of its released points, None without protection."""
    entry: dict[str, Any] = {
        "level": group.label,
        **release.counted(group.n, visible, f"{where}.n", group.patients),
        "events": release.count(int(group.events.sum()), events_visible, f"{where}.events"),
    }
    asked: list[float] = ask.params["at"] or []
    if not events_visible:
        for name in ("curve", "median", "median_ci[0]", "median_ci[1]"):
            release.hide(f"{where}.{name}", "small_cell")
        blank: dict[str, Any] = {"median": None, "median_ci": [None, None], "curve": []}
        if asked:
            for name in (*(f"at[{m}]" for m in range(len(asked))), "rmst"):
                release.hide(f"{where}.{name}", "small_cell")
            blank["at"] = [_at_nothing(t) for t in asked]
            blank["rmst"] = {"t": asked[-1], "value": None, "se": None}
        return {**entry, **blank}
    if kept is not None:
        return {**entry, **_merged(release, group, where, asked, kept)}
    return {**entry, **_exact(release, group, asked)}


def _at_nothing(t: float) -> dict[str, Any]:
    return {"t": t, "s": None, "se": None, "low": None, "high": None, "at_risk": None}


def _exact(release: Release, group: _Group, asked: list[float]) -> dict[str, Any]:
    """Every event time of the group, its start and its end."""
    curve = group.curve
    n = group.n
    last = last_followed(group.last, group.times, group.leaving)
    middle, limits = median(curve)
    points: list[dict[str, Any]] = []
    if n:
        points.append({"t": 0.0, "at_risk": n, "s": 1.0, "low": 1.0, "high": 1.0})
    keep = curve.events > 0
    if n:
        keep[curve.before(last)] = True
    for i in np.flatnonzero(keep):
        point = {
            "t": float(curve.times[i]),
            "at_risk": int(curve.at_risk[i]),
            "s": number(curve.s[i]),
            "low": number(curve.low[i]),
            "high": number(curve.high[i]),
        }
        if point["t"] == 0.0:
            points.clear()
        points.append(point)
    made: dict[str, Any] = {"median": middle, "median_ci": list(limits), "curve": points}
    if not asked:
        return made
    made["at"] = [_at_exact(curve, n, last, t) for t in asked]
    until = asked[-1]
    known = n > 0 and (until <= last or curve.s[-1] <= 0)
    value, se = restricted_mean(curve, until) if known else (None, None)
    made["rmst"] = {"t": until, "value": number(value), "se": number(se)}
    if n and not known:
        level = "" if group.label is None else f" of group {group.label}"
        release.warnings.append(
            f"Follow-up{level} ends before {until:g}; what lies beyond it is left empty."
        )
    return made


def _at_exact(curve: Curve, n: int, last: float, t: float) -> dict[str, Any]:
    """S at `t`; nothing once follow-up has ended with patients still event-free."""
    at = curve.before(t)
    if n == 0 or (t > last and curve.s[-1] > 0):
        return {**_at_nothing(t), "at_risk": 0}
    if at < 0:
        return {"t": t, "s": 1.0, "se": 0.0, "low": 1.0, "high": 1.0, "at_risk": n}
    # `at_risk` counts patients just before the last time in use; t may lie after it.
    later = curve.at_risk[at] if curve.times[at] == t else _left_after(curve, n, at)
    return {
        "t": t,
        "s": number(curve.s[at]),
        "se": number(curve.se[at]),
        "low": number(curve.low[at]),
        "high": number(curve.high[at]),
        "at_risk": int(later),
    }


def _left_after(curve: Curve, n: int, at: int) -> int:
    return int(curve.at_risk[at + 1]) if at + 1 < curve.times.size else 0


def _merged(
    release: Release, group: _Group, where: str, asked: list[float], kept: list[int]
) -> dict[str, Any]:
    """Only points that cover enough patients and events; all else is read off those."""
    removed = group.leaving[1:]
    fine = group.curve
    left = group.n - np.cumsum(removed)
    s = [release.survival(float(fine.s[i])) for i in kept]
    low = [release.survival(float(fine.low[i])) for i in kept]
    high = [release.survival(float(fine.high[i])) for i in kept]
    times = np.array([float(group.times[i]) for i in kept])
    points: list[dict[str, Any]] = [
        {"t": 0.0, "at_risk": group.n, "s": 1.0, "low": 1.0, "high": 1.0}
    ]
    for j, i in enumerate(kept):
        points.append(
            {
                "t": times[j].item(),
                "at_risk": int(left[i]),
                "s": s[j],
                "low": low[j],
                "high": high[j],
            }
        )
    release.hide(f"{where}.curve", "follow_up_too_small")
    middle, first, last = (first_at_or_below_half(times, _floats(each)) for each in (s, low, high))
    made: dict[str, Any] = {"median": middle, "median_ci": [first, last], "curve": points}
    # What lies beyond the last released point is not read off anything.
    for name, value in (("median", middle), ("median_ci[0]", first), ("median_ci[1]", last)):
        if value is None:
            release.hide(f"{where}.{name}", "follow_up_too_small")
    if asked:
        end = float(points[-1]["t"])
        made["at"] = [
            _at_merged(release, fine, points, kept, t, f"{where}.at[{m}]", end)
            for m, t in enumerate(asked)
        ]
        made["rmst"] = _mean_merged(release, group, points, kept, asked[-1], f"{where}.rmst", end)
    return made


def _floats(values: list[float | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _at_merged(
    release: Release,
    fine: Curve,
    points: list[dict[str, Any]],
    kept: list[int],
    t: float,
    where: str,
    end: float,
) -> dict[str, Any]:
    """The last released point at or before `t` (`as_of`); nothing beyond the last one."""
    if t > end:
        release.hide(where, "follow_up_too_small")
        return {**_at_nothing(t), "as_of": None}
    last = max(m for m, point in enumerate(points) if point["t"] <= t)
    point = points[last]
    se = 0.0 if last == 0 else release.survival(float(fine.se[kept[last - 1]]))
    return {
        "t": t,
        "s": point["s"],
        "se": se,
        "low": point["low"],
        "high": point["high"],
        "at_risk": point["at_risk"],
        "as_of": point["t"],
    }


def _mean_merged(
    release: Release,
    group: _Group,
    points: list[dict[str, Any]],
    kept: list[int],
    until: float,
    where: str,
    end: float,
) -> dict[str, Any]:
    """Area under straight lines between the released points, and the error of the merged steps."""
    if until > end:
        release.hide(where, "follow_up_too_small")
        return {"t": until, "value": None, "se": None}
    times = np.array([p["t"] for p in points])
    s = np.array([p["s"] for p in points])
    cut = np.append(times[times < until], until)
    value = float(np.trapezoid(np.interp(cut, times, s), cut))
    starts = [0, *[i + 1 for i in kept]]
    events = np.array([group.events[a:b].sum() for a, b in pairwise(starts)])
    at_risk = np.array([p["at_risk"] for p in points[:-1]])
    merged = kaplan_meier(times[1:], events, at_risk)
    _, se = restricted_mean(merged, until)
    return {"t": until, "value": release.sum(value), "se": release.sum(se)}


def _logrank(
    ask: Ask, release: Release, labels: Labels, finished: Finished, everything: bool
) -> dict[str, Any] | None:
    """The test between the groups; None without groups, or when a group is hidden."""
    from scipy import special

    if ask.params["by"] is None:
        return None
    if not everything:
        release.hide("logrank", "small_cell")
        return None
    sums = _logrank_sums(ask, finished, len(labels))
    found = logrank_statistic(sums)
    made: dict[str, Any] = {"chi2": None, "df": None, "p": None, "strata": ask.params["strata"]}
    if found is None:
        release.warnings.append("No test: fewer than two groups had patients at risk at an event.")
    else:
        chi2, df = found
        made["chi2"] = release.coefficient(chi2)
        made["df"] = df
        made["p"] = release.coefficient(float(special.chdtrc(df, chi2)))
    if not ask.strict:
        made["groups"] = [
            {"level": label, "observed": float(o), "expected": float(e)}
            for label, o, e in zip(labels, sums.observed, sums.expected, strict=True)
        ]
    return made


def _logrank_sums(ask: Ask, finished: Finished, groups: int) -> LogrankSums:
    if ask.params["strata"] == "site":
        variance = unpack_symmetric(finished.pooled["variance"], groups)
        return LogrankSums(finished.pooled["observed"], finished.pooled["expected"], variance)
    parts = []
    for events, leaving in zip(finished.pooled["events"], finished.pooled["leaving"], strict=True):
        at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1][:, 1:]
        parts.append(logrank_sums(events, at_risk))
    return LogrankSums(
        np.sum([p.observed for p in parts], axis=0),
        np.sum([p.expected for p in parts], axis=0),
        np.sum([p.variance for p in parts], axis=0),
    )
