"""/api/v1/rounds: evaluation rounds, their results once released, and what the group does then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify, request, url_for
from werkzeug.exceptions import NotFound

from federation.rounds import discussing, planning, reading, view, wishes
from federation.rounds.models import EvaluationRound
from registry.access import (
    ROUND_MAKERS,
    ROUND_READERS,
    may_see_round,
    reaches_any,
    rule,
)
from registry.api import conditions, once, schemas_rounds
from registry.api.part import Part
from registry.api.queries import read_query
from registry.api.round_letters import lettered, letters_of, own_sites, site_of
from registry.commands.round_actions import shown as action_shown
from registry.commands.round_printing import row_of
from registry.transaction import current_session

blueprint = Part("api-rounds", __name__, description="Evaluation rounds")
PLANNERS = frozenset({"chair", "coordinator"})
CHANGES = [conditions.PARAMETER, once.PARAMETER]


@blueprint.get("/rounds")
@rule(roles=ROUND_READERS)
@blueprint.gives(200, schemas_rounds.Round(many=True))
def list_rounds() -> list[Mapping[str, Any]]:
    """The rounds that you may see, the newest release first."""
    session = current_session()
    found = reading.visible(session, groups=None, kinds=("round", "strata", "remeasure"))
    return [row_of(session, row) for row in found if may_see_round(g.actor, row, ROUND_READERS)]


@blueprint.post("/rounds")
@rule(roles=PLANNERS)
@once.once
@blueprint.says(
    parameters=[once.PARAMETER],
    requestBody={
        "required": True,
        "description": "A plan: group, study, title, indicators, period, sites, freeze_at, "
        "release_at; names, repeats and purpose where wanted.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(422)
@blueprint.gives(201, schemas_rounds.Round)
def create() -> Response:
    """Plan a round; it is a draft until it is offered to the committee."""
    session = current_session()
    wish = wishes.read(_body())
    if not (
        reaches_any(g.actor, {"chair"}, "group", wish.group)
        or reaches_any(g.actor, {"coordinator"}, "study", wish.study)
    ):
        raise NotFound
    row = planning.plan(session, wish, actor=g.actor, now=g.now)
    response = _answer(row, 201)
    response.headers["Location"] = url_for("api-rounds.get_round", round=row.id)
    return response


@blueprint.get("/rounds/<round>")
@rule(roles=ROUND_READERS, scope="round")
@blueprint.also(404)
@blueprint.gives(200, schemas_rounds.Round)
def get_round(round: str) -> Response:  # noqa: A002 - the name in the address
    """One round. The ETag is its version, to send back as If-Match."""
    return _answer(_row(round))


@blueprint.put("/rounds/<round>/plan")
@rule(roles=PLANNERS, scope="round")
@once.once
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(422)
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_rounds.Round)
def change(round: str) -> Response:  # noqa: A002
    """Another plan for a draft."""
    row = _row(round)
    version = conditions.expected_version()
    wish = wishes.read(_body())
    planning.change(current_session(), row, wish, version=version, actor=g.actor, now=g.now)
    return _answer(row)


@blueprint.get("/rounds/<round>/coverage")
@rule(roles=ROUND_MAKERS, scope="round")
@blueprint.also(404)
@blueprint.gives(200, schemas_rounds.Covers(many=True))
def get_coverage(round: str) -> list[Mapping[str, Any]]:  # noqa: A002
    """Who can answer what, from what hospitals said of their data."""
    session = current_session()
    found = planning.covers(session, planning.plan_of(session, _row(round)))
    return [
        {"indicator": one.indicator, "site": one.site, "can": one.can, "missing": one.missing}
        for one in found
    ]


@blueprint.get("/rounds/<round>/result")
@rule(roles=ROUND_READERS, scope="round")
@blueprint.also(404)
@blueprint.also(409, "Not released yet: nobody gets it before the agreed moment.")
@blueprint.gives(200)
def get_result(round: str) -> Response:  # noqa: A002
    """What the round found, once it is released, as you may see it.

    Own hospitals by name, the others by letter unless the round agreed to names; representatives
    and observers get the numbers of all together.
    """
    session = current_session()
    row = _row(round)
    found = reading.snapshot(session, row)
    if _inside(row):
        return jsonify(view.for_hospitals(found, own_sites(row)))
    return jsonify(view.for_patients(found))


@blueprint.post("/rounds/<round>/offer")
@rule(roles=PLANNERS, scope="round")
@once.once
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_rounds.Round)
def offer(round: str) -> Response:  # noqa: A002
    """Freeze the plan and lay it before the study's committee."""
    return _acted(round, planning.offer)


@blueprint.post("/rounds/<round>/approve")
@rule(roles={"committee"}, scope="round", fresh=True)
@once.once
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_rounds.Round)
def approve(round: str) -> Response:  # noqa: A002
    """Say yes to the frozen plan; needs a sign-in of less than ten minutes ago."""
    return _acted(round, planning.approve)


@blueprint.post("/rounds/<round>/cancel")
@rule(roles={"committee", "chair", "coordinator"}, scope="round")
@once.once
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_rounds.Round)
def cancel(round: str) -> Response:  # noqa: A002
    """Stop a round that is not released; what was answered is removed unseen."""
    return _acted(round, planning.cancel)


@blueprint.get("/rounds/<round>/actions")
@rule(roles=ROUND_MAKERS | {"board", "steward", "researcher"}, scope="round")
@blueprint.also(404)
@blueprint.gives(200)
def list_actions(round: str) -> Response:  # noqa: A002
    """What the group does about what it found."""
    session = current_session()
    row = _row(round)
    letters = letters_of(row)
    found = reading.actions(session, row)
    return jsonify([lettered(action_shown(each), letters) for each in found])


@blueprint.post("/rounds/<round>/actions")
@rule(roles=PLANNERS, scope="round")
@once.once
@blueprint.takes(schemas_rounds.Action)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201)
def add_action(form: Mapping[str, Any], round: str) -> tuple[Response, int]:  # noqa: A002
    """An action with its owner and day; with a period the hub measures again by itself.

    `site` is a hospital as the result shows it to you: its letter, unless it is your own or the
    round agreed to names.
    """
    row = _row(round)
    given = {**form, "site": site_of(row, form["site"])}
    made = discussing.add_action(current_session(), row, actor=g.actor, now=g.now, **given)
    return jsonify(lettered(action_shown(made), letters_of(row))), 201


@blueprint.post("/rounds/<round>/actions/<action>/close")
@rule(roles=PLANNERS, scope="round")
@once.once
@blueprint.says(parameters=CHANGES)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200)
def close_action(round: str, action: str) -> Response:  # noqa: A002
    """Close an open action without measuring again."""
    session = current_session()
    row = _row(round)
    found = discussing.get_action(session, row, action)
    version = conditions.expected_version()
    discussing.close_action(session, found, version=version, actor=g.actor, now=g.now)
    return jsonify(lettered(action_shown(found), letters_of(row)))


def _inside(row: EvaluationRound) -> bool:
    """Whether the actor sees hospitals' numbers: not who only represents patients or observes."""
    inside = ROUND_READERS - {"representative", "observer"}
    return may_see_round(g.actor, row, inside & g.actor.roles)


def _acted(round_id: str, act: Any) -> Response:
    row = _row(round_id)
    version = conditions.expected_version()
    act(current_session(), row, version=version, actor=g.actor, now=g.now)
    return _answer(row)


def _row(round_id: str) -> EvaluationRound:
    return reading.get(current_session(), round_id)


def _answer(row: EvaluationRound, status: int = 200) -> Response:
    response = jsonify(schemas_rounds.Round().dump(row_of(current_session(), row)))
    response.status_code = status
    response.headers["ETag"] = conditions.etag_of(row.version)
    return response


def _body() -> Mapping[str, Any]:
    return read_query(request.get_data())
