"""Alarms about the log of choices, for the auditor: what was found, and who has seen it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Flask, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from consent import alarms
from consent.models_trust import Alarm
from registry.access import rule
from registry.accounts.models import Account
from registry.transaction import current_session
from registry.translate import translate as _
from studies.events import announce
from studies.models import Institution

blueprint = Blueprint("auditor_alarms", __name__, url_prefix="/audit/alarms")


@dataclass(frozen=True)
class Shown:
    """An alarm in words."""

    id: str
    heading: str
    words: str
    todo: str
    hospitals: str
    facts: tuple[tuple[str, str], ...]
    raised_at: datetime
    seen_by: str | None
    seen_at: datetime | None


def init_app(app: Flask) -> None:
    """The audit log page shows how many alarms nobody has seen."""
    app.jinja_env.globals["open_alarms"] = lambda: len(
        alarms.alarms(current_session(), open_only=True)
    )


@blueprint.get("")
@rule(roles={"auditor"})
def page() -> str:
    """All alarms, unseen ones first; reading them is logged too."""
    session = current_session()
    found = alarms.alarms(session)
    announce(
        session, actor=g.actor, action="audit.read", about="alarms", facts={"alarms": len(found)}
    )
    return render_template("auditor/alarms.html", found=[_shown(each) for each in found])


@blueprint.post("/<alarm>/seen")
@rule(roles={"auditor"})
def seen(alarm: str) -> Response:
    """Say with one's name that it was seen."""
    alarms.acknowledge(current_session(), alarm, actor=g.actor, now=g.now)
    return redirect(url_for("auditor_alarms.page"), 303)


def _shown(alarm: Alarm) -> Shown:
    session = current_session()
    heading, words, todo = {
        "two_histories": (
            _("Two hospitals were told different histories"),
            _("The same number of choices, and not the same choices."),
            _(
                "Ask both hospitals for their signed confirmations. Stop the worker until it is "
                "clear who is right."
            ),
        ),
        "head_unknown": (
            _("A hospital saw a log that this hub does not have"),
            _("The hub may have been put back from an old backup, or somebody spoke in its name."),
            _("Compare with the newest backup. Ask the hospital for its signed confirmation."),
        ),
    }.get(
        alarm.kind,
        (
            _("The log of choices does not hold"),
            _("A choice, a leaf or a head was changed, or is missing."),
            _("Stop the worker, keep the database as it is and tell the network office."),
        ),
    )
    names = [session.get(Institution, site) for site in alarm.facts.get("sites", ())]
    by = None if alarm.seen_by is None else session.get(Account, alarm.seen_by)
    return Shown(
        alarm.id,
        heading,
        words,
        todo,
        ", ".join(name.name for name in names if name is not None),
        tuple(
            (name, _fact(value)) for name, value in sorted(alarm.facts.items()) if name != "sites"
        ),
        alarm.raised_at,
        alarm.seen_by if by is None else by.display_name,
        alarm.seen_at,
    )


def _fact(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
