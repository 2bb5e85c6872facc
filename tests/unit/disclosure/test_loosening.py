"""A value looser than the default needs two persons, a reason and an end (disclosure.md, P4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from policies import decided, loosened_entries

from federation.disclosure.policy import Policy, PolicyError, load_policy, read_policy

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFAULT: dict[str, Any] = Policy.strict().to_dict()


def with_entry(**more: Any) -> dict[str, Any]:
    return {**DEFAULT, "t_cell": 7, "loosened": loosened_entries("t_cell", now=NOW, **more)}


def test_with_a_decision_the_value_holds_and_the_file_says_who_decided() -> None:
    policy = read_policy(with_entry(reason="  Ovarian\n sarcoma is rare. "))
    (decision,) = policy.loosened
    assert policy.t_cell == 7
    assert decision.key == "t_cell"
    assert decision.by == ("A. Jansen", "B. de Vries")
    assert decision.reason == "Ovarian sarcoma is rare."
    assert load_policy(policy.to_yaml().encode(), NOW) == policy
    policy.check(NOW)


def test_keys_inside_a_group_and_keys_that_do_not_travel() -> None:
    changed = replace(
        Policy.strict(),
        km=replace(Policy.strict().km, min_events=3),
        budget=replace(Policy.strict().budget, rank_max_share_of_n=0.4),
        consent_max_age_min=60,
    )
    assert changed.looser == ["km.min_events", "budget.rank_max_share_of_n", "consent_max_age_min"]
    policy = load_policy(decided(changed, NOW).to_yaml().encode(), NOW)
    assert [each.key for each in policy.loosened] == changed.looser


def test_every_key_that_is_looser_is_asked_for_by_name() -> None:
    for key in ("t_cell", "t_complement"):
        obj = {**with_entry(), "t_cell": 7, "t_complement": 5}
        obj["loosened"] = loosened_entries(*({"t_cell", "t_complement"} - {key}), now=NOW)
        with pytest.raises(PolicyError, match=f"'{key}' looser than its default") as caught:
            read_policy(obj)
        assert caught.value.key == key


def test_a_decision_does_not_reach_below_the_floor() -> None:
    with pytest.raises(PolicyError, match="less than the loosest value allowed") as caught:
        read_policy({**with_entry(), "t_cell": 4})
    assert caught.value.key == "t_cell"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"by": "A. Jansen"}, "two persons"),
        ({"by": ["A. Jansen"]}, "two persons"),
        ({"by": ["A", "B", "C"]}, "two persons"),
        ({"by": ["A. Jansen", "a.  jansen "]}, "one person twice"),
        ({"by": ["A. Jansen", 7]}, "2 to 100 characters"),
        ({"by": ["A. Jansen", "x" * 101]}, "2 to 100 characters"),
        ({"by": ["A. Jansen", "B\x00C"]}, "2 to 100 characters"),
        ({"reason": ""}, "2 to 500 characters"),
        ({"reason": None}, "2 to 500 characters"),
        ({"decided": "yesterday"}, "a day such as"),
        ({"decided": "2026-02-30"}, "a day such as"),
        ({"decided": 20261122}, "a day such as"),
        ({"until": "1026-11-22"}, "a day such as"),
        ({"decided": "2026-11-22", "until": "2026-11-21"}, "twelve months"),
        ({"decided": "2026-11-22", "until": "2027-11-23"}, "twelve months"),
        ({"decided": "2028-02-29", "until": "2029-03-01"}, "twelve months"),
        ({"signed": True}, "does not exist"),
    ],
)
def test_a_decision_that_is_none(more: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        read_policy(with_entry(**more))
    assert caught.value.key == "loosened.t_cell"


@pytest.mark.parametrize(
    ("start", "end"), [("2026-11-22", "2027-11-22"), ("2028-02-29", "2029-02-28")]
)
def test_twelve_months_is_the_longest(start: str, end: str) -> None:
    assert read_policy(with_entry(decided=start, until=end)).loosened


@pytest.mark.parametrize("name", ["by", "reason", "decided", "until"])
def test_a_part_that_lacks_is_named(name: str) -> None:
    obj = with_entry()
    del obj["loosened"]["t_cell"][name]
    with pytest.raises(PolicyError, match=f"lacks the key '{name}'"):
        read_policy(obj)


@pytest.mark.parametrize(
    ("loosened", "said"),
    [
        ([], "one key and its decision"),
        (None, "one key and its decision"),
        ({"t_cell": "yes"}, "must hold the keys"),
        ({"t_cel": {}}, "Did you mean 't_cell'"),
    ],
)
def test_a_list_of_decisions_that_is_none(loosened: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        read_policy({**DEFAULT, "t_cell": 7, "loosened": loosened})


def test_a_decision_about_a_value_that_is_not_looser_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"not looser than its default\. Remove it"):
        read_policy({**DEFAULT, "loosened": loosened_entries("t_cell", now=NOW)})
    assert read_policy({**DEFAULT, "loosened": {}}) == Policy.strict()


def test_it_ends_after_its_last_day_and_does_not_hold_before_it_is_taken() -> None:
    policy = read_policy(with_entry(decided="2026-11-22", until="2026-12-01"))
    policy.check(datetime(2026, 12, 1, 23, 59, tzinfo=UTC))
    policy.check(datetime(2026, 11, 21, 23, 0, tzinfo=UTC))  # tomorrow's date in Amsterdam
    for moment, said in (
        (datetime(2026, 12, 2, tzinfo=UTC), "ended on 2026-12-01"),
        (datetime(2026, 11, 20, tzinfo=UTC), "still to come"),
    ):
        with pytest.raises(PolicyError, match=said) as caught:
            load_policy(policy.to_yaml().encode(), moment)
        assert caught.value.key == "t_cell"
    Policy.strict().check(NOW + timedelta(days=5000))


def test_what_stays_after_a_withdrawal_is_the_sites_choice() -> None:
    withhold = read_policy({**DEFAULT, "after_withdrawal": "withhold"})
    assert withhold.after_withdrawal == "withhold"
    assert load_policy(withhold.to_yaml().encode()) == withhold
    assert withhold.sha256 != Policy.strict().sha256
    assert read_policy({**DEFAULT, "after_withdrawal": "replay"}) == Policy.strict()
    with pytest.raises(PolicyError, match="one of: replay, withhold"):
        read_policy({**DEFAULT, "after_withdrawal": "show"})


def test_counting_shared_patients_is_off_until_two_people_switch_it_on() -> None:
    assert "private_match" not in DEFAULT  # a policy of before the key was there
    assert read_policy(DEFAULT).private_match is False
    assert read_policy({**DEFAULT, "private_match": False}) == Policy.strict()
    with pytest.raises(PolicyError, match="names no decision") as caught:
        read_policy({**DEFAULT, "private_match": True})
    assert caught.value.key == "private_match"
    entry = loosened_entries("private_match", now=NOW)
    on = read_policy({**DEFAULT, "private_match": True, "loosened": entry})
    assert on.private_match
    assert load_policy(on.to_yaml().encode(), NOW) == on
    assert on.sha256 != Policy.strict().sha256
    assert on.terms() == Policy.strict().terms()  # nothing that the hub is told of
    for wrong in ("yes", 1, None, "on"):
        with pytest.raises(PolicyError, match="private_match"):
            read_policy({**DEFAULT, "private_match": wrong, "loosened": entry})
    assert Policy.open_data().private_match
