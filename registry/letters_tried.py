"""Numbers of letters that did not fit, counted per account: who tries many is held up and seen.

Whether a letter fits tells something about a patient, so a refusal is never without a trace: it is
counted and audited in a unit of work of its own, although the request fails (docs/adr/0030).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flask import g

from consent.errors import ConsentError
from registry.accounts import attempts
from registry.transaction import current_session, reading, unit_of_work
from studies.errors import StudiesError
from studies.events import announce

BEFORE: Final = frozenset({"not_found", "not_enrolling", "changed_meanwhile", "has_left"})
"""Refusals of before the letter is looked at. All others say something about it: who reads that the
study number is wrong knows that the letter was right."""


@contextmanager
def counted(study: str) -> Iterator[None]:
    """Around an act of this request that looks a letter up by its number.

    Raises AccountError LOCKED for who was refused too often within a day. After a refusal the
    request's own transaction has been rolled back.
    """
    key = attempts.letters_key(g.actor.id)
    with reading(g.factory) as session:
        attempts.check(session, (key,), g.now)
    try:
        yield
    except (ConsentError, StudiesError) as error:
        if error.code not in BEFORE:
            # On SQLite one transaction writes at a time: ours ends first, it wrote nothing.
            current_session().rollback()
            _count(key, study, error.code)
        raise


def _count(key: str, study: str, code: str) -> None:
    with unit_of_work(g.factory, g.actor) as session:
        attempts.count(session, (key,), g.now)
        about = f"study:{study}"
        announce(
            session,
            actor=g.actor,
            action="participant.letter_refused",
            about=about,
            facts={"code": code},
        )
        if attempts.is_locked(session, key, g.now):
            announce(session, actor=g.actor, action="participant.letters_locked", about=about)
