"""The coordinator's inbox: what waits in their studies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from registry.access import reach, rule
from registry.mail.models import MailAddress
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import day, language
from registry.waiting import all_waiting
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
    found = _mine()
    kind, study = (request.args.get(name, "")[:LONGEST] for name in ("kind", "study"))
    kind = kind if kind in KINDS else ""
    chosen = [each for each in found if kind in ("", each.code) and study in ("", each.study)]
    pages = max(1, -(-len(chosen) // PER_PAGE))
    number = min(max(whole(request.args.get("page", "")) or 1, 1), pages)
    counts = Counter(each.code for each in found)
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
        mail=current_session().get(MailAddress, g.actor.id),
        done=request.args.get("done") == "1",
    )


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


def _mine() -> tuple[Reminder, ...]:
    return all_waiting(current_session(), reach(g.actor, "coordinator", "study"), g.now)


def _address(endpoint: str, **changes: object) -> str:
    kept: dict[str, Any] = {name: request.args.get(name) for name in ("kind", "study")}
    return url_for(endpoint, **{name: value for name, value in (kept | changes).items() if value})
