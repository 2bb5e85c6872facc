"""Suspending a text that turned out wrong: one person asks and says why, another decides.

From that moment every yes on the text stops counting, until the patient answers again (consent.md
3.7, urgent). It is never taken back: a text that was right after all is published anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.items import LANGUAGES
from consent.models import TextVersion
from consent.models_trust import TextSuspension
from consent.texts import suspend_text
from studies.actor import Actor
from studies.events import announce


def ask(
    session: Session, text: TextVersion, *, why: Mapping[str, str], actor: Actor, now: datetime
) -> TextSuspension:
    """Ask that a text be suspended. why: a sentence for patients in each language.

    The caller checks that the actor may. Raises ConsentError `text_suspended` for a text that is,
    `suspension_open` when somebody asked before, `suspension_without_reason`.
    """
    _lock(session, text)
    if text.suspended_at is not None:
        raise ConsentError("text_suspended")
    if open_request(session, text) is not None:
        raise ConsentError("suspension_open")
    reason = {language: why.get(language, "").strip() for language in LANGUAGES}
    if not all(reason.values()):
        raise ConsentError("suspension_without_reason")
    asked = TextSuspension(
        text_version=text.id, why=reason, asked_by=actor.id, asked_at=now, suspends=False
    )
    session.add(asked)
    session.flush()
    _announce(session, text, actor, "consent.suspension_asked")
    return asked


def decide(
    session: Session, asked: TextSuspension, *, suspends: bool, actor: Actor, now: datetime
) -> None:
    """Suspend the text, or leave it as it is. Who asked can only take the request back.

    Raises ConsentError `suspension_decided`, `two_people_needed` when one person would suspend.
    """
    text = session.get_one(TextVersion, asked.text_version)
    _lock(session, text)
    session.refresh(asked)
    if asked.decided_at is not None:
        raise ConsentError("suspension_decided")
    if suspends and actor.id == asked.asked_by:
        raise ConsentError("two_people_needed")
    asked.decided_by, asked.decided_at, asked.suspends = actor.id, now, suspends
    session.flush()
    if suspends:
        suspend_text(session, text, actor=actor, now=now)
    else:
        _announce(session, text, actor, "consent.suspension_refused")


def find(session: Session, number: str, text: TextVersion) -> TextSuspension:
    """A request about this text; ConsentError `suspension_not_found` for another's as for none."""
    found = session.get(TextSuspension, number)
    if found is None or found.text_version != text.id:
        raise ConsentError("suspension_not_found")
    return found


def open_request(session: Session, text: TextVersion) -> TextSuspension | None:
    """The request that nobody decided yet."""
    return next((each for each in requests(session, text) if each.decided_at is None), None)


def requests(session: Session, text: TextVersion) -> Sequence[TextSuspension]:
    """Everything that was asked about this text, newest first."""
    return session.scalars(
        select(TextSuspension)
        .where(TextSuspension.text_version == text.id)
        .order_by(TextSuspension.asked_at.desc(), TextSuspension.id)
    ).all()


def why_suspended(session: Session, text: TextVersion) -> Mapping[str, str]:
    """Why this text was suspended, by language; empty when nobody said so on the pages."""
    found = next((each for each in requests(session, text) if each.suspends), None)
    return {} if found is None else found.why


def _lock(session: Session, text: TextVersion) -> None:
    # Two people at the same moment: the second sees what the first wrote down.
    session.refresh(text, with_for_update=True)


def _announce(session: Session, text: TextVersion, actor: Actor, action: str) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{text.study}",
        facts={"number": text.number, "text": text.id},
    )
