"""My choices: what I said, what it means now, what changed, and everything I chose before.

Choosing is in patient_form.py, stopping in patient_stop.py, signing in is the door's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from consent import objecting, reminding, speakers, undoing, undoing_all, withdrawing
from consent import service as consent
from consent.models import ConsentEvent, Receipt, Subject
from consent.reading import HistoryLine, StudyChoices
from consent.speakers import Speaker
from consent.uses import uses
from federation.runs.models import Run
from registry.access import rule
from registry.pages.patient_carry import everywhere, orders_everywhere
from registry.pages.patient_draft import speaker, study_of
from registry.pages.patient_person import Arrival, me, my_hospital
from registry.pages.patient_prom_kept import asked_of_me, open_now
from registry.pages.patient_text import Halted, asked_now, asks_again, halted, has_news
from registry.transaction import current_session
from registry.translate import language
from studies.models import Institution, Study

blueprint = Blueprint("patient", __name__, url_prefix="/mijn")


@dataclass(frozen=True)
class Card:
    """One study on the page. kinds: by item what was said last.

    asks: what the text in force asks; nothing when there is none now. again: what a newer text asks
    again; news: it asks nothing again, but it changed. receipt: of the last act; undo_until: until
    when that can be taken back. speakers: who must say yes, when that is not the patient alone.
    remind: since when nothing was said, when that is long ago. due: since when data recorded later
    do not count, because a yes was not said again. halted: the text of a yes that still stands,
    when that text was suspended.
    """

    choices: StudyChoices
    kinds: Mapping[str, str]
    arrivals: Sequence[Arrival]
    asks: Sequence[str]
    again: Sequence[str]
    news: bool
    receipt: Receipt | None
    undo_until: datetime | None
    speakers: Sequence[Speaker]
    remind: datetime | None
    due: datetime | None
    halted: Halted | None

    @property
    def some_yes(self) -> bool:
        """Whether anything that was said yes to still stands."""
        return "granted" in self.kinds.values()

    @property
    def said_yes(self) -> bool:
        """Whether the last word on anything was yes, also where it does not count for now."""
        return self.some_yes or "suspended" in self.kinds.values()


@dataclass(frozen=True)
class Said:
    """One act in the history. lines: what was said; empty when it is somebody else's word."""

    head: HistoryLine
    lines: Sequence[HistoryLine]
    kinds: Mapping[str, str]


@blueprint.get("/keuzes")
@rule(roles={"patient"})
def choices() -> str:
    """Every study I was asked about: my answer, whether I am counted, change and stop."""
    session = current_session()
    subject = me(session)
    found = consent.choices(session, subject, g.now, party=speaker())
    return render_template(
        "patient/choices.html",
        cards=[_card(session, subject, each) for each in found],
        orders=orders_everywhere(session, subject),
        may_take_back=lambda order: withdrawing.may_take_back(order, g.now),
        objected=objecting.objected_since(session, subject, _only(session, subject)),
        titles=_titles(session),
        speaker=speaker(),
        of_age=speakers.comes_of_age(session, subject, g.now),
        confirmed=request.args.get("klopt", ""),
        asked_before=bool(asked_of_me(session)),
        questionnaires=open_now(session, found),
        hospital=my_hospital(session),
    )


@blueprint.post("/<study>/klopt-nog")
@rule(roles={"patient"})
def confirm(study: str) -> Response:
    """What I chose is still right: written down once, and no choice changes."""
    session = current_session()
    subject = me(session)
    found = study_of(session, subject, study)
    by = consent.patient(subject)
    reminding.confirm(session, subject, found.slug, party=speaker(), actor=by, now=g.now)
    return redirect(url_for("patient.choices", klopt=found.slug, _anchor="confirmed"), 303)


@blueprint.get("/geschiedenis")
@rule(roles={"patient"})
def history() -> str:
    """Everything that was ever chosen, newest first. Of others only that they answered."""
    session = current_session()
    subject = me(session)
    return render_template(
        "patient/history.html",
        acts=_acts(session, subject),
        titles=_titles(session),
        hospital=my_hospital(session),
    )


@blueprint.get("/gebruik")
@rule(roles={"patient"})
def used() -> str:
    """Which questions could count me, when, in plain words."""
    session = current_session()
    subject = me(session)
    found = uses(session, subject)
    numbers = [line.query_id for line in found]
    asked = {
        run.query_sha256: run
        for run in session.scalars(select(Run).where(Run.query_sha256.in_(numbers)))
    }
    names = {place.slug: place.name for place in session.scalars(select(Institution))}
    return render_template(
        "patient/uses.html", lines=found, asked=asked, names=names, hospital=my_hospital(session)
    )


def _card(session: Session, subject: Subject, found: StudyChoices) -> Card:
    receipt = _last_receipt(session, subject, found.study)
    several = speakers.speakers(session, subject, found.study.slug, g.now)
    alone = [each.party for each in several] == [speaker()]
    kinds = {state.item: state.state for state in found.items}
    again = found.ask_again
    due = again if again is not None and again <= g.now and found.open else None
    return Card(
        found,
        kinds,
        [] if receipt is None else everywhere(session, subject, receipt),
        asked_now(session, found.study.slug),
        asks_again(session, subject, found.study.slug, speaker()),
        has_news(session, subject, found.study.slug, speaker()),
        receipt,
        _undo_until(session, subject, receipt),
        () if alone else several,
        reminding.remind_since(session, subject, found.study.slug, speaker(), g.now)
        if found.counts and due is None and "granted" in kinds.values()
        else None,
        due,
        halted(session, subject, found.study.slug, speaker())
        if any(state.state == "suspended" for state in found.items)
        else None,
    )


def _last_receipt(session: Session, subject: Subject, study: Study) -> Receipt | None:
    """The receipt of the last thing this speaker said about a study."""
    return session.scalars(
        select(Receipt)
        .join(ConsentEvent, ConsentEvent.receipt_id == Receipt.id)
        .where(
            Receipt.subject_id == subject.id,
            Receipt.party == speaker(),
            ConsentEvent.study.in_((study.slug, "*")),
            ConsentEvent.item != withdrawing.OBJECT_REUSE,
        )
        .order_by(Receipt.first_leaf.desc())
        .limit(1)
    ).first()


def _undo_until(session: Session, subject: Subject, receipt: Receipt | None) -> datetime | None:
    if receipt is None:
        return None
    alone = undoing.may_undo(session, subject, receipt, g.now)
    if not alone and not undoing_all.brings_back(session, subject, receipt, g.now):
        return None
    return receipt.recorded_at + undoing.WITHIN


def _titles(session: Session) -> dict[str, str]:
    return {study.slug: study.title(language()) for study in session.scalars(select(Study))}


def _acts(session: Session, subject: Subject) -> list[Said]:
    """Every act, newest first, with what was said where the reader may see that."""
    acts: dict[str, list[HistoryLine]] = {}
    for line in consent.history(session, subject):
        acts.setdefault(line.receipt_id, []).append(line)
    return [
        Said(
            lines[0],
            tuple(reversed(lines))
            if speakers.may_read(session, subject, speaker(), lines[0].party, g.now)
            else (),
            {line.item: line.kind for line in lines},
        )
        for lines in acts.values()
    ]


def _only(session: Session, subject: Subject) -> str | None:
    """Of whom this reader may see what was said; None for everybody's."""
    return speakers.only(session, subject, speaker(), g.now)
