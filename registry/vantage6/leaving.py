"""A hospital leaves: its node and its key end, and its organisation is no longer in the
collaboration. The organisation itself stays on the server: others may use it too."""

from __future__ import annotations

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Vantage6Error
from registry.database import SessionFactory
from registry.settings import Vantage6Settings
from registry.transaction import reading, unit_of_work
from registry.vantage6.hub_user import SetUpError
from registry.vantage6.models import Vantage6Site
from studies.actor import Actor
from studies.events import announce

GONE = 404


def remove(
    server: Vantage6Client, chosen: Vantage6Settings, factory: SessionFactory, slug: str, by: Actor
) -> None:
    """Take `slug` off the server and out of our record. May be run again after a failure: what is
    gone already is no error. Raises SetUpError NOT_SET_UP for a hospital without a place."""
    with reading(factory) as session:
        row = session.get(Vantage6Site, slug)
        if row is None or row.server != chosen.url:
            raise SetUpError(
                "NOT_SET_UP",
                f"'{slug}' has no place on the vantage6 server {chosen.url}. See the names with: "
                "oncokring network sites",
            )
        node, organization, collaboration = row.node, row.organization, row.collaboration
    try:
        server.delete(f"node/{node}")
    except Vantage6Error as error:
        if error.status != GONE:
            raise
    members = server.list("organization", collaboration_id=collaboration)
    left = [member["id"] for member in members if member["id"] != organization]
    if len(left) < len(members):
        server.patch(f"collaboration/{collaboration}", {"organization_ids": left})
    with unit_of_work(factory, by) as session:
        session.delete(session.get_one(Vantage6Site, slug))
        session.flush()
        announce(
            session,
            actor=by,
            action="site.vantage6_removed",
            about=f"institution:{slug}",
            facts={"organization": organization, "node": node},
        )
