"""Writing a new text: a draft, what two other people say of it, publishing.

Whoever writes does not approve. An approval is of exact words: it holds the hash of all that was
looked at, so a letter that changes afterwards, by whatever way, makes it worth nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.change_classes import problems
from consent.errors import ConsentError
from consent.models import TextVersion
from consent.models_trust import TextDraft
from consent.text_id import content_id
from consent.texts import check_content, publish_text, versions
from studies.actor import Actor
from studies.base import canonical_json
from studies.events import announce
from studies.models import Study

APPROVALS: Final = 2


def start(
    session: Session,
    *,
    study: str,
    actor: Actor,
    now: datetime,
    content: Mapping[str, Any] | None = None,
    change_class: str | None = None,
    widened: Sequence[str] = (),
    changes: Mapping[str, str] = MappingProxyType({}),
    ethics_reference: str = "",
) -> TextDraft:
    """A new draft; without `content` a copy of the newest text of the study.

    The class is `clarifying` unless said, `first` for a study without a text. Raises ConsentError
    `study_not_found`, `text_not_found` (nothing to copy), or what `check_content` raises.
    """
    if session.get(Study, study) is None:
        raise ConsentError("study_not_found")
    earlier = versions(session, study)
    if content is None:
        if not earlier:
            raise ConsentError("text_not_found")
        content = earlier[-1].content
    check_content(content)
    draft = TextDraft(
        study=study,
        content=dict(content),
        change_class=change_class or ("clarifying" if earlier else "first"),
        widened=sorted(set(widened)),
        changes=dict(changes),
        ethics_reference=ethics_reference,
        created_by=actor.id,
        created_at=now,
        changed_at=now,
        approvals=[],
    )
    session.add(draft)
    session.flush()
    _announce(session, draft, actor, "consent.draft_created")
    return draft


def find(session: Session, draft_id: str, study: str | None = None) -> TextDraft:
    """A draft, of this study when one is named; `draft_not_found` for another study's as for none
    at all."""
    found = session.get(TextDraft, draft_id)
    if found is None or study not in (None, found.study):
        raise ConsentError("draft_not_found")
    return found


def drafts_of(session: Session, study: str) -> Sequence[TextDraft]:
    """The drafts of a study that are not published, the newest first."""
    return session.scalars(
        select(TextDraft)
        .where(TextDraft.study == study, TextDraft.published.is_(None))
        .order_by(TextDraft.changed_at.desc(), TextDraft.id)
    ).all()


def change(
    session: Session,
    draft: TextDraft,
    *,
    content: Mapping[str, Any],
    change_class: str,
    widened: Sequence[str],
    changes: Mapping[str, str],
    actor: Actor,
    now: datetime,
    ethics_reference: str = "",
) -> None:
    """Replace what the draft says; whoever approved it before has to look again.

    Whoever changes a draft is one of its writers from then on. Raises ConsentError
    `draft_published`, or what `check_content` raises.
    """
    _lock(session, draft)
    if draft.published is not None:
        raise ConsentError("draft_published")
    check_content(content)
    draft.content, draft.change_class = dict(content), change_class
    draft.widened, draft.changes = sorted(set(widened)), dict(changes)
    draft.ethics_reference = ethics_reference
    wrote = {"by": actor.id, "wrote": True, "at": now.isoformat()}
    draft.changed_at = now
    draft.approvals = [each for each in draft.approvals if each.get("wrote")] + [wrote]
    session.flush()
    _announce(session, draft, actor, "consent.draft_changed")


def draft_sha256(session: Session, draft: TextDraft) -> str:
    """The hash of all that an approver approves: words, class, widened items, what is new, and the
    text it was compared with. A class says something about two texts, so when another text is
    published in between, the draft must be judged again."""
    newest = newest_text(session, draft.study)
    said = {
        "study": draft.study,
        "after": None if newest is None else newest.id,
        "content": draft.content,
        "change_class": draft.change_class,
        "widened": draft.widened,
        "changes": draft.changes,
        "ethics_reference": draft.ethics_reference,
    }
    return sha256(canonical_json(said).encode("utf-8")).hexdigest()


def class_problems(session: Session, draft: TextDraft) -> tuple[str, ...]:
    """What cannot be right about the class of a draft (codes of consent.change_classes)."""
    newest = newest_text(session, draft.study)
    old = None if newest is None else newest.content
    return problems(old, draft.content, draft.change_class, draft.widened)


def newest_text(session: Session, study: str) -> TextVersion | None:
    """The text that a new one is compared with, also when it has not begun yet."""
    earlier = versions(session, study)
    return earlier[-1] if earlier else None


def approve(
    session: Session,
    draft: TextDraft,
    *,
    seen_sha256: str,
    judged_class: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Say that the draft is right; the same person again replaces what they said before.

    seen_sha256: `draft_sha256` of what was on the screen. judged_class: the class this person
    thinks the change has; another one than the draft's is an objection, which stops publishing
    until the draft is changed or the same person comes to another judgement. The caller checks
    that the actor may approve at all.
    Raises ConsentError `draft_published`, `own_draft`, `draft_changed`, `change_class_wrong`.
    """
    _lock(session, draft)
    if draft.published is not None:
        raise ConsentError("draft_published")
    if actor.id in writers(draft):
        raise ConsentError("own_draft")
    if seen_sha256 != draft_sha256(session, draft):
        raise ConsentError("draft_changed")
    agrees = judged_class == draft.change_class
    if agrees and class_problems(session, draft):
        raise ConsentError("change_class_wrong")
    said = {
        "by": actor.id,
        "name": actor.name,
        "at": now.isoformat(),
        "sha256": seen_sha256,
        "change_class": judged_class,
    }
    # A new list: the column sees a change only when the value is another object.
    draft.approvals = [each for each in draft.approvals if each["by"] != actor.id] + [said]
    session.flush()
    action = "consent.draft_approved" if agrees else "consent.draft_refused"
    _announce(session, draft, actor, action, judged_class=judged_class)


def writers(draft: TextDraft) -> frozenset[str]:
    """Everybody who wrote in this draft."""
    return frozenset({draft.created_by}) | {
        each["by"] for each in draft.approvals if each.get("wrote")
    }


def judgements(draft: TextDraft) -> tuple[dict[str, Any], ...]:
    """What people said of the draft: by, name, at, sha256 of what they saw, change_class."""
    return tuple(each for each in draft.approvals if not each.get("wrote"))


def agreed(session: Session, draft: TextDraft) -> tuple[dict[str, Any], ...]:
    """The approvals that are of the draft as it is now, with its class, by others than its
    writers, one for each person."""
    current, wrote = draft_sha256(session, draft), writers(draft)
    found = {
        each["by"]: each
        for each in judgements(draft)
        if each["sha256"] == current
        and each["change_class"] == draft.change_class
        and each["by"] not in wrote
    }
    return tuple(found.values())


def objections(draft: TextDraft) -> tuple[dict[str, Any], ...]:
    """What people said who think that the class is another one."""
    return tuple(each for each in judgements(draft) if each["change_class"] != draft.change_class)


def publish(
    session: Session,
    draft: TextDraft,
    *,
    actor: Actor,
    now: datetime,
    valid_from: datetime | None = None,
) -> TextVersion:
    """Publish a draft that two others approved as it is now, letter for letter.

    valid_from: now unless given. Raises ConsentError `draft_published`, `draft_objected`,
    `draft_changed` (an approval is of other words), `draft_not_approved`, `text_published_before`,
    `text_misses_requirement`, or what `publish_text` raises.
    """
    _lock(session, draft)
    if draft.published is not None:
        raise ConsentError("draft_published")
    if objections(draft):
        raise ConsentError("draft_objected")
    current = draft_sha256(session, draft)
    if any(each["sha256"] != current for each in judgements(draft)):
        raise ConsentError("draft_changed")
    approved = agreed(session, draft)
    if len(approved) < APPROVALS:
        raise ConsentError("draft_not_approved")
    if session.get(TextVersion, content_id(draft.study, draft.content)) is not None:
        raise ConsentError("text_published_before")
    # Whoever answered on such a text could never be counted.
    if not set(session.get_one(Study, draft.study).requires) <= set(draft.content["items"]):
        raise ConsentError("text_misses_requirement")
    text = publish_text(
        session,
        study=draft.study,
        content=draft.content,
        approved_by=[each["by"] for each in approved],
        actor=actor,
        now=now,
        change_class=draft.change_class,
        widened=draft.widened,
        changes=draft.changes,
        ethics_reference=draft.ethics_reference,
        valid_from=valid_from,
    )
    draft.published, draft.changed_at = text.id, now
    session.flush()
    return text


def _lock(session: Session, draft: TextDraft) -> None:
    # Two approvers at the same moment: the second sees what the first wrote down.
    session.refresh(draft, with_for_update=True)


def _announce(
    session: Session, draft: TextDraft, actor: Actor, action: str, **facts: str | int | None
) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{draft.study}",
        facts={
            "draft": draft.id,
            "change_class": draft.change_class,
            "content": draft_sha256(session, draft),
            **facts,
        },
    )
