"""From pooled counts of competing events to the released curves of cumulative incidence.

On exact times every event of the cause is a point. On the public grid only merged points are
released, and asked times are read off those. The points are the same whichever cause is asked
(rule O11 for every kind of event that is shown), so that answers about two causes cannot be
subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Mask, Released, Sums
from federation.methods.curve_sets import published
from federation.methods.gray import gray_sums
from federation.methods.groups import Groups
from federation.methods.incidence import Incidence, aalen_johansen
from federation.methods.logrank import logrank_statistic
from federation.methods.release import Release, number, seen
from federation.methods.survival_plan import last_followed

Ints = npt.NDArray[np.int64]
Point = dict[str, Any]


@dataclass(frozen=True)
class _Group:
    """Pooled counts of one group: `kinds` (levels, T) events of each level, `leaving` (T + 1,),
    and its last time if known. `cause` is the level of interest."""

    label: str | None
    times: npt.NDArray[np.float64]
    kinds: Ints
    leaving: Ints
    last: float | None
    cause: int

    @property
    def n(self) -> int:
        return int(self.leaving.sum())

    @property
    def other(self) -> Ints:
        """Events of every other level, (T,)."""
        return np.asarray(self.kinds.sum(axis=0) - self.kinds[self.cause])

    @property
    def at_risk(self) -> Ints:
        return np.asarray(np.cumsum(self.leaving[::-1])[::-1][1:])

    @property
    def curve(self) -> Incidence:
        return aalen_johansen(self.times, self.kinds[self.cause], self.other, self.at_risk)


def points(ask: Ask, pooled: Sums, k: int) -> list[int]:
    """Grid indices of the released points of group `k`, the same whichever cause is asked.

    Every kind of event that is not too rare to be shown counts: the curve of another cause may tell
    its events.
    """
    prefix = "first." if "first.leaving" in pooled else ""
    kinds, removed = pooled[f"{prefix}events"][:, k], pooled[f"{prefix}leaving"][k][1:]
    return published(ask, kinds[kinds.sum(axis=1) >= max(ask.terms.t_cell, 1)], removed)


def release_incidence(
    ask: Ask,
    groups: Groups,
    levels: tuple[int, int],
    finished: Finished,
    shown: Mapping[str, Mask],
) -> Released:
    """The answer of kind `competing_risks` for masks `shown` of the tables total, groups and
    outcomes; `levels` are the codes of the cause and of censored."""
    release = Release(ask)
    cause, censored = levels
    pooled, last = finished.pooled, finished.facts["last"]
    times = np.asarray(finished.facts["times"], dtype=np.float64)
    outcomes = pooled["outcomes"]
    total = bool(seen(shown, "total"))
    whole = np.array([total])
    shape: tuple[int, ...] = outcomes.shape[1:]
    if groups.by is not None:
        whole, shape = seen(shown, "groups", (groups.size,)), outcomes.shape
    visible = seen(shown, "outcomes", shape).reshape(outcomes.shape) & whole[:, None]
    people, sizes = pooled.get("patients"), pooled.get("patients.groups")
    entries = []
    for k, label in enumerate(groups.labels):
        group = _Group(
            label,
            times,
            pooled["events"][:, k],
            pooled["leaving"][k],
            None if last is None else last[k],
            cause,
        )
        where = f"groups[{k}]"
        whose = None if sizes is None else int(sizes[k])
        entry = {
            "level": label,
            **release.counted(group.n, bool(whole[k]), f"{where}.n", whose),
        }
        kept = points(ask, pooled, k) if ask.strict else None
        found = _entry(ask, release, group, where, visible[k], censored, kept)
        entries.append({**entry, **found})
    result: dict[str, Any] = {
        **release.counted(
            int(pooled["n"][0]), total, "n", None if people is None else int(people[0])
        ),
        "missing": release.missing(int(pooled["missing"][0])),
        "unit": ask.codebook.variables[ask.params["time"]].unit or "days",
        "cause": ask.params["cause"],
        "censored": ask.codebook.variables[ask.params["event"]].levels[censored].code,
        "ci": "log-log",
        "variance": "aalen",
        "at_risk_counted": "just before t" if last is not None else "after t",
        "groups": entries,
    }
    if last is None:
        result["grid"] = float(times[1] - times[0]) if times.size > 1 else None
        release.warnings.append(
            "Times are rounded up to the grid, and points of the curve are merged until each step "
            "covers enough patients and events of each kind."
        )
    if groups.by is not None:
        everything = bool(visible[:, [cause, censored]].all())
        result["gray"] = _gray(release, cause, finished, everything)
    return release.done(result)


def _entry(
    ask: Ask,
    release: Release,
    group: _Group,
    where: str,
    visible: Mask,
    censored: int,
    kept: list[int] | None,
) -> dict[str, Any]:
    """Events and curve of one group; `visible` (levels,) says which outcomes may be seen, `kept`
    are the grid indices of the released points, None without protection."""
    rest = np.arange(visible.size)
    rest = rest[(rest != group.cause) & (rest != censored)]
    own = bool(visible[group.cause])
    made: dict[str, Any] = {
        "events": release.count(int(group.kinds[group.cause].sum()), own, f"{where}.events"),
        "competing": release.count(
            int(group.other.sum()), bool(visible[rest].all()), f"{where}.competing"
        ),
    }
    asked: list[float] = ask.params["at"] or []
    # With few patients censored, what leaves between two points is events but for a few.
    if not (own and visible[censored]):
        release.hide(f"{where}.curve", "small_cell")
        made["curve"] = []
        if asked:
            made["at"] = [_nothing(t) for t in asked]
        return made
    if kept is None:
        return {**made, **_exact(release, group, asked)}
    return {**made, **_merged(release, group, where, asked, kept)}


def _nothing(t: float) -> Point:
    return {"t": t, "cif": None, "se": None, "low": None, "high": None, "at_risk": None}


def _exact(release: Release, group: _Group, asked: list[float]) -> dict[str, Any]:
    """Every time of an event of the cause, the group's start and its end."""
    curve, n = group.curve, group.n
    last = last_followed(group.last, group.times, group.leaving)
    points: list[Point] = []
    if n:
        points.append({"t": 0.0, "at_risk": n, "cif": 0.0, "low": 0.0, "high": 0.0})
    keep = group.kinds[group.cause] > 0
    if n:
        keep[curve.before(last)] = True
    for i in np.flatnonzero(keep):
        point = {
            "t": float(curve.times[i]),
            "at_risk": int(curve.at_risk[i]),
            "cif": number(curve.cif[i]),
            "low": number(curve.low[i]),
            "high": number(curve.high[i]),
        }
        if point["t"] == 0.0:
            points.clear()
        points.append(point)
    made: dict[str, Any] = {"curve": points}
    if asked:
        made["at"] = [_at_exact(group, curve, last, t) for t in asked]
        if n and asked[-1] > last and not _all_gone(group):
            level = "" if group.label is None else f" of group {group.label}"
            release.warnings.append(f"Follow-up{level} ends before {asked[-1]:g}.")
    return made


def _at_exact(group: _Group, curve: Incidence, last: float, t: float) -> Point:
    """F at `t`; nothing once follow-up has ended with patients still free of any event."""
    at = curve.before(t)
    if group.n == 0 or (t > last and not _all_gone(group)):
        return {**_nothing(t), "at_risk": 0}
    if at < 0:
        return {"t": t, "cif": 0.0, "se": 0.0, "low": 0.0, "high": 0.0, "at_risk": group.n}
    later = curve.at_risk[at]
    if curve.times[at] != t:
        later = curve.at_risk[at + 1] if at + 1 < curve.times.size else 0
    return {
        "t": t,
        "cif": number(curve.cif[at]),
        "se": number(curve.se[at]),
        "low": number(curve.low[at]),
        "high": number(curve.high[at]),
        "at_risk": int(later),
    }


def _all_gone(group: _Group) -> bool:
    """Whether everyone at risk at the last time had an event, so that F can change no more."""
    at_risk = group.at_risk
    used = np.flatnonzero(at_risk > 0)
    return bool(used.size and group.kinds[:, used[-1]].sum() == at_risk[used[-1]])


def _merged(
    release: Release, group: _Group, where: str, asked: list[float], kept: list[int]
) -> dict[str, Any]:
    """Only points that cover enough patients and events of each frequent kind."""
    removed = group.leaving[1:]
    fine = group.curve
    left = group.n - np.cumsum(removed)
    curve: list[Point] = [{"t": 0.0, "at_risk": group.n, "cif": 0.0, "low": 0.0, "high": 0.0}]
    errors: list[float | None] = [0.0]
    for i in kept:
        curve.append(
            {
                "t": float(group.times[i]),
                "at_risk": int(left[i]),
                "cif": release.survival(float(fine.cif[i])),
                "low": release.survival(float(fine.low[i])),
                "high": release.survival(float(fine.high[i])),
            }
        )
        errors.append(release.survival(float(fine.se[i])))
    release.hide(f"{where}.curve", "follow_up_too_small")
    made: dict[str, Any] = {"curve": curve}
    if not asked:
        return made
    made["at"] = []
    for m, t in enumerate(asked):
        if t > curve[-1]["t"]:
            release.hide(f"{where}.at[{m}]", "follow_up_too_small")
            made["at"].append({**_nothing(t), "as_of": None})
            continue
        last = max(j for j, point in enumerate(curve) if point["t"] <= t)
        made["at"].append({**curve[last], "se": errors[last], "t": t, "as_of": curve[last]["t"]})
    return made


def _gray(
    release: Release, cause: int, finished: Finished, everything: bool
) -> dict[str, Any] | None:
    """The test between the groups; None when one is hidden or there is nothing to compare."""
    from scipy import special

    if not everything:
        release.hide("gray", "small_cell")
        return None
    events, leaving = finished.pooled["events"], finished.pooled["leaving"]
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1][:, 1:]
    other = events.sum(axis=0) - events[cause]
    found = logrank_statistic(gray_sums(events[cause], other, at_risk))
    if found is None:
        release.warnings.append("No test: fewer than two groups had patients at risk at an event.")
        return {"chi2": None, "df": None, "p": None}
    chi2, df = found
    return {
        "chi2": release.coefficient(chi2),
        "df": df,
        "p": release.coefficient(float(special.chdtrc(df, chi2))),
    }
