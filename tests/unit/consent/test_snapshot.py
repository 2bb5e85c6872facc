"""The snapshot: what is not in it is not permitted, and nothing odd is ever read."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import ConsentError
from consent.snapshot import Snapshot, as_handles, build_claims, parse_claims

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = [("x", "use.record"), ("x", "study.join"), ("y", "use.record")]
A, B, C = b"a" * 20, b"b" * 20, b"\x00" * 20


def claims(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "network": "net",
        "seq": 7,
        "issued": NOW,
        "valid_until": NOW + timedelta(hours=1),
        "columns": COLUMNS,
        "handles": [B, A, C],
        "granted": [
            np.array([True, True, False]),
            np.array([True, False, False]),
            np.array([False, False, True]),
        ],
    }
    return {**build_claims(**given), "aud": "here", **changes}


def parsed(**changes: Any) -> Snapshot:
    return parse_claims(claims(**changes), audience="here")


def code_of(failure: pytest.ExceptionInfo[ConsentError]) -> str:
    return failure.value.code


def test_permits_in_the_order_asked_and_only_what_is_granted() -> None:
    snapshot = parsed()
    assert snapshot.permits([A, B, C, b"z" * 20], "x", ["use.record"]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert snapshot.permits([A, B], "x", ["use.record", "study.join"]).tolist() == [False, True]
    assert snapshot.permits([C], "y", ["use.record"]).tolist() == [True]
    assert snapshot.permits([], "x", ["use.record"]).tolist() == []


def test_an_empty_requirement_set_is_an_error_and_never_everyone() -> None:
    with pytest.raises(ConsentError) as failure:
        parsed().permits([A], "x", [])
    assert code_of(failure) == "requirement_set_empty"


@pytest.mark.parametrize(
    ("study", "requires"), [("x", ["unheard.of"]), ("z", ["use.record"]), ("y", ["study.join"])]
)
def test_an_item_or_study_that_is_not_named_counts_as_no(study: str, requires: list[str]) -> None:
    assert not parsed().permits([A, B, C], study, ["use.record", *requires]).any()


def test_a_snapshot_of_nobody_permits_nobody() -> None:
    nobody = build_claims(
        network="net",
        seq=1,
        issued=NOW,
        valid_until=NOW + timedelta(hours=1),
        columns=COLUMNS,
        handles=[],
        granted=[np.zeros(0, dtype=bool)] * 3,
    )
    snapshot = parse_claims({**nobody, "aud": "here"}, audience="here")
    assert snapshot.permits([A, B], "x", ["use.record"]).tolist() == [False, False]


def test_handles_come_as_an_array_too() -> None:
    assert parsed().permits(as_handles([A, B]), "x", ["use.record"]).all()
    with pytest.raises(ValueError, match="20"):
        parsed().permits([b"short"], "x", ["use.record"])
    with pytest.raises(ValueError, match="20-byte"):
        parsed().permits(np.array([b"short"]), "x", ["use.record"])


def test_freshness() -> None:
    snapshot, limit = parsed(), timedelta(minutes=30)
    snapshot.check_fresh(NOW, limit)
    snapshot.check_fresh(NOW + limit, limit)
    for moment, code in [
        (NOW + limit + timedelta(seconds=1), "consent_state_too_old"),
        (NOW + timedelta(minutes=60), "consent_state_too_old"),
        (NOW - timedelta(minutes=6), "clock_skew"),
    ]:
        with pytest.raises(ConsentError) as failure:
            snapshot.check_fresh(moment, limit)
        assert code_of(failure) == code
    with pytest.raises(ConsentError) as failure:
        snapshot.check_fresh(NOW + timedelta(minutes=60), timedelta(days=1))
    assert code_of(failure) == "consent_state_too_old"


def test_an_older_number_is_a_rollback_and_the_same_one_is_not() -> None:
    assert parse_claims(claims(), audience="here", last_seq=7).seq == 7
    with pytest.raises(ConsentError) as failure:
        parse_claims(claims(), audience="here", last_seq=8)
    assert code_of(failure) == "snapshot_rollback"


def test_meant_for_another() -> None:
    for arguments in (
        {"audience": "elsewhere"},
        {"audience": "here", "network": "other"},
    ):
        with pytest.raises(ConsentError) as failure:
            parse_claims(claims(), **arguments)  # type: ignore[arg-type]
        assert code_of(failure) == "snapshot_other_site"
    without = claims()
    del without["aud"]
    with pytest.raises(ConsentError) as failure:
        parse_claims(without, audience="here")
    assert code_of(failure) == "snapshot_other_site"


MALFORMED: dict[str, dict[str, Any]] = {
    "network": {"network": 5},
    "number as text": {"seq": "7"},
    "number zero": {"seq": 0},
    "number as truth": {"seq": True},
    "time as text": {"issued": "yesterday"},
    "time out of range": {"valid_until": 10**18},
    "ends before it begins": {"valid_until": int(NOW.timestamp())},
    "columns": {"columns": "all"},
    "too many columns": {"columns": [{"study": "x", "item": str(n)} for n in range(10_001)]},
    "column without item": {"columns": [{"study": "x"}] * 3},
    "column of numbers": {"columns": [{"study": 1, "item": 2}] * 3},
    "column twice": {"columns": [{"study": "x", "item": "use.record"}] * 3},
    "handles not bytes": {"handles": 5},
    "handles as text": {"handles": "a" * 60},
    "half a handle": {"handles": b"a" * 30},
    "too many handles": {"handles": bytes(20 * 5_000_001)},
    "not sorted": {"handles": claims()["handles"][20:] + claims()["handles"][:20]},
    "masks missing": {"granted": claims()["granted"][:2]},
    "masks not bytes": {"granted": ["AQ"] * 3},
    "mask too long": {"granted": b"\1\0" * 3},
    "bits without a handle": {"granted": b"\xff" * 3},
    "some masks missing": {"within": b"\1"},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_anything_odd_is_malformed(name: str) -> None:
    with pytest.raises(ConsentError) as failure:
        parse_claims(claims(**MALFORMED[name]), audience="here")
    assert code_of(failure) == "snapshot_malformed"


@pytest.mark.parametrize("key", ["seq", "columns", "handles", "granted", "issued", "network"])
def test_a_missing_part_is_malformed(key: str) -> None:
    without = claims()
    del without[key]
    with pytest.raises(ConsentError) as failure:
        parse_claims(without, audience="here")
    assert code_of(failure) == "snapshot_malformed"


def build(**changes: Any) -> None:
    claims_of: dict[str, Any] = {
        "network": "net",
        "seq": 1,
        "issued": NOW,
        "valid_until": NOW,
        "columns": COLUMNS[:1],
        "handles": [A, B],
        "granted": [np.array([True, False])],
    }
    build_claims(**{**claims_of, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"handles": [A, A]},
        {"granted": []},
        {"granted": [np.array([True])]},
        {"columns": COLUMNS[:1] * 2, "granted": [np.array([True, False])] * 2},
    ],
)
def test_the_hub_does_not_build_what_no_site_would_read(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build(**changes)


@given(
    st.dictionaries(
        st.binary(min_size=20, max_size=20), st.lists(st.booleans(), min_size=2, max_size=2)
    ),
    st.lists(st.binary(min_size=20, max_size=20), max_size=5),
)
def test_what_is_built_is_what_is_permitted(
    granted: dict[bytes, list[bool]], others: list[bytes]
) -> None:
    told = build_claims(
        network="net",
        seq=1,
        issued=NOW,
        valid_until=NOW + timedelta(hours=1),
        columns=COLUMNS[:2],
        handles=list(granted),
        granted=[np.array([row[at] for row in granted.values()], dtype=bool) for at in (0, 1)],
    )
    snapshot = parse_claims({**told, "aud": "here"}, audience="here")
    asked = [*granted, *others]
    both = snapshot.permits(asked, "x", ["use.record", "study.join"]).tolist()
    assert both == [all(granted.get(handle, [False])) for handle in asked]


def test_fifty_thousand_patients_within_a_second() -> None:
    handles = [secrets.token_bytes(20) for _ in range(50_000)]
    chance = np.random.default_rng(1)
    granted = [chance.random(50_000) < 0.7 for _ in range(24)]
    columns = [("x", str(number)) for number in range(24)]
    begin = time.process_time()
    told = build_claims(
        network="net",
        seq=1,
        issued=NOW,
        valid_until=NOW + timedelta(hours=1),
        columns=columns,
        handles=handles,
        granted=granted,
    )
    snapshot = parse_claims({**told, "aud": "here"}, audience="here")
    mask = snapshot.permits(handles, "x", ["3", "4"])
    assert time.process_time() - begin < 1.0
    assert np.array_equal(mask, granted[3] & granted[4])
