"""The outbox: what each person is told once a day, and what becomes of each mail.

A mail is never sent twice and nothing that it says is lost. SMTP cannot promise both about one
mail: who ends while the server takes the text cannot know whether it did. Such a mail is never
offered again (`unsure`), and what it says counts as untold, so the next day's mail says it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Select, delete, select, update
from sqlalchemy.orm import Session

from registry.access import reach
from registry.accounts.models import Account
from registry.accounts.service import actor_of
from registry.database import SessionFactory
from registry.mail import confirming
from registry.mail.daily import DAILY, write
from registry.mail.models import Mail, MailAddress, MailTold
from registry.mail.server import MailServer, NotHandedOver, hand_over
from registry.own_networks import networks_of
from registry.waiting import all_waiting
from studies.actor import SYSTEM
from studies.days import ZONE
from studies.models_inbox import Notice, NoticeMark
from studies.reminders import Reminder

log = logging.getLogger("oncokring.mail")
#: Local hour from which the mail of a day is made.
FROM_HOUR = 6
#: A mail that the server would not take today is tried again, less and less often, so long.
GIVE_UP = timedelta(hours=20)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
#: A program that hands over has an answer, or has ended, after so long.
HANDING = timedelta(minutes=15)
KEEP = timedelta(days=90)
NOTICES = "notice:"
#: Why a mail was not sent: turned off since, or something in it no longer waits for its reader.
NOT_WANTED = "NOT_WANTED"


def compose(factory: SessionFactory, now: datetime, address: str) -> int:
    """Put today's mail for everybody who has something new in the outbox; how many were made.

    `address` is the hub's own. May be run at any moment: nobody gets a second one on a day. Who
    never confirmed their address and was never sent a code, is sent one, once.
    """
    local = now.astimezone(ZONE)
    if local.hour < FROM_HOUR:
        return 0
    made = 0
    with factory() as session:
        wanted = session.scalars(select(MailAddress).order_by(MailAddress.account_id)).all()
    for each in wanted:
        with factory() as session:
            made += _compose_one(session, each, local.date(), now, address)
            session.commit()
    return made


def _compose_one(session: Session, to: MailAddress, day: date, now: datetime, address: str) -> int:
    account = session.get(Account, to.account_id)
    there = select(Mail.id).where(
        Mail.account_id == to.account_id, Mail.kind == DAILY, Mail.day == day
    )
    if account is None or not account.usable(now) or session.scalar(there) is not None:
        return 0
    if to.confirmed_at is None:
        # A row of before there were codes, or of before this hub sent mail.
        mine = session.get(MailAddress, to.account_id)
        if mine is not None and mine.confirmed_at is None and mine.code_at is None:
            return int(confirming.send_code(session, mine, address, actor=SYSTEM, now=now))
        return 0
    found = waiting_for(session, account, now)
    news = news_for(session, account, now)
    keys = [each.key for each in found] + [NOTICES + each.id for each in news]
    told = set(session.scalars(select(MailTold.key).where(MailTold.account_id == account.id)))
    # What is settled and comes back later is told again.
    session.execute(
        delete(MailTold).where(
            MailTold.account_id == account.id,
            MailTold.key.in_(sorted(told - set(keys))),
        )
    )
    fresh = [key for key in keys if key not in told]
    if not fresh:
        return 0
    page = "inbox" if "coordinator" in actor_of(account, now).roles else "announcements"
    subject, body = write(found, news, set(fresh), to.language, f"{address}/{page}")
    session.add(
        Mail(
            account_id=account.id,
            kind=DAILY,
            day=day,
            address=to.address,
            subject=subject,
            body=body,
            keys=fresh,
            next_at=now,
            made_at=now,
        )
    )
    return 1


def waiting_for(session: Session, account: Account, now: datetime) -> Sequence[Reminder]:
    """The reminders of somebody who coordinates; nothing for others."""
    actor = actor_of(account, now)
    if "coordinator" not in actor.roles:
        return ()
    return all_waiting(session, reach(actor, "coordinator", "study"), now)


def news_for(session: Session, account: Account, now: datetime) -> Sequence[Notice]:
    """Announcements of the last month, in the networks that this person works in, that they have
    not read."""
    read = select(NoticeMark.notice_id).where(NoticeMark.person == account.id)
    wanted = _notices_for(session, account, now)
    wanted = wanted.where(Notice.at > now - timedelta(days=30), Notice.id.not_in(read))
    return session.scalars(wanted.order_by(Notice.at)).all()


def _notices_for(session: Session, account: Account, now: datetime) -> Select[Notice]:
    where = networks_of(session, actor_of(account, now), now)
    return select(Notice).where(Notice.network.in_(where), Notice.withdrawn_at.is_(None))


def send(factory: SessionFactory, server: MailServer, clock: Callable[[], datetime]) -> int:
    """Hand over what waits; how many were sent."""
    tidy(factory, clock())
    sent = 0
    for number in _due(factory, clock()):
        sent += _send_one(factory, server, number, clock)
    return sent


def tidy(factory: SessionFactory, now: datetime) -> None:
    """What was being handed over by a program that ended is unsure; what is old goes."""
    with factory() as session:
        session.execute(
            update(Mail)
            .where(Mail.state == "handing", Mail.next_at < now - HANDING)
            .values(state="unsure", ended_at=now, why="ENDED")
        )
        session.execute(delete(Mail).where(Mail.ended_at < now - KEEP))
        session.commit()


def _due(factory: SessionFactory, now: datetime) -> Iterator[str]:
    with factory() as session:
        found = session.scalars(
            select(Mail.id)
            .where(Mail.state == "waiting", Mail.next_at <= now)
            .order_by(Mail.made_at)
        ).all()
    yield from found


def _send_one(
    factory: SessionFactory, server: MailServer, number: str, clock: Callable[[], datetime]
) -> bool:
    with factory() as session:
        mail = session.get_one(Mail, number)
        wanted = _still_wanted(session, mail, clock())
        session.expunge(mail)
    if not wanted:
        _change(factory, number, "waiting", state="failed", ended_at=clock(), why=NOT_WANTED)
        return False

    def begun() -> bool:
        """Take it, if nobody else did meanwhile: from here on it is offered no second time."""
        with factory() as session:
            if not _still_wanted(session, mail, clock()):
                return False
        return _change(factory, number, "waiting", state="handing", next_at=clock())

    try:
        if not hand_over(server, mail, begun):
            return False  # another program has it
    except NotHandedOver as error:
        _put_back(factory, mail, error, clock())
        log.warning("MAIL_%s", error.code)
        return False
    except Exception as error:
        _change(factory, number, "handing", state="unsure", ended_at=clock(), why="CUT")
        log.warning("MAIL_UNSURE %s", type(error).__name__)
        return False
    return _sent(factory, mail, clock())


def _still_wanted(session: Session, mail: Mail, now: datetime) -> bool:
    """Whether its reader still wants it there, and all of it still waits for them: it was made up
    to twenty hours ago, and they may have lost a role since. The next day's mail says the rest."""
    to = session.get(MailAddress, mail.account_id)
    account = session.get(Account, mail.account_id)
    if to is None or to.address != mail.address or account is None or not account.usable(now):
        return False
    if mail.kind.startswith(confirming.KIND):
        return confirming.still_asked(to, mail, now)
    if to.confirmed_at is None:
        return False
    waiting = {each.key for each in waiting_for(session, account, now)}
    notices = _notices_for(session, account, now)
    waiting |= {
        NOTICES + number for number in session.scalars(notices.with_only_columns(Notice.id))
    }
    return waiting.issuperset(mail.keys)


def _put_back(factory: SessionFactory, mail: Mail, error: NotHandedOver, now: datetime) -> None:
    over = error.lasting or now - mail.made_at > GIVE_UP
    pause = min(FIRST_PAUSE * 2 ** min(mail.attempts, 10), LONGEST_PAUSE)
    values: dict[str, Any] = {"attempts": mail.attempts + 1, "why": error.code}
    if over:
        values |= {"state": "failed", "ended_at": now}
    else:
        values |= {"state": "waiting", "next_at": now + pause}
    with factory() as session:
        session.execute(
            update(Mail)
            .where(Mail.id == mail.id, Mail.state.in_(("waiting", "handing")))
            .values(**values)
        )
        session.commit()


def _sent(factory: SessionFactory, mail: Mail, now: datetime) -> bool:
    with factory() as session:
        done = cast(
            "CursorResult[Any]",
            session.execute(
                update(Mail)
                .where(Mail.id == mail.id, Mail.state == "handing")
                .values(state="sent", ended_at=now, why=None)
            ),
        )
        if done.rowcount != 1:
            return False  # so slow that it was taken for a program that had ended
        there = set(
            session.scalars(select(MailTold.key).where(MailTold.account_id == mail.account_id))
        )
        session.add_all(
            MailTold(account_id=mail.account_id, key=key, at=now)
            for key in mail.keys
            if key not in there
        )
        session.commit()
    return True


def _change(factory: SessionFactory, number: str, before: str, **values: Any) -> bool:
    with factory() as session:
        done = cast(
            "CursorResult[Any]",
            session.execute(
                update(Mail).where(Mail.id == number, Mail.state == before).values(**values)
            ),
        )
        session.commit()
        return done.rowcount == 1
