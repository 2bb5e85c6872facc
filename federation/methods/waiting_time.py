"""Waiting times in days: their spread, median and 80th percentile, and the share within norms.

Days and not weeks; a negative time is an error in the data and counts as missing; how many wait
longer than the cap is told. A median is no sum over patients, so hospitals send a histogram of
whole days, the same whatever the cap. Of all hospitals together it is shown in bars of enough
patients (rule O6), a quantile as the narrowest run of days that holds enough (O5).

The cap of a question parts the bars and nothing else: were it the last day of a quantile too, the
highest cap at which that quantile is the cap would be one patient's day.

With output by_site a hospital answers for itself, and says whether its median is at least twice
that of all others together (waiting_time_rule.py), which it knows from a pooled histogram under
masks. What that one tells, and which hospitals stand in it: waiting_time_pool.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import (
    Ask,
    CountTable,
    Finished,
    Mask,
    Released,
    Rows,
    Step,
    Sums,
)
from federation.methods.own import Labels
from federation.methods.release import seen
from federation.methods.sentences import behind, counted, left_out
from federation.methods.waiting_time_days import (
    CAP,
    DaysParam,
    NormsParam,
    capped,
    classes_of,
    days_of,
    histogram,
    patients_once,
    quantile_day,
    shown_classes,
)
from federation.methods.waiting_time_pool import offer, pattern_of, pool_of
from federation.methods.waiting_time_release import (
    bars_in,
    bars_of,
    count_tables,
    counted_runs,
    release,
)
from federation.methods.waiting_time_rule import Days, fold, judge, last_compared
from federation.query.parameters import NumberParam, Parameter
from federation.query.refusals import Refused

_KIND = "waiting_time"


class WaitingTime:
    """Kind `waiting_time`."""

    kind = _KIND
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        DaysParam(
            name="variable",
            help_en="The time in days.",
            help_nl="De tijd in dagen.",
        ),
        NormsParam(
            name="norms",
            required=False,
            low=1,
            high=CAP,
            whole=True,
            max_items=3,
            help_en="Up to three norms in days, each a cut-point of the codebook. A patient on "
            "that day is within the norm.",
            help_nl="Hooguit drie normen in dagen, elk een grens uit het codeboek. Een patiënt op "
            "die dag valt binnen de norm.",
        ),
        NumberParam(
            name="cap",
            required=False,
            default=CAP,
            low=28,
            high=CAP,
            whole=True,
            help_en="The number of those with more days than this is given.",
            help_nl="Het aantal met meer dagen dan dit staat erbij.",
        ),
    )
    bounded_rounds = 2

    def start(self, ask: Ask) -> Step:
        """The days; of a protected question by_site first who may stand in the pooled ones."""
        return Step(f"{_KIND}.pool" if _alone(ask) else f"{_KIND}.days")

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step: the offer to the pool, or counts per day."""
        if step.name == f"{_KIND}.own":
            return {"ready": np.array([1])}
        if not _alone(ask):
            return _sums(ask, rows)
        pattern = _pattern(ask, rows)
        if step.name == f"{_KIND}.pool":
            return _offer(ask, rows, pattern)
        if pattern not in step.params["patterns"]:
            rows = rows.select(np.zeros(rows.n, dtype=bool))
        mine = _compared(ask, rows, int(step.params["last"]))
        return {"days": mine.rows} | ({} if mine.patients is None else {"patients": mine.patients})

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """The next step. With output by_site the last one carries the pooled days."""
        if step.name == f"{_KIND}.own":
            return Finished(
                {name: np.asarray(values) for name, values in step.params.get("sums", {}).items()}
            )
        if not _alone(ask):
            if ask.query.output != "by_site":
                return Finished(pooled)
            sums = {name: values.tolist() for name, values in pooled.items()}
            return Step(f"{_KIND}.own", {"sums": sums})
        if step.name == f"{_KIND}.pool":
            classes = classes_of(ask)
            last = last_compared(CAP)
            found = pool_of(pooled["offers"], pooled["reached"], classes.norms, last, ask.terms)
            if found is None:
                return Step(f"{_KIND}.own", {"patterns": [], "last": last, "pooled": None})
            offered = int(pooled["offers"][list(found.patterns), 1].sum())
            return Step(
                f"{_KIND}.days",
                {"patterns": list(found.patterns), "last": found.last, "offered": offered},
            )
        days = np.asarray(pooled["days"])
        if days.min() < 0 or int(days.sum()) != step.params["offered"]:
            raise Refused("PROTOCOL")  # a hospital added other days than it offered; see the rule
        sums = {name: values.tolist() for name, values in pooled.items()}
        return Step(f"{_KIND}.own", {**step.params, "pooled": sums})

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished:
        """One hospital's own days, and the verdict of the rule on it."""
        sums = {name: np.asarray(values) for name, values in _sums(ask, rows).items()}
        facts: dict[str, Any] = {}
        inside, pooled = True, None
        last = last_compared(CAP)
        if ask.strict:
            last = int(step.params["last"])
            pattern = _pattern(ask, rows)
            inside = pattern in step.params["patterns"]
            facts["pattern"] = pattern if inside else None
            found = step.params["pooled"]
            if found is not None:
                behind = found.get("patients")
                people = None if behind is None else np.asarray(behind, dtype=np.int64)
                pooled = Days(np.asarray(found["days"], dtype=np.int64), people)
        else:
            everybody = np.asarray(step.params["sums"]["days"], dtype=np.int64)
            pooled = Days(fold(everybody, last))
        verdict = judge(capped(sums["days"]), _compared(ask, rows, last), pooled, inside=inside)
        facts["rule"] = verdict.to_json()
        return Finished(sums, facts)

    def without_model(self, ask: Ask, refused: Refused | None) -> Step:
        """Each hospital's own days, compared with nobody's."""
        return Step(f"{_KIND}.own", {"patterns": [], "last": last_compared(CAP), "pooled": None})

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Those with a waiting time, and each class of days."""
        classes = classes_of(ask)
        codes = classes.codes(days_of(rows, classes.variable.name))
        found: list[tuple[str, Mask]] = [("analysis", codes >= 0)]
        if classes.count > 1:
            labels = [f"{classes.variable.name}={label}" for label in classes.labels]
            found += [(label, codes == i) for i, label in enumerate(labels)]
        return found

    def settle(
        self, ask: Ask, finished: Finished, hidden: frozenset[str]
    ) -> tuple[Finished, frozenset[str]]:
        """Join classes into bars, so that no class that must be hidden can be told from them."""
        if not ask.strict:
            return finished, frozenset()
        bars = bars_of(ask, finished.pooled, hidden)
        classes = classes_of(ask)
        expected = finished.facts.get("pattern")
        if expected is not None and pattern_of(classes.parted(bars)) != expected:
            raise Refused("SMALL_GROUP")  # its days in the pooled sum would tell; see the pool
        facts = {**finished.facts, "bars": [list(bar) for bar in bars]}
        return Finished(finished.pooled, facts), frozenset()

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total and the bars."""
        return count_tables(ask, finished)

    def own_tables(self, ask: Ask, rows: Rows) -> Finished:
        """This hospital's own days."""
        return Finished(_sums(ask, rows))

    def shows(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> list[Labels]:
        """The bars, each made of the classes in it."""
        classes, bars = classes_of(ask), bars_in(ask, finished)
        labels = [f"{classes.variable.name}={label}" for label in classes.labels]
        if classes.count == 1:
            return []
        visible = seen(shown, "bins", (len(bars),))
        return [
            tuple(labels[low : high + 1])
            for (low, high), told in zip(bars, visible, strict=True)
            if told
        ]

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """The pooled answer, or that of one hospital; see waiting_time_release."""
        return release(ask, finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        name, who = ask.params["variable"], counted(ask, lang)
        own = ask.query.output == "by_site"
        if lang == "nl":
            said = [f"Het aantal {who} per aantal dagen van {name}."]
            if own:
                said += [
                    "Hoeveel ziekenhuizen welke norm kunnen tonen, opgeteld over de ziekenhuizen.",
                    "Per ziekenhuis de spreiding, de mediaan en het 80e percentiel als interval, "
                    "het aandeel binnen elke norm, en of de mediaan ten minste twee keer die van "
                    "alle andere samen is.",
                ]
        else:
            said = [f"The number of {who} for each number of days of {name}."]
            if own:
                said += [
                    "How many hospitals can show which norm, added over the hospitals.",
                    "For each hospital the spread, the median and 80th percentile as intervals, "
                    "the share within each norm, and whether its median is at least twice that "
                    "of all others together.",
                ]
        return [*said, left_out(ask, lang), *behind(ask, lang)]


def _alone(ask: Ask) -> bool:
    """Whether each hospital answers for itself under protection."""
    return ask.strict and ask.query.output == "by_site"


def _offer(ask: Ask, rows: Rows, pattern: int | None) -> Sums:
    """What pool_of needs to know of this hospital; nothing of one without an answer of its own."""
    norms = classes_of(ask).norms
    counts = capped(histogram(days_of(rows, ask.params["variable"]), CAP))
    half = quantile_day(counts, 5)
    reached = [int(pattern is not None and half is not None and half >= 2 * d) for d in norms]
    return {
        "offers": offer(pattern, int(counts.sum()), len(norms)),
        "reached": np.array(reached, dtype=np.int64),
    }


def _compared(ask: Ask, rows: Rows, last: int) -> Days:
    """Rows per day up to `last`, and of later days; where a row is no patient also the patients, by
    the first day of each."""
    found = days_of(rows, ask.params["variable"])
    days = fold(histogram(found, CAP), last)
    if ask.per_patient or not ask.strict:
        return Days(days)
    place = np.where(np.isnan(found), -1.0, np.minimum(found, last + 1)).astype(np.int64)
    return Days(days, patients_once(rows, place, last + 2, last + 2))


def _sums(ask: Ask, rows: Rows) -> Sums:
    """n, missing (1,) and days (CAP + 2,). Where a row is not a patient also the patients: patients
    (1,), patients.days (CAP + 1,) by the first day of each, and patients.bars for each bar that can
    come out."""
    classes = shown_classes(ask)
    days = days_of(rows, ask.params["variable"])
    counts = histogram(days, CAP)
    sums: Sums = {
        "n": np.array([counts.sum()]),
        "missing": np.array([rows.n - counts.sum()]),
        "days": counts,
    }
    if ask.per_patient:
        return sums
    known = ~np.isnan(days)
    place = np.where(known, np.minimum(days, CAP), -1.0).astype(np.int64)
    sums["patients"] = rows.patients_in(np.where(known, 0, -1), 1)
    sums["patients.days"] = patients_once(rows, place, CAP + 1, CAP + 1)
    codes = classes.codes(days)
    sums["patients.bars"] = np.concatenate(
        [
            rows.patients_in(np.where((codes >= low) & (codes <= high), 0, -1), 1)
            for low, high in counted_runs(ask, classes)
        ]
    )
    return sums


def _pattern(ask: Ask, rows: Rows) -> int | None:
    """Which norms this hospital's own answer cannot show; None when it has no answer."""
    sums = _sums(ask, rows)
    fewest = min(int(sums["n"][0]), *(int(v) for v in sums.get("patients", [sums["n"][0]])))
    if fewest < ask.terms.t_cell:
        return None
    return pattern_of(classes_of(ask).parted(bars_of(ask, sums, rows.held_back)))


METHOD = WaitingTime()
