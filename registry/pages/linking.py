"""One person at two hospitals: show a code, enter a code, take a choice along, end the link."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from uuid import uuid4

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import links
from consent import service as consent
from consent.errors import ConsentError
from consent.models import Subject
from consent.proof import letter_prover
from consent.rule import SELF
from registry.access import NotAllowed, rule
from registry.accounts import attempts, letter_door, proving, sealing
from registry.accounts.errors import AccountError
from registry.pages.connections import connection_of
from registry.pages.door import too_many
from registry.pages.patient_person import me, my_hospital
from registry.transaction import current_session, reading, unit_of_work
from registry.translate import language
from registry.translate import translate as _
from studies.events import announce
from studies.models import Study

blueprint = Blueprint("linking", __name__, url_prefix="/mijn/koppelen")

KEY = "link-code"


@dataclass(frozen=True)
class Carried:
    """Answers given here that are not yet so at a linked hospital."""

    study: str
    title: str
    answers: dict[str, str]

    def seen(self, site: str, text: str) -> str:
        """Fingerprint of what the page shows: language, hospital, text in force and answers."""
        shown = [language(), site, self.study, text, sorted(self.answers.items())]
        return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()

    @property
    def needs_letter(self) -> bool:
        return "yes" in self.answers.values()


@blueprint.get("")
@rule(roles={"patient"})
def overview() -> str:
    """With which hospitals I am linked, and how to link another."""
    return _page({})


@blueprint.post("/code")
@rule(roles={"patient"})
def show_code() -> str:
    """A fresh code, shown this once."""
    _check_self()
    session = current_session()
    shown = links.show_code(session, me(session), _key(), g.now)
    return _page({}, shown)


@blueprint.post("")
@rule(roles={"patient"})
def enter_code() -> Response | tuple[str, int]:
    """The code of the other hospital; wrong, used and too old give the same sentence."""
    _check_self()
    typed = request.form.get("link_code", "")
    if not typed.strip():
        return _page({"link_code": _("Fill in the code of the other hospital")}), 422
    keys = proving.trier().keys()
    try:
        with unit_of_work(g.factory, g.actor) as session:
            attempts.check(session, keys, g.now)
            right = links.link(session, me(session), typed, _key(), g.now)
            if not right:
                attempts.count(session, keys, g.now)
    except AccountError as error:
        return _page({"link_code": too_many(error)}), 429
    if not right:
        told = _(
            "This code does not work here. Ask for a new code at the other hospital: a code is "
            "good for fifteen minutes and works once"
        )
        return _page({"link_code": told}), 401
    return redirect(url_for("linking.overview"), 303)


@blueprint.post("/los")
@rule(roles={"patient"})
def unlink() -> Response:
    """End the link. What was said at each hospital stays as it is."""
    _check_self()
    session = current_session()
    links.unlink(session, me(session), g.now)
    return redirect(url_for("linking.overview"), 303)


@blueprint.get("/<site>/<study>")
@rule(roles={"patient"})
def carry(site: str, study: str) -> str:
    """My answers here, to be written down at the other hospital too."""
    _check_self()
    return _carry_page(current_session(), site, study, {})


@blueprint.post("/<site>/<study>")
@rule(roles={"patient"})
def carry_post(site: str, study: str) -> Response | tuple[str, int]:
    """Write them down there: a yes with the proof of that hospital's own letter."""
    _check_self()
    with reading(g.factory) as session:
        other, carried = _found(session, site, study)
        about = other.id
    prove = None
    if carried.needs_letter:
        try:
            letter = letter_door.confirm_letter(
                g.factory,
                actor=g.actor,
                party=SELF,
                typed=request.form.get("letter", ""),
                trier=proving.trier(),
                now=g.now,
                about=about,
            )
        except (ConsentError, AccountError) as error:
            told = too_many(error) if isinstance(error, AccountError) else _not_that_letter()
            status = 429 if isinstance(error, AccountError) else 401
            return _carry_page(current_session(), site, study, {"letter": told}), status
        prove = letter_prover(letter.code_id, letter.key)
    session = current_session()
    other, carried = _found(session, site, study)
    try:
        text = consent.text_for(session, study, g.now)
        page_sha256 = carried.seen(site, text.id)
        if request.form.get("seen") != page_sha256:
            # Never something else than what was on the screen.
            return _carry_page(session, site, study, {"": _seen_other()}), 409
        consent.record(
            session,
            subject=other,
            study=study,
            answers=carried.answers,
            text_version=text.id,
            language=language(),
            form_key=request.form.get("key", "")[:64],
            actor=consent.patient(other),
            now=g.now,
            circumstances=consent.Circumstances(
                login_level=g.visit.level,
                channel=links.CHANNEL,
                page_sha256=page_sha256,
                prove=prove,
            ),
        )
    except ConsentError as error:
        if error.code in ("answer_missing", "unknown_item", "text_not_found"):
            told = _(
                "The text of this study has changed. Answer it again at your own hospital first"
            )
        else:
            told = _(error.message)
        return _carry_page(session, site, study, {"": told}), 409
    return redirect(url_for("linking.overview"), 303)


def _page(errors: dict[str, str], shown: links.Shown | None = None) -> str:
    session = current_session()
    subject = me(session)
    others = [
        (other, connection_of(session, other.site, g.now), _carried(session, subject, other))
        for other in links.linked(session, subject)
    ]
    return render_template(
        "patient/link.html",
        errors=errors,
        shown=shown,
        others=others,
        hospital=my_hospital(session),
    )


def _carry_page(session: Session, site: str, study: str, errors: dict[str, str]) -> str:
    other, carried = _found(session, site, study)
    try:
        text = consent.text_for(session, study, g.now)
    except ConsentError:
        # Said when it is sent: without a text nothing can be written down.
        text = None
    return render_template(
        "patient/carry.html",
        errors=errors,
        site=site,
        there=connection_of(session, other.site, g.now),
        carried=carried,
        text=text,
        seen=carried.seen(site, text.id) if text is not None else "",
        key=request.form.get("key") or str(uuid4()),
        hospital=my_hospital(session),
    )


def _carried(session: Session, subject: Subject, other: Subject) -> list[Carried]:
    # The choices of the other hospital are looked at too: a line in the audit for each look.
    announce(session, actor=g.actor, action="consent.read", about=f"subject:{other.id}")
    return [
        Carried(slug, session.get_one(Study, slug).title(language()), answers)
        for slug, answers in links.to_carry(session, subject, other, g.now).items()
    ]


def _found(session: Session, site: str, study: str) -> tuple[Subject, Carried]:
    subject = me(session)
    for other in links.linked(session, subject):
        if other.site == site:
            for carried in _carried(session, subject, other):
                if carried.study == study:
                    return other, carried
    raise NotFound


def _seen_other() -> str:
    return _(
        "Your answers or the text changed after you opened this page. Look below, and press the "
        "button again"
    )


def _not_that_letter() -> str:
    return _("This is not the code of the letter from that hospital. Check it and try again")


def _check_self() -> None:
    # A representative speaks about one patient at one hospital: the other never named them.
    if g.visit.party != SELF:
        raise NotAllowed


def _key() -> bytes:
    return sealing.derived(proving.settings().secret_key, KEY)
