"""A yes counts only when this hospital can prove it: every way of making one up is tried."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authenticator import Authenticator

from consent.encoding import b64, to_ms
from consent.evidence import Act, Denial, Evidence
from consent.passkeys import Enrolment, challenge_of, proof_of
from consent.proof import Statement
from consent.snapshot import Snapshot, build_claims, parse_claims
from federation.site import denials
from federation.site.agreeing import letters_for
from federation.site.directory import DATABASE_FILE
from federation.site.proving import Proving
from federation.site.pseudonyms import handle_text
from federation.site.store import milliseconds, open_store, transaction

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SAID = NOW - timedelta(days=3)
ANNA, BEA = b"a" * 19 + b"\0", b"b" * 20  # a trailing zero byte must survive numpy
TEXT = "7" * 64
COLUMNS = [("study", "use.record"), ("study", "study.join"), ("other", "use.record")]


@dataclass
class Site:
    """The books of one hospital, its letters, and what the hub may say."""

    database: sqlite3.Connection
    keys: Any
    proving: Proving
    seq: int = 0
    yes: list[Act] = field(default_factory=list)

    def statement(self, handle: bytes = ANNA, **changes: Any) -> Statement:
        given = Statement(
            network="net",
            site="here",
            handle=handle_text(handle),
            party="self",
            study="study",
            text_version=TEXT,
            yes=("study.join", "use.record"),
            at=SAID,
            act="12" * 16,
        )
        return replace(given, **changes)

    def act(self, statement: Statement, place: int = 0, by: bytes = ANNA, **changes: Any) -> Act:
        code, key = self.keys[by]
        made = Act(
            handle=place,
            study=statement.study,
            text=statement.text_version,
            party=statement.party,
            kind="letter",
            yes=statement.yes,
            at=to_ms(statement.at),
            act=statement.act,
            by=code,
            mac=statement.mac(key),
        )
        return replace(made, **changes)

    def told(
        self, *acts: Act, denied: tuple[Denial, ...] = (), passkeys: tuple[Any, ...] = ()
    ) -> Snapshot:
        """A snapshot that says yes to everything for Anna and Bea, on these acts."""
        self.seq += 1
        claims = build_claims(
            network="net",
            seq=self.seq,
            issued=NOW,
            valid_until=NOW + timedelta(hours=1),
            columns=COLUMNS,
            handles=[ANNA, BEA],
            granted=[np.ones(2, np.bool_)] * len(COLUMNS),
            evidence=Evidence(list(acts), list(denied), list(passkeys)),
        )
        return parse_claims({**claims, "aud": "here"}, audience="here", network="net")

    def counts(self, snapshot: Snapshot, handle: bytes = ANNA, at: datetime = NOW) -> bool:
        """Whether this patient counts for the study under what can be proved."""
        with transaction(self.database):
            self.proving.remember(snapshot)
        proven = self.proving.proven(snapshot, at)
        requires = ["use.record", "study.join"]
        return bool(proven.permits([handle], "study", requires)[0])

    def write(self, statement: str, *values: Any) -> None:
        with transaction(self.database):
            self.database.execute(statement, values)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with closing(open_store(tmp_path / DATABASE_FILE)) as database:
        keys = letters_for(tmp_path, [ANNA, BEA], SAID - timedelta(days=1))
        yield Site(database, keys, Proving(database, network="net", slug="here"))


def test_a_yes_with_the_letters_proof_counts_for_what_it_names(site: Site) -> None:
    told = site.told(site.act(site.statement()))
    assert site.counts(told)
    assert not site.counts(told, BEA)
    proven = site.proving.proven(told, NOW)
    assert not proven.permits([ANNA], "other", ["use.record"])[0]
    assert site.proving.count_unproven(told, proven) == 2


def test_bits_without_any_act_count_nobody(site: Site) -> None:
    """T17: a row written straight into the hub's database."""
    assert not site.counts(site.told())


@pytest.mark.parametrize(
    "changes",
    [
        {"mac": b"\0" * 16},
        {"mac": b""},
        {"act": "ff" * 16},
        {"at": to_ms(SAID) + 1},
        {"text": "8" * 64},
        {"study": "other"},
        {"yes": ("study.join", "use.ai", "use.record")},
        {"yes": ("study.join",)},
        {"party": "p-1"},
        {"by": "ZZZZZZ"},
        {"by": ""},
        {"handle": 1},
        {"kind": "site"},
        {"kind": "passkey"},
        {"kind": "passkey", "more": {"by": "x", "at": 1}},
    ],
)
def test_an_altered_act_is_dropped(site: Site, changes: dict[str, Any]) -> None:
    told = site.told(replace(site.act(site.statement()), **changes))
    assert not site.counts(told)
    assert not site.counts(told, BEA)


def test_a_letter_speaks_for_its_own_patient_only(site: Site) -> None:
    """Anna's letter over a statement about Bea, and Bea's over one about Anna."""
    assert not site.counts(site.told(site.act(site.statement(BEA), place=1)), BEA)
    assert not site.counts(site.told(site.act(site.statement(), by=BEA)))


def test_an_act_of_another_network_or_hospital_is_dropped(site: Site) -> None:
    for changes in ({"network": "elsewhere"}, {"site": "there"}):
        assert not site.counts(site.told(site.act(site.statement(**changes))))


def test_a_letter_that_a_newer_one_replaced_says_no_new_yes(site: Site) -> None:
    site.write("UPDATE letter SET ended_at = ?", milliseconds(SAID + timedelta(hours=1)))
    assert site.counts(site.told(site.act(site.statement())))
    late = site.statement(at=SAID + timedelta(hours=2))
    assert not site.counts(site.told(site.act(late)))


@pytest.mark.parametrize("scope", [("study", "study.join"), ("study", "*"), ("*", "*")])
def test_a_no_that_was_seen_stays_when_the_hub_forgets_it(
    site: Site, scope: tuple[str, str]
) -> None:
    yes = site.act(site.statement())
    no = Denial(ANNA, *scope, to_ms(SAID + timedelta(hours=1)))
    assert site.counts(site.told(yes))
    assert not site.counts(site.told(yes, denied=(no,)))
    assert not site.counts(site.told(yes))  # the hub keeps silent about it now

    again = site.statement(at=SAID + timedelta(hours=2), act="34" * 16)
    assert site.counts(site.told(site.act(again)))


def test_a_no_in_the_second_of_the_list_keeps_its_place(site: Site) -> None:
    yes = site.statement(at=NOW + timedelta(milliseconds=500))
    no = Denial(ANNA, "*", "*", to_ms(NOW) + 700)
    assert not site.counts(site.told(site.act(yes), denied=(no,)))


def test_a_no_from_the_future_does_not_shut_a_patient_out_for_good(site: Site) -> None:
    no = Denial(ANNA, "*", "*", 1 << 44)
    assert not site.counts(site.told(site.act(site.statement()), denied=(no,)))
    later = site.statement(at=NOW + timedelta(minutes=1), act="34" * 16)
    assert site.counts(site.told(site.act(later)))


def test_a_no_in_the_same_moment_wins(site: Site) -> None:
    no = Denial(ANNA, "study", "*", to_ms(SAID))
    assert not site.counts(site.told(site.act(site.statement()), denied=(no,)))


def test_a_no_at_the_desk_of_the_hospital_closes(site: Site) -> None:
    told = site.told(site.act(site.statement()))
    with transaction(site.database):
        denials.close(site.database, ANNA, "*", ["use.record"], NOW)
    assert not site.counts(told)


def needed(site: Site, party: str, start: datetime, end: datetime | None = None) -> None:
    site.write(
        "INSERT INTO party (handle, party, role, valid_from, valid_until, at)"
        " VALUES (?, ?, 'parent', ?, ?, 0)",
        ANNA,
        party,
        milliseconds(start),
        None if end is None else milliseconds(end),
    )


def test_everyone_whose_yes_is_needed_must_say_it(site: Site) -> None:
    """T21: a young person and a parent; the hub cannot leave one out."""
    parent_key = b"p" * 32
    site.write(
        "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
        " VALUES ('PARENT', ?, 'p-1', 'parent', ?, 0)",
        ANNA,
        parent_key,
    )
    needed(site, "self", SAID)
    needed(site, "p-1", SAID)
    own = site.act(site.statement())
    theirs = site.statement(party="p-1", act="56" * 16)
    parents = site.act(theirs, by=ANNA)
    parents = replace(parents, by="PARENT", mac=theirs.mac(parent_key))

    assert not site.counts(site.told(own))
    assert not site.counts(site.told(parents))
    assert site.counts(site.told(own, parents))
    # The letter of one cannot speak as the other.
    assert not site.counts(site.told(own, replace(own, party="p-1", act="56" * 16)))


def test_turning_sixteen_needs_the_patients_own_yes(site: Site) -> None:
    """T22: from that day on the parent's yes is not enough."""
    birthday = NOW + timedelta(days=1)
    site.write(
        "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
        " VALUES ('PARENT', ?, 'p-1', 'parent', ?, 0)",
        ANNA,
        b"p" * 32,
    )
    needed(site, "p-1", SAID, birthday)
    needed(site, "self", birthday)
    statement = site.statement(party="p-1")
    told = site.told(
        replace(site.act(statement), by="PARENT", mac=statement.mac(b"p" * 32)),
    )
    assert site.counts(told, at=birthday - timedelta(milliseconds=1))
    assert not site.counts(told, at=birthday)
    assert site.counts(site.told(site.act(site.statement())), at=birthday)


def test_when_nobody_may_decide_nobody_counts(site: Site) -> None:
    needed(site, "self", SAID - timedelta(days=9), SAID)
    assert not site.counts(site.told(site.act(site.statement())))


def test_after_a_death_only_an_agreed_use_goes_on(site: Site) -> None:
    """T24: the study never asked about it, so the patient no longer counts."""
    told = site.told(site.act(site.statement()), site.act(site.statement(BEA), 1, BEA))
    site.write(
        "INSERT INTO fact (handle, kind, value, by_name, effective_at, at)"
        " VALUES (?, 'death', '{}', 'x', 0, 0)",
        ANNA,
    )
    assert not site.counts(told)
    assert site.counts(told, BEA)


def passkey_act(site: Site, device: Authenticator) -> tuple[Act, dict[str, Any]]:
    code, key = site.keys[ANNA]
    enrolment = Enrolment(
        network="net",
        site="here",
        handle=handle_text(ANNA),
        party="self",
        credential_id=b64(device.number),
        public_key=b64(device.point),
        rp_id="localhost",
        at=SAID - timedelta(hours=1),
    )
    statement = site.statement()
    signed = device.sign({"challenge": challenge_of(statement)})["response"]
    proof = proof_of(statement, enrolment.credential_id, signed)
    claims = {
        "network": "net",
        "site": "here",
        "handle": enrolment.handle,
        "party": "self",
        "credential_id": enrolment.credential_id,
        "public_key": enrolment.public_key,
        "rp_id": "localhost",
        "at": to_ms(enrolment.at),
        "by": code,
        "mac": enrolment.mac(key).hex(),
    }
    act = replace(site.act(statement), kind="passkey", by="", mac=b"", more=proof)
    return act, claims


def with_by(site: Site, **changes: Any) -> tuple[Act, dict[str, Any]]:
    act, claims = passkey_act(site, Authenticator())
    return act, {**claims, **changes}


def test_a_passkey_that_a_letter_vouches_for_proves_a_yes(site: Site) -> None:
    act, claims = passkey_act(site, Authenticator())
    assert site.counts(site.told(act, passkeys=(claims,)))
    assert not site.counts(site.told(act))


@pytest.mark.parametrize(
    "changes",
    [
        {"mac": "00" * 32},
        {"mac": "not hex"},
        {"mac": None},
        {"by": "ZZZZZZ"},
        {"handle": handle_text(BEA)},
        {"public_key": b64(Authenticator().point)},
        {"at": to_ms(SAID)},
        {"at": "yesterday"},
        {"at": -1},
        {"rp_id": 3},
    ],
)
def test_a_passkey_that_nobody_vouches_for_proves_nothing(
    site: Site, changes: dict[str, Any]
) -> None:
    act, claims = with_by(site, **changes)
    assert not site.counts(site.told(act, passkeys=(claims,)))


def test_a_no_between_the_passkeys_signature_and_the_record_wins(site: Site) -> None:
    act, claims = passkey_act(site, Authenticator())
    later = replace(act, at=act.at + 60_000)
    no = Denial(ANNA, "*", "*", act.at + 30_000)
    assert site.counts(site.told(later, passkeys=(claims,)))
    assert not site.counts(site.told(later, denied=(no,), passkeys=(claims,)))
