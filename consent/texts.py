"""The words a patient reads before choosing: published once, never changed, found by study."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.change_classes import problems
from consent.errors import ConsentError
from consent.items import ITEMS, LANGUAGES, with_parents
from consent.models import TextEnd, TextVersion
from consent.rule import ANY
from consent.text_id import content_id
from studies.actor import Actor
from studies.events import announce
from studies.models import Study

ANSWERS = ("yes", "no", "later")
_PARTS = frozenset({"title", "summary", "story", "questions", "answers", "stop", "after"})


def check_content(content: Mapping[str, Any]) -> None:
    """Raise ConsentError unless both languages say the same things in the same order.

    content: {"items": [codes], "nl": part, "en": part}; a part has `title`, `summary`, `story`
    (list of {"heading", "text": [sentences]}), `questions` ({code: {"legend", "explain"}}),
    `answers` ({"yes", "no", "later"}), `stop` and `after` (lists of sentences).
    `unknown_item` for a code outside the catalogue, `requirement_set_empty` for none,
    `text_not_valid` for the rest.
    """
    if set(content) != {"items", *LANGUAGES} or not isinstance(content["items"], list):
        raise ConsentError("text_not_valid")
    items = content["items"]
    if set(with_parents(items)) != set(items) or len(set(items)) != len(items):
        raise ConsentError("text_not_valid")
    # Objections and pointers are no questions with a yes; they have pages of their own.
    if any(ITEMS[item].regime != "consent" for item in items):
        raise ConsentError("text_not_valid")
    shapes = [_shape(content[language], items) for language in LANGUAGES]
    if any(shape != shapes[0] for shape in shapes):
        raise ConsentError("text_not_valid")


def _shape(part: Any, items: Sequence[str]) -> tuple[object, ...]:
    if not isinstance(part, dict) or set(part) != _PARTS:
        raise ConsentError("text_not_valid")
    try:
        # The order of the questions is that of the items; a stored mapping has none.
        if set(part["questions"]) != set(items) or set(part["answers"]) != set(ANSWERS):
            raise ConsentError("text_not_valid")
        words = [
            part["title"],
            part["summary"],
            *part["answers"].values(),
            *part["stop"],
            *part["after"],
            *(panel["heading"] for panel in part["story"]),
            *(sentence for panel in part["story"] for sentence in panel["text"]),
            *(part["questions"][item][key] for item in items for key in ("legend", "explain")),
        ]
        lengths = tuple(len(panel["text"]) for panel in part["story"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ConsentError("text_not_valid") from error
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise ConsentError("text_not_valid")
    return (lengths, len(part["stop"]), len(part["after"]))


def publish_text(
    session: Session,
    *,
    study: str,
    content: Mapping[str, Any],
    approved_by: Sequence[str],
    actor: Actor,
    now: datetime,
    change_class: str = "first",
    widened: Sequence[str] = (),
    changes: Mapping[str, str] = MappingProxyType({}),
    ethics_reference: str = "",
    valid_from: datetime | None = None,
) -> TextVersion:
    """Store a new version of a study's text, approved by two different people.

    The same content again returns the version that is there. What becomes of earlier answers
    follows from the class: `wider` ends an old yes for each item of `widened`, `urgent` for every
    item, both from `valid_from` on; the other classes leave all answers as they are.
    `changes`: by language what is new, in a sentence.

    Raises ConsentError: `study_not_found`, or what `check_content` raises, or `text_not_valid`
    without two approvals, `change_class_wrong` (consent.change_classes), `text_begins_too_early`.
    """
    # Locked, so that two texts of one study get their numbers one after the other.
    if session.get(Study, study, with_for_update=True) is None:
        raise ConsentError("study_not_found")
    check_content(content)
    if len(set(approved_by)) < 2 or not all(approved_by):
        raise ConsentError("text_not_valid")
    text_id = content_id(study, content)
    there = session.get(TextVersion, text_id)
    if there is not None:
        return there
    earlier = versions(session, study)
    last = earlier[-1] if earlier else None
    begins = now if valid_from is None else valid_from
    # A yes that no longer counts from a moment in the past would have been counted in between.
    if last is not None and begins < max(now, last.valid_from):
        raise ConsentError("text_begins_too_early")
    if problems(None if last is None else last.content, content, change_class, widened):
        raise ConsentError("change_class_wrong")
    text = TextVersion(
        id=text_id,
        study=study,
        number=1 if last is None else last.number + 1,
        content=dict(content),
        change_class=change_class,
        widened=sorted(widened),
        changes=dict(changes),
        ethics_reference=ethics_reference,
        approved_by=list(approved_by),
        valid_from=begins,
        created_at=now,
    )
    session.add(text)
    session.flush()
    ended = _end_earlier(session, earlier, text)
    announce(
        session,
        actor=actor,
        action="consent.text_published",
        about=f"study:{study}",
        facts={
            "number": text.number,
            "text": text_id,
            "change_class": change_class,
            "ended": ended,
        },
    )
    return text


def _end_earlier(session: Session, earlier: Sequence[TextVersion], text: TextVersion) -> int:
    """Say from when a yes on each earlier version no longer counts; how many rows that took."""
    items = {"wider": tuple(text.widened), "urgent": (ANY,)}.get(text.change_class, ())
    made = 0
    for old in earlier:
        for item in items:
            # The table is append-only: what ended before stays ended from then.
            if session.get(TextEnd, (old.id, item)) is None:
                session.add(
                    TextEnd(
                        text_version=old.id, item=item, at=text.valid_from, why=text.change_class
                    )
                )
                made += 1
    session.flush()
    return made


def versions(session: Session, study: str) -> Sequence[TextVersion]:
    """All texts of a study that were ever published, the first one first."""
    return session.scalars(
        select(TextVersion).where(TextVersion.study == study).order_by(TextVersion.number)
    ).all()


def to_ask_again(
    session: Session, old: TextVersion, new: TextVersion, now: datetime
) -> tuple[str, ...]:
    """The items of `new` that somebody who answered on `old` has to be asked: those that are new,
    and those for which a yes on `old` does not count any more."""
    ended = set(
        session.scalars(
            select(TextEnd.item).where(TextEnd.text_version == old.id, TextEnd.at <= now)
        )
    )
    if old.suspended_at is not None or ANY in ended:
        return tuple(new.content["items"])
    return tuple(
        item for item in new.content["items"] if item in ended or item not in old.content["items"]
    )


def check_unaltered(text: TextVersion) -> None:
    """Raise ConsentError `text_altered` unless the stored words are those that were published."""
    if content_id(text.study, text.content) != text.id:
        raise ConsentError("text_altered")


def suspend_text(session: Session, text: TextVersion, *, actor: Actor, now: datetime) -> None:
    """Say that a text was wrong: what was agreed to on it does not count from now on."""
    if text.suspended_at is not None:
        return
    text.suspended_at = now
    session.flush()
    announce(
        session,
        actor=actor,
        action="consent.text_suspended",
        about=f"study:{text.study}",
        facts={"number": text.number, "text": text.id},
    )


def text_for(session: Session, study: str, now: datetime) -> TextVersion:
    """The text that is in force: the newest that has begun and is not suspended.

    Raises ConsentError `text_not_found` when there is none, `text_altered` when its words are not
    those that were approved.
    """
    text = session.scalars(
        select(TextVersion)
        .where(
            TextVersion.study == study,
            TextVersion.valid_from <= now,
            TextVersion.suspended_at.is_(None),
        )
        .order_by(TextVersion.number.desc())
        .limit(1)
    ).first()
    if text is None:
        raise ConsentError("text_not_found")
    check_unaltered(text)
    return text


def item_words(text: TextVersion, item: str, language: str) -> Mapping[str, str]:
    """Legend and explanation of one question of a text; label too, from the catalogue."""
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    words: dict[str, str] = text.content[language]["questions"][item]
    return {"label": ITEMS[item].label(language), **words}
