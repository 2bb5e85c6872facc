"""The hospitals of the network as pages show them: names, cities, and whether they answer now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.pictures.canvas import PHONE, Shape
from registry.pictures.network import Hospital, network
from registry.site_links import BELIEVED, SiteLink
from registry.translate import translate as _
from registry.translate import translate_count
from studies.models import Institution, Membership, SiteNode

#: An idle site is heard every 5 minutes, with a new consent list; after an hour it counts nobody.
SILENT_AFTER = timedelta(minutes=60)
#: The drawing beside the words of the start page.
HERO = Shape("wide", 560, 14.5)


@dataclass(frozen=True)
class Connection:
    """One hospital. `state` is up (it can be reached now), down, or unknown (no site program yet).

    `since`: how long it has been in that state, when the engine knows; `last_seen`: the last
    message with the hospital's own signature; `looked`: whether the worker looked just now.
    """

    slug: str
    name: str
    city: str
    phone: str
    state: str
    last_seen: datetime | None
    engine: str = ""
    since: datetime | None = None
    version: str = ""
    looked: bool = False

    @property
    def up(self) -> bool:
        return self.state == "up"


def hospitals_of_network(session: Session, now: datetime) -> list[Connection]:
    """All present members of the networks, by name."""
    rows = session.execute(
        select(Institution, SiteNode, SiteLink)
        .join(Membership, Membership.institution == Institution.slug)
        .outerjoin(SiteNode, SiteNode.institution == Institution.slug)
        .outerjoin(SiteLink, SiteLink.institution == Institution.slug)
        .where((Membership.until.is_(None)) | (Membership.until > now))
    )
    found = {place.slug: _connection(place, node, link, now) for place, node, link in rows}
    return sorted(found.values(), key=lambda each: each.name.casefold())


def connection_of(session: Session, slug: str, now: datetime) -> Connection | None:
    """One hospital by slug."""
    return connections_of(session, [slug], now).get(slug)


def connections_of(
    session: Session, slugs: Collection[str], now: datetime
) -> dict[str, Connection]:
    """The named hospitals that exist, by slug."""
    rows = session.execute(
        select(Institution, SiteNode, SiteLink)
        .outerjoin(SiteNode, SiteNode.institution == Institution.slug)
        .outerjoin(SiteLink, SiteLink.institution == Institution.slug)
        .where(Institution.slug.in_(slugs))
    )
    return {place.slug: _connection(place, node, link, now) for place, node, link in rows}


def _connection(
    place: Institution, node: SiteNode | None, link: SiteLink | None, now: datetime
) -> Connection:
    if node is None:
        return Connection(place.slug, place.name, place.city, place.phone, "unknown", None)
    heard = None if link is None else link.heard_at
    seen = max((at for at in (node.last_seen, heard) if at is not None), default=None)
    looked = link is not None and now - link.looked_at <= BELIEVED
    state, since = _state(link if looked else None, seen, now)
    return Connection(
        place.slug,
        place.name,
        place.city,
        place.phone,
        state,
        seen,
        engine=link.engine if link is not None else node.engine,
        since=since,
        version=(link.version if link is not None else "") or node.software,
        looked=looked,
    )


def _state(
    link: SiteLink | None, seen: datetime | None, now: datetime
) -> tuple[str, datetime | None]:
    """What counts: the engine's fresh word; a message of the last hour when it has none.

    A node that only polls is never online for a vantage6 server, though it answers: a message that
    came after the engine called it away says more.
    """
    if link is not None and link.state == "up":
        return "up", link.since
    heard = seen is not None and now - seen <= SILENT_AFTER
    if link is not None and link.state == "down":
        if heard and seen is not None and seen > link.since:
            return "up", None
        return "down", link.since
    if seen is None:
        return "unknown", None
    return ("up" if heard else "down"), None


def state_words(state: str) -> str:
    """The state of a connection in words."""
    return {
        "up": _("reachable"),
        "down": _("not reachable"),
        "unknown": _("not connected yet"),
    }[state]


def engine_words(engine: str) -> str:
    """How messages reach a hospital, in words."""
    return {
        "embedded": _("on the hub’s own machine"),
        "vantage6": _("through vantage6"),
    }.get(engine, "–")


def network_drawings(hospitals: Sequence[Connection]) -> Markup:
    """The schematic map, wide and for the phone; empty without hospitals."""
    if not hospitals:
        return Markup("")
    up = sum(each.state == "up" for each in hospitals)
    title = translate_count(
        "The network: %(count)s hospital", "The network: %(count)s hospitals", len(hospitals)
    )
    description = _("%(up)s of them can be reached now. The list on this page says which.", up=up)
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
