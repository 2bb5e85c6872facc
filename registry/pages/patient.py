"""The patient's own pages: sign in with the letter's code, my choices, my history.

Everything works with plain forms. Pages about a choice are in patient_form.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import service as consent
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.models import Receipt, Subject
from registry.access import rule
from registry.accounts import visitor
from registry.accounts.errors import AccountError
from registry.accounts.sessions import IDLE, TOUCH_EVERY
from registry.pages.connections import Connection, connection_of
from registry.pages.shell import local
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Study

blueprint = Blueprint("patient", __name__, url_prefix="/mijn")


@dataclass(frozen=True)
class Arrival:
    """Whether a hospital has the choice of a receipt, in the fixed sentences of the design."""

    name: str
    received_at: datetime | None
    counts_nobody: bool


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
        )
        for each in consent.deliveries(session, subject, receipt)
    ]


def init_app(app: Flask) -> None:
    """Words that the patient's templates use."""
    app.jinja_env.globals.update(
        item_label=lambda code: ITEMS[code].label(language()) if code in ITEMS else "",
        answer_state=answer_state,
        signed_in_until=lambda: g.now + IDLE - TOUCH_EVERY,
    )


def answer_state(state: str) -> str:
    """What a patient said, in words a patient uses."""
    return {
        "not_asked": _("not answered yet"),
        "deferred": _("I don’t know yet"),
        "granted": _("yes"),
        "refused": _("no"),
        "withdrawn": _("stopped"),
        "expired": _("ended"),
        "suspended": _("does not count for now"),
    }.get(state, state)


@blueprint.get("")
@rule("public")
def sign_in() -> str | Response:
    """The code from the letter."""
    if "patient" in g.actor.roles:
        return redirect(url_for("patient.choices"), 303)
    return render_template("patient/sign_in.html", errors={})


@blueprint.post("")
@rule("public")
def sign_in_post() -> Response | tuple[str, int]:
    """Check the code; every kind of wrong gives the same sentence."""
    typed = request.form.get("code", "")
    if not typed.strip():
        errors = {"code": _("Fill in the code from your letter")}
        return render_template("patient/sign_in.html", errors=errors), 422
    try:
        visitor.sign_in_patient(typed)
    except ConsentError:
        errors = {
            "code": _(
                "This code does not work. Check it against your letter; small or capital letters "
                "and dashes make no difference. Call your hospital if it keeps failing"
            )
        }
        return render_template("patient/sign_in.html", errors=errors, typed=typed), 401
    except AccountError as error:
        errors = {"code": f"{_(error.message)} {_(error.todo)}"}
        return render_template("patient/sign_in.html", errors=errors, typed=typed), 429
    return redirect(local(request.form.get("next")) or url_for("patient.choices"), 303)


@blueprint.get("/keuzes")
@rule(roles={"patient"})
def choices() -> str:
    """Every study I was asked about: my answer, whether I am counted, change and stop."""
    session = current_session()
    subject = me(session)
    lines = []
    for each in consent.choices(session, subject, g.now):
        arrived: list[Arrival] = []
        if each.receipt_id is not None:
            receipt = consent.receipt(session, subject, each.receipt_id)
            arrived = arrivals(session, subject, receipt)
        lines.append((each, arrived))
    return render_template("patient/choices.html", lines=lines, hospital=my_hospital(session))


@blueprint.get("/geschiedenis")
@rule(roles={"patient"})
def history() -> str:
    """Everything I ever chose, newest first."""
    session = current_session()
    lines = consent.history(session, me(session))
    titles = {study.slug: study.title(language()) for study in session.query(Study)}
    return render_template(
        "patient/history.html", lines=lines, titles=titles, hospital=my_hospital(session)
    )
