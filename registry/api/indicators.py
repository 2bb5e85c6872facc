"""/api/v1/indicators: definitions of indicators, and the levels that working groups agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import NotFound

from federation.indicators import owning
from federation.indicators.catalogue import needs, shipped
from federation.indicators.definition import Indicator
from registry.access import PROFESSIONAL, rule
from registry.api.etags import etagged
from registry.api.paging import Page, page_of
from registry.api.part import Part
from registry.transaction import current_session
from studies.days import local_day
from studies.models import WorkingGroup
from studies.network.groups import find_group

blueprint = Part("api-indicators", __name__, description="Indicators and their targets")

_KEY = validate.Regexp(r"^[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}$")


class OfGroup(Schema):
    """Whose indicators."""

    group = fields.String(
        load_default=None,
        allow_none=True,
        validate=_KEY,
        metadata={
            "description": "As this working group uses them, written network.group; without it, as "
            "they came with the program."
        },
    )


class PagedOfGroup(Page, OfGroup):
    """Whose indicators, and which page of them."""


class IndicatorRow(Schema):
    """One indicator: its definition, its fingerprint and the target of today."""

    id = fields.String(required=True)
    version = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    owner = fields.String(required=True, allow_none=True)
    measure = fields.String(required=True)
    definition = fields.Dict(
        required=True,
        metadata={"description": "As in docs/reference/indicators.md; the group's targets first."},
    )
    target = fields.Dict(
        required=True, allow_none=True, metadata={"description": "The one that holds today."}
    )
    needs = fields.List(fields.String(), required=True)


class TargetRow(Schema):
    """A target that the group set; nothing is ever taken away."""

    number = fields.Integer(required=True)
    target = fields.Dict(required=True)
    why = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    by_name = fields.String(required=True)


class VersionRow(Schema):
    """A definition of the group's own."""

    version = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    definition = fields.Dict(required=True)
    why = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    by_name = fields.String(required=True)


class IndicatorWhole(IndicatorRow):
    """An indicator with what the group ever set."""

    targets = fields.List(fields.Nested(TargetRow), required=True)
    versions = fields.List(fields.Nested(VersionRow), required=True)


@blueprint.get("/indicators")
@rule(roles=PROFESSIONAL)
@blueprint.takes(PagedOfGroup, location="query")
@blueprint.also(404)
@blueprint.gives(200, IndicatorRow(many=True))
def get_indicators(asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int, Any]:
    """All indicators, by id."""
    group = _group(asked.pop("group"))
    used = shipped() if group is None else owning.all_of_group(current_session(), group)
    rows, headers = page_of([_row(each) for each in used.values()], lambda row: row["id"], asked)
    return rows, 200, headers


@blueprint.get("/indicators/<indicator>")
@rule(roles=PROFESSIONAL)
@etagged
@blueprint.takes(OfGroup, location="query")
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, IndicatorWhole)
def get_indicator(asked: Mapping[str, Any], indicator: str) -> Mapping[str, Any]:
    """One indicator; of a group with all targets and definitions that it ever set."""
    session, group = current_session(), _group(asked["group"])
    if group is None:
        used = shipped().get(indicator)
        if used is None:
            raise NotFound
        return {**_row(used), "targets": [], "versions": []}
    used = owning.of_group(session, group, indicator)
    if used is None:
        raise NotFound
    return {
        **_row(used),
        "targets": owning.target_rows(session, group, indicator),
        "versions": owning.version_rows(session, group, indicator),
    }


def _group(key: str | None) -> WorkingGroup | None:
    if key is None:
        return None
    found = find_group(current_session(), key)
    if found is None:
        raise NotFound
    return found


def _row(used: Indicator) -> dict[str, Any]:
    target = used.target(local_day(g.now).isoformat())
    return {
        "id": used.id,
        "version": used.version,
        "sha256": used.sha256,
        "owner": used.owner,
        "measure": used.measure,
        "definition": used.to_dict(),
        "target": None if target is None else target.to_dict(),
        "needs": needs(used),
    }
