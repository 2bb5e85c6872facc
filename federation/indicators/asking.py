"""The federated questions that an indicator becomes. Pure: nothing is asked here.

Every question is the same to hospitals as one that a researcher writes; there is no other way to
their data. What a hospital must show apart from the others is asked `by_site`. A difference between
two groups is asked of all together only: of four cells of one hospital some are nearly always too
small, and beside those that are shown the table of all would have to stay hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from federation.indicators.definition import Indicator
from federation.query.codebook import Codebook
from federation.query.cohort import Leaf
from federation.query.errors import BAD_VALUE, QueryError
from federation.query.model import MAX_PURPOSE, MAX_TITLE, VERSION

CAP_DAYS: Final = 365
"""A waiting time beyond a year is no waiting time (domain.md 3.1)."""

CUSUM_LIMIT: Final = 4.5
"""Where a CUSUM for a doubling of the odds of a bad outcome signals (Steiner 2000)."""

MOST_QUARTERS: Final = 40


_MONTH: Final = re.compile(r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])")

Json = dict[str, Any]


@dataclass(frozen=True)
class Period:
    """Whole months, first and last included: Period("2024-01", "2024-12")."""

    first: str
    last: str

    def __post_init__(self) -> None:
        for name, value in (("first", self.first), ("last", self.last)):
            if not isinstance(value, str) or not _MONTH.fullmatch(value):
                raise QueryError(BAD_VALUE, "Write the month as text like 2024-01.", name)
        if self.first > self.last:
            raise QueryError(BAD_VALUE, "The first month must not be after the last.", "first")

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} - {self.last}"

    @property
    def months(self) -> int:
        """Return how many months it is, at least 1."""
        return _number(self.last) - _number(self.first) + 1

    @property
    def is_quarters(self) -> bool:
        """Tell whether the period is a number of whole quarters that a trend can show."""
        begins = _number(self.first) % 3 == 0
        return begins and self.months % 3 == 0 and self.months <= 3 * MOST_QUARTERS

    def following(self) -> Period:
        """Return the period of the same length that begins where this one ends."""
        start = _number(self.last) + 1
        return Period(_month(start), _month(start + self.months - 1))

    def to_dict(self) -> dict[str, str]:
        """Return the period as JSON."""
        return {"first": self.first, "last": self.last}


def _number(month: str) -> int:
    year, _, number = month.partition("-")
    return int(year) * 12 + int(number) - 1


def _month(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


@dataclass(frozen=True)
class Question:
    """One question of an indicator. `role` is main, pooled, trend, excluded or stratum:<variable>.

    `level` is set where a stratum takes a question per group; `query` is JSON for `runs.submit`.
    """

    role: str
    query: Mapping[str, Any]
    level: str | None = None


def questions(
    indicator: Indicator,
    codebook: Codebook,
    *,
    study: str,
    period: Period,
    sites: Sequence[str] | Literal["all"],
    purpose_text: str,
) -> list[Question]:
    """The questions of an indicator in a period: the main one first, then pooled, trend, excluded
    and strata.

    Raises QueryError when the codebook lacks what the indicator is about.
    """
    whole = codebook.whole
    if indicator.codebook != whole.id:
        raise QueryError(
            BAD_VALUE,
            f"Indicator {indicator.id} is written for {indicator.codebook}, and this study uses "
            f"{whole.id}. Choose another indicator, or write a version for this codebook.",
            "codebook",
        )
    asked = _Asking(indicator, whole.at(indicator.unit), study, period, sites, purpose_text)
    found = [Question("main", asked.query(asked.main(), output=asked.output))]
    if indicator.measure == "survival":  # a curve of all cannot be made of hospitals' curves
        found.append(
            Question("pooled", asked.query(asked.main(), output="pooled", words="together"))
        )
    if (trend := asked.trend()) is not None:
        found.append(Question("trend", asked.query(trend, words="per quarter")))
    if indicator.exclusions:
        found.append(Question("excluded", asked.excluded()))
    for variable in indicator.strata:
        found.extend(asked.stratum(variable))
    return found


@dataclass(frozen=True)
class _Asking:
    indicator: Indicator
    view: Codebook
    study: str
    period: Period
    sites: Sequence[str] | Literal["all"]
    purpose: str

    @property
    def output(self) -> str:
        return "pooled" if self.indicator.measure == "difference" else "by_site"

    def query(
        self,
        analysis: Json,
        *,
        more: Sequence[Json] = (),
        excluded: bool = False,
        output: str = "by_site",
        words: str = "",
    ) -> Json:
        """The query as JSON; `more` are conditions beside the indicator's own."""
        parts = [str(self.indicator.text), words, str(self.period)]
        return {
            "version": VERSION,
            "study": self.study,
            "title": ", ".join(part for part in parts if part)[:MAX_TITLE],
            "purpose": self.purpose[:MAX_PURPOSE],
            "codebook": self.view.whole.id,
            "unit": self.view.unit,
            "sites": "all" if self.sites == "all" else sorted(self.sites),
            "cohort": {"all": [*self._base(), *self._exclusions(excluded), *more]},
            "analysis": analysis,
            "output": output,
        }

    def _base(self) -> list[Json]:
        """The denominator, the hospital's role and the period."""
        conditions = [self.indicator.cohort.to_dict()] if self.indicator.cohort.variables() else []
        role = self.indicator.role_variable
        if role is not None:
            self.view.variable(role, "role")
            conditions.append({"var": role, "op": "=", "value": True})
        months = [self.period.first, self.period.last]
        return [*conditions, {"var": self.indicator.date, "op": "between", "value": months}]

    def _exclusions(self, excluded: bool) -> list[Json]:
        """Nobody for whom an exclusion is known to hold; or, `excluded`, only they."""
        conditions = [each.when.to_dict() for each in self.indicator.exclusions]
        if excluded:
            return [{"any": conditions}]
        return [{"not": each} for each in conditions]

    def main(self) -> Json:
        """The analysis of the main question, by measure."""
        it = self.indicator
        match it.measure:
            case "share":
                return self._share(it.case_mix)
            case "time":
                return {
                    "kind": "waiting_time",
                    "variable": it.time,
                    "norms": list(it.norms),
                    "cap": CAP_DAYS,
                }
            case "survival":
                return {"kind": "survival", "time": it.time, "event": it.event, "at": list(it.at)}
            case "mean":
                terms = [each for each in (it.baseline, it.case_mix) if each is not None]
                formula = " + ".join(terms) or None
                return {"kind": "adjusted_mean", "outcome": it.variable, "formula": formula}
            case "difference":
                return {"kind": "count", "by": [it.exposure, *self._counted()]}
            case _:  # mix and volume
                return {"kind": "count", "by": [] if it.variable is None else [it.variable]}

    def _share(self, formula: str | None) -> Json:
        assert self.indicator.numerator is not None  # noqa: S101  read_indicator demands it
        outcome = self.indicator.numerator.to_dict()
        return {"kind": "standardise", "outcome": outcome, "formula": formula}

    def _counted(self) -> list[str]:
        assert self.indicator.numerator is not None  # noqa: S101  read_indicator demands it
        return list(self.indicator.numerator.variables())

    def trend(self) -> Json | None:
        """The analysis per quarter, for shares and times, where the period is whole quarters."""
        it = self.indicator
        if not self.period.is_quarters:
            return None
        analysis: Json = {
            "kind": "trend",
            "date": it.date,
            "first": self.period.first,
            "last": self.period.last,
            "by": "quarter",
        }
        if it.measure == "share":
            share = self._share(it.case_mix)
            found = {**analysis, "outcome": share["outcome"], "formula": share["formula"]}
            return {**found, "cusum_h": CUSUM_LIMIT} if it.better == "lower" else found
        if it.measure == "time":
            return {**analysis, "variable": it.time, "within": self._norm()}
        return None

    def _norm(self) -> int:
        """The norm of the target that a picture shows, else the strictest."""
        named = (each.within for each in self.indicator.targets if each.within is not None)
        return next(named, self.indicator.norms[0])

    def excluded(self) -> Json:
        """How many were taken out. Per hospital, as the main question: a sum of all hospitals would
        be refused beside their own numbers."""
        return self.query({"kind": "count", "by": []}, excluded=True, words="taken out")

    def stratum(self, variable: str) -> list[Question]:
        """The same question by the groups of a variable, for the cause of a difference.

        In one question where the kind of analysis can, so that hidden numbers are hidden together.
        """
        it = self.indicator
        role, words = f"stratum:{variable}", f"by {variable}"
        one: Json | None = None
        match it.measure:
            case "time" | "mean":
                measured = it.time if it.measure == "time" else it.variable
                one = {"kind": "describe", "variables": [measured], "by": variable}
            case "mix" | "volume" | "difference":
                by = [] if it.measure == "volume" else self.main()["by"]
                one = {"kind": "count", "by": [variable, *by]}
            case "survival":
                one = {**self.main(), "by": variable}
            case _:
                if self._is_variable():
                    one = {"kind": "count", "by": [variable, *self._counted()]}
        if one is not None:
            return [Question(role, self.query(one, words=words, output=self.output))]
        found = []
        for level in self.view.variables[variable].group_labels or ():
            boolean = self.view.variables[variable].type == "boolean"
            value = level == "true" if boolean else level
            only = {"var": variable, "op": "=", "value": value}
            query = self.query(self._share(None), more=[only], words=f"{variable} {level}")
            found.append(Question(role, query, level))
        return found

    def _is_variable(self) -> bool:
        """Whether what a share counts is one variable with groups, so that a table shows it."""
        numerator = self.indicator.numerator
        return (
            isinstance(numerator, Leaf)
            and self.view.variables[numerator.var].group_labels is not None
            and self.view.variables[numerator.var].type in ("boolean", "category")
        )
