"""Reading the plan of a round from a file or a request: strict, and each fault is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from federation.rounds.errors import RoundError
from federation.rounds.plan import Plan, Repeats, Wish, iso, moment

_NEEDED: Final = (
    "group",
    "study",
    "title",
    "indicators",
    "period",
    "sites",
    "freeze_at",
    "release_at",
)
_MAY: Final = ("names", "repeats", "purpose")


def read(given: object) -> Wish:
    """The wish in plain data, as ``written`` gives it. RoundError BAD_ROUND names what is wrong."""
    if not isinstance(given, Mapping):
        raise RoundError("BAD_ROUND", "an object with named keys is needed")
    for key in given:
        if key not in (*_NEEDED, *_MAY):
            raise RoundError("BAD_ROUND", f"unknown key {str(key)[:40]}")
    for key in _NEEDED:
        if key not in given:
            raise RoundError("BAD_ROUND", f"missing key {key}")
    title = _of_type(given, "title", Mapping)
    period = _of_type(given, "period", Mapping)
    if set(title) != {"nl", "en"} or not all(isinstance(each, str) for each in title.values()):
        raise RoundError("BAD_ROUND", "title needs nl and en")
    if set(period) != {"first", "last"}:
        raise RoundError("BAD_ROUND", "period needs first and last, such as 2024-01")
    sites = _of_type(given, "sites", list)
    indicators = _of_type(given, "indicators", list)
    if not all(isinstance(each, str) for each in sites):
        raise RoundError("BAD_ROUND", "sites")
    if not all(isinstance(each, str | Mapping) for each in indicators):
        raise RoundError("BAD_ROUND", "indicators")
    return Wish(
        group=_of_type(given, "group", str),
        study=_of_type(given, "study", str),
        title=dict(title),
        indicators=list(indicators),
        first=period["first"],
        last=period["last"],
        sites=list(sites),
        freeze_at=_moment(given, "freeze_at"),
        release_at=_moment(given, "release_at"),
        names=_of_type(given, "names", bool) if "names" in given else False,
        repeats=_repeats(given.get("repeats")),
        purpose=_of_type(given, "purpose", str) if "purpose" in given else "",
    )


def written(plan: Plan) -> dict[str, Any]:
    """A plan as a file that ``read`` takes, to change it."""
    return {
        "group": plan.group,
        "study": plan.study,
        "title": dict(plan.title),
        "purpose": plan.purpose,
        "indicators": [each.to_dict() for each in plan.indicators],
        "period": plan.period.to_dict(),
        "sites": list(plan.sites),
        "freeze_at": iso(plan.freeze_at),
        "release_at": iso(plan.release_at),
        "names": plan.names,
        "repeats": None if plan.repeats is None else plan.repeats.to_dict(),
    }


def _of_type(given: Mapping[str, Any], key: str, kind: type) -> Any:
    value = given[key]
    if not isinstance(value, kind):
        raise RoundError("BAD_ROUND", key)
    return value


def _moment(given: Mapping[str, Any], key: str) -> datetime:
    value = given[key]
    if isinstance(value, datetime):
        return moment(value.isoformat())
    if not isinstance(value, str):
        raise RoundError("BAD_MOMENTS", key)
    return moment(value)


def _repeats(given: object) -> Repeats | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) != {"every", "count", "until"}:
        raise RoundError("BAD_REPEATS")
    count = given["count"]
    if isinstance(count, bool) or not isinstance(count, int):
        raise RoundError("BAD_REPEATS")
    return Repeats(given["every"], count, _moment(given, "until"))
