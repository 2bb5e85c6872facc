"""Choosing: the explanation, one question per page, check, receipt; and stopping.

No answer is ever chosen beforehand. What is typed is kept in the session until it is recorded;
recording is one act however often the button is pressed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import service as consent
from consent.errors import ConsentError
from consent.models import TextVersion
from registry.access import rule
from registry.forms import answers as drafts
from registry.forms.answers import Answers
from registry.pages.patient import arrivals, me, my_hospital
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Study

blueprint = Blueprint("patient_form", __name__, url_prefix="/mijn")

ANSWERS = ("yes", "no", "later")


@dataclass(frozen=True)
class Form:
    """The form of one study in the reader's language: its text and the answers so far."""

    study: Study
    version: TextVersion
    words: Mapping[str, Any]
    items: tuple[str, ...]
    answers: Answers

    @property
    def next_number(self) -> int:
        """The first question without an answer; one past the last when all have one."""
        for number, item in enumerate(self.items, start=1):
            if item not in self.answers.given:
                return number
        return len(self.items) + 1


def form_of(session: Session, slug: str) -> Form:
    """The form for a study this patient was asked about; 404 for any other."""
    subject = me(session)
    mine = {each.study.slug: each for each in consent.choices(session, subject, g.now)}
    if slug not in mine:
        raise NotFound
    try:
        version = consent.text_for(session, slug, g.now)
    except ConsentError:
        raise NotFound from None
    return Form(
        mine[slug].study,
        version,
        version.content[language()],
        tuple(version.content["items"]),
        drafts.get(slug, version.id),
    )


@blueprint.get("/<study>/uitleg")
@rule(roles={"patient"})
def explanation(study: str) -> str:
    """What this study is about, before any question."""
    session = current_session()
    return render_template(
        "patient/explanation.html", form_of=form_of(session, study), hospital=my_hospital(session)
    )


@blueprint.get("/<study>/vraag/<int:n>")
@rule(roles={"patient"})
def question(study: str, n: int) -> str:
    """One question, three answers; a given answer is shown again, never another one."""
    return _question_page(form_of(current_session(), study), n, {})


@blueprint.post("/<study>/vraag/<int:n>")
@rule(roles={"patient"})
def answer(study: str, n: int) -> Response | tuple[str, int]:
    """Keep the answer and go on: to the next question, or back to the check page."""
    form = form_of(current_session(), study)
    given = request.form.get("answer", "")
    if given not in ANSWERS:
        words = form.words["answers"]
        errors = {
            "answer": _(
                "Choose “%(yes)s”, “%(no)s” or “%(later)s”",
                yes=words["yes"],
                no=words["no"],
                later=words["later"],
            )
        }
        return _question_page(form, n, errors), 422
    item = _item(form, n)
    drafts.keep(form.answers.with_answer(item, given))
    if request.form.get("back") == "check" or n >= len(form.items):
        return redirect(url_for("patient_form.check", study=study), 303)
    return redirect(url_for("patient_form.question", study=study, n=n + 1), 303)


@blueprint.get("/<study>/controleer")
@rule(roles={"patient"})
def check(study: str) -> str | Response:
    """All answers with a link to change each, and one button."""
    form = form_of(current_session(), study)
    if form.answers.receipt and not form.answers.given:
        return _to_receipt(study, form.answers.receipt)
    if form.next_number <= len(form.items):
        return redirect(url_for("patient_form.question", study=study, n=form.next_number), 303)
    return _check_page(form, {})


@blueprint.post("/<study>/controleer")
@rule(roles={"patient"})
def record(study: str) -> Response | tuple[str, int]:
    """Write the answers down, once, and show the receipt."""
    session = current_session()
    form = form_of(session, study)
    if form.answers.receipt and not form.answers.given:
        return _to_receipt(study, form.answers.receipt)
    subject = me(session)
    try:
        receipt = consent.record(
            session,
            subject=subject,
            study=study,
            answers=form.answers.given,
            text_version=request.form.get("text", ""),
            language=language(),
            form_key=form.answers.key,
            actor=g.actor,
            now=g.now,
            based_on=whole(request.form.get("based_on", "")),
            circumstances=consent.Circumstances(page_sha256=_page_sha256(form)),
        )
    except ConsentError as error:
        if error.code == "answer_missing":
            return redirect(url_for("patient_form.check", study=study), 303)
        told = {
            "choices_changed": _(
                "Your choices were changed in the meantime, perhaps in another window. Below you "
                "see what is recorded now and what you chose here. Press the button again to "
                "record what you chose here"
            ),
            "text_version_not_current": _(
                "The text of this study has changed. Read the new text and answer again"
            ),
        }
        return _check_page(form, {"": told.get(error.code, _(error.message))}), 409
    drafts.recorded(form.answers, receipt.id)
    return _to_receipt(study, receipt.id)


@blueprint.get("/<study>/klaar/<receipt>")
@rule(roles={"patient"})
def done(study: str, receipt: str) -> str:
    """What was recorded, when each hospital received it, and how to change it."""
    session = current_session()
    subject = me(session)
    found = _receipt(session, receipt)
    version = _text_of(session, study)
    said = consent.said_in(session, found)
    return render_template(
        "patient/done.html",
        receipt=found,
        study=session.get(Study, study),
        slug=study,
        words=version.content[language()] if version is not None else None,
        said=said,
        arrivals=arrivals(session, subject, found),
        hospital=my_hospital(session),
    )


@blueprint.get("/<study>/klaar/<receipt>/bewijs.json")
@rule(roles={"patient"})
def receipt_file(study: str, receipt: str) -> Any:
    """The receipt as a file that can be checked without this site."""
    session = current_session()
    found = _receipt(session, receipt)
    body = json.dumps(consent.receipt_document(session, found), indent=2, ensure_ascii=False)
    response = _file(body)
    response.headers["Content-Disposition"] = f'attachment; filename="keuzes-{found.id[:8]}.json"'
    return response


@blueprint.get("/<study>/stoppen")
@rule(roles={"patient"})
def stop(study: str) -> str:
    """Stopping with one study: what it does, from when, and one button."""
    session = current_session()
    form = form_of(session, study)
    return render_template(
        "patient/stop.html",
        study=form.study,
        words=form.words,
        key=str(uuid4()),
        hospital=my_hospital(session),
    )


@blueprint.get("/stoppen")
@rule(roles={"patient"})
def stop_all() -> str:
    """Stopping with every study of this network."""
    return render_template(
        "patient/stop.html",
        study=None,
        words=None,
        key=str(uuid4()),
        hospital=my_hospital(current_session()),
    )


@blueprint.post("/<study>/stoppen")
@blueprint.post("/stoppen", defaults={"study": None})
@rule(roles={"patient"})
def stop_post(study: str | None) -> Response:
    """Record it at once. It asks for no reason and is never held up."""
    session = current_session()
    receipt = consent.withdraw(
        session,
        subject=me(session),
        study=study,
        language=language(),
        form_key=request.form.get("key") or str(uuid4()),
        actor=g.actor,
        now=g.now,
    )
    return _to_receipt(study or "alles", receipt.id)


def _to_receipt(study: str, receipt: str) -> Response:
    return redirect(url_for("patient_form.done", study=study, receipt=receipt), 303)


def _receipt(session: Session, receipt: str) -> Any:
    try:
        return consent.receipt(session, me(session), receipt)
    except ConsentError:
        raise NotFound from None


def _text_of(session: Session, study: str) -> TextVersion | None:
    try:
        return consent.text_for(session, study, g.now)
    except ConsentError:
        return None


def _file(body: str) -> Any:
    from flask import Response as Answer

    return Answer(body, mimetype="application/json")


def _item(form: Form, number: int) -> str:
    if not 1 <= number <= len(form.items):
        raise NotFound
    return form.items[number - 1]


def _question_page(form: Form, number: int, errors: dict[str, str]) -> str:
    item = _item(form, number)
    return render_template(
        "patient/question.html",
        form_of=form,
        item=item,
        number=number,
        words=consent.item_words(form.version, item, language()),
        given=form.answers.given.get(item),
        back_to_check=request.values.get("back") == "check",
        hospital=my_hospital(current_session()),
        errors=errors,
    )


def _check_page(form: Form, errors: dict[str, str]) -> str:
    session = current_session()
    subject = me(session)
    now = {each.study.slug: each for each in consent.choices(session, subject, g.now)}[
        form.study.slug
    ]
    return render_template(
        "patient/check.html",
        form_of=form,
        recorded={state.item: state for state in now.items},
        based_on=consent.state_version(session, subject),
        hospital=my_hospital(session),
        errors=errors,
    )


def _page_sha256(form: Form) -> str:
    """Fingerprint of what the check page showed: language, text, questions and answers."""
    questions = form.words["questions"]
    shown = [
        language(),
        form.version.id,
        *(
            [questions[i]["legend"], form.words["answers"][form.answers.given[i]]]
            for i in form.items
            if i in form.answers.given
        ),
    ]
    return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()
