"""Whether each hospital can be reached, as the worker saw it last: for the pages, which have no
engine of their own.

Nothing is decided by it. It says what the engine says, and when the last message came that carries
the hospital's own signature; no number about patients is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from federation.engines.interface import Engine, Reply, SiteStatus
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_ACK, TYP_REPLY, verify
from federation.runs.driver import HUB
from registry.database import SessionFactory
from studies.base import Base, UtcTime
from studies.models import SiteNode

#: How often the worker looks, and how old a look may be for a page to believe it.
LOOK_EVERY = timedelta(seconds=15)
BELIEVED = timedelta(seconds=90)
MAX_VERSION = 80


class SiteLink(Base):
    """A hospital's link at the worker's last look. `since`: in this state; `heard_at`: the last
    message with the hospital's own signature; `version`: of its program, as it last said."""

    __tablename__ = "site_link"
    __table_args__ = (CheckConstraint("state IN ('up', 'down', 'unknown')", name="state_known"),)

    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    engine: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))
    since: Mapped[datetime] = mapped_column(UtcTime)
    looked_at: Mapped[datetime] = mapped_column(UtcTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[str] = mapped_column(String(80), default="")


class ListeningEngine:
    """An engine that remembers, per hospital, the last bytes that came from it."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._heard: dict[str, bytes] = {}

    def send(self, site: str, message: bytes) -> str:
        return self._inner.send(site, message)

    def replies(self, timeout: float) -> list[Reply]:
        replies = self._inner.replies(timeout)
        self._heard.update({r.site: r.body for r in replies if r.body is not None})
        return replies

    def cancel(self, handle: str) -> None:
        self._inner.cancel(handle)

    def status(self, site: str) -> SiteStatus:
        return self._inner.status(site)

    def close(self) -> None:
        self._inner.close()

    def take_heard(self) -> dict[str, bytes]:
        """What came since the last call, the newest per hospital."""
        heard, self._heard = self._heard, {}
        return heard


@dataclass(frozen=True)
class _Heard:
    version: str


def look(factory: SessionFactory, engine: ListeningEngine, name: str, now: datetime) -> None:
    """Keep what the engine called `name` says of every accepted hospital at this moment.

    No call to the engine is made inside a transaction.
    """
    with factory() as session:
        keys = {node.institution: node.sign_pub for node in session.scalars(select(SiteNode))}
    heard = {
        site: told
        for site, body in engine.take_heard().items()
        if site in keys and (told := _signed_by(site, keys[site], body, now)) is not None
    }
    found = {site: engine.status(site) for site in sorted(keys)}
    with factory() as session:
        _keep(session, name, found, heard, now)
        session.commit()


def _keep(
    session: Session,
    name: str,
    found: Mapping[str, SiteStatus],
    heard: Mapping[str, _Heard],
    now: datetime,
) -> None:
    links = {link.institution: link for link in session.scalars(select(SiteLink))}
    for site, status in found.items():
        link = links.get(site)
        if link is None:
            link = SiteLink(institution=site, version="")
            session.add(link)
        link.engine, link.state, link.looked_at = name, status.state, now
        link.since = min(status.since, now)
        if site in heard:
            link.heard_at = now
            link.version = heard[site].version or link.version


def _signed_by(site: str, key: str, body: bytes, now: datetime) -> _Heard | None:
    """What a message says of the program that made it; None unless the hospital signed it."""
    for typ in (TYP_ACK, TYP_REPLY):
        try:
            claims = verify(typ, body, {key_id(key): key}.get, audience=HUB, now=now)
        except ProtocolError:
            continue
        if claims.get("iss") == site:
            return _Heard(_version(claims))
    return None


def _version(claims: Mapping[str, Any]) -> str:
    said = claims.get("software")
    return said if isinstance(said, str) and len(said) <= MAX_VERSION else ""
