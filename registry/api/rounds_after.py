"""/api/v1/rounds/…: what a group says and does about a released round beside its actions: notes,
causes by groups of patients, help that hospitals offer each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify

from federation.rounds import discussing, following, reading
from federation.rounds.errors import RoundError
from federation.rounds.models import RoundNote
from federation.rounds.plan import iso
from registry.access import ROUND_MAKERS, may_see_round, rule
from registry.api import conditions, once, schemas_rounds
from registry.api.part import Part
from registry.api.round_letters import lettered, letters_of, own_sites, site_of
from registry.commands.round_actions import shown as action_shown
from registry.commands.round_printing import row_of
from registry.transaction import current_session

blueprint = Part("api-rounds-after", __name__, description="What follows from a round")
WRITERS = frozenset({"chair", "coordinator"})
HELPERS = WRITERS | {"board", "steward"}
READERS = ROUND_MAKERS | {"board", "steward", "researcher"}
CHANGES = [conditions.PARAMETER, once.PARAMETER]


@blueprint.get("/rounds/<round>/notes")
@rule(roles=READERS, scope="round")
@blueprint.also(404)
@blueprint.gives(200)
def list_notes(round: str) -> Response:  # noqa: A002 - the name in the address
    """What was said of a released round, the oldest first: notes, causes, and help offered."""
    session = current_session()
    row = reading.get(session, round)
    letters = letters_of(row)
    return jsonify([_told(each, letters) for each in reading.notes(session, row)])


@blueprint.post("/rounds/<round>/notes")
@rule(roles=HELPERS, scope="round")
@once.once
@blueprint.takes(schemas_rounds.Note)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201)
def add_note(form: Mapping[str, Any], round: str) -> tuple[Response, int]:  # noqa: A002
    """Write down what was said or held to be the cause, or offer help to another hospital.

    Notes and causes are the chair's and the coordinator's; a hospital's board or steward offers
    help from the own hospital. `from_site` and `to_site` are hospitals as the result shows them to
    you: by letter, unless one is your own or the round agreed to names.
    """
    session = current_session()
    row = reading.get(session, round)
    writes = may_see_round(g.actor, row, WRITERS & g.actor.roles)
    if form["kind"] == "help":
        giver, taker = site_of(row, form["from_site"]), site_of(row, form["to_site"])
        if not (writes or giver in own_sites(row)):
            raise RoundError("NOT_ALLOWED_HERE")
        made = discussing.offer_help(
            session,
            row,
            indicator=form["indicator"] or "",
            from_site=giver or "",
            to_site=taker or "",
            text=form["text"],
            actor=g.actor,
            now=g.now,
        )
    else:
        if not writes:
            raise RoundError("NOT_ALLOWED_HERE")
        made = discussing.say(
            session,
            row,
            text=form["text"],
            indicator=form["indicator"],
            kind=form["kind"],
            actor=g.actor,
            now=g.now,
        )
    return jsonify(_told(made, letters_of(row))), 201


@blueprint.post("/rounds/<round>/causes")
@rule(roles=WRITERS, scope="round")
@once.once
@blueprint.takes(schemas_rounds.Cause)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_rounds.Round)
def ask_cause(form: Mapping[str, Any], round: str) -> Mapping[str, Any]:  # noqa: A002
    """Ask an indicator by groups of patients, to find where a difference comes from.

    The groups are those that its definition names. Everybody sees the answer at `release_at`, as an
    addition to the round.
    """
    session = current_session()
    made = following.ask_cause(
        session,
        reading.get(session, round),
        indicator=form["indicator"],
        variables=form["variables"],
        release_at=form["release_at"],
        actor=g.actor,
        now=g.now,
    )
    return row_of(session, made)


@blueprint.put("/rounds/<round>/actions/<action>")
@rule(roles=WRITERS, scope="round")
@once.once
@blueprint.takes(schemas_rounds.ChangedAction)
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200)
def change_action(form: Mapping[str, Any], round: str, action: str) -> Response:  # noqa: A002
    """Another text, owner, day or measurement for an open action."""
    session = current_session()
    row = reading.get(session, round)
    found = discussing.get_action(session, row, action)
    version = conditions.expected_version()
    discussing.change_action(session, found, version=version, actor=g.actor, now=g.now, **form)
    response = jsonify(lettered(action_shown(found), letters_of(row)))
    response.headers["ETag"] = conditions.etag_of(found.version)
    return response


def _told(note: RoundNote, letters: Mapping[str, str]) -> dict[str, Any]:
    told = {
        "id": note.id,
        "kind": note.kind,
        "indicator": note.indicator,
        "text": note.text,
        "from_site": note.from_site,
        "to_site": note.to_site,
        "at": iso(note.at),
        "by_name": note.by_name,
    }
    return lettered(told, letters, "from_site", "to_site")
