"""A mail address counts once somebody typed the code that was mailed to it (docs/adr/0047).

A code has six digits, holds for a day and for five tries. A person can have five of them sent on a
day, so that nobody fills a stranger's mailbox or guesses for long.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from registry.mail.models import Mail, MailAddress
from studies.actor import Actor
from studies.days import local_day
from studies.events import announce

KIND: Final = "code-"
DIGITS: Final = 6
TRIES: Final = 5
CODES_A_DAY: Final = 5
LIVES: Final = timedelta(days=1)
#: What became of a typed code.
RIGHT, WRONG, OVER = "right", "wrong", "over"

_WORDS: Final = {
    "nl": (
        "Oncokring: uw code is {code}",
        "Iemand vulde bij Oncokring dit adres in om elke ochtend mail te krijgen. Was u dat? Typ "
        "dan deze code op {address}/mail:\n\n    {code}\n\nDe code geldt één dag. Was u het niet? "
        "Doe dan niets: zonder de code gaat er verder geen mail naar dit adres. Antwoorden op deze "
        "mail worden niet gelezen.\n",
    ),
    "en": (
        "Oncokring: your code is {code}",
        "Somebody typed this address at Oncokring to get a mail each morning. Was that you? Then "
        "type this code at {address}/mail:\n\n    {code}\n\nThe code holds for one day. Was it not "
        "you? Then do nothing: without the code no further mail goes to this address. Nobody reads "
        "answers to this mail.\n",
    ),
}


def set_address(
    session: Session,
    account_id: str,
    address: str,
    language: str,
    *,
    actor: Actor,
    now: datetime,
) -> MailAddress | None:
    """Write down where somebody wants their mail; empty turns it off, and None comes back.

    An address that is new is not confirmed. One that stays keeps what it had.
    """
    row = session.get(MailAddress, account_id)
    if not address:
        if row is not None:
            session.delete(row)
            row = None
    elif row is None:
        row = MailAddress(
            account_id=account_id, address=address, language=language, set_at=now, tries=0
        )
        session.add(row)
    else:
        if row.address != address:
            row.confirmed_at = row.code = row.code_at = None
        row.address, row.language, row.set_at = address, language, now
    session.flush()
    announce(
        session,
        actor=actor,
        action="account.mail_set",
        about=f"account:{account_id}",
        facts={"daily": int(bool(address))},
    )
    return row


def send_code(session: Session, row: MailAddress, hub: str, *, actor: Actor, now: datetime) -> bool:
    """Put a mail with a new code in the outbox; False when five were made today. `hub` is the
    address of the hub. An earlier code counts no more."""
    day = local_day(now)
    made = session.scalar(
        select(func.count())
        .select_from(Mail)
        .where(Mail.account_id == row.account_id, Mail.day == day, Mail.kind.startswith(KIND))
    )
    if (made or 0) >= CODES_A_DAY:
        return False
    row.code, row.code_at, row.tries = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", now, 0
    subject, body = (text.format(code=row.code, address=hub) for text in _WORDS[row.language])
    session.add(
        Mail(
            account_id=row.account_id,
            kind=f"{KIND}{(made or 0) + 1}",
            day=day,
            address=row.address,
            subject=subject,
            body=body,
            keys=[],
            next_at=now,
            made_at=now,
        )
    )
    session.flush()
    announce(
        session, actor=actor, action="account.mail_code_sent", about=f"account:{row.account_id}"
    )
    return True


def confirm(session: Session, account_id: str, typed: str, *, actor: Actor, now: datetime) -> str:
    """Judge a typed code: RIGHT, WRONG, or OVER (none was sent, its day is over, or it was tried
    too often). Commit whatever comes back, since a wrong one is counted."""
    # Counted before it is looked at, in one statement: two at once do not share a try.
    counted = session.scalar(
        update(MailAddress)
        .where(
            MailAddress.account_id == account_id,
            MailAddress.code.is_not(None),
            MailAddress.code_at > now - LIVES,
            MailAddress.tries < TRIES,
        )
        .values(tries=MailAddress.tries + 1)
        .returning(MailAddress.account_id)
    )
    said = OVER
    if counted is not None:
        row = session.get_one(MailAddress, account_id, populate_existing=True)
        given = "".join(typed.split()).encode()
        said = RIGHT if hmac.compare_digest((row.code or "").encode(), given) else WRONG
        if said == RIGHT:
            row.confirmed_at, row.code, row.code_at = now, None, None
    announce(
        session,
        actor=actor,
        action="account.mail_confirmed" if said == RIGHT else "account.mail_code_refused",
        about=f"account:{account_id}",
    )
    return said


def still_asked(to: MailAddress, mail: Mail, now: datetime) -> bool:
    """Whether a mail holds the code that counts now, so that it is worth sending."""
    return to.code is not None and to.code_at == mail.made_at and mail.made_at > now - LIVES
