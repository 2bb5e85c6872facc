"""Announcements to everybody who works in a network: written, read, and marked with interest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import lines, one_line, sha256_of
from studies.models import Network
from studies.models_inbox import Notice, NoticeMark

MOST_TITLE, MOST_TEXT = 200, 4000


@dataclass(frozen=True)
class Heard:
    """A notice as one reader sees it: who else read it, the names of who want to hear more, and
    whether it is theirs to take back."""

    notice: Notice
    read: bool
    interest: bool
    readers: int
    interested: tuple[str, ...]
    own: bool


def write_notice(
    session: Session,
    *,
    network: str,
    title: tuple[str, str],
    text: tuple[str, str],
    actor: Actor,
    now: datetime,
) -> Notice:
    """Announce something in both languages, Dutch first.

    Raises StudiesError `not_found` (the network), `empty_text` for a title or text that is empty
    or too long, `control_sign`, `points_at_somebody`.
    """
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    # A mail names the title on a line of its own: a title of two lines would write the mail.
    title_nl, title_en = (one_line(each, MOST_TITLE, now) for each in title)
    text_nl, text_en = (lines(each, MOST_TEXT, now) for each in text)
    made = Notice(
        network=network,
        title_nl=title_nl,
        title_en=title_en,
        text_nl=text_nl,
        text_en=text_en,
        by=actor.id,
        name=actor.name,
        at=now,
    )
    session.add(made)
    session.flush()
    announce(
        session,
        actor=actor,
        action="notice.written",
        about=f"network:{network}",
        facts={
            "notice": made.id,
            "texts_sha256": sha256_of(title_nl, title_en, text_nl, text_en),
        },
    )
    return made


def withdraw_notice(session: Session, notice: Notice, *, actor: Actor, now: datetime) -> None:
    """Take it back: nobody sees it any more. A second time changes nothing.

    Raises StudiesError `not_the_writer` for anybody but its writer and an administrator.
    """
    if not may_withdraw(notice, actor):
        raise StudiesError("not_the_writer")
    if notice.withdrawn_at is not None:
        return
    notice.withdrawn_at = now
    session.flush()
    announce(
        session,
        actor=actor,
        action="notice.withdrawn",
        about=f"network:{notice.network}",
        facts={"notice": notice.id},
    )


def may_withdraw(notice: Notice, actor: Actor) -> bool:
    """Whether this is the writer of a notice, or an administrator of the hub."""
    return actor.id == notice.by or "administrator@network" in actor.roles


def get_notice(session: Session, number: str) -> Notice:
    """Raises StudiesError `not_found`, also for one that was taken back."""
    found = session.get(Notice, number)
    if found is None or found.withdrawn_at is not None:
        raise StudiesError("not_found")
    return found


def mark_notice(
    session: Session, notice: Notice, *, interest: bool | None, actor: Actor, now: datetime
) -> None:
    """Say that this person read it, and (True or False) whether they want to hear more of it."""
    mark = session.get(NoticeMark, (notice.id, actor.id))
    if mark is None:
        mark = NoticeMark(
            notice_id=notice.id, person=actor.id, name=actor.name, read_at=now, interest=False
        )
        session.add(mark)
    if interest is not None and interest != mark.interest:
        mark.interest = interest
        announce(
            session,
            actor=actor,
            action="notice.interest",
            about=f"network:{notice.network}",
            facts={"notice": notice.id, "interest": int(interest)},
        )
    session.flush()


def list_notices(
    session: Session, networks: Collection[str], reader: Actor, *, most: int = 20
) -> Sequence[Heard]:
    """The newest notices of these networks, as this reader sees them."""
    notices = session.scalars(
        select(Notice)
        .where(Notice.network.in_(networks), Notice.withdrawn_at.is_(None))
        .order_by(Notice.at.desc(), Notice.id)
        .limit(most)
    ).all()
    marks: dict[str, list[NoticeMark]] = {}
    for mark in session.scalars(
        select(NoticeMark)
        .where(NoticeMark.notice_id.in_([each.id for each in notices]))
        .order_by(NoticeMark.name)
    ):
        marks.setdefault(mark.notice_id, []).append(mark)
    return [_heard(each, marks.get(each.id, []), reader) for each in notices]


def _heard(notice: Notice, marks: Sequence[NoticeMark], reader: Actor) -> Heard:
    own = next((mark for mark in marks if mark.person == reader.id), None)
    return Heard(
        notice=notice,
        read=own is not None,
        interest=own is not None and own.interest,
        readers=len(marks),
        interested=tuple(mark.name for mark in marks if mark.interest),
        own=may_withdraw(notice, reader),
    )
