"""/api/v1/networks: who works together, on any day; and /fhir/ResearchStudy, a study in FHIR."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from flask import Response, g
from marshmallow import Schema, fields

from registry.access import INSIDE, rule
from registry.api import schemas_fhir, schemas_groups
from registry.api.etags import etagged
from registry.api.fhir import MEDIA, address, asked_version, resource_answer
from registry.api.paging import Page, page_of
from registry.api.part import Part
from registry.api.participation import COORDINATORS, of_study
from registry.api.schemas import SLUG
from registry.transaction import current_session
from studies.days import ZONE
from studies.events import announce
from studies.exchange import fhir_research
from studies.models import Network, WorkingGroup
from studies.network import groups
from studies.network.directory import NetworkView, network_at
from studies.reading import list_groups, list_networks

blueprint = Part("api-networks", __name__, description="Networks, their members and groups")


class NetworkRow(Schema):
    """A network in a list."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    region_nl = fields.String(required=True)
    region_en = fields.String(required=True)


class OnDate(Schema):
    """Of which day, and which part of the network."""

    on = fields.Date(
        load_default=None,
        allow_none=True,
        metadata={"description": "The state at the end of this day (UTC); without it, of now."},
    )
    subnetwork = fields.String(load_default=None, allow_none=True, validate=SLUG)
    without = fields.String(
        load_default=None,
        allow_none=True,
        validate=SLUG,
        metadata={"description": "Leave this institution out of the totals."},
    )


class MemberRow(Schema):
    """An institution in a network: counted once, however many subnetworks it is in."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    city = fields.String(required=True)
    agb = fields.String(required=True, allow_none=True)
    subnetworks = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    studies = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Studies by state; publicly only `open`."},
    )


class NetworkWhole(NetworkRow):
    """A network on a day."""

    at = fields.AwareDateTime(required=True)
    members = fields.List(fields.Nested(MemberRow), required=True)
    studies = fields.Integer(
        required=True,
        metadata={
            "description": "Studies that are neither declined nor closed everywhere; publicly the "
            "same as `studies_open`."
        },
    )
    studies_open = fields.Integer(required=True)
    open_places = fields.Integer(required=True)


class GroupRow(Schema):
    """A tumour working group; who sits in it is shown as hospital and discipline."""

    slug = fields.String(required=True)
    name_nl = fields.String(required=True)
    name_en = fields.String(required=True)
    tumours = fields.List(fields.String(), required=True)
    seats = fields.List(
        fields.Nested(schemas_groups.Seat),
        required=True,
    )


@blueprint.get("/networks")
@rule("public")
@blueprint.takes(Page, location="query")
@blueprint.gives(200, NetworkRow(many=True))
def get_networks(part: dict[str, Any]) -> tuple[list[Network], int, Any]:
    """All networks."""
    rows, headers = page_of(list_networks(current_session()), lambda each: each.slug, part)
    return rows, 200, headers


@blueprint.get("/networks/<network>")
@rule("public")
@etagged
@blueprint.takes(OnDate, location="query")
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, NetworkWhole)
def get_network(asked: Mapping[str, Any], network: str) -> Mapping[str, Any]:
    """A network with its members, on any day: publicly only what is open, and where."""
    at = g.now
    if asked["on"] is not None:
        at = datetime.combine(asked["on"], time(23, 59, 59), ZONE)
    without = [asked["without"]] if asked["without"] else []
    view = network_at(
        current_session(), network, at, subnetwork=asked["subnetwork"], without=without
    )
    return _shown(view)


@blueprint.get("/networks/<network>/groups")
@rule("public")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, GroupRow(many=True))
def get_groups(network: str) -> list[Mapping[str, Any]]:
    """The working groups of a network: hospitals and disciplines, no names of people."""
    session = current_session()
    network_at(session, network, g.now)
    return [_group(each) for each in list_groups(session, network)]


@blueprint.get("/fhir/ResearchStudy/<study>")
@rule(roles=COORDINATORS, scope="study")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas_fhir.FhirCollection, media=MEDIA)
def research_study(study: str) -> Response:
    """A study with its hospitals and participants (by study number) as a FHIR Bundle, R4 or R5."""
    version = asked_version()
    found = of_study(study)
    base = f"{address()}/api/v1/fhir/"
    session = current_session()
    told = fhir_research.bundle(session, found, g.now, base=base, version=version)
    announce(
        session,
        actor=g.actor,
        action="study.exported",
        about=f"study:{found.slug}",
        facts={"as": f"fhir-{version}", "participants": 1},
    )
    return resource_answer(told, version)


def _shown(view: NetworkView) -> Mapping[str, Any]:
    names = ("slug", "name", "region_nl", "region_en")
    inside = bool(g.actor.roles & INSIDE)
    return {
        **{name: getattr(view.network, name) for name in names},
        "at": view.at,
        "members": [
            {
                **{
                    name: getattr(member.institution, name)
                    for name in ("slug", "name", "kind", "city", "agb")
                },
                "subnetworks": {part.slug: role for part, role in member.parts},
                "studies": member.states if inside else {"open": member.open},
            }
            for member in view.members
        ],
        # Publicly not the total either: `without` would tell it of one hospital.
        "studies": view.studies if inside else view.studies_open,
        "studies_open": view.studies_open,
        "open_places": view.open_places,
    }


def _group(group: WorkingGroup) -> Mapping[str, Any]:
    names = ("slug", "name_nl", "name_en", "tumours")
    return {
        **{name: getattr(group, name) for name in names},
        "seats": groups.seats(group, g.now),
    }
