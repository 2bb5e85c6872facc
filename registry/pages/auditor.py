"""The audit log for the auditor: who did what, when, and whether the chain holds."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from sqlalchemy import select

from registry import audit
from registry.access import rule
from registry.audit import AuditLine
from registry.pages.shell import whole
from registry.transaction import current_session
from studies.events import announce

blueprint = Blueprint("auditor", __name__, url_prefix="/audit")

PER_PAGE = 50


@blueprint.get("")
@rule(roles={"auditor"})
def log() -> str:
    """The newest lines, or those of one person, action or object; reading it is logged too."""
    session = current_session()
    asked = {
        name: request.args.get(name, "").strip()[:200] for name in ("actor", "action", "about")
    }
    wanted = select(AuditLine).order_by(AuditLine.seq.desc()).limit(PER_PAGE + 1)
    before = whole(request.args.get("before", ""))
    if before is not None:
        wanted = wanted.where(AuditLine.seq < before)
    if asked["actor"]:
        wanted = wanted.where(
            (AuditLine.actor_id == asked["actor"]) | (AuditLine.actor_name == asked["actor"])
        )
    if asked["action"]:
        wanted = wanted.where(AuditLine.action.startswith(asked["action"], autoescape=True))
    if asked["about"]:
        wanted = wanted.where(AuditLine.about.startswith(asked["about"], autoescape=True))
    lines = list(session.scalars(wanted))
    announce(
        session, actor=g.actor, action="audit.read", about="audit", facts={"lines": len(lines)}
    )
    return render_template(
        "auditor/log.html",
        lines=lines[:PER_PAGE],
        more=lines[PER_PAGE - 1].seq if len(lines) > PER_PAGE else None,
        asked=asked,
        checked=audit.verify(session) if request.args.get("verify") == "1" else None,
        head=audit.head(session),
    )
