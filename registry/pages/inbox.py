"""The coordinator's inbox: what waits in their studies, and whether a mail tells of it each day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from registry.access import reach, rule
from registry.app import hub
from registry.mail.models import Mail, MailAddress
from registry.mail.server import is_address
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import day, language
from registry.translate import translate as _
from registry.waiting import all_waiting
from studies.events import announce
from studies.reminder_words import KINDS
from studies.reminders import Reminder, settle

blueprint = Blueprint("inbox", __name__, url_prefix="/inbox")
PER_PAGE = 50
LONGEST = 64
Answer = Response | str | tuple[str, int]


@dataclass(frozen=True)
class Listed:
    """One page of what waits."""

    lines: tuple[Reminder, ...]
    total: int
    page: int
    pages: int


@blueprint.get("")
@rule(roles={"coordinator"})
def page() -> str:
    """What waits, the longest overdue first."""
    return _page({}, {})


@blueprint.post("/done")
@rule(roles={"coordinator"})
def done() -> Answer:
    """Say that something was seen to which no record shows, such as a notice to CTIS."""
    key = request.form.get("key", "")
    # Only what waits in one's own studies: somebody else's key is as absent.
    if not any(each.key == key and each.kind.settle for each in _mine()):
        raise NotFound
    settle(current_session(), key, actor=g.actor, now=g.now)
    return redirect(url_for("inbox.page", done=1), 303)


@blueprint.post("/mail")
@rule(roles={"coordinator"})
def mail() -> Answer:
    """Where the daily mail goes; an empty field turns it off."""
    address = request.form.get("address", "").strip()
    if address and not is_address(address):
        return _page(request.form, {"address": _("Type one mail address, such as a@b.nl")}), 422
    session = current_session()
    row = session.get(MailAddress, g.actor.id)
    if not address and row is not None:
        session.delete(row)
    elif address and row is None:
        session.add(
            MailAddress(account_id=g.actor.id, address=address, language=language(), set_at=g.now)
        )
    elif row is not None:
        row.address, row.language, row.set_at = address, language(), g.now
    announce(
        session,
        actor=g.actor,
        action="account.mail_set",
        about=f"account:{g.actor.id}",
        facts={"daily": int(bool(address))},
    )
    return redirect(url_for("inbox.page", mail=1), 303)


def _mine() -> tuple[Reminder, ...]:
    return all_waiting(current_session(), reach(g.actor, "coordinator", "study"), g.now)


def _page(typed: Any, errors: dict[str, str]) -> str:
    found = _mine()
    kind, study = (request.args.get(name, "")[:LONGEST] for name in ("kind", "study"))
    kind = kind if kind in KINDS else ""
    chosen = [each for each in found if kind in ("", each.code) and study in ("", each.study)]
    pages = max(1, -(-len(chosen) // PER_PAGE))
    number = min(max(whole(request.args.get("page", "")) or 1, 1), pages)
    counts = Counter(each.code for each in found)
    row = current_session().get(MailAddress, g.actor.id)
    return render_template(
        "coordinator/inbox.html",
        found=Listed(
            tuple(chosen[(number - 1) * PER_PAGE : number * PER_PAGE]), len(chosen), number, pages
        ),
        total=len(found),
        late=sum(each.late for each in found),
        kinds=[
            (code, f"{KINDS[code].title(language())} ({n})") for code, n in counts.most_common()
        ],
        studies=sorted(
            {(each.study, each.title[language() == "nl"]) for each in found if each.study},
            key=lambda one: one[1].casefold(),
        ),
        kind=kind,
        study=study,
        words=lambda each: each.words(language(), day(each.day)),
        address=_address,
        mailing=hub().settings.mail is not None,
        mail_address=typed.get("address", row.address if row else ""),
        last=_last_mail(),
        errors=errors,
        done=request.args.get("done") == "1",
        mail_set=request.args.get("mail") == "1",
    )


def _kind(code: str) -> str:
    return KINDS[code].title(language())


def _last_mail() -> Mail | None:
    return (
        current_session()
        .scalars(
            select(Mail).where(Mail.account_id == g.actor.id).order_by(Mail.made_at.desc()).limit(1)
        )
        .first()
    )


def _address(endpoint: str, **changes: object) -> str:
    kept: dict[str, Any] = {name: request.args.get(name) for name in ("kind", "study")}
    return url_for(endpoint, **{name: value for name, value in (kept | changes).items() if value})
