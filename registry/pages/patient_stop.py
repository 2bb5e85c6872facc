"""Stopping: one page, one button, no reason asked, never held up. And objecting."""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import objecting, speakers, withdrawing
from consent import service as consent
from consent.errors import ConsentError
from consent.models import Receipt
from registry.access import rule
from registry.accounts import proving
from registry.pages.patient_carry import carry
from registry.pages.patient_carry import take_back as withdraw_order
from registry.pages.patient_check import letter_proof
from registry.pages.patient_draft import study_of
from registry.pages.patient_person import (
    item_label,
    level_words,
    me,
    my_hospital,
    shown_sha256,
)
from registry.pages.patient_receipt import ALL
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Study

blueprint = Blueprint("patient_stop", __name__, url_prefix="/mijn")


@blueprint.get("/<study>/stoppen")
@rule(roles={"patient"})
def stop(study: str) -> str:
    """Stopping with one study, or with one item of it: what it does, and one button."""
    session = current_session()
    return _page(session, study_of(session, me(session), study), request.args.get("item", ""), {})


@blueprint.get("/stoppen")
@rule(roles={"patient"})
def stop_all() -> str:
    """Stopping with every study of this network."""
    return _page(current_session(), None, "", {})


@blueprint.post("/<study>/stoppen")
@blueprint.post("/stoppen", defaults={"study": None})
@rule(roles={"patient"})
def stop_post(study: str | None) -> Response | tuple[str, int]:
    """Record it at once. It asks for no reason and is never held up."""
    session = current_session()
    found = None if study is None else study_of(session, me(session), study)
    item, level = request.form.get("item", ""), request.form.get("level", "")
    if item and found is not None:
        receipt = _stop_item(session, found, item)
        carry(session, receipt)
        return _to_receipt(receipt)
    if level not in withdrawing.LEVELS:
        return _page(session, found, "", {"level": _("Choose how you want to stop")}), 422
    receipt = withdrawing.withdraw_level(
        session,
        subject=me(session),
        study=study,
        level=level,
        language=language(),
        form_key=_key(),
        actor=g.actor,
        now=g.now,
        circumstances=proving.circumstances(shown_sha256(*level_words(level))),
    )
    carry(session, receipt, level)
    return _to_receipt(receipt)


@blueprint.get("/<study>/weer")
@rule(roles={"patient"})
def again(study: str) -> str:
    """After "nothing new": letting new data be used again."""
    return _again_page(current_session(), study, {})


@blueprint.post("/<study>/weer")
@rule(roles={"patient"})
def again_post(study: str) -> Response | tuple[str, int]:
    """Record that new data may be used again; like every yes it needs the letter's proof."""
    prove, wrong = letter_proof()
    session = current_session()
    found = study_of(session, me(session), study)
    made = proving.circumstances(shown_sha256(found.title(language())), prove)
    if made.prove is None:
        return _again_page(session, study, {"letter": wrong}), 422
    receipt = withdrawing.allow_new(
        session,
        subject=me(session),
        study=found.slug,
        language=language(),
        form_key=_key(),
        actor=g.actor,
        now=g.now,
        circumstances=made,
    )
    return _to_receipt(receipt)


@blueprint.get("/bezwaar")
@rule(roles={"patient"})
def objection() -> str:
    """Objecting to use without being asked, or to all use."""
    return _objection_page(current_session(), {})


@blueprint.post("/bezwaar")
@rule(roles={"patient"})
def object_now() -> Response | tuple[str, int]:
    """Record the objection at once."""
    session = current_session()
    what = request.form.get("what", "")
    if what not in ("reuse", "everything"):
        return _objection_page(session, {"what": _("Choose what you object to")}), 422
    receipt = withdrawing.object_to(
        session,
        subject=me(session),
        everything=what == "everything",
        language=language(),
        form_key=_key(),
        actor=g.actor,
        now=g.now,
        circumstances=proving.circumstances(shown_sha256(what)),
    )
    carry(session, receipt)
    return _to_receipt(receipt)


@blueprint.post("/bezwaar/terug")
@rule(roles={"patient"})
def objection_back() -> Response | tuple[str, int]:
    """Take one's own objection back; like a yes it needs the letter's proof."""
    prove, wrong = letter_proof()
    session = current_session()
    made = proving.circumstances(shown_sha256("objection back"), prove)
    if made.prove is None:
        return _objection_page(session, {"letter": wrong}), 422
    try:
        receipt = objecting.take_back(
            session,
            subject=me(session),
            language=language(),
            form_key=_key(),
            actor=g.actor,
            now=g.now,
            circumstances=made,
        )
    except ConsentError as error:
        if error.code == "login_level_too_low":
            return redirect(url_for("door.step_up", next=url_for(".objection")), 303)
        told = {"choices_changed": _("You have no objection that you can take back")}
        return _objection_page(session, {"": told.get(error.code, _(error.message))}), 409
    return _to_receipt(receipt)


@blueprint.post("/vernietigen")
@rule(roles={"patient"})
def take_back() -> Response:
    """Take an order to destroy back, while that is possible; My choices then says how it stands."""
    session = current_session()
    try:
        withdraw_order(session, me(session), request.form.get("order", ""))
    except ConsentError:
        raise NotFound from None
    return redirect(url_for("patient.choices"), 303)


def _stop_item(session: Session, study: Study, item: str) -> Receipt:
    try:
        return withdrawing.withdraw_item(
            session,
            subject=me(session),
            study=study.slug,
            item=item,
            language=language(),
            form_key=_key(),
            actor=g.actor,
            now=g.now,
            circumstances=proving.circumstances(shown_sha256(item_label(item))),
        )
    except ConsentError as error:
        if error.code == "unknown_item":
            raise NotFound from None
        raise


def _key() -> str:
    return request.form.get("key", "")[:64] or str(uuid4())


def _to_receipt(receipt: Receipt) -> Response:
    study = ALL if receipt.study == "*" else receipt.study
    return redirect(url_for("patient_receipt.done", study=study, receipt=receipt.id), 303)


def _page(session: Session, study: Study | None, item: str, errors: dict[str, str]) -> str:
    words = None
    if study is not None:
        try:
            words = consent.text_for(session, study.slug, g.now).content[language()]
        except ConsentError:
            words = None  # without a text in force stopping goes on as usual
    return render_template(
        "patient/stop.html",
        study=study,
        item=item,
        words=words,
        level_options=[(code, *level_words(code)) for code in withdrawing.LEVELS],
        key=str(uuid4()),
        hospital=my_hospital(session),
        errors=errors,
    )


def _again_page(session: Session, study: str, errors: dict[str, str]) -> str:
    return render_template(
        "patient/again.html",
        study=study_of(session, me(session), study),
        needs_code=proving.prover() is None,
        key=str(uuid4()),
        hospital=my_hospital(session),
        errors=errors,
    )


def _objection_page(session: Session, errors: dict[str, str]) -> str:
    reader = speakers.only(session, me(session), g.visit.party, g.now)
    return render_template(
        "patient/objection.html",
        objected=objecting.objected_since(session, me(session), reader),
        own=objecting.objected_since(session, me(session), g.visit.party),
        needs_code=proving.prover() is None,
        key=str(uuid4()),
        hospital=my_hospital(session),
        errors=errors,
    )
