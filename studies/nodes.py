"""Commands: accept a hospital's program by its public keys and keep what it says about itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Institution, SiteNode


def enrol_node(
    session: Session,
    *,
    institution: str,
    sign_pub: str,
    box_pub: str,
    engine: str,
    actor: Actor,
    now: datetime,
) -> SiteNode:
    """Accept the public keys of an institution's program, in place of earlier ones.

    Raises StudiesError `not_found`.
    """
    if session.get(Institution, institution) is None:
        raise StudiesError("not_found")
    node = session.get(SiteNode, institution)
    if node is None:
        node = SiteNode(institution=institution)
        session.add(node)
    node.sign_pub, node.box_pub, node.engine, node.enrolled_at = sign_pub, box_pub, engine, now
    session.flush()
    announce(
        session,
        actor=actor,
        action="site.enrolled",
        about=f"institution:{institution}",
        facts={"sign_pub": sign_pub, "box_pub": box_pub, "engine": engine},
    )
    return node


def note_node(
    session: Session,
    node: SiteNode,
    *,
    terms: Mapping[str, Any],
    policy_sha256: str,
    software: str,
    actor: Actor,
    now: datetime,
    form_id: str | None = None,
) -> SiteNode:
    """Keep what a site's program said about its policy and itself; announced when it differs.

    `form_id`: the form by which the board allows results of this institution alone.
    """
    told = (dict(terms), policy_sha256, software, form_id)
    changed = told != (node.terms, node.policy_sha256, node.software, node.form_id)
    node.terms, node.policy_sha256, node.software, node.form_id = told
    node.last_seen = now
    session.flush()
    announce(
        session,
        actor=actor,
        action="site.policy_changed" if changed else "site.seen",
        about=f"institution:{node.institution}",
        facts={"policy": policy_sha256, "software": software, "form": form_id},
    )
    return node
