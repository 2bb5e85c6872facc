"""The patient who is signed in: who they are to the hub, who speaks for them, who to call."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from flask import Flask, g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from consent import service as consent
from consent.items import GROUPS, ITEMS
from consent.models import Receipt, Subject
from consent.nothing_new import COLLECT_NEW
from consent.rule import ANY
from registry.accounts import proving
from registry.forms.sections import left_out_by
from registry.pages.connections import Connection, connection_of
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Institution


@dataclass(frozen=True)
class Arrival:
    """Whether a hospital has the choice of a receipt, in the fixed sentences of the design."""

    name: str
    received_at: datetime | None
    counts_nobody: bool
    notice_days: int | None


def me(session: Session) -> Subject:
    """The signed-in patient as the hub knows them."""
    found = session.get(Subject, g.actor.id)
    if found is None:
        raise NotFound
    return found


def my_hospital(session: Session) -> Connection | None:
    """The hospital whose letter this is."""
    return connection_of(session, me(session).site, g.now)


def arrivals(session: Session, subject: Subject, receipt: Receipt) -> list[Arrival]:
    """Per hospital: whether it confirmed the choice. What it does not confirm is not claimed."""
    return [
        Arrival(
            each.name,
            each.received_at,
            each.received_at is None
            and (each.counts_nobody_from is None or each.counts_nobody_from <= g.now),
            each.notice_days,
        )
        for each in consent.deliveries(session, subject, receipt)
    ]


def init_app(app: Flask) -> None:
    """Words that the patient's templates use."""
    app.jinja_env.globals.update(
        item_label=item_label,
        group_label=lambda code: GROUPS[code].label(language()) if code in GROUPS else "",
        answer_state=answer_state,
        role_words=role_words,
        hospital_name=hospital_name,
        left_out_by=left_out_by,
        level_words=level_words,
        speaking_as=lambda: proving.circumstances("").role,
    )


def shown_sha256(*words: str) -> str:
    """Fingerprint of the words that somebody had before them when they pressed the button."""
    return hashlib.sha256(json.dumps([language(), *words], ensure_ascii=False).encode()).hexdigest()


def hospital_name(site: str) -> str:
    """What a hospital is called."""
    found = current_session().get(Institution, site)
    return site if found is None else found.name


def item_label(code: str) -> str:
    """What an item is called."""
    if code == ANY:
        return _("Everything")
    if code == COLLECT_NEW:
        return _("New data and new samples")
    return ITEMS[code].label(language()) if code in ITEMS else ""


def answer_state(state: str) -> str:
    """What a patient said, in words a patient uses."""
    return {
        "not_asked": _("not answered yet"),
        "deferred": _("I don’t know yet"),
        "granted": _("yes"),
        "refused": _("no"),
        "withdrawn": _("stopped"),
        "objected": _("objection"),
        "expired": _("ended"),
        "suspended": _("yes, but it does not count for now"),
        "taken back": _("taken back"),
    }.get(state, state)


def role_words(role: str) -> str:
    """Who gave an answer, seen from the patient."""
    return {
        "self": _("yourself"),
        "parent": _("a parent"),
        "guardian": _("a guardian"),
        "curator": _("a curator"),
        "mentor": _("a mentor"),
        "authorised": _("somebody you authorised"),
        "partner": _("your partner"),
        "staff": _("your hospital, at your request"),
    }.get(role, _("somebody who decides for you"))


def level_words(level: str) -> tuple[str, str]:
    """A level of stopping: its name, and what it does in one sentence."""
    return {
        "W1": (
            _("No more messages"),
            _("You get no more messages or questions; your data stay in use."),
        ),
        "W2": (
            _("Nothing new"),
            _(
                "Nothing new is used or sent to you. What is of before today stays in use. Data "
                "without a date are not used."
            ),
        ),
        "W3": (
            _("Use nothing"),
            _("Your data and samples are no longer used, from now on."),
        ),
        "W4": (
            _("Use nothing and destroy"),
            _("Nothing is used from now on, and after 14 days what can be destroyed is destroyed."),
        ),
    }[level]
