"""``/health/live`` and ``/health/ready``: for the machine that watches the hub, not for people.

Live says that the process answers. Ready says that the database takes a write, that its schema is
the code's, and that the disk has room; to everybody just ok or not, the reasons go to the log.
"""

from __future__ import annotations

import logging
import shutil
from datetime import datetime

from flask import Blueprint, Response, g, json
from sqlalchemy import String
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from migrations import run as migrations
from registry.access import rule
from registry.database import SessionFactory, engine_of
from registry.settings import Settings
from studies.base import Base, UtcTime

log = logging.getLogger("oncokring.health")
blueprint = Blueprint("health", __name__)
MIN_FREE_BYTES = 1_000_000_000


class Heartbeat(Base):
    """The last time a named part of the hub showed that it works."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


def beat(factory: SessionFactory, name: str, now: datetime) -> None:
    """Write the heartbeat of ``name``; fails when the database does not take a write."""
    with factory() as session:
        session.merge(Heartbeat(name=name, at=now))
        session.commit()


def troubles(settings: Settings, factory: SessionFactory, now: datetime) -> list[str]:
    """Short words for everything that keeps the hub from working; empty when it is ready."""
    found = []
    try:
        beat(factory, "ready", now)
        if not migrations.at_head(engine_of(factory)):
            found.append("schema")
    except SQLAlchemyError:
        found.append("database")
    try:
        if shutil.disk_usage(settings.data).free < MIN_FREE_BYTES:
            found.append("disk")
    except OSError:
        found.append("data directory")
    return found


@blueprint.get("/health/live")
@rule("public")
def live() -> Response:
    """The process answers."""
    return Response(json.dumps({"status": "ok"}), mimetype="application/json")


@blueprint.get("/health/ready")
@rule("public")
def ready() -> Response:
    """The hub can do its work; 503 when not."""
    from registry.app import hub

    found = troubles(hub().settings, hub().factory, g.now)
    if found:
        log.error("not ready: %s", ", ".join(found))
    return Response(
        json.dumps({"status": "not ok" if found else "ok"}),
        status=503 if found else 200,
        mimetype="application/json",
    )
