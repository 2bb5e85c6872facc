"""Bytes behind the signed part are the ones that were signed for, each at its place."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.protocol import attached, messages
from federation.protocol.encoding import canonical
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
KEY = SigningKey.generate()
CLAIMS: dict[str, Any] = {
    "seq": 7,
    "handles": b"\n.a" * 9,
    "evidence": {"act": b"xyz", "by": b"", "more": {"0": {"by": "x"}}},
    "empty": b"",
    "words": ["one", {"two": 2}],
    "table": {"one": 1},
}


def signed(claims: dict[str, Any]) -> bytes:
    return messages.sign(
        messages.TYP_SNAPSHOT,
        claims,
        KEY,
        issuer="hub",
        audience="here",
        now=NOW,
        lifetime=timedelta(minutes=5),
    )


def read(data: bytes, **more: Any) -> dict[str, Any]:
    known = {KEY.kid: KEY.public}.get
    whole = {"attached": True, **more}
    return messages.verify(messages.TYP_SNAPSHOT, data, known, audience="here", now=NOW, **whole)


def code_of(data: bytes, **more: Any) -> str:
    with pytest.raises(ProtocolError) as refused:
        read(data, **more)
    return refused.value.code


def test_bytes_come_back_where_they_stood() -> None:
    found = read(signed(CLAIMS))
    assert {name: found[name] for name in CLAIMS} == CLAIMS
    assert "attached" not in found


def test_a_message_without_bytes_is_what_it_was_before() -> None:
    plain = signed({"seq": 7})
    assert b"\n" not in plain
    assert read(plain)["seq"] == read(plain, attached=False)["seq"] == 7


def test_bytes_are_read_only_where_they_are_expected() -> None:
    assert code_of(signed(CLAIMS), attached=False) in ("BAD_SIGNATURE", "BAD_MESSAGE")
    assert code_of(signed({"seq": 7}) + b"\nmore") == "BAD_ATTACHED"


@given(st.data())
def test_no_changed_byte_behind_is_accepted(data: st.DataObject) -> None:
    message = bytearray(signed(CLAIMS))
    first = message.index(b"\n")
    at = data.draw(st.integers(first, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    assert code_of(bytes(message)) in ("BAD_ATTACHED", "BAD_SIGNATURE", "BAD_MESSAGE")
    assert code_of(bytes(message[: at + 1]) + b"!") in (
        "BAD_ATTACHED",
        "BAD_SIGNATURE",
        "BAD_MESSAGE",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"handles": {"behind": 26}},  # a byte without a place
        {"handles": {"behind": 28}},  # more than there are
        {"handles": {"behind": -27}},
        {"handles": {"behind": True}},
        {"handles": {"behind": "27"}},
        {"words": {"behind": 27}},  # the same bytes at two places
        {"attached": {"bytes": 30}},
        {"attached": 30},
    ],
)
def test_a_sender_who_counts_wrong_is_refused(changes: dict[str, Any]) -> None:
    told, pieces = attached.detach(CLAIMS)
    _, behind = attached.split(b"signed" + b"".join(pieces))
    assert attached.attach(told, behind)["handles"] == CLAIMS["handles"]
    with pytest.raises(ProtocolError, match="BAD_ATTACHED"):
        attached.attach({**told, **changes}, behind)


def test_deeper_than_a_table_no_bytes_travel() -> None:
    with pytest.raises(TypeError):
        canonical(attached.detach({"a": {"b": {"c": b"x"}}})[0])
