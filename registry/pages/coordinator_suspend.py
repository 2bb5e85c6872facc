"""Suspending a text for patients that turned out wrong: one person asks, another decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import suspending
from consent.errors import ConsentError
from consent.models import TextVersion
from consent.texts import versions
from registry.access import rule
from registry.pages.coordinator_consent import READERS, study_of, writes
from registry.text_roles import names_of
from registry.transaction import current_session
from registry.translate import translate as _

blueprint = Blueprint(
    "coordinator_suspend", __name__, url_prefix="/c/study/<slug>/consent/<int:n>/suspend"
)
MOST = 300
FIELDS = {"nl": "why-nl", "en": "why-en"}
Answer = Response | tuple[str, int]


@blueprint.get("")
@rule(roles=READERS, scope="text")
def page(slug: str, n: int) -> str:
    """What suspending does, who asked for it and why, and the button that fits this person."""
    return _page(slug, _text(slug, n), {})


@blueprint.post("")
@rule(roles=READERS, scope="text", fresh=True)
def ask(slug: str, n: int) -> Answer:
    """Ask it, with the sentence that patients will read."""
    text = _text(slug, n)
    why = {code: request.form.get(name, "").strip()[:MOST] for code, name in FIELDS.items()}
    errors = {
        FIELDS[code]: _("Write in one or two sentences what is wrong")
        for code, words in why.items()
        if not words
    }
    if errors:
        return _page(slug, text, errors), 422
    try:
        suspending.ask(current_session(), text, why=why, actor=g.actor, now=g.now)
    except ConsentError as error:
        return _page(slug, text, {"": _(error.message)}), 409
    return _back(slug, n)


@blueprint.post("/<uuid:asked>")
@rule(roles=READERS, scope="text", fresh=True)
def decide(slug: str, n: int, asked: Any) -> Answer:
    """Suspend the text now, or leave it; who asked can take the request back."""
    text = _text(slug, n)
    found = suspending.find(current_session(), str(asked), text)
    act = request.form.get("act", "")
    if act not in ("suspend", "leave"):
        return _page(slug, text, {"": _("Choose what you decide")}), 422
    try:
        suspending.decide(
            current_session(), found, suspends=act == "suspend", actor=g.actor, now=g.now
        )
    except ConsentError as error:
        return _page(slug, text, {"": _(error.message)}), 409
    return _back(slug, n)


def _back(slug: str, n: int) -> Response:
    return redirect(url_for(".page", slug=slug, n=n), 303)


def _text(slug: str, n: int) -> TextVersion:
    study_of(slug)
    for text in versions(current_session(), slug):
        if text.number == n:
            return text
    raise NotFound


def _page(slug: str, text: TextVersion, errors: Mapping[str, str]) -> str:
    session = current_session()
    asked = suspending.requests(session, text)
    people = {person for each in asked for person in (each.asked_by, each.decided_by) if person}
    waiting = next((each for each in asked if each.decided_at is None), None)
    return render_template(
        "coordinator/consent_suspend.html",
        study=study_of(slug),
        text=text,
        waiting=waiting,
        decided=[each for each in asked if each.decided_at is not None],
        names=names_of(session, people),
        own=waiting is not None and waiting.asked_by == g.actor.id,
        then=_then(text),
        may_write=writes(slug),
        fresh=g.fresh,
        typed={code: request.form.get(name, "") for code, name in FIELDS.items()},
        errors=errors,
    )


def _then(text: TextVersion) -> TextVersion | None:
    """The text that patients read when this one is suspended; None when there is no other."""
    begun = [
        each
        for each in versions(current_session(), text.study)
        if each.valid_from <= g.now and each.suspended_at is None and each.id != text.id
    ]
    return begun[-1] if begun else None
