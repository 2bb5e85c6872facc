"""/api/v1/studies/<study>/participants: who is in a study, by study number only.

No name, date of birth or hospital number is taken here; nobody comes in before they agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from flask import Response, current_app, g, jsonify, url_for
from flask_smorest import abort  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import joining
from registry import letters_tried
from registry.access import rule
from registry.accounts.models import Account
from registry.accounts.service import roles_of
from registry.api import conditions, once, schemas_studies
from registry.api.paging import Page, page
from registry.api.part import Part
from registry.api.participation import COORDINATORS
from registry.transaction import current_session
from studies.errors import StudiesError
from studies.participants import entering as participants
from studies.participants.models import Participant
from studies.reading import get_study

blueprint = Part("api-participants", __name__, description="Participants by study number")
ONE = schemas_studies.Participant()
CHANGE = [conditions.PARAMETER, once.PARAMETER]


@blueprint.get("/studies/<study>/participants")
@rule(roles=COORDINATORS, scope="study")
@blueprint.takes(Page, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.Participant(many=True))
def list_participants(part: dict[str, Any], study: str) -> tuple[list[Participant], int, Any]:
    """The participants of a study; those entered wrongly are left out."""
    session = current_session()
    get_study(session, study)
    wanted = select(Participant).where(
        Participant.study == study, Participant.entered_wrongly.is_(False)
    )
    rows, headers = page(session, wanted, Participant.pseudonym, part)
    return rows, 200, headers


@blueprint.post("/studies/<study>/participants")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Entry)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_studies.Participant)
def enter(form: Mapping[str, Any], study: str) -> Response:
    """Enter a participant who agreed: by the number of the letter, or by a signed form."""
    letter, paper = form["letter"], form["form"]
    if (letter is None) == (paper is None):
        abort(422, messages={"json": {"letter": ["Give either a letter or a form."]}})
    session = current_session()
    if paper:
        _check_checker(session, paper["checked_by"], study, form["site"])
    shown = joining.Letter(**letter) if letter else joining.SignedForm(**paper)
    with letters_tried.counted(study) if letter else nullcontext():
        made = joining.enter(
            session,
            study,
            form["site"],
            form["pseudonym"],
            shown,
            actor=g.actor,
            now=g.now,
            **{name: form[name] for name in ("state", "at", "reason")},
        )
    response = _one(made, 201)
    response.headers["Location"] = url_for(
        "api-participants.get_participant", study=study, pseudonym=made.pseudonym
    )
    return response


@blueprint.get("/studies/<study>/participants/<pseudonym>")
@rule(roles=COORDINATORS, scope="study")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.Participant)
def get_participant(study: str, pseudonym: str) -> Response:
    """One participant. The ETag is its version, to send back as If-Match."""
    return _one(participants.get_participant(current_session(), study, pseudonym))


@blueprint.post("/studies/<study>/participants/<pseudonym>/moves")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.ParticipantMove)
@blueprint.says(parameters=CHANGE)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_studies.Participant)
def move(form: Mapping[str, Any], study: str, pseudonym: str) -> Response:
    """Take a participant to the next state; refused when they no longer agree."""
    session = current_session()
    found = participants.get_participant(session, study, pseudonym)
    return _one(joining.move(session, found, form["to"], **_change(form)))


@blueprint.post("/studies/<study>/participants/<pseudonym>/milestones")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Reached)
@blueprint.says(parameters=CHANGE)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_studies.Participant)
def reach(form: Mapping[str, Any], study: str, pseudonym: str) -> Response:
    """Write down a milestone; once reached it stays."""
    session = current_session()
    found = participants.get_participant(session, study, pseudonym)
    return _one(joining.reach(session, found, form["milestone"], **_change(form)))


@blueprint.post("/studies/<study>/participants/<pseudonym>/departure")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Leaving)
@blueprint.says(parameters=CHANGE)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_studies.Left)
def leave(form: Mapping[str, Any], study: str, pseudonym: str) -> Response:
    """Write down how a participant leaves; a stop of the use of data goes to every hospital."""
    session = current_session()
    found = participants.get_participant(session, study, pseudonym)
    left = joining.leave(session, found, form["way"], **_change(form))
    shown = {**ONE.dump(left.participant), "sites": left.sites, "unreached": left.unreached}
    response = jsonify(shown)
    response.headers["ETag"] = conditions.etag_of(left.participant.version)
    return response


def _check_checker(session: Session, account: str | None, study: str, site: str) -> None:
    """Raise StudiesError `unknown_checker` unless who looked at the form works here: somebody with
    an account that can be used now, and a role in this study or at this hospital."""
    if account is None or account == g.actor.id:
        return
    found = session.get(Account, account)
    held = roles_of(found, g.now) if found is not None and found.usable(g.now) else frozenset()
    if not any(
        role.endswith((f"@study:{study}", f"@site:{site}")) or role == "coordinator@network"
        for role in held
    ):
        raise StudiesError("unknown_checker")


def _change(form: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "actor": g.actor,
        "now": g.now,
        "at": form["at"],
        "reason": form["reason"],
        "expected": conditions.expected_version(),
    }


def _one(participant: Participant, status: int = 200) -> Response:
    response = jsonify(ONE.dump(participant))
    response.status_code = status
    response.headers["ETag"] = conditions.etag_of(participant.version)
    return current_app.make_response(response)
