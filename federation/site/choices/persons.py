"""`oncokring site person` behind the command: changes in words, and what is known now."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from consent.parties import ADULT, FROM_12, SELF, UNDER_12, needed
from federation.site.choices.parties import People, questioned_by
from federation.site.choices.parties import person as known_person
from federation.site.errors import SetupError

_AHEAD = timedelta(hours=2)  # a Dutch day begins at most two hours before the UTC day


def change_person(people: People, handle: bytes, changes: Mapping[str, Any], now: datetime) -> None:
    """Write down what was given: born, decides, role with start and end, party, died, not_died,
    no_contact.

    Inside one transaction. SetupError for what does not go together.
    """
    if changes.get("decides") and "born" in changes:
        raise SetupError("give a month of birth, or say that the patient decides; not both.")
    if {"start", "end"} & changes.keys() and not {"role", "party"} & changes.keys():
        raise SetupError("say whose authority this is, with --add or --end.")
    if {"role", "party"} <= changes.keys():
        raise SetupError("add or end a representative, one at a time.")
    if "born" in changes:
        people.set_age(handle, *age_class(changes["born"], now), now)
    end = changes.get("end")
    last = None if end is None else _day(end.date()) + timedelta(days=1)
    if "role" in changes:
        start = changes.get("start")
        first = None if start is None else _day(start.date())
        people.add_representative(handle, changes["role"], first, last, now)
    if "party" in changes:
        people.end_representative(handle, changes["party"], last or now, now)
    if changes.get("decides"):
        people.set_age(handle, ADULT, None, now)
    if changes.get("died") and changes.get("not_died"):
        raise SetupError("the patient has died, or the death was a mistake; not both.")
    if changes.get("died"):
        people.died(handle, now)
    if changes.get("not_died"):
        people.not_died(handle, now)
    if changes.get("no_contact"):
        people.stop_contact(handle, now)


def age_class(born: str, now: datetime) -> tuple[str, str | None]:
    """The age class of somebody born in this month, and the month in which a child leaves it: at
    the begin of the month of the birthday. SetupError for anything but 2015-03."""
    try:
        year, month = (int(part) for part in born.split("-"))
        first = date(year, month, 1)
    except ValueError as error:
        raise SetupError("write a month of birth as 2015-03.") from error
    today = (now + _AHEAD).date()
    if len(born) != 7 or first > today or year < 1900:
        raise SetupError("write a month of birth as 2015-03; it lies in the past.")
    for years, name in ((12, UNDER_12), (16, FROM_12)):
        if today < date(year + years, month, 1):
            return name, f"{year + years}-{month:02d}"
    return ADULT, None


def person_report(database: sqlite3.Connection, handle: bytes, now: datetime) -> dict[str, Any]:
    """What this hospital knows of a patient, and whose yes is needed now."""
    found = known_person(database, handle)
    spans = found.needed
    return {
        "age_class": None if found.age is None else found.age.age_class,
        "until_month": None if found.age is None else found.age.month,
        "representatives": [
            {
                "party": each.party,
                "role": each.role,
                "from": each.start.isoformat(),
                "until": None if each.end is None else each.end.isoformat(),
            }
            for each in found.speakers
        ],
        "died": found.died,
        "not_died_says": questioned_by(database, handle),
        "no_contact": found.contact_stopped or found.died,
        "needed_now": sorted(needed(spans, now) if spans else {SELF}),
    }


def _day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - _AHEAD
