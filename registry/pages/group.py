"""A working group: who sits in it, who is missing, its studies, its questions, what it decided."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.rounds.models import EvaluationRound
from federation.rounds.reading import visible
from federation.runs.models import Run
from registry.access import (
    INSIDE,
    may_see_group,
    may_see_round,
    reach,
    reaches,
    reaches_any,
    rule,
)
from registry.forms.dates import Days
from registry.pages.idea_counts import counts_for_group
from registry.pages.network_words import (
    OF_GROUP,
    chosen_day,
    named,
    small,
    state_tag,
    state_word,
)
from registry.pages.shell import whole
from registry.pages.states import run_state
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.exchange.importing import moment_of
from studies.models import Institution, Study, WorkingGroup
from studies.network import decisions
from studies.network.directory import states_at
from studies.network.groups import find_group, gaps, seats
from studies.network.models import GroupDecision, GroupMeeting
from studies.network.words import DISCIPLINES, SEAT_ROLES
from studies.reading import list_institutions

blueprint = Blueprint("group", __name__)
MAX_LINKS = 10
# Where the page shows a refusal: at the words, or at the day.
FIELDS = {
    **dict.fromkeys(("empty_text", "control_sign", "points_at_somebody"), "text"),
    **dict.fromkeys(("in_the_future", "too_long_ago"), "at"),
}


@blueprint.get("/group")
@rule(roles={"chair", "group", "representative"})
def overview() -> str | Response:
    """The groups that the reader sits in; with one, that one."""
    mine = set().union(
        *(reach(g.actor, role, "group") or () for role in ("chair", "group", "representative"))
    )
    found = [group for key in sorted(mine) if (group := find_group(current_session(), key))]
    if len(found) == 1:
        return redirect(url_for("group.show", network=found[0].network, group=found[0].slug), 302)
    return render_template("network/groups.html", groups=found)


@blueprint.get("/group/<network>/<group>")
@rule(roles=OF_GROUP, scope="group")
def show(network: str, group: str) -> str | tuple[str, int]:
    """One group on a day. A patient representative sees agenda, lay summaries and questions."""
    return _page(network, group, {})


@blueprint.post("/group/<network>/<group>/decision")
@rule(roles={"chair"}, scope="group")
def decide(network: str, group: str) -> Response | tuple[str, int]:
    """Add a line to the group's log; studies and questions that it is about are linked."""
    found = _found(network, group)
    form = request.form
    days, replaces = Days(form), form.get("replaces", "").strip()
    day = days.given("at")
    if replaces and whole(replaces) not in {one.number for one in _decided(found)}:
        days.errors["replaces"] = _("There is no decision with this number in the log.")
    if days.errors:
        return _page(network, group, days.errors)[0], 422
    links = [("study", slug) for slug in request.form.getlist("study") if slug][:MAX_LINKS]
    links += [("query", run) for run in request.form.getlist("query") if run][:MAX_LINKS]
    known = {study.slug for study in _studies(found)} | {run.id for run in _runs(found)}
    try:
        if any(name not in known for _kind, name in links):
            raise StudiesError("not_found")
        decisions.record_decision(
            current_session(),
            found,
            text=request.form.get("text", ""),
            at=g.now if day is None else moment_of(day, g.now),
            actor=g.actor,
            now=g.now,
            links=links,
            replaces=whole(replaces),
        )
    except StudiesError as error:
        field = FIELDS.get(error.code, "")
        return _page(network, group, {field: _(error.message)})[0], 422
    return redirect(url_for("group.show", network=network, group=group, done=1), 303)


@blueprint.post("/group/<network>/<group>/meeting")
@rule(roles={"chair"}, scope="group")
def meet(network: str, group: str) -> Response | tuple[str, int]:
    """Plan a meeting with its agenda, or change the agenda of one that was not frozen."""
    found, days = _found(network, group), Days(request.form)
    day = days.needed("held_on")
    if day is None:
        return _page(network, group, days.errors)[0], 422
    try:
        decisions.plan_meeting(
            current_session(),
            found,
            held_on=datetime(day.year, day.month, day.day, tzinfo=UTC),
            agenda=request.form.get("agenda", "").splitlines()[:30],
            actor=g.actor,
        )
    except StudiesError as error:
        field = "agenda" if FIELDS.get(error.code) == "text" else "held_on"
        return _page(network, group, {field: _(error.message)})[0], 409
    return redirect(url_for("group.show", network=network, group=group, done=1), 303)


@blueprint.post("/group/<network>/<group>/meeting/<uuid:meeting>")
@rule(roles={"chair"}, scope="group")
def freeze(network: str, group: str, meeting: Any) -> Response | tuple[str, int]:
    """Keep what lies on the table today with the meeting, for good."""
    found = _found(network, group)
    kept = _meeting(found, str(meeting))
    try:
        decisions.freeze_meeting(
            current_session(), found, kept, _on_the_table(found), actor=g.actor, now=g.now
        )
    except StudiesError as error:
        return _page(network, group, {"": _(error.message)})[0], 409
    return redirect(
        url_for("group.meeting", network=network, group=group, meeting=str(meeting)), 303
    )


@blueprint.get("/group/<network>/<group>/meeting/<uuid:meeting>")
@rule(roles={"chair", "group", "representative"}, scope="group")
def meeting(network: str, group: str, meeting: Any) -> str:
    """A meeting: its agenda, and what lay on the table when it was frozen."""
    found = _found(network, group)
    kept = _meeting(found, str(meeting))
    return render_template(
        "network/meeting.html",
        group=found,
        meeting=kept,
        whole=kept.frozen is None or decisions.digest(kept.frozen) == kept.sha256,
        lay=_lay(found),
        state_word=state_word,
        discipline=lambda code: small(DISCIPLINES, code),
        as_json=json.dumps(kept.frozen, indent=1, ensure_ascii=False) if kept.frozen else "",
    )


def _found(network: str, group: str) -> WorkingGroup:
    found = find_group(current_session(), f"{network}.{group}")
    if found is None:
        raise NotFound
    return found


def _meeting(group: WorkingGroup, number: str) -> GroupMeeting:
    found = current_session().get(GroupMeeting, number)
    if found is None or found.group_id != group.id:
        raise NotFound
    return found


def _decided(group: WorkingGroup) -> list[GroupDecision]:
    return decisions.decisions(current_session(), group)


def _studies(group: WorkingGroup) -> list[Study]:
    return list(
        current_session().scalars(
            select(Study).where(Study.group_id == group.id).order_by(Study.title_nl)
        )
    )


def _runs(group: WorkingGroup) -> list[Run]:
    return list(
        current_session().scalars(
            select(Run)
            .join(Study, Study.slug == Run.study)
            .where(Study.group_id == group.id)
            .order_by(Run.submitted_at.desc())
            .limit(50)
        )
    )


def _rounds(group: WorkingGroup) -> list[EvaluationRound]:
    every = visible(current_session(), groups=[group.key])
    return [each for each in every if may_see_round(g.actor, each, g.actor.roles)]


def _lay(group: WorkingGroup) -> bool:
    """Whether the reader is here for the patients only."""
    roles = (set(OF_GROUP) - {"representative"}) & g.actor.roles
    return not may_see_group(current_session(), g.actor, group.key, roles)


def _on_the_table(group: WorkingGroup) -> dict[str, Any]:
    """The group's state now, as plain data that a meeting keeps."""
    session = current_session()
    members = list_institutions(session, group.network, g.now)
    open_gaps = gaps(group, members, g.now)
    states = states_at(session, group.network, g.now)
    return {
        "group": group.key,
        "at": g.now.isoformat(),
        "members": [
            {
                "name": seat.person.name,
                "invented": seat.person.invented,
                "institution": seat.institution,
                "discipline": seat.discipline,
                "role": seat.role,
            }
            for seat in seats(group, g.now)
        ],
        "no_member_from": [each.slug for each in open_gaps.institutions],
        "no_discipline": list(open_gaps.disciplines),
        "studies": [
            {
                "study": study.slug,
                "title_nl": study.title_nl,
                "title_en": study.title_en,
                "state": study.state,
                "sites": {site: s for (slug, site), s in states.items() if slug == study.slug},
            }
            for study in _studies(group)
        ],
        "queries": [{"id": run.id, "title": run.title, "state": run.state} for run in _runs(group)],
        "decisions": [
            {"number": each.number, "at": each.at.isoformat(), "text": each.text}
            for each in _decided(group)
        ],
    }


def _page(network: str, group: str, errors: dict[str, str]) -> tuple[str, int]:
    session, day = current_session(), chosen_day()
    found = _found(network, group)
    members = list_institutions(session, network, day.at)
    sitting = seats(found, day.at)
    states = states_at(session, network, day.at)
    per_study: dict[str, list[str]] = {}
    for (study, _site), state in states.items():
        per_study.setdefault(study, []).append(state)
    studies = [study for study in _studies(found) if study.created_at <= day.at]
    every = {**({"on": day.error} if day.error else {}), **errors}
    lay = _lay(found)
    page = render_template(
        "network/group.html",
        group=found,
        day=day,
        errors=every,
        typed=request.form,
        lay=lay,
        chair=reaches(g.actor, "chair", "group", found.key),
        members=members,
        rows=_rows(members, sitting),
        outside=[seat for seat in sitting if seat.institution is None],
        gaps=gaps(found, members, day.at),
        discipline=lambda code: small(DISCIPLINES, code),
        seat_role=lambda code: named(SEAT_ROLES, code),
        studies=[(study, per_study.get(study.slug, [])) for study in studies],
        state_word=state_word,
        state_tag=state_tag,
        runs=[(run, run_state(run.state)) for run in _runs(found) if run.submitted_at <= day.at],
        rounds=_rounds(found),
        counts=counts_for_group(session, studies),
        decisions=decisions.decisions(session, found, day.at if day.past else None),
        titles={study.slug: study for study in studies},
        meetings=decisions.meetings(session, found),
        study_options=[(study.slug, study.title(language())) for study in studies],
        run_options=[(run.id, run.title) for run in _runs(found)],
        inside=bool(g.actor.roles & INSIDE),
        reads_meetings=reaches_any(
            g.actor, ("chair", "group", "representative"), "group", found.key
        ),
        done=request.args.get("done") == "1",
    )
    return page, 422 if every else 200


def _rows(members: list[Institution], sitting: list[Any]) -> list[tuple[Institution, list[Any]]]:
    """Each hospital with who sits for it, also when nobody does."""
    by_site: dict[str | None, list[Any]] = {}
    for seat in sitting:
        by_site.setdefault(seat.institution, []).append(seat)
    return [(member, by_site.get(member.slug, [])) for member in members]
