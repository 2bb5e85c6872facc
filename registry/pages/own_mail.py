"""Where one's own mail goes: an address, confirmed by the code that was mailed to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from registry.access import INSIDE, rule
from registry.app import hub
from registry.mail import confirming
from registry.mail.daily import DAILY
from registry.mail.models import Mail, MailAddress
from registry.mail.outbox import NOT_WANTED
from registry.mail.server import is_address
from registry.transaction import current_session, unit_of_work
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("own_mail", __name__, url_prefix="/mail")
Answer = Response | str | tuple[str, int]
LONGEST_CODE: Final = 20


@blueprint.get("")
@rule(roles=INSIDE)
def page() -> str:
    """Where the mail goes now, and what is still to do for it."""
    return _page({}, {})


@blueprint.post("")
@rule(roles=INSIDE)
def save() -> Answer:
    """Write an address down and mail a code to it; an empty field turns the mail off."""
    address = request.form.get("address", "").strip()
    if address and not is_address(address):
        return _page(request.form, {"address": _("Type one mail address, such as a@b.nl")}), 422
    session = current_session()
    row = confirming.set_address(session, g.actor.id, address, language(), actor=g.actor, now=g.now)
    if row is None or row.confirmed_at is not None or not _sends():
        return redirect(url_for(".page", done="saved"), 303)
    return _sent(row)


@blueprint.post("/code")
@rule(roles=INSIDE)
def again() -> Answer:
    """Mail a new code; the one before counts no more."""
    row = current_session().get(MailAddress, g.actor.id)
    if row is None or row.confirmed_at is not None or not _sends():
        return redirect(url_for(".page"), 303)
    return _sent(row)


@blueprint.post("/confirm")
@rule(roles=INSIDE)
def confirm() -> Answer:
    """Type the code. A wrong one is counted, although the page says no."""
    typed = request.form.get("code", "")[:LONGEST_CODE]
    # On SQLite one transaction writes at a time, and this one must stay when the page says no.
    current_session().rollback()
    with unit_of_work(g.factory, g.actor) as session:
        said = confirming.confirm(session, g.actor.id, typed, actor=g.actor, now=g.now)
    if said == confirming.RIGHT:
        return redirect(url_for(".page", done="confirmed"), 303)
    told = {
        confirming.WRONG: _("This is not the code of the newest mail. Look at it and try again."),
        confirming.OVER: _(
            "This code counts no more: it is older than a day, or was tried too often. Have a new "
            "one sent."
        ),
    }
    return _page({}, {"code": told[said]}), 422


def _sends() -> bool:
    return hub().settings.mail is not None


def _sent(row: MailAddress) -> Answer:
    made = confirming.send_code(
        current_session(), row, hub().settings.address, actor=g.actor, now=g.now
    )
    return redirect(url_for(".page", done="sent" if made else "enough"), 303)


def _newest(code: bool) -> Mail | None:
    which = Mail.kind.startswith(confirming.KIND) if code else Mail.kind == DAILY
    wanted = select(Mail).where(Mail.account_id == g.actor.id, which)
    return current_session().scalars(wanted.order_by(Mail.made_at.desc()).limit(1)).first()


def _page(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    row = current_session().get(MailAddress, g.actor.id)
    return render_template(
        "coordinator/mail.html",
        row=row,
        sends=_sends(),
        coordinates="coordinator" in g.actor.roles,
        last=_newest(code=row is not None and row.confirmed_at is None),
        not_wanted=NOT_WANTED,
        typed=typed.get("address", row.address if row else ""),
        errors=errors,
        done=request.args.get("done", "") if not errors else "",
    )
