"""/api/v1/networks/<network>/groups/<group>: what a working group is, who sits in it, its log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Response, current_app, g, jsonify, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from federation.runs.models import Run
from registry.access import rule
from registry.api import conditions, once, schemas_groups
from registry.api.paging import Page, page_of
from registry.api.part import Part
from registry.transaction import current_session
from studies.days import local_day
from studies.errors import StudiesError
from studies.exchange.importing import moment_of
from studies.models import Study, WorkingGroup, WorkingGroupMember
from studies.network import decisions, groups
from studies.network.models import GroupMeeting, Professional

blueprint = Part("api-groups", __name__, description="Working groups and what they decide")
OFFICE = frozenset({"administrator"})
CHAIR = frozenset({"chair"})
READERS = frozenset({"chair", "group", "coordinator"})
AT_MEETINGS = frozenset({"chair", "group", "representative"})
WHOLE = schemas_groups.GroupWhole()


@blueprint.post("/networks/<network>/groups")
@rule(roles=OFFICE)
@once.once
@blueprint.takes(schemas_groups.NewGroup)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_groups.GroupWhole)
def add(form: Mapping[str, Any], network: str) -> Response:
    """Make a working group in a network."""
    made = groups.add_group(
        current_session(),
        network=network,
        slug=form["slug"],
        name_nl=form["name_nl"],
        name_en=form["name_en"],
        tumours=form["tumours"],
        expected=form["expected"],
        since=first_moment(form["since"]),
        actor=g.actor,
    )
    answer = _whole(made, 201)
    address = url_for("api-groups.get_group", network=network, group=made.slug)
    answer.headers["Location"] = address
    return answer


@blueprint.get("/networks/<network>/groups/<group>")
@rule("public")
@blueprint.also(404)
@blueprint.gives(200, schemas_groups.GroupWhole)
def get_group(network: str, group: str) -> Response:
    """One working group. The ETag is its version, to send back as If-Match."""
    return _whole(_found(network, group))


@blueprint.put("/networks/<network>/groups/<group>")
@rule(roles=OFFICE)
@once.once
@blueprint.takes(schemas_groups.Group)
@blueprint.says(parameters=[conditions.PARAMETER, once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_groups.GroupWhole)
def change(form: Mapping[str, Any], network: str, group: str) -> Response:
    """Describe a group anew, or call it otherwise from a day on; the days before keep the name."""
    session, expected = current_session(), conditions.expected_version()
    found = _found(network, group)
    groups.describe_group(
        session,
        found,
        tumours=form["tumours"],
        expected=form["expected"],
        actor=g.actor,
        expected_version=expected,
    )
    if (form["name_nl"], form["name_en"]) != (found.name_nl, found.name_en):
        groups.rename_group(
            session,
            found,
            name_nl=form["name_nl"],
            name_en=form["name_en"],
            since=first_moment(form["since"]),
            actor=g.actor,
            now=g.now,
        )
    return _whole(found)


@blueprint.post("/networks/<network>/groups/<group>/seats")
@rule(roles=OFFICE)
@once.once
@blueprint.takes(schemas_groups.NewSeat)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_groups.KeptSeat)
def sit(form: Mapping[str, Any], network: str, group: str) -> WorkingGroupMember:
    """Let a person sit in a group; a new chair takes the place of the present one."""
    session, found = current_session(), _found(network, group)
    return groups.take_seat(
        session,
        found,
        _person(form["person"], new=form["new"]),
        discipline=form["discipline"],
        institution=form["site"],
        role=form["role"],
        since=first_moment(form["since"]),
        actor=g.actor,
    )


@blueprint.post("/networks/<network>/groups/<group>/seats/<seat>/end")
@rule(roles=OFFICE)
@once.once
@blueprint.takes(schemas_groups.Until)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_groups.KeptSeat)
def rise(form: Mapping[str, Any], network: str, group: str, seat: str) -> WorkingGroupMember:
    """End a seat; who sat there stays readable on the days before."""
    session, found = current_session(), _found(network, group)
    held = session.get(WorkingGroupMember, seat)
    if held is None:
        raise NotFound
    groups.leave_seat(session, found, held, at=first_moment(form["on"]), actor=g.actor)
    return held


@blueprint.get("/networks/<network>/groups/<group>/decisions")
@rule(roles=READERS, scope="group")
@blueprint.takes(Page, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas_groups.GroupDecision(many=True))
def list_decisions(part: dict[str, Any], network: str, group: str) -> tuple[list[Any], int, Any]:
    """A group's log, in the order in which it was written."""
    found = decisions.decisions(current_session(), _found(network, group))
    rows, headers = page_of(found, lambda each: f"{each.number:08}", part)
    return rows, 200, headers


@blueprint.post("/networks/<network>/groups/<group>/decisions")
@rule(roles=CHAIR, scope="group")
@once.once
@blueprint.takes(schemas_groups.NewDecision)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_groups.GroupDecision)
def decide(form: Mapping[str, Any], network: str, group: str) -> object:
    """Add a line to a group's log; it names only studies and questions of this group."""
    session, found = current_session(), _found(network, group)
    links = [(each["kind"], each["id"]) for each in form["links"]]
    if not set(links) <= _of_group(found):
        raise StudiesError("not_found")
    day = form["on"]
    return decisions.record_decision(
        session,
        found,
        text=form["text"],
        at=g.now if day is None else moment_of(day, g.now),
        actor=g.actor,
        now=g.now,
        links=links,
        replaces=form["replaces"],
    )


@blueprint.get("/networks/<network>/groups/<group>/meetings")
@rule(roles=AT_MEETINGS, scope="group")
@blueprint.takes(Page, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas_groups.Meeting(many=True))
def list_meetings(part: dict[str, Any], network: str, group: str) -> tuple[list[Any], int, Any]:
    """A group's meetings with their agendas, the first one first."""
    found = decisions.meetings(current_session(), _found(network, group))
    rows, headers = page_of(found, lambda each: each.held_on.isoformat(), part)
    return rows, 200, headers


@blueprint.put("/networks/<network>/groups/<group>/meetings/<day>")
@rule(roles=CHAIR, scope="group")
@blueprint.takes(schemas_groups.Agenda)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_groups.Meeting)
def plan(form: Mapping[str, Any], network: str, group: str, day: str) -> GroupMeeting:
    """Plan the meeting of a day (2026-11-23) with its agenda, or change that agenda."""
    try:
        held_on = date.fromisoformat(day)
    except ValueError:
        raise NotFound from None
    found = _found(network, group)
    return decisions.plan_meeting(
        current_session(),
        found,
        held_on=datetime.combine(held_on, time(), UTC),
        agenda=form["agenda"],
        actor=g.actor,
    )


def first_moment(day: date | None) -> datetime:
    """The beginning of a day in UTC, as seeds and agreements count; of today never after now."""
    begins = datetime.combine(day or local_day(g.now), time(), UTC)
    return min(begins, g.now) if begins.date() == local_day(g.now) else begins


def _found(network: str, group: str) -> WorkingGroup:
    found = groups.find_group(current_session(), f"{network}.{group}")
    if found is None:
        raise NotFound
    return found


def _person(text: str, *, new: bool) -> Professional:
    """The person of this name or id. Adding has to be asked for, as on the command line."""
    session = current_session()
    if new:
        return groups.add_professional(session, text, actor=g.actor)
    by_id = session.get(Professional, text)
    if by_id is not None:
        return by_id
    found = session.scalars(select(Professional).where(Professional.name == text).limit(2)).all()
    if len(found) != 1:
        raise StudiesError("not_found" if not found else "name_taken")
    return found[0]


def _of_group(group: WorkingGroup) -> set[tuple[str, str]]:
    """The studies of a group, and the questions that were put in them."""
    session = current_session()
    studies = session.scalars(select(Study.slug).where(Study.group_id == group.id)).all()
    runs = session.scalars(select(Run.id).where(Run.study.in_(studies)))
    return {("study", slug) for slug in studies} | {("query", run) for run in runs}


def _whole(group: WorkingGroup, status: int = 200) -> Response:
    names = ("slug", "network", "name_nl", "name_en", "tumours", "expected", "since", "version")
    shown = {name: getattr(group, name) for name in names}
    answer = jsonify(WHOLE.dump({**shown, "seats": groups.seats(group, g.now)}))
    answer.status_code = status
    answer.headers["ETag"] = conditions.etag_of(group.version)
    return current_app.make_response(answer)
