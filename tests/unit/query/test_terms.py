from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.query.terms import Terms, first_looser

STRICT, OPEN = Terms.strict(), Terms.open_data()


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Every key from the strict or the open set."""

    def pick(a: Any, b: Any) -> Any:
        if is_dataclass(a):
            return type(a)(
                **{f.name: pick(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)}
            )
        return draw(st.sampled_from((a, b)))

    made = pick(STRICT, OPEN)
    assert isinstance(made, Terms)
    return made


@given(any_terms())
def test_terms_survive_a_message(terms: Terms) -> None:
    assert Terms.from_dict(terms.to_dict()) == terms


@given(any_terms(), any_terms())
def test_the_strictest_is_at_least_as_strict_as_each(a: Terms, b: Terms) -> None:
    both = Terms.strictest([a, b])
    assert both == Terms.strictest([b, a])
    assert both.at_least_as_strict_as(a)
    assert both.at_least_as_strict_as(b)
    assert Terms.strictest([both, a]) == both
    assert STRICT.at_least_as_strict_as(both)


@given(any_terms(), any_terms())
def test_strictness_is_an_order(a: Terms, b: Terms) -> None:
    assert a.at_least_as_strict_as(a)
    if a.at_least_as_strict_as(b) and b.at_least_as_strict_as(a):
        assert a == b
    assert (first_looser(a, b) is None) == a.at_least_as_strict_as(b)


def test_open_data_is_not_strict_and_the_default_is() -> None:
    assert STRICT.at_least_as_strict_as(OPEN)
    assert not OPEN.at_least_as_strict_as(STRICT)
    assert OPEN.protection == "none"
    assert OPEN.time_grid_days == 0
    assert OPEN.min_sites == 1


def test_no_terms_have_no_strictest() -> None:
    with pytest.raises(ValueError, match="no terms"):
        Terms.strictest([])


def test_the_looser_key_is_named() -> None:
    looser = {**STRICT.to_dict(), "km": {**STRICT.to_dict()["km"], "min_events": 1}}
    assert first_looser(Terms.from_dict(looser), STRICT) == "km.min_events"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"t_cel": 1}, "unknown key 't_cel'. Did you mean 't_cell'"),
        ({"km": {}}, "missing key 'km.min_removed'"),
        ({"km": 3}, "km: an object"),
        ({"km": {**STRICT.to_dict()["km"], "x": 1}}, "unknown key 'km.x'"),
        ({"t_cell": "10"}, "'t_cell' must be a number"),
        ({"t_cell": True}, "'t_cell' must be a number"),
        ({"t_cell": 10.0}, "'t_cell' must be a whole number"),
        ({"t_cell": -1}, "'t_cell' must be between"),
        ({"t_cell": 10**400}, "'t_cell' must be between"),
        ({"group_share_max": float("nan")}, "'group_share_max' must be between"),
        ({"zero_is_small": 1}, "'zero_is_small' must be one of: false, true"),
        ({"date_grid": "week"}, "'date_grid' must be one of: day, month, year"),
        ({"protection": None}, "'protection' must be one of"),
    ],
    ids=str,
)
def test_a_wrong_key_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        Terms.from_dict({**STRICT.to_dict(), **change})


def test_every_key_is_needed() -> None:
    for key in STRICT.to_dict():
        rest = {k: v for k, v in STRICT.to_dict().items() if k != key}
        with pytest.raises(ValueError, match=f"missing key '{key}'"):
            Terms.from_dict(rest)
    with pytest.raises(ValueError, match="the terms: an object"):
        Terms.from_dict([])


def test_a_studys_wishes_count_where_they_are_stricter() -> None:
    wishes = {"t_cell": 20, "min_sites": 1, "km": {"min_events": 9}, "dominance": {"top1": 0.9}}
    found = STRICT.tightened(wishes)
    assert (found.t_cell, found.min_sites) == (20, 3)
    assert (found.km.min_events, found.km.min_removed) == (9, 10)
    assert found.dominance.top1 == 0.5
    assert found.at_least_as_strict_as(STRICT)
    assert STRICT.tightened({}) == STRICT
    assert Terms.open_data().tightened({"t_cell": 20}).t_cell == 20
    assert Terms.open_data().tightened({"t_cell": 20}).protection == "none"


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"t_cel": 5}, "t_cel"),
        ({"km": 3}, "km"),
        ({"km": {"x": 1}}, "km.x"),
        ({"t_cell": []}, "t_cell"),
    ],
)
def test_a_wish_that_is_none_is_named(wishes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        STRICT.tightened(wishes)
