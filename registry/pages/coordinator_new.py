"""Proposing a study: what it wants to know, what kind it is, whose it is. The group comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from registry.access import may_see_group, reaches, rule
from registry.accounts.models import Account
from registry.accounts.service import grant_role
from registry.accounts.visitor import draft, keep_draft
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.free_text import optional_line
from studies.hospitals.feasibility import propose
from studies.models import Institution, Membership, Study, WorkingGroup
from studies.periods import in_force
from studies.seeds.loading import shipped_codebook
from studies.slugs import check_slug
from studies.states import STUDY_DESIGNS, STUDY_KINDS, STUDY_PHASES
from studies.taking_part import LONGEST_TEXT, LONGEST_TITLE, WORDS, create_study

blueprint = Blueprint("coordinator_new", __name__, url_prefix="/c/new")
Answer = Response | str | tuple[str, int]
CODEBOOK: Final = "oncomin/1"
# What a patient must have agreed to at the least; the text for patients says the rest.
REQUIRES: Final[Mapping[bool, tuple[str, ...]]] = {
    True: ("use.record", "use.network"),
    False: ("use.record", "study.join"),
}
LONGEST: Final = {"title": LONGEST_TITLE, "question": LONGEST_TEXT, "purpose": LONGEST_TEXT}


@blueprint.get("")
@rule(roles={"coordinator", "chair"}, fresh=True)
def ask() -> str:
    """An empty form, or what was typed before the page asked who it is."""
    return _page({}, draft().get(_KEPT, {}))


@blueprint.post("")
@rule(roles={"coordinator", "chair"})
def make() -> Answer:
    """Make the study as a draft and propose it; who does so coordinates it.

    Since that gives a role, it asks for a fresh sign-in. Filling it in takes longer than one holds:
    what was typed waits with the session meanwhile.
    """
    session = current_session()
    form = request.form
    if not g.fresh:
        _keep({name: form[name][: LONGEST["question"]] for name in FIELDS if name in form})
        return redirect(url_for("accounts.confirm", next=url_for(".ask")), 303)
    group = _groups(session).get(form.get("group", ""))
    errors = _missing(form) | words_missing(form)
    if group is None:
        errors["group"] = _("Choose a working group")
    elif form.get("lead") and form["lead"] not in _members(session, group.network):
        errors["lead"] = _("This hospital is not in the network of the group")
    if errors or group is None:
        # In the order of the form.
        return _page({name: errors[name] for name in FIELDS if name in errors}), 422
    asks_data = form["asks"] == "yes"
    try:
        with session.begin_nested():
            study = create_study(
                session,
                slug=form["slug"].strip(),
                network=group.network,
                group=group.slug,
                codebook=shipped_codebook(CODEBOOK),
                requires=REQUIRES[asks_data],
                lead=form.get("lead") or None,
                lead_name=form.get("lead_name", ""),
                kind=form["kind"],
                phase=form.get("phase") or None,
                design=form.get("design") or None,
                asks_data=asks_data,
                actor=g.actor,
                now=g.now,
                title_nl=_words("title_nl"),
                title_en=_words("title_en"),
                question_nl=_words("question_nl"),
                question_en=_words("question_en"),
                purpose_nl=_words("purpose_nl"),
                purpose_en=_words("purpose_en"),
            )
            propose(session, study, actor=g.actor, now=g.now)
            _let_coordinate(session, study)
            _keep({})
    except StudiesError as error:
        field = {"bad_name": "slug", "name_taken": "slug", "unknown_kind": "kind"}
        return _page({field.get(error.code, ""): _(error.message)}), 422
    return redirect(url_for("coordinator_study.show", slug=study.slug, done="propose"), 303)


_BOTH: Final = ("nl", "en")
_KEPT: Final = "idea"
FIELDS: Final = (
    *("group", "slug", "kind", "asks", "lead", "lead_name", "phase", "design"),
    *(f"{word}_{tongue}" for word in WORDS for tongue in _BOTH),
)


def _keep(typed: Mapping[str, str]) -> None:
    others = {name: value for name, value in draft().items() if name != _KEPT}
    try:
        keep_draft({**others, _KEPT: dict(typed)} if typed else others)
    except ValueError:
        return  # there is no room beside other half-filled forms; it is typed again


def _words(name: str) -> str:
    return " ".join(request.form[name].split())


def words_missing(form: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the words of a study, by field."""
    errors = {}
    for word in WORDS:
        for tongue in _BOTH:
            text = " ".join(form.get(f"{word}_{tongue}", "").split())
            if not text:
                # The summary stands above: each line says which field it is about.
                errors[f"{word}_{tongue}"] = {
                    "title_nl": _("Write the title in Dutch"),
                    "title_en": _("Write the title in English"),
                    "question_nl": _("Write what it wants to know, in Dutch"),
                    "question_en": _("Write what it wants to know, in English"),
                    "purpose_nl": _("Write what it is for, in Dutch"),
                    "purpose_en": _("Write what it is for, in English"),
                }[f"{word}_{tongue}"]
            elif said := _unfit(text, LONGEST[word]):
                errors[f"{word}_{tongue}"] = said
    return errors


def _missing(form: Mapping[str, str]) -> dict[str, str]:
    errors = {}
    if said := _unfit(form.get("lead_name", ""), LONGEST["title"]):
        errors["lead_name"] = said
    if not form.get("slug", "").strip():
        errors["slug"] = _("Give the study a short name")
    else:
        try:
            check_slug(form["slug"].strip())
        except StudiesError as error:
            errors["slug"] = _(error.message)
    if form.get("kind") not in STUDY_KINDS:
        errors["kind"] = _("Choose the kind of study")
    if form.get("asks") not in ("yes", "no"):
        errors["asks"] = _("Choose yes or no")
    return errors


def _unfit(text: str, most: int) -> str:
    """Why a text is not for others to read; empty when it is."""
    try:
        optional_line(text, most, g.now)
    except StudiesError as error:
        return _("Make this shorter") if error.code == "empty_text" else _(error.message)
    return ""


def _let_coordinate(session: Session, study: Study) -> None:
    """Whoever proposes a study goes on with it; what they hold for others stays as it is."""
    account = session.get(Account, g.actor.id)
    if account is not None and not reaches(g.actor, "coordinator", "study", study.slug):
        scope = f"study:{study.slug}"
        grant_role(session, account, role="coordinator", scope=scope, by=g.actor, now=g.now)


def _groups(session: Session) -> dict[str, WorkingGroup]:
    """The groups for which this person may propose, by key: those that they chair, and those in
    which they coordinate a study that is not only their own idea."""
    wanted = select(WorkingGroup).order_by(WorkingGroup.network, WorkingGroup.name_nl)
    return {
        group.key: group
        for group in session.scalars(wanted)
        if may_see_group(session, g.actor, group.key, {"coordinator", "chair"})
    }


def _members(session: Session, network: str) -> dict[str, str]:
    wanted = (
        select(Institution.slug, Institution.name)
        .join(Membership, Membership.institution == Institution.slug)
        .where(Membership.network == network, in_force(Membership, g.now))
        .order_by(Institution.name)
    )
    return {slug: name for slug, name in session.execute(wanted)}


def _page(errors: Mapping[str, str], typed: Mapping[str, str] | None = None) -> str:
    session = current_session()
    place = 1 if language() == "nl" else 0
    groups = _groups(session)
    members: dict[str, str] = {}
    for network in {group.network for group in groups.values()}:
        members |= _members(session, network)
    return render_template(
        "coordinator/study_new.html",
        errors=errors,
        typed=request.form if typed is None else typed,
        groups=[(key, group.name(language())) for key, group in groups.items()],
        members=sorted(members.items(), key=lambda pair: pair[1]),
        kinds=[(code, words[place], "") for code, words in STUDY_KINDS.items()],
        phases=[(code, words[place]) for code, words in STUDY_PHASES.items()],
        designs=[(code, words[place]) for code, words in STUDY_DESIGNS.items()],
    )
