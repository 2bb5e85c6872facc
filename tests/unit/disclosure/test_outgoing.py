from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import check_outgoing
from federation.disclosure.outgoing import check_basis, check_lists
from federation.protocol.encoding import pack_array
from federation.protocol.sums import flatten
from federation.query.refusals import Refused
from federation.query.terms import Terms

HASH = "0" * 64
STRICT, OPEN = Terms.strict(), Terms.open_data()
SUMS = {"_roster": np.array([1, 40, 1600]), "cells": np.arange(6).reshape(2, 3), "x": np.ones(2)}
LAYOUT, VECTOR = flatten(SUMS)


def reply(**more: Any) -> dict[str, Any]:
    made = {
        **{"v": 1, "iss": "site-a", "aud": "hub", "iat": 1_700_000_000, "exp": 1_700_000_600},
        **{"jti": "a1b2-c3", "run": "3f0c9a52-1111-4222-8333-444455556666", "step": 0},
        **{"query_sha256": HASH, "roster_sha256": HASH, "status": "ok", "code": None},
        **{"terms_named": [], "layout": LAYOUT, "masked": pack_array(VECTOR), "snapshot": 3},
        **{"policy_sha256": HASH, "software": "0.1.0", "replay_of": None},
    }
    return {**made, **more}


REFUSAL = {"status": "refused", "code": "SMALL_GROUP", "masked": None, "layout": None}
REPLAY = {"status": "replay", "replay_of": {"run": "a-b", "as_of": 1_700_000_000}, "masked": None}
PLAIN = {name: pack_array(np.asarray(array)) for name, array in SUMS.items()}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"basis": "eyJh.eyJi.c2ln"},
        REFUSAL,
        {**REFUSAL, "code": "BUDGET", "again_from": "2026-12-22"},
        {**REFUSAL, "code": "MODEL_TOO_RICH", "terms_named": ["grade[3]", "age:hormone[yes]"]},
        REPLAY,
        {**REPLAY, "replay_of": {"run": "a-b", "as_of": "2026-01-01T00:00:00+00:00"}},
    ],
    ids=str,
)
def test_what_may_leave(change: dict[str, Any]) -> None:
    check_outgoing(reply(**change), STRICT)


BASIS: dict[str, Any] = {
    **{"run": "a-b", "study": "onco", "query_sha256": HASH, "roster_sha256": HASH},
    **{"policy_sha256": HASH, "software": "oncokring/1", "snapshot": 3},
    **{"log": {"size": 9, "root": HASH}, "requires": ["use.record", "study.join"]},
}


def test_a_word_about_consent_holds_these_and_nothing_else() -> None:
    check_basis(BASIS)
    check_basis({**BASIS, "log": None})
    for change in (
        {"n": 57},
        {"study": "Jan Jansen"},
        {"snapshot": "3"},
        {"log": {"size": 9, "root": HASH, "n": 57}},
        {"log": {"size": 9.5, "root": HASH}},
        {"log": {"size": 9, "root": "x"}},
        {"requires": []},
        {"requires": ["Jan Jansen"]},
        {"requires": "use.record"},
    ):
        with pytest.raises(Refused, match="INTERNAL_REFUSED"):
            check_basis({**BASIS, **change})
    for name in BASIS:
        with pytest.raises(Refused, match="INTERNAL_REFUSED"):
            check_basis({key: value for key, value in BASIS.items() if key != name})


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"beta": [1.0]},
        {"v": True},
        {"iat": 1.5},
        {"iss": "a b"},
        {"iss": 3},
        {"run": "x" * 101},
        {"run": None},
        {"step": -1},
        {"status": "weird"},
        {"status": None},
        {"query_sha256": "F" * 64},
        {"code": "SMALL_GROUP"},
        {"terms_named": ["grade[3]"]},
        {"masked": None},
        {"masked": [1, 2]},
        {"masked": {**pack_array(VECTOR), "note": "x"}},
        {"masked": {**pack_array(VECTOR), "dtype": "<U9"}},
        {"masked": {**pack_array(VECTOR), "shape": [1, 1, 1, 1, 1]}},
        {"masked": {**pack_array(VECTOR), "b64": "jan jansen"}},
        {"layout": [["name", [1], "s"]]},
        {"layout": [["name", 1, "i"]]},
        {"layout": [["naam\nregel", [1], "i"]]},
        {"layout": [[3, [1], "i"]]},
        {"layout": [["x", [1]]]},
        {"layout": {"x": 1}},
        {"snapshot": "3"},
        {"software": "C:\\Users\\jan"},
        {"basis": "two.parts"},
        {"basis": "jan jansen.is.here"},
        {"basis": 3},
        {**REFUSAL, "basis": "a.b.c"},
        {**REFUSAL, "again_from": "2026-12-22"},
        {**REFUSAL, "code": "BUDGET", "again_from": "2026-12-22T10:00:00"},
        {"again_from": "2026-12-22"},
        {"plain": PLAIN, "masked": None},
        {"plain": PLAIN},
        {**REFUSAL, "masked": pack_array(VECTOR)},
        {**REFUSAL, "code": None},
        {**REFUSAL, "code": "KeyError: 'age'"},
        {**REFUSAL, "terms_named": "grade"},
        {**REFUSAL, "terms_named": ["x" * 201]},
        {**REFUSAL, "terms_named": ["a\nb"]},
        {**REPLAY, "code": "SMALL_GROUP"},
        {**REPLAY, "replay_of": {"run": "a"}},
        {**REPLAY, "replay_of": {"run": "a", "as_of": [1]}},
        {**REPLAY, "replay_of": "a"},
    ],
    ids=lambda change: str(change)[:60],
)
def test_what_may_not_leave(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        check_outgoing(reply(**change), STRICT)
    assert caught.value.code == "INTERNAL_REFUSED"


def test_unmasked_sums_leave_for_open_data_or_by_the_boards_leave() -> None:
    open_reply = reply(masked=None, plain=PLAIN)
    check_outgoing(open_reply, OPEN)
    check_outgoing(open_reply, STRICT, plain_allowed=True)
    check_outgoing(reply(masked=None, plain=pack_array(VECTOR)), OPEN)
    for wrong in ({"a\n": pack_array(VECTOR)}, {"a": 1}, [1]):
        with pytest.raises(Refused):
            check_outgoing(reply(masked=None, plain=wrong), OPEN)
    with pytest.raises(Refused):
        check_outgoing(open_reply, OPEN, plain_allowed=False)


def test_the_size_is_bounded() -> None:
    large = pack_array(np.zeros(25_000))
    with pytest.raises(Refused):
        check_outgoing(reply(masked=large), STRICT)
    check_outgoing(reply(masked=large), OPEN)


ANSWER = {
    "result": {"n": 60, "cells": [{"by": {"sex": "f"}, "n": None}, {"by": {"sex": "m"}, "n": 41}]},
    "hidden": [{"where": "cells[0]", "why": "small_cell"}],
    "warnings": ["Hospitals with fewer than 10 eligible patients do not contribute."],
}
OWN = {"masked": None, "layout": None}
BLOB = "eyJ9.AAAA.BBBB.CC-_.DD"


def test_one_hospitals_own_answer_leaves_only_in_the_way_that_was_agreed() -> None:
    released, sealed = reply(**OWN, released=ANSWER), reply(**OWN, sealed=BLOB)
    check_outgoing(released, STRICT, own_allowed="released")
    check_outgoing(sealed, STRICT, own_allowed="sealed")
    for wrong, way in (
        (released, None),
        (released, "sealed"),
        (sealed, None),
        (sealed, "released"),
    ):
        with pytest.raises(Refused, match="INTERNAL_REFUSED"):
            check_outgoing(wrong, STRICT, own_allowed=way)


@pytest.mark.parametrize(
    "change",
    [
        {"released": ANSWER, "sealed": BLOB},
        {"released": ANSWER, "masked": pack_array(VECTOR)},
        {"released": ANSWER, "plain": PLAIN},
        {"released": ANSWER, "layout": LAYOUT},
        {"released": ANSWER, "terms_named": ["age"]},
        {"released": {"result": {}, "hidden": []}},
        {"released": {**ANSWER, "rows": []}},
        {"released": {**ANSWER, "result": [1]}},
        {"released": {**ANSWER, "hidden": {}}},
        {"released": {**ANSWER, "warnings": "x"}},
        {"released": {**ANSWER, "result": {"x": float("nan")}}},
        {"released": {**ANSWER, "result": {"x": 2**60}}},
        {"released": {**ANSWER, "result": {"x": np.float64(1)}}},
        {"released": {**ANSWER, "result": {"x": (1, 2)}}},
        {"released": {**ANSWER, "result": {"x": "y" * 301}}},
        {"released": {**ANSWER, "result": {"x": "a\nb"}}},
        {"released": {**ANSWER, "result": {1: "x"}}},
        {"released": {**ANSWER, "result": {"x" * 301: 1}}},
        {"released": {**ANSWER, "result": {"x": [0] * 100_000}}},
        {"released": "text"},
        {"sealed": "a.b.c.d"},
        {"sealed": "a.b.c.d.e f"},
        {"sealed": {"n": 1}},
    ],
    ids=lambda each: str(each)[:60],
)
def test_an_own_answer_is_nothing_but_that(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_outgoing(reply(**{**OWN, **change}), STRICT, own_allowed="released")
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_outgoing(reply(**{**OWN, **change}), STRICT, own_allowed="sealed")


def test_an_own_answer_is_not_followed_into_the_deep() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_outgoing(
            reply(**OWN, released={**ANSWER, "result": {"x": deep}}), STRICT, own_allowed="released"
        )


def test_a_refusal_carries_no_own_answer() -> None:
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_outgoing(reply(**REFUSAL, released=ANSWER), STRICT, own_allowed="released")


LISTS = {"layout": None, "masked": None, "lists": {"b": "AAAA", "c": "_-8"}}


def lists_reply(**more: Any) -> dict[str, Any]:
    common = {"v", "iss", "aud", "iat", "exp", "jti", "terms_named"}  # a signature adds the first
    made = {key: value for key, value in reply(**LISTS).items() if key not in common}
    return {key: value for key, value in {**made, **more}.items() if value is not None}


def test_a_sealed_list_leaves_for_each_other_hospital_and_for_nobody_else() -> None:
    check_lists(lists_reply(), {"b", "c"})


@pytest.mark.parametrize(
    "change",
    [
        {"lists": {"b": "AAAA"}},
        {"lists": {"b": "AAAA", "c": "AAAA", "d": "AAAA"}},
        {"lists": {"b": "AAAA", "c": 3}},
        {"lists": {"b": "AAAA", "c": ["AAAA"]}},
        {"lists": {"b": "AAAA", "c": "Jansen, 1953"}},
        {"lists": ["AAAA", "AAAA"]},
        {"lists": None},
        {"status": "refused", "code": "NO_MATCH"},
        {"masked": pack_array(VECTOR)},
        {"plain": PLAIN},
        {"names": "Jansen"},
        {"terms_named": ["age"]},
        {"basis": "eyJh.eyJi.c2ln"},
        {"run": None},
    ],
    ids=str,
)
def test_beside_sealed_lists_nothing_leaves(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_lists(lists_reply(**change), {"b", "c"})


def test_an_answer_to_a_question_carries_no_list() -> None:
    with pytest.raises(Refused, match="INTERNAL_REFUSED"):
        check_outgoing(reply(lists={"b": "AAAA"}), STRICT)
