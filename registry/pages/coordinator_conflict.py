"""Two coordinators at one card: what the other did, what you typed, side by side. Nothing is lost.

Where a form holds a hospital's facts as a whole, only what this person changed is put over what
stands there now; what the other changed stays. Nothing is written before this person says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from flask import g, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.audit import AuditLine
from registry.pages.coordinator_acts import ACTS, texts
from registry.pages.coordinator_words import marks, state_name
from registry.translate import day, language
from registry.translate import translate as _
from studies.exchange.importing import read_day
from studies.hospitals.card import SiteCard
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.pathway import BY_CODE, MILESTONES
from studies.states import NOTE_CODES

MOST_LINES = 50
_NOT_KEPT = ("csrf_token", "expected", "file")


@dataclass(frozen=True)
class Side:
    """One field: as it was when the card was opened, as it is now, as it was typed."""

    name: str
    label: str
    before: str | None
    now: str | None
    mine: str
    both: bool


@dataclass(frozen=True)
class Deed:
    """What somebody did to this hospital's part since the card was opened."""

    at: datetime
    who: str
    words: str


def conflict_page(session: Session, card: SiteCard, act: str, form: Mapping[str, str]) -> str:
    """The page that shows both versions; its form carries all that was typed, and what is newer."""
    merged = dict(form)
    sides = [_side(card, act, name, form, merged) for name in ACTS[act].fields]
    kept = {name: value for name, value in merged.items() if name not in _NOT_KEPT}
    return render_template(
        "coordinator/conflict.html",
        card=card,
        study=card.study,
        hospital=card.part.of_institution,
        act=ACTS[act].label(),
        sides=_once(sides),
        deeds=_deeds(session, card, form.get("opened", "")),
        kept=kept,
        again=url_for(
            "coordinator_card.do", slug=card.study.slug, site=card.part.institution, act=act
        ),
        with_file=act == "document",
        state_name=state_name,
        marks=marks(),
        opened=g.now.isoformat(),
    )


def _side(
    card: SiteCard, act: str, name: str, form: Mapping[str, str], merged: dict[str, str]
) -> Side:
    mine = form.get(name, "").strip()
    label = ACTS[act].fields[name]()
    if f"was-{name}" not in form:
        return Side(name, label, None, None, shown(name, mine), False)
    was, now = form[f"was-{name}"].strip(), _now(card, name)
    changed, theirs = _differ(mine, was), _differ(now, was)
    if not changed:
        merged[name] = now
    merged[f"was-{name}"] = now
    both = changed and theirs and _differ(mine, now)
    return Side(name, label, shown(name, was), shown(name, now), shown(name, mine), both)


def _now(card: SiteCard, name: str) -> str:
    value = getattr(card.part, name)
    return "" if value is None else str(value)


def _differ(one: str, other: str) -> bool:
    """Whether two texts mean different things; a day may be written in several ways."""
    return (read_day(one) or one) != (read_day(other) or other)


def shown(name: str, value: str) -> str:
    """What was typed or stands there, in words."""
    place = language() == "nl"
    if not value:
        return _("(empty)")
    if name in ("to", "step"):
        return state_name(value) if value in BY_CODE else value
    if name == "reason":
        return NOTE_CODES[value][place] if value in NOTE_CODES else value
    if name == "milestone":
        return MILESTONES[value][place] if value in MILESTONES else value
    if name in ("department", "of_department"):
        return DEPARTMENTS[value][place] if value in DEPARTMENTS else value
    if name in ("interest", "outcome"):
        return {"yes": _("yes"), "no": _("no"), "ok": _("agrees"), "not_ok": _("does not agree")}[
            value if value in ("yes", "no", "ok", "not_ok") else "no"
        ]
    found: date | None = read_day(value)
    return day(found) if found else value


def _once(sides: list[Side]) -> list[Side]:
    """Fields that people know: keys of rows are not among them."""
    return [side for side in sides if side.name not in ("source", "version_id")]


def _deeds(session: Session, card: SiteCard, opened: str) -> list[Deed]:
    """What others did since, from the audit log, the newest first."""
    try:
        since = datetime.fromisoformat(opened)
    except ValueError:
        since = g.now
    if since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    rows = session.scalars(
        select(AuditLine)
        .where(
            AuditLine.about == f"study:{card.study.slug}",
            AuditLine.action.startswith("participation."),
            AuditLine.at >= since,
        )
        .order_by(AuditLine.seq.desc())
        .limit(MOST_LINES)
    ).all()
    mine = [row for row in rows if row.facts.get("institution") == card.part.institution]
    return [Deed(row.at, row.actor_name or row.actor_id, deed_words(row.action)) for row in mine]


def deed_words(action: str) -> str:
    """An act of the audit log in words."""
    code = action.removeprefix("participation.")
    if code in BY_CODE:
        return _("step to “%(state)s”", state=state_name(code))
    known = texts()
    return {
        "answered": known["answer"],
        "corrected": known["correct"],
        "described": known["describe"],
        "confirmed": known["confirm"],
        "planned": known["plan"],
        "milestone": known["milestone"],
        "annex_requested": known["ask-annex"],
        "annex_received": known["take-annex"],
        "condition_added": known["add-condition"],
        "condition_met": known["meet-condition"],
        "document_added": known["document"],
        "document_signed": _("The board signed a document"),
        "version_adopted": known["adopt"],
        "taken_over": _("Taken over from earlier records"),
    }.get(code, code)
