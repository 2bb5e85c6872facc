"""The small parts that FHIR resources are built of, the same in R4 and R5."""

from datetime import date, datetime
from typing import Any

from studies.days import local_day

Json = dict[str, Any]


def organization(system: str, value: str, display: str) -> Json:
    """An organisation by identifier; there is no such resource here."""
    identifier = {"system": system, "value": value}
    return {"type": "Organization", "identifier": identifier, "display": display}


def coded(system: str, code: str, display: str | None = None) -> Json:
    """A CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def coding(system: str, code: str, display: str | None = None) -> Json:
    """A Coding."""
    return filled({"system": system, "code": code, "display": display})


def period(start: date | None, end: date | None) -> Json | None:
    """A Period in days; None without any."""
    told = filled({"start": iso(start), "end": iso(end)})
    return told or None


def iso(day: date | None) -> str | None:
    """A day as FHIR writes it."""
    return None if day is None else day.isoformat()


def day(moment: datetime | None) -> date | None:
    """The day of a moment."""
    return None if moment is None else local_day(moment)


def instant(moment: datetime) -> str:
    """A moment in UTC as FHIR writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def filled(told: Json) -> Json:
    """Without what says nothing: FHIR knows no null and no empty list."""
    return {name: value for name, value in told.items() if value not in (None, [], "")}
