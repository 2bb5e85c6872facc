"""Inviting hospitals into a study: choose, check, confirm. Nothing is written before the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from registry.access import rule
from registry.forms.dates import Days
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_words import brief, marks, state_name
from registry.transaction import current_session
from registry.translate import translate as _
from studies.days import local_day
from studies.errors import StudiesError
from studies.free_text import optional_line
from studies.hospitals.moving import LONGEST_CONTACT, invite
from studies.models import Institution, Participation, Study
from studies.reading import list_institutions

blueprint = Blueprint("coordinator_wizard", __name__, url_prefix="/c/study/<slug>/invite")
Answer = Response | str | tuple[str, int]
#: A hospital gets so many days to answer, unless another day is given.
ANSWER_DAYS = 14


@dataclass(frozen=True)
class Member:
    """A hospital of the network, and its part in this study when it has one."""

    place: Institution
    part: Participation | None


@blueprint.get("")
@rule(roles={"coordinator"}, scope="study")
def choose(slug: str) -> str:
    """Which hospitals: all that are not in the study yet, and where the others stand."""
    study = study_of(slug)
    return _choose(study, request.args.getlist("hospital"), {})


@blueprint.get("/check")
@rule(roles={"coordinator"}, scope="study")
def check(slug: str) -> Answer:
    """What will be done: the hospitals, with a contact each and the day by which they answer."""
    study = study_of(slug)
    chosen = _chosen(current_session(), study, request.args.getlist("hospital"))
    if not chosen:
        return _choose(study, [], {"hospital": _("Choose at least one hospital")}), 422
    return _check(study, chosen, {}, {})


@blueprint.post("")
@rule(roles={"coordinator"}, scope="study")
def confirm(slug: str) -> Answer:
    """Invite them, all at once. Who was invited by somebody else in the meantime is left as is."""
    session = current_session()
    study = study_of(slug)
    wanted = request.form.getlist("hospital")
    chosen = _chosen(session, study, wanted)
    days = Days(request.form)
    due = days.given("due")
    if due is not None and due < local_day(g.now):
        days.errors["due"] = _("The day by which they answer lies in the future")
    contacts = {
        place.slug: request.form.get(f"contact-{place.slug}", "").strip() for place in chosen
    }
    for slug_of, contact in contacts.items():
        try:
            optional_line(contact, LONGEST_CONTACT, g.now)
        except StudiesError as error:
            days.errors[f"contact-{slug_of}"] = _(error.message)
    if days.errors:
        return _check(study, chosen, contacts, days.errors), 422
    for place in chosen:
        try:
            part = invite(
                session,
                study,
                place.slug,
                actor=g.actor,
                now=g.now,
                contact=contacts[place.slug],
            )
        except StudiesError as error:
            session.rollback()
            return _choose(study_of(slug), wanted, {"": _(error.message)}), 409
        part.answer_due = due
    session.flush()
    already = len({*wanted}) - len(chosen)
    return redirect(
        url_for("coordinator.hospitals", slug=slug, invited=len(chosen), already=already or None),
        303,
    )


def _members(session: Session, study: Study) -> list[Member]:
    parts = {part.institution: part for part in study.participations}
    return [
        Member(place, parts.get(place.slug))
        for place in list_institutions(session, study.network, g.now)
    ]


def _chosen(session: Session, study: Study, wanted: Sequence[str]) -> list[Institution]:
    """Those of the wanted that can be invited, by name."""
    return [
        member.place
        for member in _members(session, study)
        if member.part is None and member.place.slug in wanted
    ]


def _choose(study: Study, chosen: Sequence[str], errors: dict[str, str]) -> str:
    members = _members(current_session(), study)
    return render_template(
        "coordinator/invite.html",
        study=study,
        free=[member.place for member in members if member.part is None],
        taken=[member for member in members if member.part is not None],
        chosen=chosen,
        state_name=state_name,
        marks=marks(),
        brief=brief,
        errors=errors,
    )


def _check(
    study: Study,
    chosen: Sequence[Institution],
    contacts: dict[str, str],
    errors: dict[str, str],
) -> str:
    today = local_day(g.now)
    return render_template(
        "coordinator/invite_check.html",
        study=study,
        chosen=chosen,
        contacts={place.slug: contacts.get(place.slug, place.contact) for place in chosen},
        due=request.form.get("due") or _due(today).isoformat(),
        errors=errors,
    )


def _due(today: date) -> date:
    return today + timedelta(days=ANSWER_DAYS)
