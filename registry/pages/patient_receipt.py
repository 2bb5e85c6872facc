"""The receipt of one act: what was recorded, which hospital has it, how to take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import objecting, speakers, undoing, undoing_all, withdrawing
from consent import service as consent
from consent.errors import ConsentError
from consent.models import ConsentEvent, Receipt, TextVersion
from consent.rule import ANY
from registry.access import rule
from registry.accounts import proving
from registry.forms import sections as asked
from registry.pages.patient_carry import carried, everywhere, keep_all, orders_everywhere
from registry.pages.patient_check import letter_proof
from registry.pages.patient_draft import ANSWER_OF, form_of, keep
from registry.pages.patient_person import (
    answer_state,
    item_label,
    me,
    my_hospital,
    shown_sha256,
)
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Study

blueprint = Blueprint("patient_receipt", __name__, url_prefix="/mijn")

#: In the address of a receipt that is about all studies.
ALL = "alles"


@dataclass(frozen=True)
class Line:
    """One thing that was said: the question, the answer in words; `asked` is False when a "no" to
    `because` left it out."""

    question: str
    answer: str
    because: str = ""


@blueprint.get("/<study>/klaar/<receipt>")
@rule(roles={"patient"})
def done(study: str, receipt: str) -> str:
    """What was recorded, when each hospital received it, and how to change it."""
    return _page(current_session(), study, receipt, {})


@blueprint.post("/<study>/klaar/<receipt>")
@rule(roles={"patient"})
def undo(study: str, receipt: str) -> Response | tuple[str, int]:
    """Take the act back: a new act, with a receipt of its own. Both stay in the history."""
    if study == ALL:
        return _undo_all(receipt)
    session = current_session()
    subject, found = me(session), _receipt(session, study, receipt)
    before = undoing.undoing(session, found)
    made = proving.circumstances(shown_sha256(*(f"{said.item} {said.kind}" for said in before)))
    opens = any(said.kind == "granted" for said in before)
    if opens and made.prove is None:
        return _ask_for_letter(session, study, found)
    try:
        new = undoing.undo(
            session,
            subject=subject,
            receipt=found,
            language=language(),
            form_key=request.form.get("key", "")[:64] or str(uuid4()),
            actor=g.actor,
            now=g.now,
            circumstances=made,
        )
    except ConsentError as error:
        if error.code in ("text_version_not_current", "text_not_found"):
            return redirect(url_for("patient_text.compare", study=study), 303)
        return _refused(session, study, receipt, error)
    keep_all(session, found)
    return _to(new)


def _undo_all(receipt: str) -> Response | tuple[str, int]:
    """Take a stop with all studies back, with the letter's code in the same form."""
    prove, wrong = letter_proof()
    session = current_session()
    subject, found = me(session), _receipt(session, ALL, receipt)
    words = [f"{one.item} {each.study}" for each in _again(session, found) for one in each.said]
    made = proving.circumstances(shown_sha256(*words), prove)
    if made.prove is None:
        return _page(session, ALL, receipt, {"letter": wrong}), 422
    try:
        undoing_all.undo_all(
            session,
            subject=subject,
            receipt=found,
            language=language(),
            actor=g.actor,
            now=g.now,
            circumstances=made,
        )
    except ConsentError as error:
        return _refused(session, ALL, receipt, error)
    keep_all(session, found)
    return _to(found)


def _refused(
    session: Session, study: str, receipt: str, error: ConsentError
) -> Response | tuple[str, int]:
    if error.code == "login_level_too_low":
        here = url_for("patient_receipt.done", study=study, receipt=receipt)
        return redirect(url_for("door.step_up", next=here), 303)
    told = {"choices_changed": _("This can no longer be taken back in one step. Choose again")}
    return _page(session, study, receipt, {"": told.get(error.code, _(error.message))}), 409


def _to(receipt: Receipt) -> Response:
    study = ALL if receipt.study == ANY else receipt.study
    return redirect(url_for("patient_receipt.done", study=study, receipt=receipt.id), 303)


def _again(session: Session, found: Receipt) -> list[undoing_all.Again]:
    return undoing_all.again(session, me(session), found, g.now)


def _ask_for_letter(session: Session, study: str, found: Receipt) -> Response:
    """A yes needs the letter: the check page asks for it, with the answers of before on it."""
    form = form_of(session, study)
    given = {
        said.item: ANSWER_OF[said.kind]
        for said in undoing.undoing(session, found)
        if said.item in form.items
    }
    answers = replace(form.answers, given={}, way="each").answering(given, language())
    keep(session, form, answers)
    return redirect(url_for("patient_check.check", study=study), 303)


def _receipt(session: Session, study: str, receipt: str) -> Receipt:
    """This patient's receipt; 404 for any other, and for one that is about another study."""
    try:
        found = consent.receipt(session, me(session), receipt)
    except ConsentError:
        raise NotFound from None
    if study != (ALL if found.study == ANY else found.study) or not mine(found):
        raise NotFound
    return found


def mine(receipt: Receipt) -> bool:
    """Whether who is signed in may read what was said in this act."""
    speaker = proving.circumstances("").party
    session = current_session()
    return speakers.may_read(session, me(session), speaker, receipt.party, g.now)


def _page(session: Session, study: str, receipt: str, errors: dict[str, str]) -> str:
    subject, found = me(session), _receipt(session, study, receipt)
    said = consent.said_in(session, found)
    level = said[0].evidence.get("level", "") if said else ""
    undoes = said[0].evidence.get("undoes", "") if said else ""
    undone = _undone_by(session, found)
    wide = found.study == ANY
    own = found.party == g.visit.party
    comes_back = undoing_all.brings_back(session, subject, found, g.now) if wide and own else []
    left = undoing_all.left_stopped(session, subject, found, g.now) if wide and undone else []
    return render_template(
        "patient/done.html",
        receipt=found,
        study=session.get(Study, study),
        slug_of_page=study,
        lines=_lines(session, said),
        level=level,
        role=said[0].actor_role if said else "self",
        words=_words(session, said),
        may_undo=bool(comes_back) or (own and undoing.may_undo(session, subject, found, g.now)),
        comes_back=comes_back,
        still_stopped=left,
        needs_code=bool(comes_back) and proving.prover() is None,
        undone=undone,
        undoes=session.get(Receipt, undoes) if undoes else None,
        elsewhere=bool(carried(session, found)),
        titles={each.slug: each.title(language()) for each in session.scalars(select(Study))},
        orders=[
            (site, order)
            for site, order in orders_everywhere(session, subject)
            if order.receipt_id in {found.id, *(each.id for each in carried(session, found))}
        ],
        may_take_back=lambda order: withdrawing.may_take_back(order, g.now),
        key=str(uuid4()),
        arrivals=everywhere(session, subject, found),
        hospital=my_hospital(session),
        errors=errors,
    )


def _lines(session: Session, said: Sequence[ConsentEvent]) -> list[Line]:
    words = _words(session, said)
    answers = {event.item: event.kind for event in said}
    lines = []
    for event in said:
        question = item_label(event.item)
        if words is not None and event.item in words["questions"]:
            question = words["questions"][event.item]["legend"]
        because = asked.left_out_by(event.item, answers)
        answer = answer_state("taken back" if objecting.is_taking_back(event) else event.kind)
        lines.append(Line(question, answer, item_label(because or "")))
    return lines


def _words(session: Session, said: Sequence[ConsentEvent]) -> Mapping[str, Any] | None:
    """The words of the text that was read, in the reader's language."""
    text = next((event.text_version for event in said if event.text_version is not None), None)
    if text is None:
        return None
    words: Mapping[str, Any] = session.get_one(TextVersion, text).content[language()]
    return words


def _undone_by(session: Session, receipt: Receipt) -> list[Receipt]:
    """The later acts that took this one back."""
    later = session.scalars(
        select(Receipt)
        .where(
            Receipt.subject_id == receipt.subject_id,
            Receipt.act == "undo",
            Receipt.first_leaf > receipt.first_leaf,
        )
        .order_by(Receipt.first_leaf)
    )
    return [
        found
        for found in later
        if receipt.id in {said.evidence.get("undoes") for said in consent.said_in(session, found)}
    ]
