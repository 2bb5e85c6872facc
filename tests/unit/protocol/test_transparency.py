"""What hub and hospitals say to the public, and what is refused when it is opened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey, key_id
from federation.protocol.messages import sign
from federation.protocol.transparency import (
    FOR_EVER,
    PUBLIC,
    TYP_HEAD,
    TYP_WITNESS,
    PublishedKey,
    open_head,
    open_witness,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WORD: dict[str, Any] = {"network": "net", "seq": 3, "size": 9, "root": "ab" * 32}


def signed(typ: str, claims: dict[str, Any], key: SigningKey, issuer: str) -> bytes:
    return sign(typ, claims, key, issuer=issuer, audience=PUBLIC, now=NOW, lifetime=FOR_EVER)


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        call(*arguments)
    return caught.value.code


def test_a_hospitals_word_is_its_own_and_whole() -> None:
    key = SigningKey.generate()
    opened = open_witness(signed(TYP_WITNESS, WORD, key, "a"), "a", key.public)
    assert {name: opened[name] for name in WORD} == WORD
    # The same key for another hospital's name.
    assert refused(open_witness, signed(TYP_WITNESS, WORD, key, "b"), "a", key.public) == (
        "UNKNOWN_KEY"
    )
    for wrong in ({"seq": -1}, {"size": True}, {"size": 1 << 53}, {"root": 5}, {"root": "a" * 65}):
        body = signed(TYP_WITNESS, {**WORD, **wrong}, key, "a")
        assert refused(open_witness, body, "a", key.public) == "BAD_CLAIMS", wrong


def test_a_head_is_the_hubs_by_a_key_of_its_time() -> None:
    key = SigningKey.generate()
    kid = key_id(key.public)

    def published(since: datetime, until: datetime | None = None) -> list[PublishedKey]:
        return [PublishedKey(kid=kid, public=key.public, since=since, until=until)]

    head = signed(TYP_HEAD, WORD, key, "hub")
    assert open_head(head, published(NOW))["size"] == 9
    assert refused(open_head, head, []) == "UNKNOWN_KEY"
    assert refused(open_head, signed(TYP_HEAD, WORD, key, "a"), published(NOW)) == "UNKNOWN_KEY"
    later = published(NOW + timedelta(hours=1))
    ended = published(NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert refused(open_head, head, later) == refused(open_head, head, ended) == "KEY_NOT_IN_USE"
