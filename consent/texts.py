"""The words a patient reads before choosing: published once, never changed, found by study."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.items import ITEMS, LANGUAGES, with_parents
from consent.models import CHANGE_CLASSES, TextVersion
from studies.actor import Actor
from studies.base import canonical_json
from studies.events import announce
from studies.models import Study

ANSWERS = ("yes", "no", "later")
_PARTS = frozenset({"title", "summary", "story", "questions", "answers", "stop", "after"})


def content_id(study: str, content: Mapping[str, Any]) -> str:
    """The id of a text: SHA-256 over the canonical JSON of study and content."""
    document = canonical_json({"study": study, "content": dict(content)})
    return sha256(document.encode("utf-8")).hexdigest()


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
    if set(with_parents(items)) != set(items):
        raise ConsentError("text_not_valid")
    shapes = [_shape(content[language], items) for language in LANGUAGES]
    if any(shape != shapes[0] for shape in shapes):
        raise ConsentError("text_not_valid")


def _shape(part: Any, items: Sequence[str]) -> tuple[object, ...]:
    if not isinstance(part, dict) or set(part) != _PARTS:
        raise ConsentError("text_not_valid")
    try:
        if list(part["questions"]) != list(items) or set(part["answers"]) != set(ANSWERS):
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
    ethics_reference: str = "",
    valid_from: datetime | None = None,
) -> TextVersion:
    """Store a new version of a study's text, approved by two different people.

    The same content again returns the version that is there. Raises ConsentError:
    `study_not_found`, or what `check_content` raises, or `text_not_valid` without two approvals.
    """
    if session.get(Study, study) is None:
        raise ConsentError("study_not_found")
    check_content(content)
    if len(set(approved_by)) < 2 or change_class not in CHANGE_CLASSES:
        raise ConsentError("text_not_valid")
    text_id = content_id(study, content)
    there = session.get(TextVersion, text_id)
    if there is not None:
        return there
    last = session.scalar(select(func.max(TextVersion.number)).where(TextVersion.study == study))
    text = TextVersion(
        id=text_id,
        study=study,
        number=(last or 0) + 1,
        content=dict(content),
        change_class=change_class,
        ethics_reference=ethics_reference,
        approved_by=list(approved_by),
        valid_from=now if valid_from is None else valid_from,
        created_at=now,
    )
    session.add(text)
    session.flush()
    announce(
        session,
        actor=actor,
        action="consent.text_published",
        about=f"study:{study}",
        facts={"number": text.number, "text": text_id, "change_class": change_class},
    )
    return text


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

    Raises ConsentError `text_not_found` when there is none.
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
    return text


def item_words(text: TextVersion, item: str, language: str) -> Mapping[str, str]:
    """Legend and explanation of one question of a text; label too, from the catalogue."""
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    words: dict[str, str] = text.content[language]["questions"][item]
    return {"label": ITEMS[item].label(language), **words}
