"""Signed heads, what hospitals saw of them, and what the nightly check finds. On both databases."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from consent import alarms, append_only, recording, service
from consent.errors import ConsentError
from consent.log import EMPTY_ROOT
from consent.models import ConsentEvent, LogLeaf, SnapshotRecord
from consent.models_trust import Alarm, TreeHead
from consent.tree import root_at
from consent.tree_heads import latest_head, sign_head
from consent.verifying import LogBroken, LogHolds, verify_log, verify_whole
from consent.witnessing import newest_words, note_witness, seen_by_others
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import (
    PublishedKey,
    head_signer,
    open_head,
    open_witness,
    sign_witness,
)
from studies.actor import SYSTEM, Actor
from studies.base import to_ms
from studies.seeds.oncozon import ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)  # as in conftest.py
NETWORK = ONCOZON.slug
KEY = SigningKey(bytes(range(32)))
SITES = ("catharina", "zuyderland", "viecuri")


def signed(claims: Mapping[str, Any]) -> bytes:
    return head_signer(KEY, NOW)(claims)


@pytest.fixture
def told(hub):
    """A log of a few choices; each of three hospitals got snapshot 1."""
    for site in SITES[:2]:
        hub.answer(hub.subject(site))
    service.publish_snapshots(hub.session, lambda *_: b"{}", SITES, now=NOW)
    hub.session.commit()
    return hub


def kinds(hub) -> list[str]:
    return sorted(alarm.kind for alarm in alarms.alarms(hub.session))


def head(hub) -> tuple[int, str]:
    size = hub.session.scalar(select(SnapshotRecord.log_size).limit(1))
    return size, root_at(hub.session, NETWORK, size).hex()


def witness(hub, site: str, size: int, root: str, at=NOW):
    return note_witness(hub.session, site=site, seq=1, size=size, root=root, body=b"signed", now=at)


def test_a_head_is_signed_when_the_log_grew_or_an_hour_passed(told) -> None:
    session = told.session
    first = sign_head(session, signed, NETWORK, NOW)
    assert (first.size, first.root) == head(told)
    claims = open_head(first.body, [PublishedKey(KEY.kid, KEY.public, NOW)])
    said = {name: claims[name] for name in ("network", "size", "root", "at")}
    assert said == {
        "network": NETWORK,
        "size": first.size,
        "root": first.root,
        "at": to_ms(first.at),
    }
    assert sign_head(session, signed, NETWORK, NOW + timedelta(minutes=59)) is first
    later = sign_head(session, signed, NETWORK, NOW + timedelta(hours=1))
    assert (later.size, later.root) == (first.size, first.root)
    assert later.at > first.at
    told.answer(told.subject("viecuri"), NOW + timedelta(hours=1))
    grown = sign_head(session, signed, NETWORK, NOW + timedelta(hours=1))
    assert grown.size > later.size
    assert latest_head(session, NETWORK) is grown
    assert latest_head(session, NETWORK, grown.size + 1) is None
    session.commit()
    assert kinds(told) == []


def test_the_empty_log_has_a_head_too(hub) -> None:
    assert sign_head(hub.session, signed, NETWORK, NOW).root == EMPTY_ROOT.hex()


def test_hospitals_that_saw_the_same_raise_nothing(told) -> None:
    size, root = head(told)
    for site in SITES:
        witness(told, site, size, root)
    again = witness(told, SITES[0], size, root)
    assert (again.site, again.body) == (SITES[0], b"signed")
    told.session.commit()
    assert kinds(told) == []
    # Confirmations as a whole are not for others: they may name patients.
    assert not seen_by_others(told.session, SITES[0], NETWORK, NOW)
    assert verify_whole(told.session, NETWORK, NOW) == LogHolds(size, root)


def test_a_hospital_signs_what_others_may_read(told) -> None:
    size, root = head(told)
    body = sign_witness(KEY, SITES[0], NOW, network=NETWORK, seq=1, size=size, root=root)
    said = open_witness(body, SITES[0], KEY.public)
    assert (said["network"], said["seq"], said["size"], said["root"]) == (NETWORK, 1, size, root)
    note_witness(told.session, site=SITES[0], seq=1, size=size, root=root, body=body, now=NOW)
    (word,) = newest_words(told.session, NETWORK)
    assert (word.site, word.body) == (SITES[0], body)
    assert list(seen_by_others(told.session, SITES[1], NETWORK, NOW)) == [word]
    assert not seen_by_others(told.session, SITES[0], NETWORK, NOW), "its own"
    assert not seen_by_others(told.session, SITES[1], NETWORK, NOW + timedelta(hours=24))
    with pytest.raises(ProtocolError, match="UNKNOWN_KEY"):
        open_witness(body, SITES[1], KEY.public)
    with pytest.raises(ProtocolError, match="UNKNOWN_KEY"):
        open_witness(body, SITES[0], SigningKey(bytes(32)).public)
    with pytest.raises(ProtocolError, match="BAD_CLAIMS"):
        open_witness(
            sign_witness(KEY, SITES[0], NOW, network=NETWORK, seq=-1, size=size, root=root),
            SITES[0],
            KEY.public,
        )


def test_two_hospitals_with_different_logs_of_equal_size_are_found(told) -> None:
    """T13."""
    size, root = head(told)
    witness(told, SITES[0], size, root)
    witness(told, SITES[1], size, "0" * 64)
    (alarm,) = alarms.alarms(told.session, open_only=True)
    assert alarm.kind == "two_histories"
    assert alarm.facts["sites"] == sorted(SITES[:2])
    assert alarm.facts["roots"] == sorted(["0" * 64, root])
    told.session.commit()
    assert isinstance(verify_whole(told.session, NETWORK, NOW), LogBroken)
    assert kinds(told) == ["two_histories"], "the same facts are one alarm"


def test_a_hospital_that_tells_two_things_is_found(told) -> None:
    size, root = head(told)
    witness(told, SITES[0], size, root)
    assert witness(told, SITES[0], size, "0" * 64).root == root
    assert kinds(told) == ["two_histories"]


@pytest.mark.parametrize(("size", "root"), [(2, "0" * 64), (10**6, "0" * 64)])
def test_a_head_that_we_never_had_is_found(told, size: int, root: str) -> None:
    witness(told, SITES[0], size, root)
    assert kinds(told) == ["head_unknown"]


def test_only_snapshots_that_were_made_are_witnessed(told) -> None:
    with pytest.raises(ConsentError, match="snapshot_never_sent"):
        note_witness(told.session, site=SITES[0], seq=9, size=1, root="", body=b"", now=NOW)


def test_an_alarm_is_seen_once_by_a_named_person(told) -> None:
    witness(told, SITES[0], 2, "0" * 64)
    (alarm,) = alarms.alarms(told.session, open_only=True)
    auditor = Actor(kind="user", id="auditor-1", name="An Auditor")
    alarms.acknowledge(told.session, alarm.id, actor=auditor, now=NOW)
    other = Actor(kind="user", id="auditor-2")
    alarms.acknowledge(told.session, alarm.id, actor=other, now=NOW + timedelta(hours=1))
    assert (alarm.seen_by, alarm.seen_at) == ("auditor-1", NOW)
    assert not alarms.alarms(told.session, open_only=True)
    told.session.commit()
    with pytest.raises(ConsentError, match="alarm_not_found"):
        alarms.acknowledge(told.session, "none", actor=auditor, now=NOW)


def without_triggers(hub, database, table: str) -> None:
    down = append_only.sqlite_down if database.kind == "sqlite" else append_only.postgresql_down
    for statement in down(table):
        hub.session.connection().exec_driver_sql(statement)


def test_a_changed_event_stops_the_signing_and_alarms(told, database) -> None:
    """T14, by somebody who took the triggers away: the nightly check and the next head find it."""
    sign_head(told.session, signed, NETWORK, NOW)
    without_triggers(told, database, "consent_event")
    without_triggers(told, database, "log_leaf")
    one = told.session.scalars(select(ConsentEvent).order_by(ConsentEvent.leaf).limit(1)).one()
    told.session.execute(
        update(ConsentEvent).where(ConsentEvent.id == one.id).values(kind="refused")
    )
    told.session.expire_all()
    found = verify_whole(told.session, NETWORK, NOW)
    assert found == LogBroken(0, "event or leaf changed")
    told.session.execute(update(LogLeaf).where(LogLeaf.number == 0).values(hash=bytes(32)))
    told.session.expire_all()
    assert sign_head(told.session, signed, NETWORK, NOW + timedelta(hours=2)) is None
    assert kinds(told) == ["log_broken", "log_broken"]
    assert told.session.scalar(select(Alarm.network).limit(1)) == NETWORK


def test_a_log_that_does_not_go_on_from_a_signed_head_is_found(told) -> None:
    """Rewritten as a whole: it holds in itself, and a head of before shows it."""
    size, _ = head(told)
    told.session.execute(
        insert(TreeHead).values(
            network=NETWORK, size=size, root="0" * 64, at=NOW, body=b"as signed"
        )
    )
    assert isinstance(verify_log(told.session, NETWORK), LogHolds)
    assert isinstance(verify_whole(told.session, NETWORK, NOW), LogBroken)
    assert sign_head(told.session, signed, NETWORK, NOW + timedelta(hours=2)) is None
    assert set(kinds(told)) == {"log_broken"}


def test_marks_share_the_log(told) -> None:
    one = told.session.scalars(select(ConsentEvent).order_by(ConsentEvent.leaf).limit(1)).one()
    mark = recording.mark(
        told.session,
        one,
        kind="suspended",
        reason="doubt",
        actor=SYSTEM,
        now=NOW + timedelta(minutes=1),
    )
    told.session.commit()
    found = verify_log(told.session, NETWORK)
    assert isinstance(found, LogHolds)
    assert found.size == mark.leaf + 1
