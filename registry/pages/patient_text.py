"""The texts that were read: any old one, and a new one beside the one that was agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import service as consent
from consent import suspending
from consent.differences import compare as difference
from consent.errors import ConsentError
from consent.models import ConsentEvent, Subject, TextVersion
from consent.seen import newest_seen, note_seen
from consent.texts import to_ask_again, versions
from registry.access import rule
from registry.pages.patient_draft import form_of, speaker, study_of
from registry.pages.patient_person import me, my_hospital
from registry.transaction import current_session
from registry.translate import language

blueprint = Blueprint("patient_text", __name__, url_prefix="/mijn")


@blueprint.get("/<study>/tekst/<int:n>")
@rule(roles={"patient"})
def text(study: str, n: int) -> str:
    """A version of the text as it was when it was agreed to, in full."""
    session = current_session()
    found = study_of(session, me(session), study)
    version = session.scalars(
        select(TextVersion).where(TextVersion.study == found.slug, TextVersion.number == n)
    ).first()
    if version is None:
        raise NotFound
    return render_template(
        "patient/text.html",
        study=found,
        version=version,
        words=version.content[language()],
        hospital=my_hospital(session),
    )


@blueprint.get("/<study>/nieuwe-tekst")
@rule(roles={"patient"})
def compare(study: str) -> str | Response:
    """Old and new beside each other, with what differs marked; then only that is asked."""
    session = current_session()
    subject = me(session)
    form = form_of(session, study)
    old = agreed_to(session, subject, study, speaker())
    if old is None or old.id == form.version.id:
        return redirect(url_for("patient_form.explanation", study=study), 303)
    return render_template(
        "patient/new_text.html",
        form_of=form,
        old=old,
        parts=[
            part
            for part in difference(old.content, form.version.content, language())
            if part.kind != "same"
        ],
        changes=form.version.changes.get(language(), ""),
        again=asks_again(session, subject, study, speaker()),
        news=has_news(session, subject, study, speaker()),
        hospital=my_hospital(session),
    )


@blueprint.post("/<study>/nieuwe-tekst")
@rule(roles={"patient"})
def seen(study: str) -> Response:
    """What changed was read: it is not told again. No choice changes."""
    session = current_session()
    subject, form = me(session), form_of(session, study)
    by = consent.patient(subject)
    note_seen(session, subject, form.version, party=speaker(), actor=by, now=g.now)
    return redirect(url_for("patient.choices"), 303)


def agreed_to(session: Session, subject: Subject, study: str, party: str) -> TextVersion | None:
    """The text on which this speaker last said yes to anything in a study."""
    return session.scalars(
        select(TextVersion)
        .join(ConsentEvent, ConsentEvent.text_version == TextVersion.id)
        .where(
            ConsentEvent.subject_id == subject.id,
            ConsentEvent.party == party,
            ConsentEvent.study == study,
            ConsentEvent.kind == "granted",
        )
        .order_by(ConsentEvent.leaf.desc())
        .limit(1)
    ).first()


def has_news(session: Session, subject: Subject, study: str, party: str) -> bool:
    """Whether a newer text than the one agreed to differs in more than spelling, and yet asks
    nothing again: then the patient is told, until they say that they read it."""
    old = agreed_to(session, subject, study, party)
    if old is None or asks_again(session, subject, study, party):
        return False
    read = max(old.number, newest_seen(session, subject, study, party))
    return any(
        text.number > read
        and text.valid_from <= g.now
        and text.suspended_at is None
        and text.change_class != "editorial"
        for text in versions(session, study)
    )


@dataclass(frozen=True)
class Halted:
    """A text on which a yes no longer counts: since when, and why in the reader's language."""

    since: datetime
    why: str


def halted(session: Session, subject: Subject, study: str, party: str) -> Halted | None:
    """The text that this speaker last agreed to, when it was suspended since."""
    agreed = agreed_to(session, subject, study, party)
    if agreed is None or agreed.suspended_at is None:
        return None
    why = suspending.why_suspended(session, agreed)
    return Halted(agreed.suspended_at, why.get(language(), ""))


def asked_now(session: Session, study: str) -> tuple[str, ...]:
    """The items of the text in force; none when there is no text now."""
    try:
        return tuple(consent.text_for(session, study, g.now).content["items"])
    except ConsentError:
        return ()


def asks_again(session: Session, subject: Subject, study: str, party: str) -> tuple[str, ...]:
    """What the text in force asks again of who agreed to an older one; nothing without a text."""
    old = agreed_to(session, subject, study, party)
    try:
        new = consent.text_for(session, study, g.now)
    except ConsentError:
        return ()
    if old is None or old.id == new.id:
        return ()
    return tuple(to_ask_again(session, old, new, g.now))
