"""A passkey's signature under a choice: for this statement, this person, this hub, and now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from authenticator import PRESENT, VERIFIED, Authenticator
from cryptography.hazmat.primitives.asymmetric import ec

from consent import passkeys
from consent.encoding import b64
from consent.passkeys import Enrolment
from consent.proof import Statement, proof_key

AT = datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)
STATEMENT = Statement(
    network="oncozon",
    site="catharina",
    handle="h" * 27,
    party="self",
    study="hormone-therapy",
    text_version="a" * 64,
    yes=("use.network", "use.record"),
    at=AT,
    act="0" * 32,
)


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(rp_id="hub.example", origin="https://hub.example")


def enrolment(device: Authenticator) -> Enrolment:
    made = STATEMENT
    return Enrolment(
        network=made.network,
        site=made.site,
        handle=made.handle,
        party=made.party,
        credential_id=b64(device.number),
        public_key=b64(device.point),
        rp_id="hub.example",
        at=AT - timedelta(days=3),
    )


def signed(
    device: Authenticator, statement: Statement = STATEMENT, **changed: Any
) -> dict[str, Any]:
    answer = device.sign({"challenge": passkeys.challenge_of(statement)}, **changed)
    return passkeys.proof_of(statement, answer["id"], answer["response"])


def test_the_enrolled_key_proves_what_it_signed(device: Authenticator) -> None:
    proof = signed(device)
    assert passkeys.proves(STATEMENT, proof, enrolment(device))
    assert passkeys.proves(STATEMENT, json.loads(json.dumps(proof)), enrolment(device))
    for later in (timedelta(0), timedelta(seconds=40), timedelta(minutes=10)):
        assert passkeys.proves(replace(STATEMENT, at=AT + later), proof, enrolment(device))


@pytest.mark.parametrize(
    "changed",
    [
        {"at": AT + timedelta(minutes=10, milliseconds=1)},
        {"at": AT - timedelta(milliseconds=1)},
        {"yes": ("use.network", "use.record", "dna.inherited")},
        {"yes": ("use.network",)},
        {"study": "other"},
        {"text_version": "b" * 64},
        {"act": "1" * 32},
        {"site": "zuyderland"},
        {"handle": "i" * 27},
        {"party": "p-parent"},
        {"network": "other"},
    ],
)
def test_it_proves_nothing_else(device: Authenticator, changed: dict[str, Any]) -> None:
    assert not passkeys.proves(replace(STATEMENT, **changed), signed(device), enrolment(device))


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
        {"origin": "https://evil.example"},
        {"origin": "https://hub.example.evil.example"},
        {"origin": "http://hub.example"},
        {"origin": None},
        {"crossOrigin": True},
    ],
)
def test_what_another_page_asked_proves_nothing(
    device: Authenticator, changed: dict[str, Any]
) -> None:
    assert not passkeys.proves(STATEMENT, signed(device, **changed), enrolment(device))


@pytest.mark.parametrize("flags", [0, PRESENT, VERIFIED])
def test_nobody_there_or_not_checked_proves_nothing(device: Authenticator, flags: int) -> None:
    device.flags = flags
    assert not passkeys.proves(STATEMENT, signed(device), enrolment(device))


def test_another_key_or_another_hub_proves_nothing(device: Authenticator) -> None:
    stranger = Authenticator("hub.example", "https://hub.example", number=device.number)
    assert not passkeys.proves(STATEMENT, signed(stranger), enrolment(device))
    other = Authenticator("evil.example", "https://hub.example", key=device.key)
    other.number = device.number
    assert not passkeys.proves(STATEMENT, signed(other), enrolment(device))
    weak = replace(enrolment(device), public_key=b64(compressed(device)))
    assert not passkeys.proves(STATEMENT, signed(device), weak)


def compressed(device: Authenticator) -> bytes:
    return bytes([2 + device.point[-1] % 2]) + device.point[1:33]


BROKEN: list[tuple[str, Any]] = [
    ("kind", "letter"),
    ("by", "AAAA"),
    ("at", "yesterday"),
    ("at", 10**30),
    ("at", None),
    ("authenticator", ""),
    ("authenticator", "AAAA"),
    ("client", "e30"),
    ("client", "W10"),
    ("client", "!!"),
    ("client", 7),
    ("signature", ""),
    ("signature", "AAAA"),
    ("signature", "A" * 5000),
]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_what_cannot_be_read_proves_nothing(device: Authenticator, field: str, value: Any) -> None:
    assert not passkeys.proves(STATEMENT, {**signed(device), field: value}, enrolment(device))
    missing = {name: kept for name, kept in signed(device).items() if name != field}
    assert not passkeys.proves(STATEMENT, missing, enrolment(device))


def test_a_letter_vouches_for_one_key_of_one_person(device: Authenticator) -> None:
    made, key = enrolment(device), proof_key("ABC123", "0123456789ABCDEF")
    mac = made.mac(key)
    assert made.proved_by(mac, key)
    assert not made.proved_by(mac, proof_key("ABC123", "0123456789ABCDEG"))
    other = ec.generate_private_key(ec.SECP256R1())
    for changed in (
        {"handle": "i" * 27},
        {"party": "p-parent"},
        {"credential_id": "AAAA"},
        {"public_key": b64(Authenticator(key=other).point)},
        {"rp_id": "evil.example"},
        {"at": made.at + timedelta(milliseconds=1)},
        {"site": "zuyderland"},
    ):
        assert not replace(made, **changed).proved_by(mac, key), changed
    # A line break moves words from one field to the next; it must stop nobody else's yes either.
    assert not replace(made, rp_id="hub\n.example").proved_by(mac, key)
    with pytest.raises(ValueError, match="one line"):
        _ = replace(made, rp_id="hub\nexample").canonical
