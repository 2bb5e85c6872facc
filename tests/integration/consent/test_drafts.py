"""Drafts of texts: two others approve exact words; what a new version does to old answers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from changed_texts import OLD, changed, with_item, without_item
from sqlalchemy import select, text

from consent import drafts
from consent import service as consent
from consent.errors import ConsentError
from consent.models import Subject, TextEnd, TextVersion
from consent.models_trust import TextDraft
from consent.texts import text_for, to_ask_again, versions
from studies.actor import Actor
from studies.events import announced

from .conftest import NOW, STUDY, Hub

HOUR = timedelta(hours=1)
LATER = NOW + HOUR
WRITER, ANNA, BAS = (Actor("user", name, name=name.title()) for name in ("writer", "anna", "bas"))
TYPING_ERROR = changed(nl__summary="Komt borstkanker minder vaak terug na hormoon-therapie?")
REWORDED = changed(nl__questions={**OLD["nl"]["questions"]}, nl__title="Een heel ander onderzoek")


def refused(code: str) -> Any:
    return pytest.raises(ConsentError, match=f"^{code}:")


def write(hub: Hub, content: Any, change_class: str, *widened: str) -> TextDraft:
    return drafts.start(
        hub.session,
        study=STUDY,
        content=content,
        change_class=change_class,
        widened=widened,
        changes={"nl": "Nieuw.", "en": "New."},
        actor=WRITER,
        now=LATER,
    )


def approve(hub: Hub, draft: TextDraft, by: Actor, judged: str | None = None) -> None:
    drafts.approve(
        hub.session,
        draft,
        seen_sha256=drafts.draft_sha256(hub.session, draft),
        judged_class=judged or draft.change_class,
        actor=by,
        now=LATER,
    )


def publish(hub: Hub, content: Any, change_class: str, *widened: str) -> TextVersion:
    draft = write(hub, content, change_class, *widened)
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    return drafts.publish(hub.session, draft, actor=WRITER, now=LATER)


def states(hub: Hub, subject: Subject) -> dict[str, str]:
    [study] = consent.choices(hub.session, subject, LATER + HOUR)
    return {item.item: item.state for item in study.items}


def counts(hub: Hub, subject: Subject) -> dict[str, bool]:
    [study] = consent.choices(hub.session, subject, LATER + HOUR)
    return {item.item: item.counts for item in study.items}


def test_from_draft_to_text(hub: Hub) -> None:
    draft = drafts.start(hub.session, study=STUDY, actor=WRITER, now=LATER)
    assert draft.content == OLD
    assert draft.change_class == "clarifying"
    assert drafts.drafts_of(hub.session, STUDY) == [draft]
    drafts.change(
        hub.session,
        draft,
        content=TYPING_ERROR,
        change_class="editorial",
        widened=[],
        changes={"nl": "Een typefout.", "en": "A typing error."},
        actor=WRITER,
        now=LATER,
    )
    for by in (ANNA, BAS):
        with refused("draft_not_approved"):
            drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
        approve(hub, draft, by)
    # Twice by the same person is one approval.
    approve(hub, draft, BAS)
    assert [each["name"] for each in drafts.agreed(hub.session, draft)] == ["Anna", "Bas"]
    made = drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    assert (made.number, made.change_class, made.approved_by) == (2, "editorial", ["anna", "bas"])
    assert made.changes["en"] == "A typing error."
    assert draft.published == made.id
    assert drafts.drafts_of(hub.session, STUDY) == []
    assert text_for(hub.session, STUDY, LATER).id == made.id
    assert [each.number for each in versions(hub.session, STUDY)] == [1, 2]
    for act in (lambda: approve(hub, draft, ANNA), lambda: publish(hub, TYPING_ERROR, "editorial")):
        with pytest.raises(ConsentError):
            act()
    said = [each.action for each in announced(hub.session)]
    assert said[-9:-4] == [
        *("consent.draft_created", "consent.draft_changed"),
        *("consent.draft_approved",) * 3,
    ]


def test_writers_do_not_approve_and_a_change_takes_approvals_away(hub: Hub) -> None:
    draft = write(hub, TYPING_ERROR, "editorial")
    with refused("own_draft"):
        approve(hub, draft, WRITER)
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    drafts.change(
        hub.session,
        draft,
        content=REWORDED,
        change_class="clarifying",
        widened=[],
        changes={},
        actor=BAS,
        now=LATER,
    )
    assert drafts.judgements(draft) == ()
    with refused("own_draft"):
        approve(hub, draft, BAS)
    assert drafts.writers(draft) == {"writer", "bas"}
    with refused("draft_not_approved"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    with refused("draft_not_found"):
        drafts.find(hub.session, draft.id, "other-study")
    assert drafts.find(hub.session, draft.id, STUDY) is draft


def test_t28_a_letter_changed_after_approval_is_found(hub: Hub) -> None:
    draft = write(hub, TYPING_ERROR, "editorial")
    looked_at = drafts.draft_sha256(hub.session, draft)
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    hub.session.flush()
    other = json.dumps(
        changed(nl__summary="Komt borstkanker minder vaak terug na hormoontherapie!")
    )
    change = text("UPDATE consent_text_draft SET content = :content WHERE id = :id")
    hub.session.execute(change, {"content": other, "id": draft.id})
    hub.session.refresh(draft)
    with refused("draft_changed"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    with refused("draft_changed"):
        drafts.approve(
            hub.session,
            draft,
            seen_sha256=looked_at,
            judged_class="editorial",
            actor=ANNA,
            now=LATER,
        )


def test_t28_a_letter_changed_in_a_published_text_is_found(hub: Hub) -> None:
    subject = hub.subject()
    other = json.dumps(
        changed(nl__summary="Komt borstkanker minder vaak terug na hormoontherapie!")
    )
    change = text("UPDATE consent_text SET content = :content WHERE id = :id")
    hub.session.execute(change, {"content": other, "id": hub.text})
    hub.session.expire_all()
    with refused("text_altered"):
        text_for(hub.session, STUDY, NOW)
    with refused("text_altered"):
        hub.answer(subject)


def test_t28_a_wider_text_under_a_lighter_name(hub: Hub) -> None:
    draft = write(hub, with_item(), "editorial")
    # The machine finds an added item; people find the rest.
    with refused("change_class_wrong"):
        approve(hub, draft, ANNA)
    draft = write(hub, REWORDED, "clarifying")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS, judged="wider")
    assert [each["name"] for each in drafts.objections(draft)] == ["Bas"]
    approve(hub, draft, Actor("user", "carla"))
    with refused("draft_objected"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    approve(hub, draft, BAS)
    assert drafts.publish(hub.session, draft, actor=WRITER, now=LATER).number == 2


def test_light_classes_leave_old_answers(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    first = hub.session.get_one(TextVersion, hub.text)
    second = publish(hub, REWORDED, "clarifying")
    assert set(counts(hub, subject).values()) == {True}
    assert hub.session.scalars(select(TextEnd)).all() == []
    assert to_ask_again(hub.session, first, second, LATER) == ()


def test_a_wider_item_does_not_count_until_it_is_asked_again(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    first = hub.session.get_one(TextVersion, hub.text)
    second = publish(hub, with_item(), "wider", "use.network")
    assert counts(hub, subject) == {
        "use.record": True,
        "use.network": False,
        "study.join": True,
    }
    assert to_ask_again(hub.session, first, second, LATER) == ("use.network", "use.past")
    assert to_ask_again(hub.session, first, second, NOW) == ("use.past",)
    [end] = hub.session.scalars(select(TextEnd)).all()
    assert (end.text_version, end.item, end.at, end.why) == (
        *(hub.text, "use.network", LATER),
        "wider",
    )
    # A later version that widens the same item ends it for the second version only.
    third = changed(nl__title="Nog een ander onderzoek")
    publish(hub, third, "urgent")
    ends = {(end.text_version, end.item) for end in hub.session.scalars(select(TextEnd))}
    assert ends == {(hub.text, "use.network"), (hub.text, "*"), (second.id, "*")}


def test_an_urgent_text_ends_every_answer_at_once(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    first = hub.session.get_one(TextVersion, hub.text)
    second = publish(hub, REWORDED, "urgent")
    assert set(counts(hub, subject).values()) == {False}
    assert to_ask_again(hub.session, first, second, LATER) == tuple(OLD["items"])


def test_a_text_does_not_begin_in_the_past_nor_before_the_last(hub: Hub) -> None:
    draft = write(hub, REWORDED, "clarifying")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    with refused("text_begins_too_early"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER, valid_from=NOW)
    begins = LATER + 24 * HOUR
    made = drafts.publish(hub.session, draft, actor=WRITER, now=LATER, valid_from=begins)
    assert text_for(hub.session, STUDY, LATER).number == 1
    draft = write(hub, TYPING_ERROR, "clarifying")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    with refused("text_begins_too_early"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    assert made.number == 2


def test_what_cannot_become_a_draft(hub: Hub) -> None:
    with refused("study_not_found"):
        drafts.start(hub.session, study="no-study", actor=WRITER, now=LATER)
    with refused("unknown_item"):
        write(hub, {**OLD, "items": ["use.everything"]}, "wider")
    with refused("text_not_valid"):
        write(hub, with_item("object.reuse"), "wider")
    draft = write(hub, OLD, "urgent")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    with refused("text_published_before"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    draft = write(hub, without_item(), "narrower")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    with refused("text_misses_requirement"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)


def test_a_draft_is_judged_again_when_another_text_came_in_between(hub: Hub) -> None:
    draft = write(hub, TYPING_ERROR, "editorial")
    approve(hub, draft, ANNA)
    approve(hub, draft, BAS)
    publish(hub, with_item(), "wider", "use.network")
    # Against the newer text it takes an item away, which no one has looked at.
    with refused("draft_changed"):
        drafts.publish(hub.session, draft, actor=WRITER, now=LATER)
    assert drafts.agreed(hub.session, draft) == ()
    with refused("change_class_wrong"):
        approve(hub, draft, ANNA)
