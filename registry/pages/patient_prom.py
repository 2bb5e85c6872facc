"""Questionnaires of my hospital: what is asked, and my own scores over time (ADR 0041).

Filling in is in patient_prom_form.py. Only the patient's own letter opens these pages: who came in
another way is asked for its code once.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent.errors import ConsentError
from registry.access import rule
from registry.accounts import proving
from registry.accounts.errors import AccountError
from registry.pages.door import too_many, wrong_code
from registry.pages.patient_draft import speaker
from registry.pages.patient_person import my_hospital
from registry.pages.patient_prom_chart import chart_of
from registry.pages.patient_prom_kept import asked_of_me, letter_key, own_scores
from registry.transaction import current_session
from registry.translate import translate as _

blueprint = Blueprint("patient_prom", __name__, url_prefix="/mijn")


@blueprint.get("/vragenlijsten")
@rule(roles={"patient"})
def overview() -> str:
    """What my hospital asks me to fill in, and what I sent."""
    session = current_session()
    return render_template(
        "patient/prom.html",
        asked=asked_of_me(session),
        alone=speaker() == "self",
        hospital=my_hospital(session),
    )


@blueprint.get("/mijn-scores")
@rule(roles={"patient"})
def scores() -> str:
    """My own scores over time, in pictures, words and tables."""
    session = current_session()
    if speaker() != "self":
        raise NotFound
    key = letter_key()
    if key is None:
        return _letter_page("scores", {})
    found = own_scores(session, key)
    charts = chart_of(found or [])
    return render_template(
        "patient/prom_scores.html",
        found=found,
        charts=charts,
        unconfirmed=any(c.threshold and not c.threshold.confirmed for c in charts),
        hospital=my_hospital(session),
    )


@blueprint.get("/vragenlijsten/brief")
@rule(roles={"patient"})
def letter() -> str:
    """Ask for the code of the letter."""
    return _letter_page(request.args.get("next", ""), {})


@blueprint.post("/vragenlijsten/brief")
@rule(roles={"patient"})
def letter_post() -> Response | tuple[str, int]:
    """The code of the letter again: it opens what only the patient may read."""
    typed, onward = request.form.get("letter", ""), request.form.get("next", "")
    if not typed.strip():
        return _letter_page(onward, {"letter": _("Fill in the code from your letter")}), 422
    try:
        proving.proof_from_typed(typed)
    except ConsentError:
        return _letter_page(onward, {"letter": wrong_code()}), 401
    except AccountError as error:
        return _letter_page(onward, {"letter": too_many(error)}), 429
    return redirect(_onward(onward), 303)


def _onward(onward: str) -> str:
    """An address of these pages and of no other: "scores", or questionnaire and time point."""
    if onward == "scores":
        return url_for("patient_prom.scores")
    instrument, slash, timepoint = onward.partition("/")
    if slash and instrument and timepoint and "/" not in timepoint:
        there: dict[str, Any] = {"instrument": instrument, "timepoint": timepoint}
        return url_for("patient_prom_form.start", **there)
    return url_for("patient_prom.overview")


def _letter_page(onward: str, errors: dict[str, str]) -> str:
    return render_template(
        "patient/prom_letter.html",
        onward=onward,
        errors=errors,
        hospital=my_hospital(current_session()),
    )
