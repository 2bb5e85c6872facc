"""Rules: how they are written, and what a role with a scope reaches."""

from __future__ import annotations

import pytest

from registry.access import PUBLIC, Rule, reach, reaches, reaches_any, rule
from studies.actor import Actor


def actor(*roles: str) -> Actor:
    return Actor(kind="user", id="a", roles=frozenset(roles))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"who": "everybody"},
        {"who": "public", "roles": {"auditor"}},
        {"roles": {"emperor"}},
        {"roles": set()},
    ],
)
def test_a_rule_is_public_or_names_known_roles(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"rule|roles"):
        rule(**wrong)  # type: ignore[arg-type]


def test_a_rule_reads_as_a_line_of_the_matrix() -> None:
    made = Rule(False, frozenset({"committee", "auditor"}), "query", True)
    assert str(made) == "auditor|committee own query fresh"
    assert str(PUBLIC) == "public"


def test_a_role_reaches_its_scope_and_the_network_everything() -> None:
    one = actor("committee", "committee@study:a")
    everything = actor("committee", "committee@network")
    assert reaches(one, "committee", "study", "a")
    assert not reaches(one, "committee", "study", "b")
    assert not reaches(one, "committee", "site", "a")
    assert not reaches(one, "coordinator", "study", "a")
    assert reaches(everything, "committee", "study", "b")
    assert not reaches(actor("committee"), "committee", "study", "a")
    assert reaches_any(one, {"coordinator", "committee"}, "study", "a")
    assert not reaches_any(one, set(), "study", "a")


def test_reach_lists_what_is_held() -> None:
    held = actor("steward", "steward@site:a", "steward@site:b", "steward@study:c")
    assert reach(held, "steward", "site") == {"a", "b"}
    assert reach(held, "board", "site") == frozenset()
    assert reach(actor("steward@network"), "steward", "site") is None
