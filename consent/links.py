"""One person, two hospitals, no national number: a code of one, entered while signed in at another.

The patient alone says that two subjects are the same person. A link moves nothing by itself: a
"no" can then be said at every linked hospital at once, and a "yes" is a new act at the other
hospital with that hospital's own proof. A hospital never learns of the others.
"""

import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent.acts import Circumstances, Said
from consent.letters import ALPHABET, read_plain
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_people import Link, LinkCode
from consent.reading import choices
from consent.recording import say
from consent.rule import ANY, SELF
from consent.subjects import patient
from studies.base import new_id
from studies.events import announce
from studies.models import Participation

CODE_LENGTH: Final = 10
GOOD_FOR: Final = timedelta(minutes=15)
ASKED_SOON: Final = timedelta(days=92)
CHANNEL: Final = "link"
DENIALS: Final = ("refused", "withdrawn", "objected")
_ANSWER_OF: Final = {"granted": "yes", "suspended": "yes", "refused": "no", "withdrawn": "no"}


@dataclass(frozen=True)
class Shown:
    """A fresh code, shown once: in groups of five, and until when it is good."""

    printed: str
    expires_at: datetime


def show_code(session: Session, subject: Subject, key: bytes, now: datetime) -> Shown:
    """A code that links this subject to another hospital's; earlier unused ones end.

    key: the hub's secret for link codes; what is stored is a keyed hash of the code.
    """
    session.execute(
        update(LinkCode)
        .where(
            LinkCode.subject_id == subject.id, LinkCode.used_at.is_(None), LinkCode.expires_at > now
        )
        .values(expires_at=now)
    )
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    session.add(
        LinkCode(
            lookup=_lookup(key, code),
            subject_id=subject.id,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )
    )
    session.flush()
    _announce(session, subject, "consent.link_code_shown")
    return Shown(f"{code[:5]}-{code[5:]}", now + GOOD_FOR)


def link(session: Session, subject: Subject, typed: str, key: bytes, now: datetime) -> bool:
    """Whether the code that this subject entered linked the two; the caller commits either way.

    False, one answer, for a code that is wrong, used or too old, of this hospital, of another
    network, or of a subject that is linked already. A code that was tried is used up.
    """
    code = read_plain(typed, CODE_LENGTH)
    found = None
    if code is not None:
        # Locked and read afresh: of two that enter it at once one is the first.
        found = session.get(
            LinkCode, _lookup(key, code), with_for_update=True, populate_existing=True
        )
    other = None
    if found is not None and found.used_at is None and now < found.expires_at:
        found.used_at = now
        other = session.get_one(Subject, found.subject_id)
    if other is None or not _linkable(session, subject, other):
        _announce(session, subject, "consent.link_refused")
        return False
    everyone = {subject.id, other.id}
    everyone |= {each.id for each in (*linked(session, subject), *linked(session, other))}
    _end(session, everyone, now)
    name = new_id()
    session.add_all(Link(link=name, subject_id=one, linked_at=now) for one in sorted(everyone))
    session.flush()
    _announce(session, subject, "consent.linked")
    return True


def linked(session: Session, subject: Subject) -> list[Subject]:
    """The same person's subjects at other hospitals, by hospital."""
    mine = select(Link.link).where(Link.subject_id == subject.id, Link.unlinked_at.is_(None))
    query = (
        select(Subject)
        .join(Link, Link.subject_id == Subject.id)
        .where(Link.link.in_(mine), Link.unlinked_at.is_(None), Subject.id != subject.id)
        .order_by(Subject.site)
    )
    return list(session.scalars(query))


def unlink(session: Session, subject: Subject, now: datetime) -> None:
    """This subject is no longer linked; choices that were carried over stay as they are."""
    others = linked(session, subject)
    leaving = {subject.id} | ({others[0].id} if len(others) == 1 else set())
    _end(session, leaving, now)
    _announce(session, subject, "consent.unlinked")


def carry_no(
    session: Session,
    receipt: Receipt,
    *,
    language: str,
    circumstances: Circumstances,
    now: datetime,
) -> list[Receipt]:
    """Say every "no" of this act at the linked hospitals too; a receipt for each of those.

    Only what was refused, withdrawn or objected to goes, and only where it may matter: about a
    study in which that hospital takes part, or about all. Sending it again changes nothing.
    """
    subject = session.get_one(Subject, receipt.subject_id)
    if receipt.party != SELF:
        return []
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.receipt_id == receipt.id, ConsentEvent.kind.in_(DENIALS))
        .order_by(ConsentEvent.leaf)
    ).all()
    made = []
    for other in linked(session, subject):
        about = _studies_of(session, other.site, {event.study for event in events})
        said = [
            Said(event.kind, event.item, event.study, event.category)
            for event in events
            if event.study in about
        ]
        if said:
            made.append(_say_there(session, receipt, other, said, language, circumstances, now))
    return made


def answers_here(session: Session, subject: Subject, now: datetime) -> dict[str, dict[str, str]]:
    """By study what this subject says now: "yes", "no" or "later" by item."""
    return {
        found.study.slug: {
            state.item: _ANSWER_OF.get(state.state, "later") for state in found.items
        }
        for found in choices(session, subject, now, party=SELF)
        if found.answered and found.open
    }


def to_carry(
    session: Session, subject: Subject, other: Subject, now: datetime
) -> dict[str, dict[str, str]]:
    """By study the answers given here that are not yet so at the other hospital, or that were said
    again here while the other hospital has to ask again, or will within three months.

    Only of studies in which that hospital takes part too. To write them down there is a new act
    with the proof of that hospital's own letter.
    """
    here, there = answers_here(session, subject, now), answers_here(session, other, now)
    shared = _studies_of(session, other.site, set(here))
    asked = _asked_again(session, other, now) - _asked_again(session, subject, now)
    return {
        study: answers
        for study, answers in here.items()
        if study in shared and (answers != there.get(study) or study in asked)
    }


def _asked_again(session: Session, subject: Subject, now: datetime) -> set[str]:
    """The studies of which the yes has to be said again, or soon will."""
    return {
        found.study.slug
        for found in choices(session, subject, now, party=SELF)
        if found.ask_again is not None and found.ask_again <= now + ASKED_SOON
    }


def _say_there(
    session: Session,
    receipt: Receipt,
    other: Subject,
    said: Sequence[Said],
    language: str,
    circumstances: Circumstances,
    now: datetime,
) -> Receipt:
    # The link is what lets somebody who is signed in at one hospital say no at the other.
    return say(
        session,
        subject=other,
        act="withdraw",
        study=None if receipt.study == ANY else receipt.study,
        said=said,
        form_key=f"link:{receipt.id}",
        form={"carried": [[one.kind, one.item, one.study] for one in said]},
        language=language,
        actor=patient(other),
        now=now,
        circumstances=replace(circumstances, channel=CHANNEL, prove=None),
    )


def _linkable(session: Session, subject: Subject, other: Subject) -> bool:
    if subject.network != other.network or subject.site == other.site:
        return False
    here = {subject.site, *(each.site for each in linked(session, subject))}
    there = {other.site, *(each.site for each in linked(session, other))}
    return not here & there


def _studies_of(session: Session, site: str, studies: set[str]) -> set[str]:
    query = select(Participation.study).where(
        Participation.institution == site, Participation.study.in_(studies)
    )
    return set(session.scalars(query)) | ({ANY} & studies)


def _end(session: Session, subjects: Iterable[str], now: datetime) -> None:
    session.execute(
        update(Link)
        .where(Link.subject_id.in_(subjects), Link.unlinked_at.is_(None))
        .values(unlinked_at=now)
    )
    session.flush()


def _lookup(key: bytes, code: str) -> str:
    return hmac.digest(key, code.encode("ascii"), "sha256").hex()


def _announce(session: Session, subject: Subject, action: str) -> None:
    announce(session, actor=patient(subject), action=action, about=f"institution:{subject.site}")
