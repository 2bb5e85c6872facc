"""Whose yes is needed: children, turning 16, representatives (consent.md 3.6; tests T21 to T23)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.parties import (
    ADULT,
    AGE_CLASSES,
    BEGIN,
    FROM_12,
    HOLDERS,
    ROLES,
    UNDER_12,
    Age,
    Speaker,
    check_age,
    is_party,
    month_start,
    needed,
    spans,
)

NOW = datetime(2030, 1, 15, 12, tzinfo=UTC)
MOTHER = Speaker("p-" + "a" * 16, "parent", BEGIN, None)
FATHER = Speaker("p-" + "b" * 16, "guardian", BEGIN, None)
MENTOR = Speaker("p-" + "c" * 16, "mentor", BEGIN, None)


def who(age, speakers, now=NOW):
    return {
        name[:3] if name.startswith("p-") else name for name in needed(spans(age, speakers), now)
    }


def test_a_patient_of_whom_nothing_was_told_has_no_spans_and_decides_alone():
    assert spans(None, []) == []


def test_each_age_class_needs_its_own_people():
    child = Age(UNDER_12, "2033-05", NOW)
    assert who(child, [MOTHER, FATHER]) == {"p-a", "p-b"}
    teenager = Age(FROM_12, "2033-05", NOW)
    assert who(teenager, [MOTHER, FATHER]) == {"p-a", "p-b", "self"}
    assert who(Age(ADULT, None, NOW), [MOTHER, FATHER]) == {"self"}


def test_a_child_grows_without_another_word_of_the_hospital():
    age = Age(UNDER_12, "2033-05", NOW)
    twelve, sixteen = month_start("2033-05"), month_start("2037-05")
    second = timedelta(seconds=1)
    assert who(age, [MOTHER], twelve - second) == {"p-a"}
    assert who(age, [MOTHER], twelve) == {"p-a", "self"}
    assert who(age, [MOTHER], sixteen - second) == {"p-a", "self"}
    assert who(age, [MOTHER], sixteen) == {"self"}


@pytest.mark.parametrize("month", ["2036-02", "2031-03", "2031-10"])
def test_sixteen_begins_with_the_month_also_for_leap_days_and_changes_of_the_clock(month):
    age = Age(FROM_12, month, NOW)
    first = month_start(month)
    assert who(age, [MOTHER], first - timedelta(milliseconds=1)) == {"p-a", "self"}
    assert who(age, [MOTHER], first) == {"self"}
    assert first.astimezone(UTC).day >= 28  # never after midnight in the Netherlands


def test_without_a_known_holder_nobody_can_open():
    assert who(Age(FROM_12, "2033-05", NOW), []) == {"nobody", "self"}
    assert who(Age(UNDER_12, "2033-05", NOW), []) == {"nobody"}
    ended = Speaker(MOTHER.party, "parent", BEGIN, NOW - timedelta(days=1))
    assert who(Age(FROM_12, "2033-05", NOW), [ended]) == {"nobody", "self"}
    coming = Speaker(MOTHER.party, "parent", NOW + timedelta(days=1), None)
    assert who(Age(FROM_12, "2033-05", NOW), [coming]) == {"nobody", "self"}


def test_an_adult_who_cannot_decide_is_spoken_for_while_the_appointment_lasts():
    assert who(None, [MENTOR]) == {"p-c"}
    yesterday = Speaker(MENTOR.party, "mentor", BEGIN, NOW - timedelta(days=1))
    # Nobody has said that the patient decides again, so nobody can open.
    assert who(None, [yesterday]) == set()
    assert who(Age(ADULT, None, NOW - timedelta(days=2)), [yesterday]) == set()
    assert who(Age(ADULT, None, NOW), [yesterday]) == {"self"}


def test_a_mentor_takes_over_from_the_parents_at_sixteen():
    age = Age(FROM_12, "2030-01", BEGIN)
    assert who(age, [MOTHER, MENTOR], month_start("2030-01") - timedelta(seconds=1)) == {
        *("p-a", "self")
    }
    assert who(age, [MOTHER, MENTOR]) == {"p-c"}


@pytest.mark.parametrize(
    ("age_class", "month"), [("12-15", None), ("16+", "2030-01"), ("17", None), ("<12", "2030-13")]
)
def test_an_age_class_that_makes_no_sense_is_refused(age_class, month):
    with pytest.raises(ValueError, match="month"):
        check_age(age_class, month)


def test_the_name_of_a_representative_is_opaque():
    assert is_party("p-0123456789abcdef")
    assert not any(map(is_party, ["self", "p-jan", "nobody", "p-0123456789ABCDEF", None, 3]))


moments = st.integers(-4000, 4000).map(lambda days: NOW + timedelta(days=days))
speakers = st.builds(
    lambda party, role, start, end: Speaker(f"p-{party:016x}", role, start, end),
    st.integers(0, 3),
    st.sampled_from(sorted(ROLES)),
    moments,
    st.none() | moments,
)


@given(
    st.sampled_from(AGE_CLASSES),
    st.sampled_from(["2029-12", "2030-01", "2031-07"]),
    st.lists(speakers, max_size=4, unique_by=lambda each: each.party),
    moments,
)
def test_a_child_is_never_decided_for_by_itself_or_by_no_holder(age_class, month, known, now):
    adult = age_class == ADULT
    age = Age(age_class, None if adult else month, NOW)
    found = needed(spans(age, known), now)
    sixteen = BEGIN if adult else month_start(month, 4 if age_class == UNDER_12 else 0)
    if now >= sixteen:
        assert not any(each.party in found for each in known if each.role in HOLDERS)
    else:
        holders = {
            each.party
            for each in known
            if each.role in HOLDERS and each.start <= now and (each.end is None or now < each.end)
        }
        assert holders <= found
        assert holders or any(name.startswith("nobody") for name in found)
        assert not any(each.party in found for each in known if each.role not in HOLDERS)
