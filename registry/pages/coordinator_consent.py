"""The words patients read, as those who answer for them see them: versions, differences, preview.

Coordinators write, committees and boards approve (registry/text_roles.py); writing and approving
stand in coordinator_drafts.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from consent import drafts, no_consent, suspending
from consent.differences import compare
from consent.errors import ConsentError
from consent.items import GROUPS, LANGUAGES
from consent.models import TextVersion
from consent.models_trust import TextDraft, TextSuspension
from consent.reading_level import AIM_WORDS, MOST_WORDS, Reading, measure, words_of
from consent.renewing import periods_of
from consent.texts import versions
from registry.access import rule, scope
from registry.forms.sections import sections
from registry.pages import text_words
from registry.pages.consent_coverage import coverage, figure, shown
from registry.text_roles import APPROVERS, WRITERS, may_approve, may_read, names_of
from registry.transaction import current_session
from registry.translate import OWN_NAMES
from studies.actor import Actor
from studies.models import Study

blueprint = Blueprint("coordinator_consent", __name__)
READERS = WRITERS | APPROVERS


@scope("text")
def _own_text(
    session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    slug = str(arguments.get("study") or arguments.get("slug") or "")
    return may_read(session, actor, slug, roles)


def init_app(app: Any) -> None:
    """What the templates of texts call."""
    app.jinja_env.globals.update(
        class_label=text_words.class_label,
        class_meaning=text_words.class_meaning,
        part_label=text_words.part_label,
        difference_words=text_words.difference_words,
        language_name=text_words.language_name,
        answer_label=text_words.answer_label,
        item_labels=text_words.item_labels,
    )


@blueprint.get("/texts")
@rule(roles=READERS)
def waiting() -> str:
    """Every text that is being written in the studies this person answers for."""
    session = current_session()
    found = session.execute(
        select(TextDraft, Study)
        .join(Study, Study.slug == TextDraft.study)
        .where(TextDraft.published.is_(None))
        .order_by(TextDraft.changed_at.desc())
    )
    mine = [
        (draft, study)
        for draft, study in found
        if may_read(session, g.actor, study.slug, READERS & g.actor.roles)
    ]
    doubted = session.execute(
        select(TextVersion, Study)
        .join(TextSuspension, TextSuspension.text_version == TextVersion.id)
        .join(Study, Study.slug == TextVersion.study)
        .where(TextSuspension.decided_at.is_(None))
        .order_by(TextSuspension.asked_at)
    )
    return render_template(
        "coordinator/consent_waiting.html",
        doubted=[
            (text, study)
            for text, study in doubted
            if may_read(session, g.actor, study.slug, READERS & g.actor.roles)
        ],
        routes=[
            (each, session.get_one(Study, each.study))
            for each in no_consent.proposed(session, g.now)
            if may_approve(session, g.actor, each.study)
        ],
        lines=[(draft, study, len(drafts.agreed(session, draft))) for draft, study in mine],
        studies=[
            study
            for study in session.scalars(select(Study).order_by(Study.title_nl))
            if may_read(session, g.actor, study.slug, READERS & g.actor.roles)
        ],
        needed=drafts.APPROVALS,
    )


@blueprint.get("/c/study/<slug>/consent")
@rule(roles=READERS, scope="text")
def overview(slug: str) -> str:
    """All versions with dates and classes, drafts, reading level, answers per hospital."""
    session, study = current_session(), study_of(slug)
    found = list(versions(session, slug))
    covered = coverage(session, study, g.now)
    people = {person for text in found for person in text.approved_by}
    return render_template(
        "coordinator/consent.html",
        study=study,
        versions=found[::-1],
        in_force=_in_force(found),
        names=names_of(session, people),
        drafts=[
            (each, len(drafts.agreed(session, each))) for each in drafts.drafts_of(session, slug)
        ],
        needed=drafts.APPROVALS,
        readings=readings(found[-1].content) if found else {},
        coverage=covered,
        renewal_years=periods_of(session, study.network).renewal_years,
        shown=shown,
        figure=figure(covered),
        may_write=writes(slug),
        asked_to_suspend={
            text.id for text in found if suspending.open_request(session, text) is not None
        },
    )


@blueprint.get("/c/study/<slug>/consent/<int:n>")
@rule(roles=READERS, scope="text")
def version(slug: str, n: int) -> str:
    """One version in both languages, what changed since the one before, how well it reads."""
    session, study = current_session(), study_of(slug)
    found = {text.number: text for text in versions(session, slug)}
    if n not in found:
        raise NotFound
    text, before = found[n], found.get(n - 1)
    return render_template(
        "coordinator/consent_version.html",
        study=study,
        text=text,
        before=before,
        names=names_of(session, text.approved_by),
        parts=both_languages(None if before is None else before.content, text.content),
        readings=readings(text.content),
        limits=(AIM_WORDS, MOST_WORDS),
    )


@blueprint.get("/c/study/<slug>/consent/difference")
@rule(roles=READERS, scope="text")
def difference(slug: str) -> str:
    """Any two versions beside each other; the last two unless others are chosen."""
    session, study = current_session(), study_of(slug)
    found = {str(text.number): text for text in versions(session, slug)}
    numbers = list(found)
    old = found.get(request.args.get("old", ""), found.get("".join(numbers[-2:-1])))
    new = found.get(request.args.get("new", ""), found.get("".join(numbers[-1:])))
    parts = {} if new is None else both_languages(None if old is None else old.content, new.content)
    return render_template(
        "coordinator/consent_difference.html",
        study=study,
        numbers=numbers,
        old=old,
        new=new,
        parts=parts,
    )


@blueprint.get("/c/study/<slug>/consent/<int:n>/phone")
@rule(roles=READERS, scope="text")
def phone(slug: str, n: int) -> str:
    """A version as a patient sees it on a phone, screen below screen."""
    for text in versions(current_session(), slug):
        if text.number == n:
            return phone_page(study_of(slug), text.content, number=n)
    raise NotFound


def study_of(slug: str) -> Study:
    """The study of the address, which the rule has found to be this person's."""
    study = current_session().get(Study, slug)
    if study is None:
        raise NotFound
    return study


def draft_of(slug: str, draft: Any) -> TextDraft:
    """The draft of the address; 404 for another study's as for none."""
    try:
        return drafts.find(current_session(), str(draft), slug)
    except ConsentError:
        raise NotFound from None


def writes(slug: str) -> bool:
    """Whether this person may write a text of the study."""
    return may_read(current_session(), g.actor, slug, WRITERS & g.actor.roles)


def readings(content: Mapping[str, Any]) -> dict[str, Reading]:
    """How well a text reads, by language."""
    return {language: measure(words_of(content[language]), language) for language in LANGUAGES}


def both_languages(
    old: Mapping[str, Any] | None, new: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """The differences by language; a text without an earlier one is shown as it is."""
    return {language: compare(new if old is None else old, new, language) for language in LANGUAGES}


def phone_page(
    study: Study,
    content: Mapping[str, Any],
    *,
    draft: TextDraft | None = None,
    number: int | None = None,
) -> str:
    """The screens of a form in the language that is asked for, each in a frame as a phone has."""
    chosen = request.args.get("language", "")
    # The whole page, so that the fixed words around the text are those of that language too.
    language = g.language = chosen if chosen in LANGUAGES else g.language
    return render_template(
        "coordinator/consent_phone.html",
        study=study,
        draft=draft,
        number=number,
        shown_in=language,
        own_names=OWN_NAMES,
        words=content[language],
        pages=[
            (GROUPS[section.group].label(language), section.items)
            for section in sections(content["items"])
        ],
    )


def _in_force(found: list[TextVersion]) -> int | None:
    begun = [
        text.number for text in found if text.valid_from <= g.now and text.suspended_at is None
    ]
    return max(begun, default=None)
