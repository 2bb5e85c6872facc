"""Writing a new text for patients, approving it by two others, publishing it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from consent import drafts
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.models import CHANGE_CLASSES
from consent.models_trust import TextDraft
from consent.reading_level import AIM_WORDS, MOST_WORDS
from consent.renewing import periods_of
from consent.text_periods import unnamed
from registry.access import rule
from registry.forms import text_form
from registry.pages.coordinator_consent import (
    READERS,
    both_languages,
    draft_of,
    phone_page,
    readings,
    study_of,
    writes,
)
from registry.pages.text_words import classes, language_name, mistake_words, problem_words
from registry.text_roles import APPROVERS, WRITERS, may_approve, names_of
from registry.transaction import current_session
from registry.translate import translate as _
from studies.days import beginning
from studies.models import Study

blueprint = Blueprint("coordinator_drafts", __name__, url_prefix="/c/study/<slug>/consent/draft")
SHORT = 300
Answer = Response | str | tuple[str, int]


@blueprint.post("")
@rule(roles=WRITERS, scope="text")
def create(slug: str) -> Response:
    """Start a draft as a copy of the newest text."""
    made = drafts.start(current_session(), study=slug, actor=g.actor, now=g.now)
    return redirect(url_for(".edit", slug=slug, draft=made.id), 303)


@blueprint.get("/<uuid:draft>")
@rule(roles=WRITERS, scope="text")
def edit(slug: str, draft: Any) -> str:
    """The form with every part of the text in both languages."""
    found = draft_of(slug, draft)
    return _editor(found, text_form.fields(found.content), tuple(found.content["items"]), {})


@blueprint.post("/<uuid:draft>")
@rule(roles=WRITERS, scope="text")
def save(slug: str, draft: Any) -> Answer:
    """Keep what was typed; approvals given before are gone, because they were of other words."""
    found, study = draft_of(slug, draft), study_of(slug)
    sent = request.form
    if not sent.get("seen"):
        return _editor(
            found,
            text_form.fields(found.content),
            tuple(found.content["items"]),
            {"": _("The form came in without its fields, so nothing was changed.")},
        ), 422
    entered = text_form.read(
        lambda name: sent.get(name, ""),
        sent.getlist("items"),
        before=found.content["items"],
        requires=study.requires,
    )
    errors = {
        field: mistake_words(field, code, entered.lacking)
        for field, code in entered.mistakes.items()
    }
    if sent["seen"] != drafts.draft_sha256(current_session(), found):
        errors[""] = _("Somebody changed this draft while you were writing. Open it anew.")
    if sent.get("change_class") not in CHANGE_CLASSES:
        errors["change_class"] = problem_words("class_unknown")
    if errors or entered.content is None:
        return _editor(found, entered.values, entered.items, errors), 422
    shared = set(entered.content["items"])
    drafts.change(
        current_session(),
        found,
        content=entered.content,
        change_class=sent["change_class"],
        widened=[code for code in sent.getlist("widened") if code in shared],
        changes={name: sent.get(f"new-{name}", "").strip()[:SHORT] for name in ("nl", "en")},
        ethics_reference=sent.get("ethics", "").strip()[:100],
        actor=g.actor,
        now=g.now,
    )
    return redirect(url_for(".review", slug=slug, draft=found.id), 303)


@blueprint.get("/<uuid:draft>/review")
@rule(roles=READERS, scope="text")
def review(slug: str, draft: Any) -> str:
    """Old and new beside each other, how well it reads, who approved; and what to do next."""
    return _review(draft_of(slug, draft), {})


@blueprint.get("/<uuid:draft>/phone")
@rule(roles=READERS, scope="text")
def phone(slug: str, draft: Any) -> str:
    """The draft as a patient would see it on a phone."""
    found = draft_of(slug, draft)
    return phone_page(study_of(slug), found.content, draft=found)


@blueprint.post("/<uuid:draft>/approve")
@rule(roles=APPROVERS, scope="text", fresh=True)
def approve(slug: str, draft: Any) -> Answer:
    """Say what kind of change it is: the draft's own class approves it, another one stops it."""
    found = draft_of(slug, draft)
    judged = request.form.get("judged", "")
    if judged not in CHANGE_CLASSES:
        return _review(found, {"judged": _("Choose the class that fits in your judgement")}), 422
    try:
        drafts.approve(
            current_session(),
            found,
            seen_sha256=request.form.get("seen", ""),
            judged_class=judged,
            actor=g.actor,
            now=g.now,
        )
    except ConsentError as error:
        return _review(found, {"": _(error.message)}), 409
    return redirect(url_for(".review", slug=slug, draft=found.id, done="judged"), 303)


@blueprint.post("/<uuid:draft>/publish")
@rule(roles=WRITERS, scope="text", fresh=True)
def publish(slug: str, draft: Any) -> Answer:
    """Publish what two others approved, at once or from the start of a later day."""
    found = draft_of(slug, draft)
    typed = request.form.get("begins", "").strip()
    try:
        begins = _start_of(typed) if typed else None
    except ValueError:
        return _review(found, {"begins": _("Write the day as 2027-01-31, or leave it empty")}), 422
    try:
        made = drafts.publish(current_session(), found, actor=g.actor, now=g.now, valid_from=begins)
    except ConsentError as error:
        return _review(found, {"": _(error.message)}), 409
    return redirect(url_for("coordinator_consent.version", slug=slug, n=made.number), 303)


def _start_of(day: str) -> datetime:
    return beginning(date.fromisoformat(day))


def _editor(
    draft: TextDraft, values: Mapping[str, str], items: tuple[str, ...], errors: Mapping[str, str]
) -> str:
    session = current_session()
    newest = drafts.newest_text(session, draft.study)
    shared = [code for code in items if newest is not None and code in newest.content["items"]]
    sent = request.form if request.method == "POST" else None
    return render_template(
        "coordinator/consent_editor.html",
        study=session.get_one(Study, draft.study),
        draft=draft,
        seen=drafts.draft_sha256(session, draft),
        values=values,
        items=items,
        choosable=[(code, ITEMS[code]) for code in text_form.choosable()],
        classes=classes(newest is None),
        change_class=draft.change_class if sent is None else sent.get("change_class"),
        widened=draft.widened if sent is None else sent.getlist("widened"),
        shared=[(code, ITEMS[code]) for code in shared],
        changes=draft.changes
        if sent is None
        else {name: sent.get(f"new-{name}", "") for name in ("nl", "en")},
        ethics=draft.ethics_reference if sent is None else sent.get("ethics", ""),
        errors=errors,
    )


def _problems(draft: TextDraft) -> list[str]:
    """What cannot be right about the class, and whether the words say how long a yes holds."""
    session = current_session()
    years = periods_of(session, session.get_one(Study, draft.study).network).use_years
    found = [problem_words(code) for code in drafts.class_problems(session, draft)]
    for code in unnamed(draft.content, years):
        told = _(
            "The text in %(language)s does not say that a yes holds for %(years)s years.",
            language=language_name(code),
            years=years,
        )
        found.append(told)
    return found


def _review(draft: TextDraft, errors: Mapping[str, str]) -> str:
    session = current_session()
    newest = drafts.newest_text(session, draft.study)
    published = draft.published is not None
    old = None if newest is None or published else newest.content
    wrote = drafts.writers(draft)
    return render_template(
        "coordinator/consent_review.html",
        study=session.get_one(Study, draft.study),
        draft=draft,
        published=published,
        old=newest,
        parts=both_languages(old, draft.content),
        readings=readings(draft.content),
        limits=(AIM_WORDS, MOST_WORDS),
        problems=[] if published else _problems(draft),
        seen=drafts.draft_sha256(session, draft),
        writers=list(names_of(session, wrote).values()),
        agreed=drafts.agreed(session, draft),
        objections=drafts.objections(draft),
        needed=drafts.APPROVALS,
        classes=classes(newest is None),
        may_write=writes(draft.study),
        may_approve=may_approve(session, g.actor, draft.study),
        own=g.actor.id in wrote,
        fresh=g.fresh,
        errors=errors,
        done=request.args.get("done") == "judged",
        typed=request.form.get("begins", ""),
    )
