"""What a coordinator can do with a participant: each act reads its form and calls one command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g
from sqlalchemy.orm import Session

from consent import joined, joining, joining_letters
from registry.forms.dates import Days
from registry.pages.coordinator_acts import today
from registry.pages.shell import whole
from registry.translate import translate as _
from studies.exchange.importing import moment_of
from studies.participants import entering as participants
from studies.participants import handover
from studies.participants.history import fold
from studies.participants.models import Participant
from studies.participants.states import LEAVINGS, REASONS, STATES

Act = Callable[[Session, Participant, "Given"], None]


@dataclass
class Given:
    """The form as it came in; reading a field that cannot be read notes why."""

    form: Mapping[str, str]
    days: Days

    @property
    def errors(self) -> dict[str, str]:
        """Field -> what is wrong with it."""
        return self.days.errors

    def chosen(self, name: str, among: Mapping[str, object], why: str) -> str:
        """One of a list; noted as wrong when it is none of it."""
        value = self.form.get(name, "")
        if value not in among:
            self.errors[name] = why
        return value

    def usual(self, *, dated: bool = True) -> dict[str, Any]:
        """Who, when, the version that was shown; with `dated` the day and reason of the form."""
        said: dict[str, Any] = {
            "actor": g.actor,
            "now": g.now,
            "expected": whole(self.form.get("expected", "")) or 0,
        }
        if dated:
            day = self.days.given("at")
            reason = self.form.get("reason", "")
            said["at"] = None if day in (None, today()) else moment_of(day, g.now)
            said["reason"] = reason if reason in REASONS else None
        return said


def _move(session: Session, one: Participant, given: Given) -> None:
    to = given.chosen("to", STATES, _("Choose a state"))
    usual = given.usual()
    if not given.errors:
        joining.move(session, one, to, **usual)


def _reach(session: Session, one: Participant, given: Given) -> None:
    usual = given.usual()
    if not given.errors:
        joining.reach(session, one, given.form.get("milestone", ""), **usual)


def _allocate(session: Session, one: Participant, given: Given) -> None:
    usual = given.usual()
    if not given.errors:
        joining.allocate(session, one, given.form.get("arm", ""), **usual)


def _leave(session: Session, one: Participant, given: Given) -> None:
    way = given.chosen("way", LEAVINGS, _("Choose how they leave"))
    usual = given.usual()
    if not given.errors:
        joining.leave(session, one, way, **usual)


def _offer(session: Session, one: Participant, given: Given) -> None:
    handover.offer(session, one, given.form.get("hospital", ""), **given.usual(dated=False))


def _take_over(session: Session, one: Participant, given: Given) -> None:
    usual = given.usual()
    if not given.errors:
        joining.take_over(session, one, one.offered_to or "", **usual)


def _do_not_take(session: Session, one: Participant, given: Given) -> None:
    handover.do_not_take(session, one, one.site, **given.usual(dated=False))


def _link(session: Session, one: Participant, given: Given) -> None:
    number = given.form.get("letter", "").strip()[:20]
    if not number:
        given.errors["letter"] = _("Fill in the number of the letter")
    elif stopped_before(one) and given.form.get("stop") != "yes":
        given.errors["stop"] = _("Tick that this patient stopped, or look again whose letter it is")
    else:
        joining_letters.link_letter(session, one, number, **given.usual(dated=False))


def _unlink(session: Session, one: Participant, given: Given) -> None:
    site = given.chosen("of", joined.removable(session, one), _("Choose a hospital"))
    if not given.errors:
        joining_letters.unlink_letter(session, one, site, **given.usual(dated=False))


def stopped_before(one: Participant) -> bool:
    """Whether linking a letter now carries out a stop of the use of data."""
    return any(LEAVINGS[way].level for way, _at in fold(one.events).left)


def _redate(session: Session, one: Participant, given: Given) -> None:
    day = given.days.needed("at")
    reason = given.chosen("reason", REASONS, _("Choose a reason"))
    line = whole(given.form.get("line", ""))
    if given.errors or day is None:
        return
    moment: datetime = moment_of(day, g.now)
    usual = given.usual(dated=False)
    participants.redate(session, one, line or 0, moment, reason=reason, **usual)


def _mistake(session: Session, one: Participant, given: Given) -> None:
    if given.form.get("sure") != "yes":
        given.errors["sure"] = _("Tick that you are sure")
        return
    joining.enter_wrongly(session, one, **given.usual(dated=False))


ACTS: Mapping[str, Act] = {
    "move": _move,
    "milestone": _reach,
    "arm": _allocate,
    "leave": _leave,
    "offer": _offer,
    "take-over": _take_over,
    "do-not-take": _do_not_take,
    "letter": _link,
    "unlink": _unlink,
    "redate": _redate,
    "mistake": _mistake,
}
"""The last part of the address -> what it does."""
