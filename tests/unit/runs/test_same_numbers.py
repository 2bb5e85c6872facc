"""What tells the numbers of a round by other words, kinds and parameters; and what does not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from federation.indicators.asking import Period, questions
from federation.indicators.catalogue import shipped
from federation.methods.registry import parse
from federation.query.builtin import builtin_codebook
from federation.runs.same_numbers import Asked, Held

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
SITES = frozenset({"a", "b", "c"})
TIME = "referral_to_visit_days"
MONTH = "first_visit_month"


def asked(query: Any, sites: frozenset[str] = SITES) -> Asked:
    assert BOOK is not None
    return Asked(parse(query, BOOK), BOOK, sites)


def of(name: str, first: str = "2025-04", last: str = "2025-06", role: str = "main") -> Any:
    assert BOOK is not None
    made = questions(
        shipped()[name],
        BOOK,
        study="s",
        period=Period(first, last),
        sites=sorted(SITES),
        purpose_text="x",
    )
    return copy.deepcopy(dict(next(each.query for each in made if each.role == role)))


def leaf(var: str, op: str, value: object) -> dict[str, Any]:
    return {"var": var, "op": op, "value": value}


def changed(query: Any, cohort: Any = None, **analysis: Any) -> Any:
    if cohort is not None:
        query["cohort"] = cohort
    if "kind" in analysis:
        query["analysis"] = analysis
    else:
        query["analysis"].update(analysis)
    return query


def held(query: Any) -> Held:
    found = asked(query).held()
    assert Held.from_dict(found.to_dict()) == found
    return found


NO_EMERGENCY = {"not": leaf("emergency_surgery", "=", True)}
SEEN = {"all": [leaf("first_seen_here", "=", True), NO_EMERGENCY]}
WINDOW = leaf(MONTH, "between", ["2025-04", "2025-06"])
WITHIN = {"kind": "trend", "date": MONTH, "variable": TIME, "within": 21, "by": "quarter"}
TELL = {
    "the same": {},
    "another cap": {"cap": 364},
    "one norm fewer": {"norms": [7]},
    "described": {"kind": "describe", "variables": [TIME]},
    "drawn": {"kind": "histogram", "variable": TIME},
    "compared": {"kind": "compare", "variable": TIME, "by": "sex"},
    "by quarter, from one earlier": {**WITHIN, "first": "2025-01", "last": "2025-06"},
    "a longer period": {"cohort": {"all": [SEEN, leaf(MONTH, ">=", "2024-01")]}},
    "one month of it": {"cohort": {"all": [SEEN, leaf(MONTH, "=", "2025-05")]}},
    "of all time": {"cohort": SEEN},
    "quarter by quarter": {
        "cohort": SEEN,
        **WITHIN,
        "first": "2025-04",
        "last": "2025-06",
    },
    "another date": {
        "cohort": {"all": [SEEN, leaf("incidence_month", "between", ["2025-01", "2025-12"])]}
    },
    "two windows": {
        "cohort": {"all": [SEEN, WINDOW, leaf("incidence_month", ">=", "2026-01")]},
    },
    "in another wording": {
        "cohort": {
            "any": [
                {"all": [SEEN, leaf(MONTH, "=", "2025-04")]},
                {"not": {"any": [{"not": SEEN}, leaf(MONTH, "<", "2025-05")]}},
            ]
        }
    },
    "as a number of patients": {
        "cohort": {"all": [SEEN, WINDOW, leaf(TIME, "<=", 21)]},
        "kind": "count",
        "by": [],
    },
    "of those whose age is known": {"cohort": {"all": [SEEN, WINDOW, leaf("age", ">=", 0)]}},
}


@pytest.mark.parametrize("how", TELL)
def test_these_tell_what_a_waiting_time_tells(how: str) -> None:
    assert asked(changed(of("access_time"), **TELL[how])).tells(held(of("access_time")))


FREE = {
    "another measure": {"kind": "describe", "variables": ["visit_to_treatment_days"]},
    "a count": {"kind": "count", "by": ["stage_group"]},
    "the months after": {"cohort": {"all": [SEEN, leaf(MONTH, ">", "2025-06")]}},
    "the months before": {"cohort": {"all": [SEEN, leaf(MONTH, "<", "2025-04")]}},
    "another date, other months": {
        "cohort": {"all": [SEEN, leaf("incidence_month", "<=", "2024-12")]}
    },
    "other patients": {"cohort": {"all": [SEEN, WINDOW, leaf("topography", "=", "C50")]}},
    "whoever saw them first": {"cohort": WINDOW},
    "as what is corrected for": {
        "kind": "standardise",
        "outcome": "dead",
        "formula": TIME,
    },
}


@pytest.mark.parametrize("how", FREE)
def test_these_stay_free(how: str) -> None:
    assert not asked(changed(of("access_time"), **FREE[how])).tells(held(of("access_time")))


def test_other_hospitals_units_and_formulas() -> None:
    waiting = held(of("access_time"))
    query = of("access_time")
    query["sites"] = ["d", "e", "f"]
    assert not asked(query, frozenset({"d", "e", "f"})).tells(waiting)
    assert asked(query, frozenset({"c", "d"})).tells(waiting)
    died = held(of("mortality_30"))
    for formula in (None, "age", "asa + age"):
        assert asked(changed(of("mortality_30"), formula=formula)).tells(died)
    model = {"kind": "regression", "family": "binomial", "formula": "died_within_30_days ~ age"}
    assert asked(changed(of("mortality_30"), **model)).tells(died)
    model["formula"] = "died_within_90_days ~ age"
    assert not asked(changed(of("mortality_30"), **model)).tells(died)


def test_what_a_round_may_ask_beside_another() -> None:
    """Measures of their own, of the same patients or of some of them: an answer's number of rows
    is no finding of it. Only who counts, counts."""
    for name, beside in (
        ("overall_survival", "new_tumours"),
        ("failure_to_rescue", "severe_complications"),
        ("treatment_interval_other", "treatment_mix_treatment"),
    ):
        person = asked(of(name))
        assert person.tells(held(of(beside))), name
        assert not replace(person, planned=True).tells(held(of(beside))), name
    mix = replace(asked(of("treatment_mix_diagnosis")), planned=True)
    assert mix.tells(held(of("new_tumours")))


def test_a_volume_is_told_by_counts_and_by_answers_per_hospital() -> None:
    volume = held(of("volume_colon"))
    assert volume.tells == frozenset()
    by_stage = changed(of("volume_colon"), kind="count", by=["stage_group"])
    ages = changed(of("volume_colon"), kind="describe", variables=["age"])
    assert asked(by_stage).tells(volume)
    assert asked(ages).tells(volume)
    assert not asked({**ages, "output": "pooled"}).tells(volume)


def test_what_was_told_of_earlier_months_is_not_held_again() -> None:
    year = held(of("access_time", "2024-07", "2025-06"))
    told = held(of("access_time", "2024-04", "2025-03"))
    new = year.without_told([told])
    for first, last, tells in (
        ("2024-07", "2025-03", False),
        ("2025-03", "2025-04", True),
        ("2025-06", "2025-06", True),
    ):
        assert asked(of("access_time", first, last)).tells(new) is tells, (first, last)
    # Of fewer hospitals, or something else: not the same.
    few = asked(of("access_time", "2024-04", "2025-03"), frozenset({"a", "b"})).held()
    assert year.without_told([few, held(of("total_interval", "2024-04", "2025-03"))]) == year
    assert asked(of("access_time", "2024-07", "2025-06")).tells(year.without_told([year])) is False
