"""The form of a plan: what was typed, what of it cannot be read, and the wish that it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from werkzeug.datastructures import MultiDict

from federation.indicators.definition import Indicator
from federation.rounds.models import EvaluationRound
from federation.rounds.plan import Repeats, Wish, moment
from registry.forms.dates import Days
from registry.pages.shell import whole
from registry.translate import translate as _
from studies.days import ZONE, beginning, local_day

TEXTS = ("title_nl", "title_en", "purpose", "first", "last", "freeze", "release", "release_time",
         "names", "every", "count", "until")  # fmt: skip
LISTS = ("indicators", "sites")
MONTHS = ("first", "last")
#: At what hour results are there when nobody says another: a morning that people are at work.
RELEASE_TIME = "08:00"
#: Where the form shows what a service refused.
FIELDS: Mapping[str, str] = {
    "NO_INDICATORS": "indicators",
    "INDICATOR_TWICE": "indicators",
    "TOO_MANY_INDICATORS": "indicators",
    "UNKNOWN_INDICATOR": "indicators",
    "UNKNOWN_HOSPITAL": "sites",
    "TOO_FEW_HOSPITALS": "sites",
    "NO_BOARD_FORM": "sites",
    "BAD_MOMENTS": "freeze",
    "BAD_REPEATS": "every",
}


@dataclass
class Typed:
    """The fields of the form as text, the chosen ones as lists, and what is wrong with which."""

    values: dict[str, str]
    chosen: dict[str, list[str]]
    errors: dict[str, str] = field(default_factory=dict)


def empty(sites: Sequence[str]) -> Typed:
    """A new form: every hospital, letters, no repeats."""
    values = dict.fromkeys(TEXTS, "") | {"release_time": RELEASE_TIME, "names": "letters"}
    return Typed({**values, "every": "no"}, {"indicators": [], "sites": list(sites)})


def sent(form: MultiDict[str, str]) -> Typed:
    """What came in, cut to what a field can hold."""
    values = {name: form.get(name, "")[:2000] for name in TEXTS}
    return Typed(values, {name: form.getlist(name)[:200] for name in LISTS})


def of_plan(found: EvaluationRound) -> Typed:
    """A stored plan as its form would have held it."""
    plan = found.plan
    freeze, release = (moment(plan[name]).astimezone(ZONE) for name in ("freeze_at", "release_at"))
    repeats = plan["repeats"]
    until = local_day(moment(repeats["until"])) if repeats else None
    values = {
        "title_nl": plan["title"]["nl"],
        "title_en": plan["title"]["en"],
        "purpose": plan["purpose"],
        "first": plan["period"]["first"],
        "last": plan["period"]["last"],
        "freeze": _day(freeze.date()),
        "release": _day(release.date()),
        "release_time": f"{release:%H:%M}",
        "names": "names" if plan["names"] else "letters",
        "every": repeats["every"] if repeats else "no",
        "count": str(repeats["count"]) if repeats else "",
        "until": _day(until) if until else "",
    }
    indicators = [str(each["id"]) for each in plan["indicators"]]
    return Typed(values, {"indicators": indicators, "sites": list(plan["sites"])})


def _day(day: date) -> str:
    return f"{day:%d-%m-%Y}"


def wish(typed: Typed, *, group: str, study: str, known: Mapping[str, Indicator]) -> Wish | None:
    """The wish that the form means; None, with `errors` filled, when a field cannot be read.

    `known`: the indicators of the group by id; their definitions go into the plan as they are now.
    """
    values, errors = typed.values, typed.errors
    days = Days(values, errors)
    for name, words in _needed().items():
        filled = _is_month(values[name].strip()) if name in MONTHS else values[name].strip()
        if not filled:
            errors[name] = words
    if not typed.chosen["indicators"]:
        errors["indicators"] = _("Choose at least one indicator")
    if not typed.chosen["sites"]:
        errors["sites"] = _("Choose the hospitals")
    freeze, release = days.given("freeze"), days.given("release")
    at = _time(values["release_time"])
    if at is None:
        errors["release_time"] = _("Write the time as 08:00")
    repeats = _repeats(values, errors, days)
    if errors or freeze is None or release is None or at is None:
        return None
    return Wish(
        group=group,
        study=study,
        title={"nl": values["title_nl"], "en": values["title_en"]},
        indicators=[
            known[name].to_dict() if name in known else name for name in typed.chosen["indicators"]
        ],
        first=values["first"].strip(),
        last=values["last"].strip(),
        sites=typed.chosen["sites"],
        freeze_at=beginning(freeze),
        release_at=datetime.combine(release, at, tzinfo=ZONE).astimezone(UTC),
        names=values["names"] == "names",
        repeats=repeats,
        purpose=values["purpose"].strip(),
    )


def _needed() -> Mapping[str, str]:
    """What must be filled, each with a sentence of its own: above the form they stand together."""
    return {
        "title_nl": _("Write the title in Dutch"),
        "title_en": _("Write the title in English"),
        "first": _("Write the first month as 2025-01"),
        "last": _("Write the last month as 2025-12"),
        "freeze": _("Fill in the freeze date"),
        "release": _("Fill in the day of the release"),
    }


def _repeats(values: Mapping[str, str], errors: dict[str, str], days: Days) -> Repeats | None:
    if values["every"] not in ("quarter", "year"):
        return None
    count, until = whole(values["count"].strip()), days.needed("until")
    if not count:
        errors["count"] = _("Give a whole number, 1 or more")
    if not count or until is None:
        return None
    return Repeats(
        "quarter" if values["every"] == "quarter" else "year",
        count,
        beginning(until + timedelta(days=1)),
    )


def _is_month(text: str) -> bool:
    try:
        date.fromisoformat(f"{text}-01")
    except ValueError:
        return False
    return len(text) == len("2025-01")


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text.strip().replace(".", ":"))
    except ValueError:
        return None


def differences(mine: Typed, theirs: Typed) -> list[tuple[str, str, str]]:
    """Field, what stands there now, what was typed; where the two differ."""
    names = {**_labels(), "indicators": _("Indicators"), "sites": _("Hospitals")}
    found = []
    for name in TEXTS:
        if mine.values[name].strip() != theirs.values[name].strip():
            found.append((names[name], theirs.values[name], mine.values[name]))
    for name in LISTS:
        if set(mine.chosen[name]) != set(theirs.chosen[name]):
            found.append(
                (names[name], ", ".join(theirs.chosen[name]), ", ".join(mine.chosen[name]))
            )
    return found


def _labels() -> dict[str, str]:
    return {
        "title_nl": _("Title in Dutch"),
        "title_en": _("Title in English"),
        "purpose": _("Why this round"),
        "first": _("First month"),
        "last": _("Last month"),
        "freeze": _("Freeze date"),
        "release": _("Day of the release"),
        "release_time": _("Time of the release"),
        "names": _("How hospitals are shown"),
        "every": _("Repeats"),
        "count": _("How many more times"),
        "until": _("Until when"),
    }
