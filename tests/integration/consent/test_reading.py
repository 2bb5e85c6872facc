"""What a patient sees: the state of each choice, history, receipts, which hospital has them."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from consent import letters
from consent import service as consent
from consent.errors import ConsentError
from consent.models import ConsentEvent, SnapshotRecord, Subject, TextVersion
from consent.reading import ItemState, StudyChoices
from consent.standing import of_subjects
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.base import new_id
from studies.seeds.oncozon import HORMONE_THERAPY

from .conftest import NOW, STUDY, Hub

LATER = NOW + timedelta(hours=1)
ITEMS = HORMONE_THERAPY.requires


def only(hub: Hub, subject: Subject, at: datetime = LATER) -> StudyChoices:
    [study] = consent.choices(hub.session, subject, at)
    return study


def states(study: StudyChoices) -> dict[str, str]:
    return {item.item: item.state for item in study.items}


def test_invited_and_nothing_said(hub: Hub) -> None:
    made = letters.new_letter()
    consent.invite(
        hub.session,
        site="zuyderland",
        handle=b"h" * 20,
        code_id=made.code_id,
        verifier=letters.verifier(made.code_id, made.secret),
        studies=[STUDY],
        language="nl",
        actor=Actor("site", "zuyderland"),
        now=NOW,
    )
    subject = consent.sign_in_with_code(hub.session, made.printed, now=NOW).accepted()
    study = only(hub, subject)
    assert states(study) == dict.fromkeys(ITEMS, "not_asked")
    assert (study.counts, study.answered, study.open, study.receipt_id) == (
        False,
        False,
        True,
        None,
    )


def test_someone_who_was_never_asked_sees_nothing(hub: Hub) -> None:
    assert consent.choices(hub.session, hub.subject(), NOW) == ()
    assert of_subjects(hub.session, [], NOW) == {}


def test_all_yes_counts(hub: Hub) -> None:
    subject = hub.subject()
    receipt = hub.answer(subject)
    study = only(hub, subject)
    assert states(study) == dict.fromkeys(ITEMS, "granted")
    assert (study.counts, study.receipt_id) == (True, receipt.id)
    assert study.items[0] == ItemState("use.record", "granted", NOW, True, hub.text)


@pytest.mark.parametrize(("answer", "state"), [("no", "refused"), ("later", "deferred")])
def test_one_other_answer_does_not_count(hub: Hub, answer: str, state: str) -> None:
    subject = hub.subject()
    hub.answer(subject, study_join=answer)
    study = only(hub, subject)
    assert states(study)["study.join"] == state
    assert not study.counts


def test_not_knowing_any_more_stops_counting(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    hub.answer(subject, at=NOW + timedelta(minutes=1), study_join="later")
    assert not only(hub, subject).counts


def test_a_closed_parent_closes_its_child(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject, use_record="no")
    by_item = {item.item: item for item in only(hub, subject).items}
    assert by_item["use.network"].state == "granted"
    assert not by_item["use.network"].counts
    assert by_item["study.join"].counts


@pytest.mark.parametrize("study", [STUDY, None])
def test_stopping_and_starting_again(hub: Hub, study: str | None) -> None:
    subject = hub.subject()
    hub.answer(subject)
    hub.stop(subject, NOW + timedelta(minutes=1), study)
    stopped = only(hub, subject)
    assert states(stopped) == dict.fromkeys(ITEMS, "withdrawn")
    assert not stopped.counts
    hub.answer(subject, at=NOW + timedelta(minutes=2))
    assert only(hub, subject).counts


def test_stopping_before_anything_was_said_is_kept(hub: Hub) -> None:
    subject = hub.subject()
    hub.stop(subject, NOW)
    study = only(hub, subject)
    assert states(study) == dict.fromkeys(ITEMS, "withdrawn")
    assert study.answered


def test_a_study_that_does_not_run_here_counts_nobody(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    part = studies.get_participation(hub.session, STUDY, "zuyderland")
    studies.move(hub.session, part, "on_hold", actor=SYSTEM, now=LATER, reason="no_capacity")
    study = only(hub, subject)
    assert (study.open, study.counts) == (False, False)


def test_a_suspended_text_suspends_the_yes(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    text = hub.session.get_one(TextVersion, hub.text)
    consent.suspend_text(hub.session, text, actor=SYSTEM, now=LATER)
    consent.suspend_text(hub.session, text, actor=SYSTEM, now=LATER + timedelta(days=1))
    assert text.suspended_at == LATER
    study = only(hub, subject)
    assert states(study) == dict.fromkeys(ITEMS, "suspended")
    assert not study.counts
    with pytest.raises(ConsentError) as failure:
        consent.text_for(hub.session, STUDY, LATER)
    assert failure.value.code == "text_not_found"


def test_history_newest_first(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject, study_join="no")
    hub.stop(subject, NOW + timedelta(minutes=1))
    lines = consent.history(hub.session, subject)
    assert [(line.kind, line.item) for line in lines] == [
        ("withdrawn", "*"),
        ("refused", "study.join"),
        ("granted", "use.network"),
        ("granted", "use.record"),
    ]
    assert [line.text_number for line in lines] == [None, 1, 1, 1]


def test_a_receipt_is_for_its_own_patient(hub: Hub) -> None:
    subject, other = hub.subject(), hub.subject()
    receipt = hub.answer(subject)
    assert consent.receipt(hub.session, subject, receipt.id) is receipt
    for who, number in ((other, receipt.id), (subject, "no-such-receipt")):
        with pytest.raises(ConsentError) as failure:
            consent.receipt(hub.session, who, number)
        assert failure.value.code == "receipt_not_found"


def test_when_the_hospital_received_it(hub: Hub) -> None:
    subject = hub.subject()
    receipt = hub.answer(subject)

    def delivery() -> consent.Delivery:
        [one] = consent.deliveries(hub.session, subject, receipt)
        return one

    assert (delivery().name, delivery().received_at) == ("Zuyderland", None)
    assert delivery().counts_nobody_from is None
    publish(hub, NOW)
    assert delivery().received_at is None
    acknowledge(hub, 1, NOW + timedelta(seconds=9))
    assert delivery().received_at == NOW + timedelta(seconds=9)
    assert delivery().counts_nobody_from == NOW + timedelta(hours=1)
    # A hospital that counts a yes only after its own notice says so with each list.
    for seq, (said, days) in enumerate([(None, None), (14, 14), ("14", None), (-1, None)], 2):
        hub.answer(subject, NOW + timedelta(minutes=seq))
        publish(hub, NOW + timedelta(minutes=seq))
        acknowledge(hub, seq, NOW + timedelta(minutes=seq), notice_days=said)
        assert delivery().notice_days == days


def test_a_snapshot_from_before_is_no_delivery(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    publish(hub, NOW)
    acknowledge(hub, 1, NOW)
    receipt = hub.stop(subject, NOW + timedelta(minutes=1))
    [waiting] = consent.deliveries(hub.session, subject, receipt)
    assert waiting.received_at is None
    assert waiting.counts_nobody_from == NOW + timedelta(hours=1)
    publish(hub, NOW + timedelta(minutes=2))
    consent.store_ack(
        hub.session,
        site="zuyderland",
        seq=2,
        status="refused",
        code="clock_skew",
        applied_at=None,
        now=NOW,
    )
    [refused] = consent.deliveries(hub.session, subject, receipt)
    assert refused.received_at is None
    acknowledge(hub, 2, NOW + timedelta(minutes=3))
    [received] = consent.deliveries(hub.session, subject, receipt)
    assert received.received_at == NOW + timedelta(minutes=3)


def test_a_yes_that_has_ended_is_shown_as_ended(hub: Hub) -> None:
    subject = hub.subject()
    receipt = hub.answer(subject)
    # No text sets an end yet, so the row is written as a later version of this package would.
    rows = [
        {column.key: getattr(event, column.key) for column in ConsentEvent.__table__.columns}
        for event in consent.said_in(hub.session, receipt)
    ]
    for number, row in enumerate(rows):
        row |= {"id": new_id(), "leaf": 100 + number, "until": LATER}
        row |= {"recorded_at": NOW + timedelta(minutes=1), "effective_at": NOW}
    hub.stop(subject, NOW - timedelta(days=1))
    hub.session.execute(insert(ConsentEvent), rows)
    assert states(only(hub, subject, LATER)) == dict.fromkeys(ITEMS, "expired")


def test_words_of_a_question(hub: Hub) -> None:
    text = consent.text_for(hub.session, STUDY, LATER)
    words = consent.item_words(text, "use.network", "nl")
    assert words["label"] == "Meetellen in het netwerk"
    assert words["legend"].endswith("?")
    with pytest.raises(ConsentError) as failure:
        consent.item_words(text, "use.network", "fr")
    assert failure.value.code == "unknown_language"


def test_texts_are_published_once_and_numbered(hub: Hub) -> None:
    def publish_text(content: object, **changes: object) -> TextVersion:
        given: dict[str, object] = {
            "study": STUDY,
            "content": content,
            "approved_by": ["one", "two"],
            "actor": SYSTEM,
            "now": LATER,
        }
        return consent.publish_text(hub.session, **{**given, **changes})  # type: ignore[arg-type]

    same = publish_text(HORMONE_THERAPY.text)
    assert (same.id, same.number) == (hub.text, 1)
    changed = dict(HORMONE_THERAPY.text)
    changed["nl"] = {**changed["nl"], "title": "Onderzoek naar hormoontherapie"}
    with pytest.raises(ConsentError) as failure:
        publish_text(changed, approved_by=["one", "one"])
    assert failure.value.code == "text_not_valid"
    with pytest.raises(ConsentError) as failure:
        publish_text(changed, study="no-such-study")
    assert failure.value.code == "study_not_found"
    second = publish_text(changed, change_class="editorial", valid_from=LATER + timedelta(days=1))
    assert second.number == 2
    assert consent.text_for(hub.session, STUDY, LATER).number == 1
    assert consent.text_for(hub.session, STUDY, LATER + timedelta(days=1)).number == 2


def publish(hub: Hub, at: datetime) -> list[SnapshotRecord]:
    return consent.publish_snapshots(
        hub.session, lambda site, claims: b"signed", ["zuyderland"], now=at
    )


def acknowledge(hub: Hub, seq: int, at: datetime, **more: object) -> None:
    consent.store_ack(
        hub.session,
        site="zuyderland",
        seq=seq,
        status="applied",
        code=None,
        applied_at=at,
        now=at,
        **more,  # type: ignore[arg-type]
    )
