"""What a trend is about, read from its parameters: the quarters, the outcome and the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Mask, Rows
from federation.methods.design import Design, design_of
from federation.methods.glm import BINOMIAL
from federation.methods.glm_rows import GlmPlan
from federation.methods.outcome import Outcome, outcome_of
from federation.methods.waiting_time_days import days_of
from federation.query.cohort import Leaf
from federation.query.errors import BAD_VALUE, QueryError
from federation.query.formula import parse_formula
from federation.query.parameters import Parameter, Schema, VariableParam
from federation.query.variables import Variable, number_text

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_QUARTERS: Final = 40
_MONTH: Final = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")


class MonthsParam(VariableParam):
    """A date that is known to the month."""

    types: tuple[str, ...] = ("date",)

    def suits(self, variable: Variable) -> bool:
        """Tell whether it has months."""
        return super().suits(variable) and variable.resolution == "month"


@dataclass(frozen=True, kw_only=True)
class MonthParam(Parameter):
    """A month as 2024-01, the first of a quarter, or with `ends` the last of one."""

    ends: bool = False

    def _parse(self, value: Any, codebook: Any, where: str) -> str:
        found = _MONTH.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise QueryError(BAD_VALUE, f"{self.name} is a month, as 2024-01.", where)
        if int(found[2]) % 3 != (0 if self.ends else 1):
            which = "last month of a quarter: 03, 06, 09 or 12"
            if not self.ends:
                which = "first month of a quarter: 01, 04, 07 or 10"
            raise QueryError(BAD_VALUE, f"{self.name} is the {which}.", where)
        return str(value)

    def _schema(self, codebook: Any) -> Schema:
        return {"type": "string", "pattern": f"^{_MONTH.pattern}$"}


def month_number(text: str) -> int:
    """Months since year 0 of "2024-01", as date columns count."""
    year, _, month = text.partition("-")
    return int(year) * 12 + int(month) - 1


def quarters_between(first: str, last: str) -> tuple[str, ...]:
    """The quarters from month `first` to month `last`: "2024-Q1" and so on."""
    start, end = month_number(first), month_number(last)
    return tuple(f"{m // 12}-Q{m % 12 // 3 + 1}" for m in range(start, end + 1, 3))


@dataclass(frozen=True)
class WithinDays(Outcome):
    """Whether a waiting time is within so many days, as in waiting_time."""

    variable: str = ""
    days: int = 0

    @classmethod
    def of_days(cls, variable: str, days: int, codebook: Any) -> WithinDays:
        """The outcome that `variable` is at most `days`."""
        leaf = Leaf(variable, "<=", days)
        return cls(f"{variable}=[0,{days + 1})", leaf, codebook, variable, days)

    @property
    def is_condition(self) -> bool:
        """A variable says it, with its days."""
        return False

    def values(self, rows: Rows) -> Floats:
        """1 within the days, 0 after them, nan without a waiting time; (n,)."""
        days = days_of(rows, self.variable)
        return np.where(np.isnan(days), np.nan, (days <= self.days).astype(np.float64))


@dataclass(frozen=True)
class PeriodModel(GlmPlan):
    """A model of the patients of a period: `size` quarters of date `date` from month `first` on."""

    date: str = ""
    first: int = 0
    size: int = 0

    def places(self, rows: Rows) -> Ints:
        """The quarter of each row, int64 (n,), -1 where the date is missing or outside them."""
        months = np.asarray(rows.column(self.date).values, dtype=np.float64)
        found = np.floor((months - self.first) / 3.0)
        inside = (found >= 0) & (found < self.size)  # nan fails both
        return np.where(inside, np.where(inside, found, 0.0), -1.0).astype(np.int64)

    def complete(self, rows: Rows) -> Mask:
        """Rows with a quarter, the outcome and every term, bool (n,)."""
        return np.asarray(super().complete(rows) & (self.places(rows) >= 0))


@dataclass(frozen=True)
class Plan:
    """`quarters` by name; `waiting`: the duration of which medians are given, if any; `model` with
    the outcome, and without terms without a formula."""

    quarters: tuple[str, ...]
    waiting: str | None
    outcome: Outcome
    model: PeriodModel

    @property
    def date(self) -> str:
        """The variable that places a row in a quarter."""
        return self.model.date

    @property
    def size(self) -> int:
        """The number of quarters."""
        return len(self.quarters)

    def places(self, rows: Rows) -> Ints:
        """The quarter of each row; see PeriodModel."""
        return self.model.places(rows)

    def complete(self, rows: Rows) -> Mask:
        """Rows that are in the answer; see PeriodModel."""
        return self.model.complete(rows)

    @property
    def yes(self) -> str:
        """What the gate's cells of those with the outcome are called, behind their quarter."""
        if isinstance(self.outcome, WithinDays):
            return self.outcome.label
        return "event=yes" if self.outcome.is_condition else f"{self.outcome.label}=true"

    @property
    def no(self) -> str:
        """The same of those without it."""
        if isinstance(self.outcome, WithinDays):
            highest = self.model.design.codebook.variables[self.outcome.variable].max
            end = "inf" if highest is None else number_text(highest)
            return f"{self.outcome.variable}=[{self.outcome.days + 1},{end}]"
        return "event=no" if self.outcome.is_condition else f"{self.outcome.label}=false"


def plan_of(ask: Ask) -> Plan:
    """The plan of a question."""
    return ask.once("trend plan", _plan)


def _plan(ask: Ask) -> Plan:
    params = ask.params
    outcome: Outcome
    if params["outcome"] is None:
        outcome = WithinDays.of_days(params["variable"], int(params["within"]), ask.codebook)
    else:
        outcome = outcome_of(ask)
    design = Design((), ask.codebook)
    if params["formula"] is not None:
        formula = parse_formula(params["formula"], ask.codebook, two_sided=False)
        design = design_of(formula, ask.codebook)
    told = None if outcome.label in ask.codebook.variables else outcome
    quarters = quarters_between(params["first"], params["last"])
    model = PeriodModel(
        BINOMIAL,
        design,
        outcome.label,
        told=told,
        date=params["date"],
        first=month_number(params["first"]),
        size=len(quarters),
    )
    return Plan(quarters, params["variable"], outcome, model)


def outcome_names(params: Mapping[str, Any], codebook: Any) -> tuple[str, ...]:
    """The variables that decide the outcome."""
    if params["outcome"] is None:
        return (params["variable"],)
    return Outcome.of(params["outcome"], codebook).variables
