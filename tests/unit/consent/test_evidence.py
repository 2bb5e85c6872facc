"""Evidence of a snapshot: what is packed is what is read, and nothing else is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.encoding import to_ms
from consent.evidence import KINDS, Act, Denial, Evidence, denials_of, pack, unpack, yes_of
from studies.base import canonical_json

COLUMNS = ("handle", "study", "text", "party", "kind", "items", "at", "act", "by", "mac")
ITEMS = [f"item.{n}" for n in range(30)]
names = st.sampled_from(["study-a", "study-b", "*"])
acts = st.builds(
    Act,
    handle=st.integers(0, 9),
    study=st.sampled_from(["study-a", "study-b"]),
    text=st.sampled_from(["1" * 64, "2" * 64]),
    party=st.sampled_from(["self", "p-1"]),
    kind=st.sampled_from(["letter", "passkey", "site"]),
    yes=st.lists(st.sampled_from(ITEMS), unique=True).map(lambda x: tuple(sorted(x))),
    at=st.integers(0, 2**45),
    act=st.binary(min_size=16, max_size=16).map(bytes.hex),
    by=st.sampled_from(["ABC123", ""]),
    mac=st.binary(min_size=16, max_size=16),
    more=st.sampled_from([None, {"by": "x", "at": 3}]),
)
denials = st.builds(
    Denial,
    handle=st.binary(min_size=20, max_size=20),
    study=names,
    item=st.sampled_from([*ITEMS[:3], "*"]),
    at=st.integers(0, 2**45),
)


@given(st.lists(acts, max_size=8), st.lists(denials, max_size=8))
def test_what_is_packed_is_read(said: list[Act], denied: list[Denial]) -> None:
    packed = unpack(pack(Evidence(said, denied)), handles=10)

    read = [
        (
            handle,
            packed.studies[study],
            packed.texts[text],
            packed.parties[party],
            KINDS[kind],
            tuple(sorted(yes_of(packed, items))),
            at,
            act.ljust(16, b"\0").hex(),
            by.decode(),
            mac.ljust(16, b"\0"),
            packed.more.get(place),
        )
        for place, (handle, study, text, party, kind, items, at, act, by, mac) in enumerate(
            zip(*(packed.acts[name].tolist() for name in COLUMNS), strict=True)
        )
    ]
    assert read == [
        (a.handle, a.study, a.text, a.party, a.kind, a.yes, a.at, a.act, a.by, a.mac, a.more)
        for a in sorted(said, key=lambda each: each.handle)
    ]
    assert denials_of(packed) == [(d.handle, d.study, d.item, d.at) for d in denied]


def test_an_act_takes_46_bytes() -> None:
    made = [
        Act(n, "s", "t" * 64, "self", "letter", ("a", "b"), 10**12 + n**3, f"{n:032x}", "ABC123",
            b"m" * 16)
        for n in range(5_000)
    ]  # fmt: skip
    claims = pack(Evidence(made))
    sizes = {name: len(value) for name, value in claims.items() if isinstance(value, bytes)}
    assert sum(sizes.values()) == 5_000 * (1 + 1 + 5 + 16 + 6 + 16)


def good() -> dict[str, Any]:
    act = Act(1, "s", "t" * 64, "self", "letter", ("a", "b"), 5, "0" * 32, "ABC123", b"m" * 16)
    return pack(Evidence([act], [Denial(b"h" * 20, "s", "*", 7)]))


@pytest.mark.parametrize(
    ("changes", "handles"),
    [
        ({}, 1),  # an act of a handle that is not there
        ({"studies": []}, 2),
        ({"texts": []}, 2),
        ({"parties": []}, 2),
        ({"items": ["a"]}, 2),  # a form with an item that has no name
        ({"items": [f"i{n}" for n in range(64)]}, 2),
        ({"studies": ["s", "s"]}, 2),
        ({"studies": ["*"]}, 2),
        ({"studies": [1]}, 2),
        ({"studies": "s"}, 2),
        ({"studies": ["x" * 65]}, 2),
        ({"act": 1}, 2),
        ({"act": "text, not bytes"}, 2),
        ({"act": b"x" * 17}, 1),
        ({"act": b"x" * 32}, 2),  # two acts, of which all else is there once
        ({"by": b"ABC12"}, 2),
        ({"mac": b""}, 2),
        ({"form": b""}, 2),
        ({"form": b"\1"}, 2),
        ({"form": bytes(9)}, 2),  # a number of nine bytes
        ({"step": b"\2"}, 2),
        ({"step": b"\xff" * 8}, 2),
        ({"at": b"\xff" * 7}, 2),
        ({"since": -1}, 2),
        ({"since": True}, 2),
        ({"since": 1 << 48}, 2),
        ({"forms": {}}, 2),
        ({"forms": [[0, 0, 0, 0]]}, 2),
        ({"forms": [[0, 0, 0, 3, []]]}, 2),
        ({"forms": [[0, 0, 0, 0, [0, 0]]]}, 2),
        ({"forms": [[0, 0, 0, 0, 1]]}, 2),
        ({"forms": [[0, 0, True, 0, []]]}, 2),
        ({"forms": [[0, 0, -1, 0, []]]}, 2),
        ({"denied": bytes(31)}, 2),
        ({"denied": "text"}, 2),
        ({"own": b"\1" * 32}, 2),  # a study that has no name
        ({"more": []}, 2),
        ({"more": {"1": {}}}, 2),
        ({"more": {"x": {}}}, 2),
        ({"more": {"0": 1}}, 2),
        ({"passkeys": {}}, 2),
        ({"passkeys": [1]}, 2),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], handles: int) -> None:
    assert len(unpack(good(), handles=2).acts) == 1
    with pytest.raises((ValueError, TypeError)):
        unpack({**good(), **changes}, handles=handles)


@pytest.mark.parametrize("part", ["act", "step", "denied", "own", "studies", "more", "words"])
def test_a_part_that_is_missing_is_refused(part: str) -> None:
    claims = good()
    del claims[part]
    with pytest.raises(ValueError, match="part"):
        unpack(claims, handles=2)
    with pytest.raises(ValueError, match="part"):
        unpack("nothing", handles=2)


def test_a_denial_about_what_no_act_names_keeps_its_names() -> None:
    packed = unpack(pack(Evidence([], [Denial(b"h" * 20, "s", "collect.new", 1)])), handles=0)
    assert denials_of(packed) == [(b"h" * 20, "s", "collect.new", 1)]


def test_too_many_items_do_not_fit() -> None:
    act = Act(0, "s", "t", "self", "letter", tuple(f"i{n}" for n in range(64)), 5, "0" * 32)
    with pytest.raises(ValueError, match="63"):
        pack(Evidence([act]))


def test_moments_are_rounded_down() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=999)
    assert to_ms(at) == to_ms(datetime(2026, 1, 1, tzinfo=UTC))


def test_what_a_text_asks_is_found_by_its_hash_and_not_by_its_name() -> None:
    content = {"items": ["use.record", "use.past"], "nl": {"titel": "één"}}
    packed = unpack(pack(Evidence(texts=[("study", content)])), handles=0)
    document = canonical_json({"study": "study", "content": content})
    assert dict(packed.asked) == {
        sha256(document.encode()).hexdigest(): frozenset({"use.record", "use.past"})
    }


@pytest.mark.parametrize(
    "words",
    [{}, [3], [{"study": "x"}], [{"content": {}}], [{"content": {"items": [1]}}]],
)
def test_a_text_that_cannot_be_read_is_refused(words: object) -> None:
    with pytest.raises(TypeError):
        unpack({**pack(Evidence()), "words": words}, handles=0)


def test_a_no_in_person_travels_beside_the_others() -> None:
    own = Denial(b"h" * 20, "*", "use.record", 7)
    packed = unpack(pack(Evidence(own=[own])), handles=0)
    assert denials_of(packed) == []
    assert denials_of(packed, own=True) == [(b"h" * 20, "*", "use.record", 7)]
