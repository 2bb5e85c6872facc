"""One press takes a stop with all studies back; an objection is taken back by who made it only."""

from dataclasses import replace
from datetime import timedelta

import pytest
from changed_texts import changed

from consent import letters, objecting, undoing_all, withdrawing
from consent import service as consent
from consent.acts import Circumstances
from consent.errors import ConsentError
from consent.models import ConsentEvent, Receipt, Subject
from consent.proof import letter_prover
from consent.subjects import handle_bytes
from studies import service as studies
from studies.actor import SYSTEM
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, YES, Hub

MINUTE = timedelta(minutes=1)
KEY = b"k" * 32
PROVED = Circumstances(prove=letter_prover("ABC123", KEY))
SECOND = "second-study"


def add_a_second_study(hub: Hub) -> str:
    study = replace(HORMONE_THERAPY, slug=SECOND)
    network = replace(ONCOZON, studies=(study,))
    studies.load_network(hub.session, network, SYSTEM, now=NOW)
    return publish(hub, SECOND, 0, change_class="first")


def publish(hub: Hub, study: str, minutes: int, **more: object) -> str:
    content = HORMONE_THERAPY.text if minutes == 0 else changed(nl__title="Een duidelijker titel")
    return consent.publish_text(
        hub.session,
        study=study,
        content=content,
        approved_by=("one", "two"),
        actor=SYSTEM,
        now=NOW + minutes * MINUTE,
        **more,  # type: ignore[arg-type]
    ).id


def answer(hub: Hub, subject: Subject, study: str, text: str, minutes: int, **no: str) -> None:
    consent.record(
        hub.session,
        subject=subject,
        study=study,
        answers=YES | no,
        text_version=text,
        language="nl",
        form_key=f"{study}-{minutes}",
        actor=consent.patient(subject),
        now=NOW + minutes * MINUTE,
        circumstances=PROVED,
    )


def stop(hub: Hub, subject: Subject, level: str, minutes: int) -> Receipt:
    key = f"stop-{level}-{minutes}"
    return hub.stop_level(subject, level, NOW + minutes * MINUTE, None, key)


def take_part(hub: Hub, subject: Subject, minutes: int) -> dict[str, bool]:
    found = consent.choices(hub.session, subject, NOW + minutes * MINUTE)
    return {each.study.slug: each.counts for each in found}


def limited(hub: Hub, subject: Subject, minutes: int) -> bool:
    """Whether nothing new may be used in any of the studies."""
    found = consent.choices(hub.session, subject, NOW + minutes * MINUTE)
    return all(each.nothing_new is not None for each in found)


def undo(
    hub: Hub, subject: Subject, receipt: Receipt, minutes: int, how: Circumstances = PROVED
) -> list[Receipt]:
    return undoing_all.undo_all(
        hub.session,
        subject=subject,
        receipt=receipt,
        language="nl",
        actor=consent.patient(subject),
        now=NOW + minutes * MINUTE,
        circumstances=how,
    )


def test_one_press_brings_back_what_held_in_every_study(hub: Hub) -> None:
    text = add_a_second_study(hub)
    subject = hub.subject()
    hub.answer(subject)
    answer(hub, subject, SECOND, text, 1)
    both, none = {STUDY: True, SECOND: True}, {STUDY: False, SECOND: False}
    for minutes, level in ((2, "W2"), (6, "W3"), (10, "W4")):
        stopped = stop(hub, subject, level, minutes)
        assert take_part(hub, subject, minutes) == (both if level == "W2" else none)
        assert limited(hub, subject, minutes) == (level == "W2")
        with pytest.raises(ConsentError, match="proof_needed"):
            undo(hub, subject, stopped, minutes + 1, Circumstances())
        made = undo(hub, subject, stopped, minutes + 1)
        assert sorted(each.study for each in made) == [STUDY, SECOND]
        assert undo(hub, subject, stopped, minutes + 2) == made  # the same form, nothing new
        assert take_part(hub, subject, minutes + 1) == both
        assert not limited(hub, subject, minutes + 1)
    [order] = withdrawing.orders(hub.session, subject)
    assert order.cancelled_at is not None
    # W1 stops messages only; nobody ever said yes to one, so there is nothing to bring back
    quiet = stop(hub, subject, "W1", 20)
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, subject, quiet, 21)


def test_an_objection_to_all_use_made_by_mistake(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    objected = objecting_to(hub, subject, 1, everything=True)
    assert take_part(hub, subject, 1) == {STUDY: False}
    undo(hub, subject, objected, 2)
    assert take_part(hub, subject, 2) == {STUDY: True}
    assert objecting.objected_since(hub.session, subject) is None
    reuse = objecting_to(hub, subject, 3, everything=False)
    assert undoing_all.again(hub.session, subject, reuse, NOW + 4 * MINUTE) == []


def test_it_opens_nothing_that_was_closed_and_comes_too_late_after_a_day(hub: Hub) -> None:
    text = add_a_second_study(hub)
    subject = hub.subject()
    hub.answer(subject)
    answer(hub, subject, SECOND, text, 1, **{"study.join": "no"})
    stopped = stop(hub, subject, "W3", 2)
    other = hub.subject()
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, other, stopped, 3)
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, subject, stopped, 3, replace(PROVED, party="p-one"))
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, subject, stopped, 24 * 60 + 2)
    undo(hub, subject, stopped, 3)
    assert take_part(hub, subject, 3) == {STUDY: True, SECOND: False}
    again = stop(hub, subject, "W3", 4)
    answer(hub, subject, SECOND, text, 5)  # another word since: no longer the last
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, subject, again, 6)


def test_a_study_whose_text_changed_is_read_first(hub: Hub) -> None:
    text = add_a_second_study(hub)
    subject = hub.subject()
    hub.answer(subject)
    answer(hub, subject, SECOND, text, 1)
    stopped = stop(hub, subject, "W3", 2)
    publish(hub, SECOND, 3, change_class="clarifying")
    [left] = [
        each
        for each in undoing_all.again(hub.session, subject, stopped, NOW + 4 * MINUTE)
        if each.text is None
    ]
    assert left.study == SECOND
    [made] = undo(hub, subject, stopped, 4)
    assert made.study == STUDY
    assert take_part(hub, subject, 4) == {STUDY: True, SECOND: False}


def objecting_to(hub: Hub, subject: Subject, minutes: int, *, everything: bool) -> Receipt:
    return withdrawing.object_to(
        hub.session,
        subject=subject,
        everything=everything,
        language="nl",
        form_key=f"objection-{minutes}",
        actor=consent.patient(subject),
        now=NOW + minutes * MINUTE,
        circumstances=Circumstances(),
    )


def test_an_objection_is_taken_back_with_a_proof_and_opens_nothing_else(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)

    def take_back(minutes: int, how: Circumstances) -> Receipt:
        return objecting.take_back(
            hub.session,
            subject=subject,
            language="nl",
            form_key=f"back-{minutes}",
            actor=consent.patient(subject),
            now=NOW + minutes * MINUTE,
            circumstances=how,
        )

    with pytest.raises(ConsentError, match="choices_changed"):
        take_back(0, PROVED)
    objecting_to(hub, subject, 1, everything=True)
    objecting_to(hub, subject, 2, everything=False)
    assert objecting.objected_since(hub.session, subject) == NOW + MINUTE
    with pytest.raises(ConsentError, match="proof_needed"):
        take_back(3, Circumstances())
    for somebody_else in (replace(PROVED, party="p-one"),):
        with pytest.raises(ConsentError, match="choices_changed"):
            take_back(3, somebody_else)
    made = take_back(3, PROVED)
    assert take_back(3, PROVED) == made
    assert objecting.objected_since(hub.session, subject) is None
    assert take_part(hub, subject, 3) == {STUDY: False}  # a study opens by a yes to that study only
    [event] = consent.said_in(hub.session, made)
    assert (event.kind, event.item, event.study) == ("withdrawn", "object.reuse", "*")
    proof = event.evidence["proof"]
    statement = objecting.statement_of(subject, "self", "back-3", NOW + 3 * MINUTE)
    assert statement.proved_by(bytes.fromhex(proof["mac"]), KEY)
    assert not statement.proved_by(bytes.fromhex(proof["mac"]), b"x" * 32)
    objecting_to(hub, subject, 4, everything=False)
    assert objecting.objected_since(hub.session, subject) == NOW + 4 * MINUTE
    hub.answer(subject, NOW + 5 * MINUTE)
    assert take_part(hub, subject, 5) == {STUDY: True}


def test_an_objection_answers_no_question(hub: Hub) -> None:
    subject = hub.subject()
    letter = letters.new_letter()
    consent.invite(
        hub.session,
        site=subject.site,
        handle=handle_bytes(subject.handle),
        code_id=letter.code_id,
        verifier=letters.verifier(letter.code_id, letter.secret),
        studies=[STUDY],
        language="nl",
        actor=SYSTEM,
        now=NOW,
    )
    objecting_to(hub, subject, 1, everything=False)
    [study] = consent.choices(hub.session, subject, NOW + 2 * MINUTE)
    assert (study.answered, study.receipt_id) == (False, None)
    objecting_to(hub, subject, 3, everything=True)
    [study] = consent.choices(hub.session, subject, NOW + 4 * MINUTE)
    assert study.answered


def test_a_row_without_a_proof_takes_no_objection_back(hub: Hub) -> None:
    subject = hub.subject()
    objecting_to(hub, subject, 1, everything=False)
    # W1 to W4 and a withdrawal of the item by another way are no proof of taking it back
    consent.withdraw(
        hub.session,
        subject=subject,
        study=None,
        language="nl",
        form_key="stop",
        actor=consent.patient(subject),
        now=NOW + 2 * MINUTE,
    )
    assert objecting.objected_since(hub.session, subject) == NOW + MINUTE
    assert hub.session.query(ConsentEvent).count() == 2
