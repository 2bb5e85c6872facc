"""From counted days to the released waiting times, of all hospitals or of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.bars import Bar, runs
from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Sums
from federation.methods.quantiles import quantile_bins
from federation.methods.release import Release, seen
from federation.methods.waiting_time_days import (
    CAP,
    DayClasses,
    capped,
    classes_of,
    shown_classes,
)
from federation.methods.waiting_time_rule import fold, last_compared

Ints = npt.NDArray[np.int64]

QUANTILES = (("median", 0.5), ("p80", 0.8))


def rows_in(classes: DayClasses, sums: Mapping[str, Any], bar: Bar) -> int:
    """The rows in a run of classes; the days are counted to CAP, whatever the question's cap."""
    low, high = classes.limits(bar)
    return int(fold(np.asarray(sums["days"]), classes.cap)[low : high + 1].sum())


def size_of(ask: Ask, classes: DayClasses, sums: Mapping[str, Any], bar: Bar) -> int:
    """The rows, or the patients behind them if those are fewer, in a run of classes."""
    rows = rows_in(classes, sums, bar)
    if ask.per_patient:
        return rows
    return min(rows, int(sums["patients.bars"][runs(classes.count).index(bar)]))


def counted_runs(ask: Ask, classes: DayClasses) -> tuple[Bar, ...]:
    """The bars that can come out, whose patients are counted where a row is none."""
    return runs(classes.count) if ask.strict else tuple((i, i) for i in range(classes.count))


def bars_of(ask: Ask, sums: Sums, hidden: frozenset[str]) -> tuple[Bar, ...]:
    """The bars of an answer under protection; `hidden` are labels of sets that may not be shown."""
    classes = classes_of(ask)
    name = classes.variable.name
    return classes.bars(
        lambda bar: size_of(ask, classes, sums, bar),
        [f"{name}={label}" in hidden for label in classes.labels],
        max(ask.terms.hist.min_bin, ask.terms.t_cell),
        ask.terms.t_cell,
    )


def bars_in(ask: Ask, finished: Finished) -> tuple[Bar, ...]:
    """The settled bars."""
    if not ask.strict:
        return tuple((i, i) for i in range(shown_classes(ask).count))
    found = finished.facts.get("bars")
    if found is None:
        return bars_of(ask, finished.pooled, frozenset())
    return tuple((low, high) for low, high in found)


def count_tables(ask: Ask, finished: Finished) -> list[CountTable]:
    """Everyone with a waiting time, and the bars."""
    sums, classes = finished.pooled, shown_classes(ask)
    counts, behind = _of_bars(ask, classes, sums, bars_in(ask, finished))
    labels = tuple(classes.label(bar) for bar in bars_in(ask, finished))
    people = None if ask.per_patient else np.asarray(sums["patients"][0])
    return [
        CountTable("total", (), np.asarray(sums["n"][0]), patients=people),
        CountTable("bins", ((classes.variable.name, labels),), counts, patients=behind),
    ]


def _of_bars(
    ask: Ask, classes: DayClasses, sums: Sums, bars: Sequence[Bar]
) -> tuple[Ints, Ints | None]:
    """Rows per bar, and the patients behind them where a row is none."""
    counts = np.array([rows_in(classes, sums, bar) for bar in bars], dtype=np.int64)
    if ask.per_patient:
        return counts, None
    place = {bar: i for i, bar in enumerate(counted_runs(ask, classes))}
    return counts, np.asarray([sums["patients.bars"][place[bar]] for bar in bars], dtype=np.int64)


def release(ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
    """n, over_cap, bins, median, p80, within; of one hospital also the rule's verdict."""
    made = Release(ask)
    sums, classes = finished.pooled, shown_classes(ask)
    bars = bars_in(ask, finished)
    total = bool(seen(shown, "total"))
    people = None if ask.per_patient else int(sums["patients"][0])
    counts, behind = _of_bars(ask, classes, sums, bars)
    mask = seen(shown, "bins", (len(bars),))
    result: dict[str, Any] = {
        **made.counted(int(sums["n"][0]), total, "n", people),
        "missing": made.missing(int(sums["missing"][0])),
        "over_cap": _over(made, classes, counts, bars, mask),
        "variable": classes.variable.name,
        "unit": "days",
        "cap": classes.cap,
        "bins": [],
    }
    for i, bar in enumerate(bars):
        low, high = classes.limits(bar)
        if low > classes.cap:
            continue  # that is over_cap
        found = made.counted(
            int(counts[i]),
            bool(mask[i]),
            f"bins[{i}].n",
            None if behind is None else int(behind[i]),
        )
        result["bins"].append({"low": low, "high": min(high, classes.cap), **found})
    for key, share in QUANTILES:
        result[key] = day_interval(ask, sums, share) if total else None
        if result[key] is None and sums["n"][0]:
            made.hide(key, "small_cell")
    result["within"] = _within(made, classes, sums, bars, mask if total else np.zeros_like(mask))
    if "rule" in finished.facts:
        result["rule"] = _rule(ask, made, finished.facts["rule"], result["median"])
    return made.done(result)


def _over(
    made: Release, classes: DayClasses, counts: Ints, bars: Sequence[Bar], mask: Mask
) -> int | None:
    """Those beyond the cap, where they are a bar of their own."""
    if not classes.has_over:  # the codebook knows no such value
        return 0
    if classes.limits(bars[-1])[0] <= classes.cap:
        made.hide("over_cap", "small_cell")
        return None
    return made.count(int(counts[-1]), bool(mask[-1]), "over_cap")


def day_interval(ask: Ask, sums: Mapping[str, Any], share: float) -> list[int] | None:
    """The days between which a quantile lies; both the same on open data."""
    terms = ask.terms.quantile
    found = quantile_bins(
        capped(np.asarray(sums["days"])),
        share,
        min_in_bin=terms.min_in_grid_bin if ask.strict else 1,
        min_each_side=terms.min_each_side if ask.strict else 0,
        patients=None if ask.per_patient else np.asarray(sums["patients.days"]),
        once=True,
    )
    return None if found is None else [int(found[0]), int(found[1])]


def _within(
    made: Release, classes: DayClasses, sums: Sums, bars: Sequence[Bar], mask: Mask
) -> list[dict[str, Any]]:
    """The share within each norm, where bars that are shown end at it."""
    n = int(sums["n"][0])
    ends = {classes.limits(bar)[1]: i for i, bar in enumerate(bars)}
    found = []
    for place, norm in enumerate(classes.norms):
        known = norm in ends and bool(mask.all())
        if not known:
            made.hide(f"within[{place}].n", "small_cell")
        count = int(sums["days"][: norm + 1].sum()) if known else None
        share = None if count is None or not n else made.sum(count / n)
        found.append({"days": norm, "n": count, "share": share})
    return found


def _rule(
    ask: Ask, made: Release, verdict: Mapping[str, Any], median: list[int] | None
) -> dict[str, Any]:
    others = None
    if verdict["others"] is not None:
        terms, behind = ask.terms.quantile, verdict["patients"]
        found = quantile_bins(
            np.asarray(verdict["others"]),
            0.5,
            min_in_bin=terms.min_in_grid_bin if ask.strict else 1,
            min_each_side=terms.min_each_side if ask.strict else 0,
            patients=None if behind is None else np.asarray(behind),
            once=True,
        )
        if found is not None:
            late = len(verdict["others"]) - 1
            if found[1] < late:
                others = [int(found[0]), int(found[1])]
            elif late > last_compared(CAP):
                others = [int(found[0]), CAP]
    ratio = None
    if median is not None and others is not None and others[0] > 0:
        ratio = [made.sum(median[0] / others[1]), made.sum(median[1] / others[0])]
    return {
        "signal": verdict["signal"],
        "ratio": ratio,
        "others": others,
        "why": verdict["why"],
    }
