"""Check your answers, and write them down: once, and only what was on the screen.

The page carries the answers that it shows. What another window did in the meantime is shown beside
them, and the patient decides by pressing the button again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from consent import levels
from consent import service as consent
from consent.acts import Circumstances
from consent.errors import ConsentError
from consent.proof import Prove
from consent.reading import StudyChoices
from consent.renewing import periods_of
from consent.text_periods import unnamed
from registry.access import rule
from registry.accounts import proving, signing
from registry.accounts.errors import AccountError
from registry.forms import sections as asked
from registry.pages.patient_carry import carry
from registry.pages.patient_draft import Form, form_of, keep, page_sha256, speaker
from registry.pages.patient_person import me, my_hospital
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("patient_check", __name__, url_prefix="/mijn")

MAX_KEY = 64


@dataclass(frozen=True)
class Shown:
    """What a check page shows: the answers here, and those of another window when they differ."""

    said: Mapping[str, str]
    key: str
    other: Mapping[str, str] | None = None


@blueprint.get("/<study>/controleer")
@rule(roles={"patient"})
def check(study: str) -> str | Response:
    """All answers with a link to change each, and one button."""
    session = current_session()
    form = form_of(session, study)
    if form.answers.receipt and not form.answers.given:
        return _to_receipt(study, form.answers.receipt)
    if form.next_page is not None:
        return redirect(url_for("patient_form.question", study=study, n=form.next_page), 303)
    return _check_page(session, form, Shown(_said_in(form), form.answers.key), {})


@blueprint.post("/<study>/controleer")
@rule(roles={"patient"})
def record(study: str) -> Response | tuple[str, int]:
    """Write the answers down, once, and show the receipt."""
    prove, wrong = letter_proof()
    session = current_session()
    form = form_of(session, study)
    prove = prove or signing.prover_of(request.form)
    typed = {item: request.form.get(f"said-{item}", "") for item in form.items}
    if any(answer not in asked.ANSWERS for answer in typed.values()):
        return redirect(url_for("patient_check.check", study=study), 303)
    shown = Shown(asked.said(form.items, typed), request.form.get("key", "")[:MAX_KEY])
    other = _said_in(form) if form.answers.given and not form.missing else None
    if other is not None and other != shown.said and request.form.get("seen") != _digest(other):
        return _check_page(session, form, replace(shown, other=other), {"": _elsewhere()}), 409
    made = _circumstances(form, shown.said, prove)
    if asked.YES in shown.said.values() and made.prove is None:
        return _check_page(session, form, shown, {"letter": wrong}), 422
    try:
        receipt = consent.record(
            session,
            subject=me(session),
            study=study,
            answers=shown.said,
            text_version=request.form.get("text", ""),
            language=language(),
            form_key=shown.key or form.answers.key,
            actor=g.actor,
            now=g.now,
            based_on=whole(request.form.get("based_on", "")),
            circumstances=made,
        )
    except ConsentError as error:
        return _refused(session, form, shown, error)
    carry(session, receipt)
    keep(session, form, form.answers.recorded(receipt.id))
    return _to_receipt(study, receipt.id)


def letter_proof() -> tuple[Prove | None, str]:
    """The proof from a letter's code typed again, or why there is none.

    Before anything else in a view: trying a code has a transaction of its own.
    """
    typed = request.form.get("letter", "")
    if not typed.strip():
        return None, _("Fill in the code from your letter")
    try:
        return proving.proof_from_typed(typed), ""
    except ConsentError:
        return None, _("This code does not belong to your letter. Check it and try again")
    except AccountError as error:
        return None, f"{_(error.message)} {_(error.todo)}"


def _circumstances(form: Form, said: Mapping[str, str], prove: Prove | None) -> Circumstances:
    """How this choice is made, and in which languages it was read."""
    read = sorted({*form.answers.read, language()})
    return proving.circumstances(page_sha256(form, said), prove, more={"read": read})


def _refused(
    session: Session, form: Form, shown: Shown, error: ConsentError
) -> Response | tuple[str, int]:
    study = form.study.slug
    if error.code == "answer_missing":
        return redirect(url_for("patient_check.check", study=study), 303)
    if error.code == "login_level_too_low":
        there = url_for("patient_check.check", study=study)
        yes = [item for item in form.items if shown.said[item] == asked.YES]
        low = levels.too_low(session, me(session).network, g.visit.level, yes)
        return redirect(url_for("door.step_up", next=there, item=low), 303)
    told = {
        "choices_changed": _changed(),
        "idempotency_conflict": _changed(),
        "text_version_not_current": _(
            "The text of this study has changed. Read the new text and answer again"
        ),
    }
    if error.code == "proof_needed":
        wrong = _("The signature does not fit these answers. Fill in the code from your letter")
        return _check_page(session, form, shown, {"letter": wrong}), 422
    if error.code == "idempotency_conflict":
        shown = replace(shown, key=str(uuid4()))
    return _check_page(session, form, shown, {"": told.get(error.code, _(error.message))}), 409


def _changed() -> str:
    return _(
        "Your choices were changed in the meantime, perhaps in another window. Below you "
        "see what is recorded now and what you chose here. Press the button again to "
        "record what you chose here"
    )


def _elsewhere() -> str:
    return _(
        "You gave other answers in another window. Below you see both. Press the button again to "
        "record what you chose here"
    )


def _due(recorded: StudyChoices) -> datetime | None:
    """Since when new data do not count, for want of another yes of this speaker's."""
    again = recorded.ask_again
    return again if again is not None and again <= g.now and recorded.own_due else None


def _said_in(form: Form) -> dict[str, str]:
    return asked.said(form.items, form.answers.given)


def _digest(said: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(said.items())).encode()).hexdigest()


def _to_receipt(study: str, receipt: str) -> Response:
    return redirect(url_for("patient_receipt.done", study=study, receipt=receipt), 303)


def _check_page(session: Session, form: Form, shown: Shown, errors: dict[str, str]) -> str:
    subject = me(session)
    found = consent.choices(session, subject, g.now, party=speaker())
    now = {each.study.slug: each for each in found}
    yes = tuple(item for item in form.items if shown.said[item] == asked.YES)
    needs_code = bool(yes) and proving.prover() is None
    periods = periods_of(session, subject.network)
    return render_template(
        "patient/check.html",
        form_of=form,
        shown=shown,
        not_asked={
            item: asked.closed_by(item, shown.said)
            for item in asked.not_asked(form.items, shown.said)
        },
        seen=_digest(shown.other) if shown.other is not None else "",
        recorded={state.item: state for state in now[form.study.slug].items},
        based_on=consent.state_version(session, subject),
        due=_due(now[form.study.slug]) if yes else None,
        # What the text itself names is said once.
        lasts=[
            years
            for years in (periods.use_years, periods.renewal_years)
            if yes and language() in unnamed(form.version.content, years)
        ],
        periods=periods,
        needs_code=needs_code,
        signing=signing.for_page(
            subject,
            study=form.study.slug,
            text_version=form.version.id,
            yes=yes,
            form_key=shown.key,
        ),
        hospital=my_hospital(session),
        errors=errors,
    )
