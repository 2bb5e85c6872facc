"""A hospital holds what other hospitals say they saw against the log that it is told itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent.errors import ConsentError
from consent.log import (
    consistency_path,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from federation.protocol.keys import PublicIdentity, SigningKey
from federation.protocol.transparency import sign_witness
from federation.site.choices.log_watch import check_others

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
OTHER, STRANGER = SigningKey(bytes(range(32))), SigningKey(bytes(32))
PEERS = {"other": PublicIdentity("other", OTHER.public, OTHER.public)}
LEAVES = [leaf_hash(bytes(16), bytes([number])) for number in range(7)]
FORKED = [*LEAVES[:4], leaf_hash(bytes(16), b"another"), *LEAVES[5:]]


def head(leaves: list[bytes]) -> dict[str, Any]:
    return {"size": len(leaves), "root": root(leaves).hex()}


def word(seen: list[bytes], told: list[bytes], key: SigningKey = OTHER, **changed: Any) -> Any:
    """What `other` signed of the log that it was told, with the hub's proof for ours."""
    said = {"network": "net", "seq": 1, **head(seen)}
    path = consistency_path(told, len(seen)) if 0 < len(seen) < len(told) else []
    return {
        "site": "other",
        "said": sign_witness(key, "other", NOW, **said).decode("ascii"),
        "consistency": [beside.hex() for beside in path],
        **changed,
    }


def look(told: list[bytes], *words: Any, at: datetime = NOW) -> int:
    return check_others(head(told), list(words), PEERS, site="here", network="net", issued=at)


def test_heads_of_the_same_history_agree_whatever_their_size() -> None:
    for size in range(8):
        look(LEAVES, word(LEAVES[:size], LEAVES))


@pytest.mark.parametrize("size", [5, 6, 7])
def test_another_history_is_refused_here_and_not_only_noticed_at_the_hub(size: int) -> None:
    """T13: the hub that tells two stories is the one that would have to raise the alarm."""
    with pytest.raises(ConsentError, match="log_inconsistent"):
        look(LEAVES, word(FORKED[:size], LEAVES))


def test_no_hospital_is_told_less_than_another() -> None:
    with pytest.raises(ConsentError, match="log_inconsistent"):
        look(LEAVES[:5], word(LEAVES, LEAVES))


def test_a_word_without_its_proof_is_not_passed_over() -> None:
    for path in ([], ["00" * 32], None, ["x"], [1], "00"):
        with pytest.raises(ConsentError, match="log_inconsistent"):
            look(LEAVES, word(LEAVES[:5], LEAVES, consistency=path))


@pytest.mark.parametrize(
    "foreign",
    [
        word(FORKED, LEAVES, STRANGER),
        word(FORKED, LEAVES, site="here"),
        word(FORKED, LEAVES, site="unknown"),
        word(FORKED, LEAVES, said="a.b.c"),
        word(FORKED, LEAVES, said=7),
        {"site": "other"},
        [],
        None,
    ],
)
def test_what_no_pinned_key_signed_stops_nothing(foreign: Any) -> None:
    """Else anybody could keep this hospital from counting."""
    look(LEAVES, foreign)
    place = {"site": "here", "issued": NOW}
    assert check_others(head(LEAVES), foreign, PEERS, network="net", **place) == 0
    forked = [word(FORKED, LEAVES)]
    assert check_others(head(LEAVES), forked, PEERS, network="elsewhere", **place) == 0


def test_how_many_others_spoke_of_late() -> None:
    """A hub that tells two stories must keep words back: that is seen, too."""
    spoken = word(LEAVES, LEAVES), word(LEAVES[:3], LEAVES)
    assert look(LEAVES, *spoken) == 1
    assert look(LEAVES, *spoken, at=NOW + timedelta(hours=25)) == 0


def test_a_proof_is_made_of_whole_hashes() -> None:
    """Bytes that move from one hash to its neighbour make the same node of other leaves."""
    three, four = LEAVES[:3], LEAVES[:4]
    beside, right, left = consistency_path(four, 3)
    assert verify_consistency(3, root(three), 4, root(four), [beside, right, left])
    moved = [beside[1:], right, left + beside[:1]]
    assert not verify_consistency(3, root(three), 4, root(four), moved)
    assert not verify_inclusion(
        LEAVES[0][:31], 0, 2, [LEAVES[0][31:] + LEAVES[1]], root(LEAVES[:2])
    )
