"""The hospitals of the network as pages show them: names, cities, and whether they answer now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.pictures.canvas import PHONE, Shape
from registry.pictures.network import Hospital, network
from registry.translate import translate as _
from registry.translate import translate_count
from studies.models import Institution, Membership, SiteNode

#: An idle site is heard every 40 minutes, with a new consent list; after an hour it counts nobody.
SILENT_AFTER = timedelta(minutes=60)
#: The drawing beside the words of the start page.
HERO = Shape("wide", 560, 14.5)


@dataclass(frozen=True)
class Connection:
    """One hospital. `state` is up, down (silent too long) or unknown (no site program yet)."""

    slug: str
    name: str
    city: str
    phone: str
    state: str
    last_seen: datetime | None


def hospitals_of_network(session: Session, now: datetime) -> list[Connection]:
    """All present members of the networks, by name."""
    rows = session.execute(
        select(Institution, SiteNode)
        .join(Membership, Membership.institution == Institution.slug)
        .outerjoin(SiteNode, SiteNode.institution == Institution.slug)
        .where((Membership.until.is_(None)) | (Membership.until > now))
    )
    found = {place.slug: _connection(place, node, now) for place, node in rows}
    return sorted(found.values(), key=lambda each: each.name.casefold())


def connection_of(session: Session, slug: str, now: datetime) -> Connection | None:
    """One hospital by slug."""
    place = session.get(Institution, slug)
    if place is None:
        return None
    return _connection(place, session.get(SiteNode, slug), now)


def _connection(place: Institution, node: SiteNode | None, now: datetime) -> Connection:
    seen = node.last_seen if node is not None else None
    state = "unknown"
    if seen is not None:
        state = "up" if now - seen <= SILENT_AFTER else "down"
    return Connection(place.slug, place.name, place.city, place.phone, state, seen)


def state_words(state: str) -> str:
    """The state of a connection in words."""
    return {
        "up": _("connected"),
        "down": _("silent"),
        "unknown": _("not connected yet"),
    }[state]


def network_drawings(hospitals: Sequence[Connection]) -> Markup:
    """The schematic map, wide and for the phone; empty without hospitals."""
    if not hospitals:
        return Markup("")
    up = sum(each.state == "up" for each in hospitals)
    title = translate_count(
        "The network: %(count)s hospital", "The network: %(count)s hospitals", len(hospitals)
    )
    description = _("%(up)s of them are connected now. The list on this page says which.", up=up)
    marks = [Hospital(short_name(each.name), each.state) for each in hospitals]
    # network() escapes every word itself.
    return Markup(  # noqa: S704
        "".join(
            network(marks, title=title, description=description, shape=shape)
            for shape in (HERO, PHONE)
        )
    )


def short_name(name: str) -> str:
    """The part of a hospital's name that tells it apart, for a label in the picture."""
    for word in (" Ziekenhuis", " Medisch Centrum", " Ziekenhuizen"):
        name = name.removesuffix(word)
    return name
