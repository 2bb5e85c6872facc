"""/api/v1/fhir/Subscription: a hospital's own system asks what happened to choices since last time.

FHIR R5 only. Nothing is pushed: the hub never opens a connection to an address that somebody gave
it (docs/adr/0045-the-hospital-tells-of-each-yes.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, request
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from consent import fhir_events as events
from consent.fhir_codes import Json, instant
from registry import access
from registry.access import rule
from registry.api import schemas_fhir as schemas
from registry.api.fhir import MEDIA, address, asked_version, resource_answer
from registry.api.part import Part
from registry.transaction import current_session
from studies.events import announce
from studies.models import Institution

blueprint = Part("api-fhir-events", __name__, description="What happened to choices, FHIR R5")
READERS = ("steward",)
VERSION = "5.0"


@blueprint.get(f"/fhir/SubscriptionTopic/{events.TOPIC}")
@rule("public")
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirResource, media=MEDIA)
def get_topic() -> Response:
    """What a hospital's system can hear of, as a SubscriptionTopic."""
    asked_version()
    return resource_answer(events.topic(_base()), VERSION)


@blueprint.get("/fhir/Subscription")
@rule(roles=READERS, scope="subject")
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirBundle, media=MEDIA)
def search_subscriptions() -> Response:
    """The subscriptions of the hospitals whose system asks: one each, there without being made."""
    asked_version()
    session = current_session()
    found = session.execute(
        select(Institution.slug, Institution.name)
        .where(Institution.slug.in_(_sites()))
        .order_by(Institution.slug)
    )
    return _searchset([events.subscription(_base(), slug, name) for slug, name in found])


@blueprint.get("/fhir/Subscription/<site>")
@rule(roles=READERS, scope="subject")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirResource, media=MEDIA)
def get_subscription(site: str) -> Response:
    """The subscription of one hospital, by its short name."""
    asked_version()
    name = current_session().get_one(Institution, _own(site)).name
    return resource_answer(events.subscription(_base(), site, name), VERSION)


@blueprint.get("/fhir/Subscription/<site>/$status")
@rule(roles=READERS, scope="subject")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirBundle, media=MEDIA)
def subscription_status(site: str) -> Response:
    """How many events there were at this hospital."""
    asked_version()
    total = events.count(current_session(), _own(site))
    return _searchset([events.status(_base(), site, total, None)])


@blueprint.get("/fhir/Subscription/<site>/$events")
@rule(roles=READERS, scope="subject")
@blueprint.takes(schemas.FhirEvents, location="query")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirCollection, media=MEDIA)
def subscription_events(asked: Mapping[str, Any], site: str) -> Response:
    """The events since a number, at most a hundred, of the last thirty days.

    Each names the Consent of an act and the computed one of its study, to be read one by one; with
    `content=empty` they are only counted.
    """
    asked_version()
    session = current_session()
    first = asked.get("eventsSinceNumber", 1)
    last = asked.get("eventsUntilNumber", first + events.AT_ONCE - 1)
    total = events.count(session, _own(site))
    happened = events.since(session, site, first, last, g.now)
    announce(session, actor=g.actor, action="consent.events_read", about=f"institution:{site}")
    told = [] if asked["content"] == "empty" else happened
    return resource_answer(
        {
            "resourceType": "Bundle",
            "type": "subscription-notification",
            "timestamp": instant(g.now),
            "entry": [{"resource": events.status(_base(), site, total, told)}],
        },
        VERSION,
    )


def _own(site: str) -> str:
    """The hospital, when its system asks; NotFound otherwise."""
    if site not in _sites():
        raise NotFound
    return site


def _sites() -> frozenset[str]:
    return access.reach(g.actor, "steward", "site") or frozenset()


def _base() -> str:
    return f"{address()}/api/v1/fhir"


def _searchset(found: list[Json]) -> Response:
    return resource_answer(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "link": [{"relation": "self", "url": request.url}],
            "entry": [{"resource": one, "search": {"mode": "match"}} for one in found],
        },
        VERSION,
    )
