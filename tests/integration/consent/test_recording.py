"""A choice becomes event, leaf and receipt at once, and stays as it was said."""

import gc
import sys
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from consent import append_only
from consent import service as consent
from consent.acts import Circumstances
from consent.errors import ConsentError
from consent.log import root
from consent.models import ConsentEvent, LogHead, LogLeaf, Receipt
from registry.database import SessionFactory
from studies.actor import Actor
from studies.events import announced
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, YES, Hub, text_in_force


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def record(hub: Hub, **changes: Any) -> Receipt:
    subject = changes.pop("subject", None) or hub.subject()
    given: dict[str, Any] = {
        "subject": subject,
        "study": STUDY,
        "answers": YES,
        "text_version": hub.text,
        "language": "nl",
        "form_key": "key",
        "actor": consent.patient(subject),
        "now": NOW,
    }
    return consent.record(hub.session, **{**given, **changes})


def test_three_answers_are_three_events_three_leaves_and_one_receipt(hub: Hub) -> None:
    receipt = record(hub, circumstances=Circumstances("letter", "portal", "ab" * 32))
    hub.session.commit()
    events = consent.said_in(hub.session, receipt)
    assert [(event.item, event.kind) for event in events] == [
        (item, "granted") for item in HORMONE_THERAPY.requires
    ]
    first = events[0]
    assert (first.network, first.site, first.study) == (ONCOZON.slug, "zuyderland", STUDY)
    assert first.text_version == hub.text
    assert first.evidence["page_sha256"] == "ab" * 32
    assert first.evidence["answers"] == [[item, "yes"] for item in HORMONE_THERAPY.requires]
    leaves = hub.session.scalars(select(LogLeaf.hash).order_by(LogLeaf.number)).all()
    assert (receipt.first_leaf, receipt.leaves, receipt.tree_size) == (0, 3, 3)
    assert receipt.tree_root == root(leaves).hex()


def test_the_same_form_again_is_the_same_act(hub: Hub) -> None:
    subject = hub.subject()
    first = record(hub, subject=subject)
    hub.session.commit()
    again = record(hub, subject=subject, now=NOW + timedelta(minutes=5))
    assert again.id == first.id
    assert count(hub.session, ConsentEvent) == 3
    assert not announced(hub.session)


def test_the_same_form_with_other_answers_is_refused(hub: Hub) -> None:
    subject = hub.subject()
    record(hub, subject=subject)
    with pytest.raises(ConsentError) as failure:
        record(hub, subject=subject, answers=YES | {"study.join": "no"})
    assert failure.value.code == "idempotency_conflict"


def test_the_same_key_of_two_patients_is_two_acts(hub: Hub) -> None:
    assert record(hub).id != record(hub).id


def test_a_form_that_was_overtaken_in_another_tab_is_refused(hub: Hub) -> None:
    subject = hub.subject()
    shown = consent.state_version(hub.session, subject)
    assert shown == 0
    record(hub, subject=subject, form_key="one", based_on=shown)
    with pytest.raises(ConsentError) as failure:
        record(hub, subject=subject, form_key="two", based_on=shown)
    assert failure.value.code == "choices_changed"
    seen = consent.state_version(hub.session, subject)
    assert record(hub, subject=subject, form_key="two", based_on=seen).tree_size == 6


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"actor": Actor("user", "u", frozenset({"administrator"}))}, "not_your_own"),
    ({"actor": Actor("patient", "another")}, "not_your_own"),
    ({"study": "no-such-study"}, "study_not_found"),
    ({"text_version": "0" * 64}, "text_version_not_current"),
    ({"language": "fr"}, "unknown_language"),
    ({"answers": {}}, "answer_missing"),
    ({"answers": YES | {"use.ai": "yes"}}, "unknown_item"),
    ({"answers": YES | {"study.join": "perhaps"}}, "unknown_answer"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED)
def test_what_is_refused_leaves_nothing_behind(
    hub: Hub, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ConsentError) as failure:
        record(hub, **changes)
    assert failure.value.code == code
    assert count(hub.session, ConsentEvent) == count(hub.session, Receipt) == 0


def test_stopping_needs_one_act_and_no_text(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    receipt = hub.stop(subject, NOW + timedelta(days=1))
    [event] = consent.said_in(hub.session, receipt)
    assert (event.kind, event.item, event.study, event.category) == ("withdrawn", "*", STUDY, "*")
    assert event.text_version is None


def test_stopping_is_refused_for_others_and_repeats_are_one_act(hub: Hub) -> None:
    subject = hub.subject()
    given: dict[str, Any] = {
        "subject": subject,
        "study": None,
        "language": "en",
        "form_key": "stop",
        "actor": consent.patient(subject),
        "now": NOW,
    }
    first = consent.withdraw(hub.session, **given)
    assert consent.withdraw(hub.session, **given).id == first.id
    for changes, code in (
        ({"actor": Actor("user", "u")}, "not_your_own"),
        ({"language": "de"}, "unknown_language"),
        ({"study": STUDY}, "idempotency_conflict"),
        ({"study": "no-such-study", "form_key": "other"}, "study_not_found"),
    ):
        with pytest.raises(ConsentError) as failure:
            consent.withdraw(hub.session, **{**given, **changes})
        assert failure.value.code == code


def test_a_clock_that_was_set_back_does_not_age_a_no(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject, at=NOW)
    earlier = NOW - timedelta(hours=3)
    receipt = hub.stop(subject, earlier)
    assert receipt.recorded_at > NOW
    assert not consent.choices(hub.session, subject, earlier)[0].counts


def test_each_act_is_announced_without_saying_who_or_what(hub: Hub) -> None:
    subject = hub.subject()
    receipt = hub.answer(subject, study_join="no")
    hub.stop(subject, NOW + timedelta(minutes=1))
    recorded, withdrawn = announced(hub.session)[-2:]
    assert recorded.action == "consent.recorded"
    assert recorded.about == f"receipt:{receipt.id}"
    assert dict(recorded.facts) == {"items": 3, "tree_size": 3}
    assert withdrawn.action == "consent.withdrawn"
    assert subject.handle not in repr(announced(hub.session))


@pytest.mark.parametrize("table", [ConsentEvent, LogLeaf])
@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_refuses_to_change_history(hub: Hub, table: Any, change: str) -> None:
    hub.answer(hub.subject())
    hub.session.commit()
    statement: Any = delete(table) if change == "delete" else update(table).values(network="other")
    with pytest.raises(DBAPIError, match="append-only"):
        hub.session.execute(statement)
    hub.session.rollback()


def test_not_even_by_replacing_or_emptying(hub: Hub) -> None:
    hub.answer(hub.subject())
    hub.session.commit()
    if hub.session.get_bind().dialect.name == "sqlite":
        statement: Any = (
            insert(LogLeaf)
            .prefix_with("OR REPLACE")
            .values(network=ONCOZON.slug, number=0, hash=b"\0" * 32)
        )
    else:
        statement = text("TRUNCATE log_leaf")
    with pytest.raises(DBAPIError, match="append-only"):
        hub.session.execute(statement)
    hub.session.rollback()


def test_the_migrated_triggers_are_those_of_the_package(hub: Hub) -> None:
    if hub.session.get_bind().dialect.name == "sqlite":
        made = set(hub.session.scalars(text("SELECT sql FROM sqlite_master WHERE type='trigger'")))
        assert set(append_only.UP["sqlite"]) <= made
    else:
        names = set(
            hub.session.scalars(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"))
        )
        for table in append_only.TABLES:
            assert {f"{table}_no_change", f"{table}_no_truncate"} <= names


def test_the_triggers_go_and_come(hub: Hub) -> None:
    dialect = hub.session.get_bind().dialect.name
    for line in (*append_only.DOWN[dialect], *append_only.UP[dialect]):
        hub.session.execute(text(line))
    hub.session.rollback()


def test_many_at_once_get_their_numbers_in_turn(factory: SessionFactory) -> None:
    with factory() as session:
        text_id = text_in_force(session)
        hub = Hub(session, text_id)
        subjects = [hub.subject() for _ in range(8)]
        session.commit()
    failures: list[BaseException] = []

    def act(number: int) -> None:
        try:
            # Two threads per patient with the same form: a double click.
            for each in (number, (number + 1) % 8):
                with factory() as session:
                    Hub(session, text_id).answer(subjects[each], key=f"form-{each}")
                    session.commit()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with factory() as session:
        numbers = session.scalars(select(ConsentEvent.leaf).order_by(ConsentEvent.leaf)).all()
        assert numbers == list(range(24))
        leaves = session.scalars(select(LogLeaf.hash).order_by(LogLeaf.number)).all()
        head = session.get_one(LogHead, ONCOZON.slug)
        assert (head.size, head.root) == (24, root(leaves).hex())


def test_seven_hundred_patients_within_five_seconds(hub: Hub) -> None:
    subjects = [hub.subject(each.slug) for each in ONCOZON.institutions for _ in range(70)]
    # Time on the processor: what another program does at the same time is not our cost, and what
    # measuring coverage costs is not either (SlipCover leaves code of its own in each branch).
    limit = 15.0 if sys.gettrace() is not None else 7.5 if "slipcover" in sys.modules else 5.0
    gc.collect()
    gc.freeze()  # what thousands of tests before left in memory is not our cost to look through
    begin = time.process_time()
    for subject in subjects:
        hub.answer(subject)
    hub.session.commit()
    took = time.process_time() - begin
    gc.unfreeze()
    assert took < limit
    assert count(hub.session, ConsentEvent) == 2100
