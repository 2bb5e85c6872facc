"""A yes counts only when this hospital can prove it: every way of making one up is tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from authenticator import Authenticator
from proving_site import ANNA, BEA, NOW, SAID, Site, opened

from consent.encoding import b64, to_ms
from consent.evidence import Act, Denial
from consent.passkeys import Enrolment, challenge_of, proof_of
from consent.proof import StatementForm
from consent.snapshot import Snapshot
from federation.site.choices import denials, proofs
from federation.site.choices.proving import Proving
from federation.site.choices.pseudonyms import handle_text
from federation.site.store import milliseconds, transaction


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as site:
        yield site


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
    # As far as the two clocks may differ, and no further.
    later = site.act(site.statement(at=NOW + timedelta(minutes=6), act="34" * 16))
    assert site.counts(site.told(later), at=NOW + timedelta(minutes=6))


def test_a_yes_from_the_future_is_not_later_than_every_no_to_come(site: Site) -> None:
    """A page that has a passkey sign for 2099, or a hub with a wrong clock."""
    ahead = site.told(site.act(site.statement(at=NOW + timedelta(days=1))))
    assert not site.counts(ahead)
    assert site.counts(ahead, at=NOW + timedelta(days=1))


def test_a_no_dated_a_little_after_its_list_closes_what_was_said_before_it(site: Site) -> None:
    """The hub takes its moment before it reads its log."""
    yes = site.statement(at=NOW + timedelta(seconds=2))
    no = Denial(ANNA, "*", "*", to_ms(NOW + timedelta(seconds=3)))
    assert not site.counts(site.told(site.act(yes), denied=(no,)))


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
        " VALUES (?, ?, ?, ?, ?, 0)",
        ANNA,
        party,
        "self" if party == "self" else "parent",
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
    younger = site.act(site.statement())
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
    # Their own yes of before was one of several; a later one opens.
    assert not site.counts(site.told(younger), at=birthday)
    older = site.statement(at=birthday, act="78" * 16)
    assert site.counts(site.told(site.act(older)), at=birthday)


def test_who_says_no_in_person_is_not_overruled_by_a_representative(site: Site) -> None:
    """Invariant 19: a mentor's later yes does not open what the patient closed."""
    site.write(
        "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
        " VALUES ('MENTOR', ?, 'p-1', 'mentor', ?, 0)",
        ANNA,
        b"m" * 32,
    )
    needed(site, "p-1", SAID - timedelta(days=1))
    statement = site.statement(party="p-1")
    theirs = replace(site.act(statement), by="MENTOR", mac=statement.mac(b"m" * 32))
    no = Denial(ANNA, "study", "*", to_ms(SAID - timedelta(hours=1)))
    assert site.counts(site.told(theirs))
    assert site.counts(site.told(theirs, denied=(no,)))  # the mentor's own, of before
    assert not site.counts(site.told(theirs, denied=(no,), own=(no,)))
    assert not site.counts(site.told(theirs))  # the hub keeps silent about it now
    own = site.act(site.statement(act="78" * 16))
    assert site.counts(site.told(theirs, own))


def test_a_closed_parent_closes_what_rests_on_it_whatever_the_hub_says(site: Site) -> None:
    columns = [("study", "use.record"), ("study", "use.images"), ("other", "use.images")]
    act = site.act(site.statement(yes=("use.images", "use.record")))
    other = site.act(site.statement(study="other", yes=("use.images",), act="34" * 16))
    no = Denial(ANNA, "study", "use.record", to_ms(SAID + timedelta(hours=1)))

    def counts(told: Snapshot, study: str = "study") -> bool:
        with transaction(site.database):
            site.proving.remember(told, NOW)
        proven = site.proving.proven(told, NOW)
        return bool(proven.permits([ANNA], study, ["use.images"])[0])

    told = site.told(act, other, columns=columns)
    assert counts(told)
    assert not counts(told, "other")  # the hub says nothing of use.record there
    assert not counts(site.told(act, other, columns=columns, denied=(no,)))


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


def test_what_was_proved_is_not_proved_again_but_an_ended_letter_is_seen(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a start the kept list counts by what was worked out when it came; whether a letter had
    ended by then is looked up each time."""
    good = site.act(site.statement())
    of_bea = site.statement(BEA)
    forged = site.act(of_bea, place=1, by=BEA, mac=b"x" * 16)
    told = site.told(good, forged)
    first = site.proving.proven(told, NOW)
    proved = site.proving.proved(told)
    assert proved == b"\x01"
    # Of another list than the last nothing is known.
    assert site.proving.proved(site.told(good)) is None

    tried: list[str] = []
    really = StatementForm.proved_by
    monkeypatch.setattr(
        StatementForm, "proved_by", lambda form, *said: tried.append(said[0]) or really(form, *said)
    )
    again = Proving(site.database, network="net", slug="here")
    again.trust(told, proved)
    second = again.proven(told, NOW)
    assert [mask.tolist() for mask in second.granted] == [mask.tolist() for mask in first.granted]
    assert tried == [handle_text(BEA)]  # only what nothing proved is tried again

    for spoilt in (None, b"", b"\xff\xff"):
        tried.clear()
        other = Proving(site.database, network="net", slug="here")
        other.trust(told, spoilt)
        other.proven(told, NOW)
        assert tried == [handle_text(ANNA), handle_text(BEA)]

    site.write("UPDATE letter SET ended_at = ?", good.at - 1)
    ended = again.proven(told, NOW)
    assert not any(mask.any() for mask in ended.granted)


def test_a_million_acts_are_taken_in_hand_some_at_a_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_bea = site.statement(BEA)
    told = site.told(site.act(site.statement()), site.act(of_bea, place=1, by=BEA))
    whole = site.proving.proven(told, NOW)
    assert whole.permits([ANNA, BEA], "study", ["use.record", "study.join"]).all()
    monkeypatch.setattr(proofs, "_SOME", 1)
    again = Proving(site.database, network="net", slug="here").proven(told, NOW)
    assert [mask.tolist() for mask in again.granted] == [mask.tolist() for mask in whole.granted]
