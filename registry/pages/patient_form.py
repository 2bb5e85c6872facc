"""Choosing: for whom, the story, two questions that help, how to choose, and one subject per page.

No answer is ever chosen beforehand. What is answered is kept as a sealed draft until it is recorded
(patient_check.py), whatever becomes of the session. Every form on these pages carries the answers
along when the language is changed or more time is asked for.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from consent import levels
from registry import translate
from registry.access import rule
from registry.accounts import proving
from registry.app import hub
from registry.forms import sections as asked
from registry.pages.patient_draft import Form, form_of, keep, recorded_answers
from registry.pages.patient_person import item_label, my_hospital
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("patient_form", __name__, url_prefix="/mijn")

WAYS = ("each", "basic", "none")
#: The two questions that help to understand, with the right answer.
HELP = {"who": "totals", "no": "nothing"}


@blueprint.get("/<study>/wie")
@rule(roles={"patient"})
def who(study: str) -> str | Response:
    """For whom somebody answers, when the letter is a representative's."""
    session = current_session()
    form = form_of(session, study)
    role = proving.circumstances("").role
    if role == "self":
        return redirect(url_for("patient_form.explanation", study=study), 303)
    return render_template(
        "patient/who.html", form_of=form, role=role, hospital=my_hospital(session)
    )


@blueprint.get("/<study>/uitleg")
@rule(roles={"patient"})
def explanation(study: str) -> str:
    """What this study is about, before any question."""
    session = current_session()
    form = form_of(session, study)
    return render_template(
        "patient/explanation.html",
        form_of=form,
        role=proving.circumstances("").role,
        hospital=my_hospital(session),
    )


@blueprint.get("/<study>/begrip")
@rule(roles={"patient"})
def understanding(study: str) -> str:
    """Two questions that help; the answers are explained, not kept, and never a gate."""
    return _understanding_page(current_session(), study, {})


@blueprint.post("/<study>/begrip")
@rule(roles={"patient"})
def understanding_post(study: str) -> str:
    """Say whether it was understood, in kind words; whatever was chosen, the form goes on."""
    chosen = {name: request.form.get(name, "") for name in HELP}
    return _understanding_page(current_session(), study, chosen)


@blueprint.get("/<study>/kiezen")
@rule(roles={"patient"})
def way(study: str) -> str:
    """How do you want to choose: three equal ways, none chosen."""
    return _way_page(current_session(), study, {})


@blueprint.post("/<study>/kiezen")
@rule(roles={"patient"})
def way_post(study: str) -> Response | tuple[str, int]:
    """Fill in what the patient asked to fill in, and go on with what is left."""
    session = current_session()
    form = form_of(session, study)
    chosen = request.form.get("way", "")
    if chosen not in WAYS:
        return _way_page(session, study, {"way": _("Choose one of the three")}), 422
    given: dict[str, str] = {}
    if chosen == "none":
        given = dict.fromkeys(form.items, asked.NO)
    elif chosen == "basic":
        given = dict.fromkeys(asked.basic(form.items, form.study.requires), asked.YES)
    # A way is chosen anew: what an earlier way filled in does not stay behind.
    before = form.answers.given if chosen == "each" and form.answers.way == "each" else {}
    answers = replace(form.answers, given=before, way=chosen).answering(given, language())
    keep(session, form, answers)
    return _onward(replace(form, answers=answers))


@blueprint.post("/<study>/verander")
@rule(roles={"patient"})
def change(study: str) -> Response:
    """Change what was recorded: one item, or with none named what a new text asks again.

    The draft begins with the patient's own recorded answers, so that only this is asked.
    """
    session = current_session()
    form = form_of(session, study)
    given = recorded_answers(session, form)
    answers = replace(form.answers, given={}, way="each").answering(given, language())
    keep(session, form, answers)
    item = request.form.get("item", "")
    if item:
        number = form.page_of(item)
        there = url_for("patient_form.question", study=study, n=number, back="check")
        return redirect(there, 303)
    return _onward(replace(form, answers=answers))


@blueprint.get("/<study>/vraag/<int:n>")
@rule(roles={"patient"})
def question(study: str, n: int) -> str | Response:
    """The questions of one subject; a given answer is shown again, never another one."""
    session = current_session()
    form = form_of(session, study)
    if not asked.open_items(form.page(n), form.answers.given):
        return _onward(form)
    return _question_page(session, form, n, dict(form.answers.given), {})


@blueprint.post("/<study>/vraag/<int:n>")
@rule(roles={"patient"})
def answer(study: str, n: int) -> Response | tuple[str, int]:
    """Keep the answers and go on: to what is not answered yet, or to the check page."""
    session = current_session()
    form = form_of(session, study)
    items = asked.open_items(form.page(n), form.answers.given)
    typed = {item: request.form[item] for item in items if request.form.get(item) in asked.ANSWERS}
    answers = form.answers.answering(typed, language())
    if "language" in request.form or "more" in request.form:
        keep(session, form, answers)
        return _same_page(study, n)
    errors = {
        f"q{number}": _missing_words(form, item, alone=len(items) == 1)
        for number, item in enumerate(items, 1)
        if item not in typed
    }
    if errors:
        return _question_page(session, form, n, typed, errors), 422
    keep(session, form, answers)
    return _onward(replace(form, answers=answers))


def _onward(form: Form) -> Response:
    study, number = form.study.slug, form.next_page
    if number is None:
        return redirect(url_for("patient_check.check", study=study), 303)
    return redirect(url_for("patient_form.question", study=study, n=number), 303)


def _same_page(study: str, n: int) -> Response:
    back = request.form.get("back") or None
    response = redirect(url_for("patient_form.question", study=study, n=n, back=back), 303)
    chosen = request.form.get("language", "")
    if chosen in translate.LANGUAGES:
        translate.remember(response, chosen, secure=hub().settings.secure_cookies)  # type: ignore[arg-type]
    return response


def _missing_words(form: Form, item: str, *, alone: bool) -> str:
    words = form.words["answers"]
    choose = _(
        "Choose “%(yes)s”, “%(no)s” or “%(later)s”",
        yes=words["yes"],
        no=words["no"],
        later=words["later"],
    )
    if alone:
        return choose
    return _("Choose an answer at “%(item)s”", item=item_label(item))


def _question_page(
    session: Session, form: Form, number: int, given: dict[str, str], errors: dict[str, str]
) -> str:
    page = form.page(number)
    items = asked.open_items(page, form.answers.given)
    return render_template(
        "patient/question.html",
        form_of=form,
        page=page,
        asked=items,
        safer=levels.too_low(session, form.study.network, g.visit.level, items),
        number=number,
        given=given,
        closed=_closed_before(form, number),
        back_to_check=request.values.get("back") == "check",
        before=_page_before(form, number),
        hospital=my_hospital(session),
        errors=errors,
    )


def _page_before(form: Form, number: int) -> int | None:
    """The nearest earlier page with something to answer."""
    return next(
        (n for n in range(number - 1, 0, -1) if asked.open_items(form.page(n), form.answers.given)),
        None,
    )


def _closed_before(form: Form, number: int) -> dict[str, list[str]]:
    """What is left out here, by the item whose answer leaves it out."""
    left_out: dict[str, list[str]] = {}
    given = form.answers.given
    for page in form.pages[_page_before(form, number) or 0 : number]:
        for item in page.items:
            parent = asked.closed_by(item, given)
            if parent is not None and given.get(parent) in (asked.NO, asked.LATER):
                left_out.setdefault(parent, []).append(item)
    return left_out


def _way_page(session: Session, study: str, errors: dict[str, str]) -> str:
    form = form_of(session, study)
    return render_template(
        "patient/way.html",
        form_of=form,
        basic=asked.basic(form.items, form.study.requires),
        chosen=request.form.get("way"),
        begun=bool(form.answers.given),
        hospital=my_hospital(session),
        errors=errors,
    )


def _understanding_page(session: Session, study: str, chosen: dict[str, str]) -> str:
    return render_template(
        "patient/understanding.html",
        form_of=form_of(session, study),
        chosen=chosen,
        right=HELP,
        hospital=my_hospital(session),
    )
