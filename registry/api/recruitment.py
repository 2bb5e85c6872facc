"""/api/v1/studies/<study>/…: recruitment, start-up, the screening log and the CONSORT flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date
from typing import Any

from flask import Response, current_app, g, jsonify

from registry.access import rule
from registry.api import conditions, once, schemas_studies
from registry.api.etags import etagged
from registry.api.part import Part
from registry.api.participation import COORDINATORS, of_study
from registry.transaction import current_session
from studies.recruitment import accrual, consort, screening, start_up
from studies.recruitment.screening import Month

blueprint = Part("api-recruitment", __name__, description="Recruitment of studies")
MONTH = schemas_studies.ScreeningMonth()


@blueprint.get("/studies/<study>/accrual")
@rule(roles=COORDINATORS, scope="study")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200)
def get_accrual(study: str) -> Response:
    """Plan and actual recruitment, per hospital too, with the forecast and its 80% interval."""
    return jsonify(_plain(accrual.accrual(current_session(), of_study(study), g.now)))


@blueprint.get("/studies/<study>/start-up")
@rule(roles=COORDINATORS, scope="study")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200)
def get_start_up(study: str) -> Response:
    """Days per step and hospital before it opened, and the open days lost."""
    return jsonify(_plain(start_up.delays(current_session(), of_study(study), g.now)))


@blueprint.get("/studies/<study>/consort")
@rule(roles=COORDINATORS, scope="study")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200)
def get_consort(study: str) -> Response:
    """The boxes of the CONSORT diagram, as sums of the screening log and the arms."""
    flow = consort.flow(current_session(), of_study(study), g.now)
    boxes = ("screened", "excluded", "registered", "not_registered")
    reasons = [{"stage": stage, "n": n, "reasons": dict(given)} for stage, n, given in flow.reasons]
    shown = {**_plain(flow), **{box: getattr(flow, box) for box in boxes}, "reasons": reasons}
    return jsonify(shown)


@blueprint.get("/studies/<study>/screening")
@rule(roles=COORDINATORS, scope="study")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.Screening)
def get_screening(study: str) -> Mapping[str, Any]:
    """The newest counts of every hospital and month, and what they add up to."""
    found = screening.counts(current_session(), of_study(study).slug, g.now)
    missing = [{"site": site, "month": month} for site, month in found.missing]
    return {
        "study": found.study,
        "months": [_month(one) for one in found.months],
        "total": found.total,
        "missing": missing,
    }


@blueprint.get("/studies/<study>/sites/<site>/screening/<month>")
@rule(roles=COORDINATORS, scope="study")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.ScreeningMonth)
def get_month(study: str, site: str, month: str) -> Response:
    """A month of a hospital. The ETag is its version; a month without counts is 404, version 0."""
    found = screening.current(current_session(), study, site, month)
    return _of_version(found) if found else current_app.aborter(404)


@blueprint.put("/studies/<study>/sites/<site>/screening/<month>")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Counts)
@blueprint.says(parameters=[conditions.PARAMETER, once.PARAMETER])
@blueprint.also(404)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, 'If-Match is missing; it is "v0" for the first counts.')
@blueprint.gives(200, schemas_studies.ScreeningMonth)
def put_month(form: Mapping[str, Any], study: str, site: str, month: str) -> Response:
    """Write down the counts of a month; `counts_differ` names what does not add up."""
    expected = conditions.expected_version()
    session = current_session()
    made = screening.record(
        session,
        of_study(study),
        site,
        month,
        screening.read(form),
        actor=g.actor,
        now=g.now,
        expected=expected,
    )
    return _of_version(made)


def _of_version(month: Month) -> Response:
    response = jsonify(MONTH.dump(_month(month)))
    response.headers["ETag"] = conditions.etag_of(month.version)
    return response


def _month(one: Month) -> Mapping[str, Any]:
    names = ("month", "version", "recorded_at")
    return {
        "site": one.institution,
        "counts": one.counts,
        **{name: getattr(one, name) for name in names},
    }


def _plain(value: Any) -> Any:
    """Read models as JSON: days as 2026-11-23, pairs as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
