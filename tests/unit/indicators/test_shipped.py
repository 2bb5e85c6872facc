"""Each shipped indicator is asked in questions that the real kinds take, in few comparisons."""

from __future__ import annotations

import pytest

from consent.reading_level import too_hard
from federation.disclosure.policy import Policy
from federation.indicators.asking import Period, Question, questions
from federation.indicators.catalogue import needs, shipped
from federation.indicators.checking import check_askable, check_length
from federation.indicators.definition import Indicator
from federation.indicators.measures import FIELDS, ROLE_VARIABLES
from federation.methods.registry import parse
from federation.query.builtin import builtin_codebook
from federation.query.codebook import load_codebook
from federation.query.cohort import parse_cohort
from federation.query.errors import QueryError
from federation.site.data import answerable

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
YEAR = Period("2024-01", "2024-12")
#: What a hospital allows by default.
MOST = Policy.strict().max_filter_terms


def asked(indicator: Indicator, period: Period = YEAR) -> list[Question]:
    return questions(
        indicator, BOOK, study="round", period=period, sites="all", purpose_text="To compare."
    )


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_indicator_can_be_asked(name: str) -> None:
    indicator = shipped()[name]
    assert (indicator.id, indicator.version, indicator.owner) == (name, 1, None)
    assert indicator.text.nl != str(indicator.text) or "outcome" in str(indicator.text)
    assert indicator.lay.nl != str(indicator.lay)
    assert Indicator.from_dict(indicator.to_dict()) == indicator
    named: set[str] = set()
    roles = []
    for question in asked(indicator):
        query = parse(question.query, BOOK)
        roles.append(question.role)
        named |= set(query.variables())
        trees = [query.cohort]
        outcome = query.params.get("outcome")
        if isinstance(outcome, dict):
            trees.append(parse_cohort(outcome, BOOK.at(query.unit)))
        assert all(sum(1 for _ in tree.leaves()) <= MOST for tree in trees), question.role
        of_all = question.role == "pooled" or (
            indicator.measure == "difference" and question.role == "main"
        )
        assert query.output == ("pooled" if of_all else "by_site")
        assert query.unit == indicator.unit
    assert roles[0] == "main"
    assert ("trend" in roles) == (indicator.measure in ("share", "time"))
    assert ("pooled" in roles) == (indicator.measure == "survival")
    assert ("excluded" in roles) == bool(indicator.exclusions)
    assert {f"stratum:{each}" for each in indicator.strata} == {
        role for role in roles if role.startswith("stratum:")
    }
    assert set(needs(indicator)) | set(indicator.strata) == named


def test_what_patients_read_can_be_read_by_most_people() -> None:
    assert too_hard(each.lay.nl for each in shipped().values()) == []


def test_every_measure_role_and_new_variable_is_used() -> None:
    every = list(shipped().values())
    assert {each.measure for each in every} == set(FIELDS)
    assert {each.role for each in every} == set(ROLE_VARIABLES)
    used = {name for each in every for name in (*needs(each), *each.strata)}
    made_for_indicators = {
        "incidence_month", "first_visit_month", "first_treatment_month", "surgery_month",
        "prom_month", "first_seen_here", "diagnosed_here", "treated_here",
        "operated_here", "visit_to_mdo_days", "mdo_to_treatment_days", "visit_to_treatment_days",
        "first_treatment_kind", "emergency_surgery", "curative_surgery", "died_within_30_days",
        "died_within_90_days", "prehabilitation", "in_trial", "cci_over_20", "unplanned_stoma",
        "prolonged_stay", "prolonged_or_readmitted", "died_in_admission", "prom_due",
        "prom_completed",
    }  # fmt: skip
    assert made_for_indicators <= used


def test_recalled_targets_say_so_and_read_ones_are_confirmed() -> None:
    for indicator in shipped().values():
        for target in indicator.targets:
            recalled = "recalled" in target.source
            assert target.confirmed is not recalled, indicator.id
    treek = {
        (each.at_least, each.within) for each in shipped()["access_time"].targets if each.confirmed
    }
    assert treek == {(0.8, 21), (1.0, 28)}
    surgery = {
        (each.at_least, each.within)
        for each in shipped()["treatment_interval_surgery"].targets
        if "Treek" in each.set_by
    }
    assert surgery == {(0.8, 35), (1.0, 49)}


def test_the_questions_of_a_time_and_of_a_share() -> None:
    main, trend, excluded, *strata = asked(shipped()["access_time"])
    assert main.query["analysis"] == {
        "kind": "waiting_time",
        "variable": "referral_to_visit_days",
        "norms": [7, 21, 28],
        "cap": 365,
    }
    emergency = {"var": "emergency_surgery", "op": "=", "value": True}
    assert main.query["cohort"]["all"] == [
        {"var": "first_seen_here", "op": "=", "value": True},
        {"var": "first_visit_month", "op": "between", "value": ["2024-01", "2024-12"]},
        {"not": emergency},
    ]
    assert trend.query["analysis"]["within"] == 21
    assert excluded.query["cohort"]["all"][-1] == {"any": [emergency]}
    assert {each.query["analysis"]["kind"] for each in strata} == {"describe"}

    course = {each.role: each for each in asked(shipped()["complicated_course"])}
    assert course["trend"].query["analysis"]["cusum_h"] == 4.5
    levels = [e for e in asked(shipped()["complicated_course"]) if e.role == "stratum:stage_group"]
    assert [each.level for each in levels] == ["0", "I", "II", "III", "IV", "X"]
    both = [e for e in asked(shipped()["complicated_course"]) if "emergency" in e.role]
    assert [each.query["cohort"]["all"][-1]["value"] for each in both] == [False, True]
    rescue = next(e for e in asked(shipped()["failure_to_rescue"]) if "stratum" in e.role)
    assert rescue.query["analysis"]["by"] == ["emergency_surgery", "died_within_30_days"]


def test_what_follows_from_the_outcome_is_not_allowed_for() -> None:
    every = shipped()
    # Pathological stage follows from the nodes that were examined and from what was removed.
    for name in ("r0_resection", "twelve_nodes"):
        assert every[name].case_mix == "age"
        assert not {"stage", "stage_group", "pn"} & set(needs(every[name]))
    # A margin that cannot be assessed is missing, not "no".
    for name in ("r0_resection", "textbook_outcome_colon", "textbook_oncologic_outcome"):
        named = needs(every[name])
        assert ("margin_free" in named, "margin" in named) == (True, False)
    # The clock starts at the operation that makes the cohort.
    free = every["recurrence_free_survival"]
    assert (free.date, free.time) == ("surgery_month", "recurrence_free_after_surgery_days")


def test_dates_of_meetings_alone_are_not_enough_for_a_share() -> None:
    filled = {name for name in BOOK.variables if name != "discussed_first"}
    for items, missing in (({"mdo_date", "treatment_start"}, ("mdo_held",)), (set(), None)):
        found = {e.name: e.missing for e in answerable.indicators(BOOK, filled, items)}
        expected = missing or ("mdo_date", "mdo_held", "treatment_start")
        assert found.pop("mdo_before_treatment") == expected
        assert not any(found.values())


def test_a_definition_is_checked_as_far_as_the_kinds_that_answer_it() -> None:
    outcome = shipped()["textbook_outcome_colon"]
    assert check_askable(outcome, BOOK) == ("main", "trend")
    check_length(outcome, BOOK, 6)
    with pytest.raises(QueryError, match="has 6 comparisons"):
        check_length(outcome, BOOK, 5)
    trial = shipped()["trial_participation"].to_dict()
    with pytest.raises(QueryError) as caught:
        check_askable(Indicator.from_dict({**trial, "case_mix": "C(in_trial)"}), BOOK)
    assert caught.value.where == "main.analysis.formula"


def test_a_period_is_whole_months_and_only_whole_quarters_have_a_trend() -> None:
    assert (YEAR.months, str(YEAR), str(YEAR.following())) == (
        12, "2024-01 - 2024-12", "2025-01 - 2025-12",
    )  # fmt: skip
    assert str(Period("2024-11", "2024-11").following()) == "2024-12"
    assert YEAR.to_dict() == {"first": "2024-01", "last": "2024-12"}
    for period in (Period("2024-02", "2024-04"), Period("2024-01", "2024-05")):
        assert not period.is_quarters
        assert "trend" not in {each.role for each in asked(shipped()["access_time"], period)}
    for first, last in (("2024-13", "2025-01"), ("2024", "2025-01"), ("2025-01", "2024-12")):
        with pytest.raises(QueryError):
            Period(first, last)


def test_a_study_with_another_codebook_cannot_be_asked() -> None:
    other = load_codebook(b"codebook: mine/1\nvariables: {age: {type: integer}}")
    with pytest.raises(QueryError, match="written for oncomin/1"):
        questions(
            shipped()["access_time"], other, study="s", period=YEAR, sites=["a"], purpose_text=""
        )
    with pytest.raises(QueryError, match="Give the codebook"):
        needs(shipped()["access_time"], other)
