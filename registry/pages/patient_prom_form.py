"""Filling in a questionnaire: a few questions per screen, without scripts, nothing chosen before.

By item number where no licensed wording is installed. Nobody is made to answer: every question may
be skipped, and the whole thing left. What was filled in is kept for seven days, open to the
patient's own letter alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.prom.instruments import Item
from registry import translate
from registry.access import rule
from registry.app import hub
from registry.pages.patient_person import my_hospital
from registry.pages.patient_prom_kept import (
    Answers,
    Sheet,
    draft,
    keep,
    letter_key,
    send,
    sheet,
    throw_away,
)
from registry.transaction import current_session
from registry.translate import translate as _

blueprint = Blueprint("patient_prom_form", __name__, url_prefix="/mijn/vragenlijst")

SKIP = "skip"
MAX_TYPED = 12


@blueprint.get("/<instrument>/<timepoint>")
@rule(roles={"patient"})
def start(instrument: str, timepoint: str) -> str | Response:
    """What this is, who reads the answers, and how to begin."""
    session = current_session()
    found = _open(session, instrument, timepoint)
    key = letter_key()
    if key is None:
        return _to_letter(found)
    answers = draft(session, found, key)
    return render_template(
        "patient/prom_start.html",
        sheet=found,
        begun=bool(answers.seen),
        next=_next(found, answers),
        hospital=my_hospital(session),
    )


@blueprint.get("/<instrument>/<timepoint>/<int:n>")
@rule(roles={"patient"})
def page(instrument: str, timepoint: str, n: int) -> str | Response:
    """The questions of one screen; what was answered before is shown again."""
    session = current_session()
    found = _open(session, instrument, timepoint)
    _items(found, n)
    key = letter_key()
    if key is None:
        return _to_letter(found)
    return _page(session, found, n, draft(session, found, key), {}, {})


@blueprint.post("/<instrument>/<timepoint>/<int:n>")
@rule(roles={"patient"})
def answer(instrument: str, timepoint: str, n: int) -> Response | tuple[str, int]:
    """Keep the answers of one screen and go on; no question has to be answered."""
    session = current_session()
    found = _open(session, instrument, timepoint)
    items = _items(found, n)
    key = letter_key()
    if key is None:
        return _to_letter(found)
    before = draft(session, found, key)
    typed, wrong = _typed(items)
    kept = {code: each for code, each in before.given.items() if code not in _codes(items)}
    answers = replace(before, given={**kept, **typed})
    if "language" in request.form or "more" in request.form:
        keep(session, found, key, answers)
        return _same_page(found, n)
    if wrong:
        words = {f"q-{item.code}": _range_words(item) for item in items if item.code in wrong}
        return _page(session, found, n, answers, words, wrong), 422
    answers = replace(answers, seen=tuple(sorted({*answers.seen, n})))
    keep(session, found, key, answers)
    onward = None if request.form.get("back") == "check" else _next(found, answers)
    return _to(found, onward)


@blueprint.get("/<instrument>/<timepoint>/nakijken")
@rule(roles={"patient"})
def check(instrument: str, timepoint: str) -> str | Response:
    """Everything that was answered, before it is sent."""
    session = current_session()
    found = _open(session, instrument, timepoint)
    key = letter_key()
    if key is None:
        return _to_letter(found)
    answers = draft(session, found, key)
    if _next(found, answers) is not None:
        return _to(found, _next(found, answers))
    return _check_page(session, found, answers, {})


@blueprint.post("/<instrument>/<timepoint>/nakijken")
@rule(roles={"patient"})
def check_post(instrument: str, timepoint: str) -> str | Response | tuple[str, int]:
    """Seal it for the hospital and send it: this website cannot open it again."""
    session = current_session()
    found = sheet(session, instrument, timepoint)
    key = letter_key()
    if key is None:
        return _to_letter(found)
    if not found.asked.may_answer:
        return _sent(found)  # the second press of the button, or another tab
    answers = draft(session, found, key)
    if _next(found, answers) is not None:
        return _to(found, _next(found, answers))
    if not answers.given:
        words = {"": _("You skipped every question. Then there is nothing to send.")}
        return _check_page(session, found, answers, words), 422
    send(session, found, key, answers)
    return _sent(found)


@blueprint.get("/<instrument>/<timepoint>/verstuurd")
@rule(roles={"patient"})
def sent(instrument: str, timepoint: str) -> str:
    """That it was sent, and whether the hospital has it."""
    session = current_session()
    found = sheet(session, instrument, timepoint)
    if found.asked.sent is None:
        raise NotFound
    return render_template("patient/prom_sent.html", sheet=found, hospital=my_hospital(session))


@blueprint.post("/<instrument>/<timepoint>/weg")
@rule(roles={"patient"})
def forget(instrument: str, timepoint: str) -> Response:
    """Throw away what was filled in. The hospital hears nothing of it."""
    session = current_session()
    throw_away(session, sheet(session, instrument, timepoint).asked.ask)
    return redirect(url_for("patient_prom.overview"), 303)


def _open(session: Session, instrument: str, timepoint: str) -> Sheet:
    """A questionnaire that may be filled in now; 404 for any other."""
    found = sheet(session, instrument, timepoint)
    if not found.asked.may_answer:
        raise NotFound
    return found


def _items(found: Sheet, n: int) -> Sequence[Item]:
    if not 1 <= n <= len(found.instrument.pages):
        raise NotFound
    return found.instrument.pages[n - 1]


def _codes(items: Sequence[Item]) -> set[str]:
    return {item.code for item in items}


def _typed(items: Sequence[Item]) -> tuple[dict[str, int], dict[str, str]]:
    """What was chosen, by item; and what was typed that is no answer. Skipped is neither."""
    good: dict[str, int] = {}
    wrong: dict[str, str] = {}
    for item in items:
        # A field of text is named as its id; the cards of a question share one name.
        name = f"q-{item.code}" if item.scored else item.code
        text = request.form.get(name, "").strip()
        if text in ("", SKIP):
            continue
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else -1
        if item.low <= number <= item.high:
            good[item.code] = number
        else:
            wrong[item.code] = text[:MAX_TYPED]
    return good, wrong


def _range_words(item: Item) -> str:
    return _("Write a whole number from %(low)s to %(high)s", low=item.low, high=item.high)


def _next(found: Sheet, answers: Answers) -> int | None:
    """The first screen that was not passed yet."""
    all_pages = range(1, len(found.instrument.pages) + 1)
    return next((n for n in all_pages if n not in answers.seen), None)


def _to(found: Sheet, n: int | None) -> Response:
    if n is None:
        return redirect(url_for("patient_prom_form.check", **found.place), 303)
    return redirect(url_for("patient_prom_form.page", **found.place, n=n), 303)


def _sent(found: Sheet) -> Response:
    return redirect(url_for("patient_prom_form.sent", **found.place), 303)


def _to_letter(found: Sheet) -> Response:
    onward = "/".join(found.place.values())
    return redirect(url_for("patient_prom.letter", next=onward), 303)


def _same_page(found: Sheet, n: int) -> Response:
    back = request.form.get("back") or None
    there = url_for("patient_prom_form.page", **found.place, n=n, back=back)
    response = redirect(there, 303)
    chosen = request.form.get("language", "")
    if chosen in translate.LANGUAGES:
        translate.remember(response, chosen, secure=hub().settings.secure_cookies)  # type: ignore[arg-type]
    return response


def _page(
    session: Session,
    found: Sheet,
    n: int,
    answers: Answers,
    errors: Mapping[str, str],
    wrong: Mapping[str, str],
) -> str:
    return render_template(
        "patient/prom_page.html",
        sheet=found,
        items=_items(found, n),
        number=n,
        answers=answers,
        wrong=wrong,
        errors=errors,
        back_to_check=request.values.get("back") == "check",
        hospital=my_hospital(session),
    )


def _check_page(session: Session, found: Sheet, answers: Answers, errors: Mapping[str, str]) -> str:
    return render_template(
        "patient/prom_check.html",
        sheet=found,
        answers=answers,
        errors=errors,
        hospital=my_hospital(session),
    )
