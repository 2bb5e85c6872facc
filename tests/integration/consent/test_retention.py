"""T15: erasing after the time of keeping. The log verifies, other receipts hold, a no stays."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from consent import receipts, recording, retention
from consent.errors import ConsentError
from consent.models import ConsentEvent, ConsentMark, Receipt
from consent.models_trust import Erasure
from consent.verifying import LogBroken, LogHolds, verify_log, verify_whole
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import PublishedKey, head_signer, receipt_signer
from registry.receipts.checking import as_file, check
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.models import Network, Participation, Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)  # as in conftest.py
STUDY, NETWORK = HORMONE_THERAPY.slug, ONCOZON.slug
KEY = SigningKey(bytes(range(32)))
KEYS = (PublishedKey(KEY.kid, KEY.public, NOW),)
BY = (Actor(kind="user", id="one"), Actor(kind="user", id="two"))


def later(years: int) -> datetime:
    return NOW.replace(year=NOW.year + years) + timedelta(hours=1)


def end(hub, **consent: object) -> None:
    """The study is over everywhere, with what was settled about it."""
    study = hub.session.get_one(Study, STUDY)
    study.state, study.consent = "closed", consent
    hub.session.execute(
        update(Participation).where(Participation.study == STUDY).values(state="closed", since=NOW)
    )
    for action in ("study.closed", "participation.closed"):
        announce(hub.session, actor=SYSTEM, action=action, about=f"study:{STUDY}")
    hub.session.flush()


def document(hub, of: Receipt, at: datetime = NOW) -> dict:
    pen = receipts.Signers(head_signer(KEY, at), receipt_signer(KEY, at), KEY.kid)
    made = receipts.receipt_document(hub.session, of, signers=pen)
    return receipts.signed_document(made, pen)


def test_content_goes_and_the_log_and_other_receipts_hold(hub) -> None:
    subject, other = hub.subject(), hub.subject()
    mine = hub.answer(subject, use_network="no")
    event = hub.session.scalars(
        select(ConsentEvent).where(ConsentEvent.receipt_id == mine.id).order_by(ConsentEvent.leaf)
    ).first()
    recording.mark(hub.session, event, kind="suspended", reason="doubt", actor=SYSTEM, now=NOW)
    stop_all = hub.stop(other, NOW + timedelta(minutes=1), study=None)
    before = document(hub, mine)
    size = verify_log(hub.session, NETWORK).size
    end(hub, retention="wmo")
    found = retention.due(hub.session, STUDY, later(14))
    assert (found.leaves, found.kept) == ((), mine.leaves)
    done = retention.erase_due(hub.session, STUDY, by=BY, now=later(15))
    hub.session.commit()
    assert len(done.leaves) == mine.leaves + 1, "the mark went with its event"
    holds = verify_log(hub.session, NETWORK)
    assert isinstance(holds, LogHolds)
    assert (holds.size, holds.erased) == (size, mine.leaves + 1)
    assert verify_whole(hub.session, NETWORK, later(15)) == holds
    after = document(hub, hub.session.get_one(Receipt, mine.id), later(15))
    assert all(one["erased"] == later(15).date().isoformat() for one in after["said"])
    told = check(as_file(after), KEYS)
    assert told.holds
    assert told.erased == mine.leaves
    assert receipts.document_sha256(after) == receipts.document_sha256(before)
    assert check(as_file(before), KEYS).holds, "the patient's own copy still says everything"
    assert check(as_file(document(hub, stop_all)), KEYS).holds
    assert hub.session.get_one(Receipt, mine.id).form_sha256 == "0" * 64
    text = json.dumps(after)
    assert "salt" not in text
    assert "granted" not in text
    rows = hub.session.scalars(select(Erasure)).all()
    assert {(row.ground, tuple(row.by)) for row in rows} == {("wmo", ("one", "two"))}
    again = retention.erase_due(hub.session, STUDY, by=BY, now=later(16))
    assert again.leaves == ()


def test_a_no_that_must_be_obeyed_stays(hub) -> None:
    subject = hub.subject()
    refused = hub.answer(subject, use_network="no")
    broad = hub.answer(subject, NOW + timedelta(minutes=1))
    # A yes about everything, as a network may ask it: no form of ours writes it yet.
    rows = hub.session.scalars(
        select(ConsentEvent).where(ConsentEvent.receipt_id == broad.id)
    ).all()
    hub.session.execute(
        ConsentEvent.__table__.insert().values(
            **{
                **{c.key: getattr(rows[0], c.key) for c in ConsentEvent.__table__.columns},
                "id": "broad",
                "study": "*",
                "leaf": 10_000,
            }
        )
    )
    objected = recording.say(
        hub.session,
        subject=subject,
        act="object",
        study=STUDY,
        said=[recording.Said("objected", "*", STUDY, "*")],
        form_key="objection",
        form={"object": STUDY},
        language="nl",
        actor=Actor(kind="patient", id=subject.id, roles=frozenset({"patient"})),
        now=NOW + timedelta(minutes=2),
    )
    end(hub, retention="device")
    found = retention.erase_due(hub.session, STUDY, by=BY, now=later(10))
    left = hub.session.scalars(select(ConsentEvent.kind).where(ConsentEvent.study == STUDY)).all()
    assert sorted(left) == ["objected", "refused"]
    assert found.kept == 2
    assert refused.first_leaf < objected.first_leaf


@pytest.mark.parametrize(
    ("consent", "years"), [({"retention": "medicine"}, 25), ({"retention": "atmp"}, 30)]
)
def test_the_time_of_keeping_runs_from_the_end(hub, consent, years) -> None:
    hub.answer(hub.subject())
    end(hub, **consent)
    assert not retention.due(hub.session, STUDY, later(years) - timedelta(hours=2)).leaves
    assert retention.due(hub.session, STUDY, later(years)).leaves
    result = NOW + timedelta(days=40)
    assert not retention.due(hub.session, STUDY, later(years), result).leaves


def test_nothing_goes_that_is_not_settled_or_not_over(hub) -> None:
    hub.answer(hub.subject())

    def refused(code: str, by=BY) -> None:
        with pytest.raises(ConsentError, match=code):
            retention.erase_due(hub.session, STUDY, by=by, now=later(99))

    refused("study_not_ended")
    end(hub)
    refused("keeping_not_settled")  # a registry without a claim period keeps everything
    hub.session.get_one(Study, STUDY).consent = {"retention": "for a while"}
    refused("keeping_not_settled")
    hub.session.get_one(Study, STUDY).consent = {}
    hub.session.get_one(Network, NETWORK).consent = {"claim_years": 20}
    refused("two_people_needed", by=(BY[0], BY[0]))
    refused("two_people_needed", by=BY[:1])
    with pytest.raises(ConsentError, match="study_not_found"):
        retention.due(hub.session, "none", later(99))
    assert retention.due(hub.session, STUDY, later(19)).leaves == ()
    assert retention.erase_due(hub.session, STUDY, by=BY, now=later(20)).ground == "registry"
    assert hub.session.scalar(select(func.count()).select_from(ConsentEvent)) == 0


def test_the_database_lets_nothing_go_without_the_row(hub) -> None:
    of = hub.answer(hub.subject())
    event = hub.session.scalars(select(ConsentEvent).limit(1)).one()
    recording.mark(hub.session, event, kind="suspended", reason="d", actor=SYSTEM, now=NOW)
    hub.session.commit()
    for table in (ConsentMark, ConsentEvent):
        with pytest.raises(DBAPIError, match="append-only"):
            hub.session.execute(delete(table))
        hub.session.rollback()
    hub.session.add(Erasure(network=NETWORK, leaf=99, ground="wmo", by=["a", "b"], at=NOW))
    hub.session.flush()
    with pytest.raises(DBAPIError, match="append-only"):
        hub.session.execute(delete(Erasure))
    hub.session.rollback()
    assert isinstance(verify_log(hub.session, NETWORK), LogHolds)
    assert of.leaves


def test_an_event_that_is_gone_without_a_row_is_found(hub, database) -> None:
    from consent import append_only

    hub.answer(hub.subject())
    down = append_only.sqlite_down if database.kind == "sqlite" else append_only.postgresql_down
    for statement in down("consent_event"):
        hub.session.connection().exec_driver_sql(statement)
    hub.session.execute(delete(ConsentEvent).where(ConsentEvent.leaf == 1))
    assert verify_log(hub.session, NETWORK) == LogBroken(1, "event missing")


def test_a_no_is_not_hidden_by_calling_it_erased(hub) -> None:
    """Whoever has the database can name a leaf and let its event go: the study has not ended."""
    hub.answer(hub.subject())
    no = hub.stop(hub.subject(), NOW + timedelta(minutes=1))
    hub.session.commit()
    hub.session.add(Erasure(network=NETWORK, leaf=no.first_leaf, ground="wmo", by=["a"], at=NOW))
    hub.session.flush()
    hub.session.execute(delete(ConsentEvent).where(ConsentEvent.leaf == no.first_leaf))
    why = "content erased before its study ended"
    assert verify_log(hub.session, NETWORK) == LogBroken(no.first_leaf, why)


def test_a_doubt_is_not_hidden_by_calling_it_erased(hub) -> None:
    """A mark goes with the answer it is about, or not at all."""
    hub.answer(hub.subject())
    event = hub.session.scalars(select(ConsentEvent).limit(1)).one()
    mark = recording.mark(hub.session, event, kind="suspended", reason="d", actor=SYSTEM, now=NOW)
    end(hub, retention="wmo")
    hub.session.commit()
    hub.session.add(Erasure(network=NETWORK, leaf=mark.leaf, ground="wmo", by=["a"], at=NOW))
    hub.session.flush()
    hub.session.execute(delete(ConsentMark).where(ConsentMark.leaf == mark.leaf))
    why = "content erased before its study ended"
    assert verify_log(hub.session, NETWORK) == LogBroken(mark.leaf, why)
