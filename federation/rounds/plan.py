"""The plan of a round as data: what is asked of whom, over which months, and when it is told.

What a committee approves is this, frozen, by its SHA-256: the definitions of the indicators stand
in it letter by letter, and from them, the period and the hospitals every question follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from federation.indicators.asking import Period, Question, questions
from federation.indicators.definition import Indicator
from federation.query.canonical import sha256_hex
from federation.query.codebook import Codebook
from federation.rounds.errors import RoundError

FORMAT: Final = "oncokring.plan/1"
MONTHS: Final[Mapping[str, int]] = {"quarter": 3, "year": 12}
MOST_REPEATS: Final = 20
Every = Literal["quarter", "year"]


@dataclass(frozen=True)
class Repeats:
    """Standing approval for the rounds after this one: how often, how many more, until when."""

    every: Every
    count: int
    until: datetime

    def to_dict(self) -> dict[str, Any]:
        return {"every": self.every, "count": self.count, "until": iso(self.until)}


@dataclass(frozen=True)
class Wish:
    """What somebody plans. ``group`` as "network.slug". ``indicators``: ids of the catalogue or
    whole definitions. Moments in UTC. ``purpose`` stands in every question."""

    group: str
    study: str
    title: Mapping[str, str]
    indicators: Sequence[str | Mapping[str, Any]]
    first: str
    last: str
    sites: Sequence[str]
    freeze_at: datetime
    release_at: datetime
    names: bool = False
    repeats: Repeats | None = None
    purpose: str = ""


@dataclass(frozen=True)
class Plan:
    """A frozen plan. ``strata``: the variables that a cause analysis asks by; then only those are
    asked. ``under``: the SHA-256 of the approved plan that allows this one."""

    group: str
    study: str
    title: Mapping[str, str]
    purpose: str
    codebook_sha256: str
    indicators: tuple[Indicator, ...]
    period: Period
    sites: tuple[str, ...]
    freeze_at: datetime
    release_at: datetime
    names: bool
    repeats: Repeats | None = None
    strata: tuple[str, ...] = ()
    under: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON; the committee approves the SHA-256 of this."""
        return {
            "plan": FORMAT,
            "group": self.group,
            "study": self.study,
            "title": dict(self.title),
            "purpose": self.purpose,
            "codebook_sha256": self.codebook_sha256,
            "indicators": [each.to_dict() for each in self.indicators],
            "period": self.period.to_dict(),
            "sites": sorted(self.sites),
            "freeze_at": iso(self.freeze_at),
            "release_at": iso(self.release_at),
            "names": self.names,
            "repeats": None if self.repeats is None else self.repeats.to_dict(),
            "strata": list(self.strata),
            "under": self.under,
        }

    @property
    def sha256(self) -> str:
        return sha256_hex(self.to_dict())

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], codebook: Codebook) -> Plan:
        """Read a stored plan back."""
        repeats = given["repeats"]
        return cls(
            group=given["group"],
            study=given["study"],
            title=given["title"],
            purpose=given["purpose"],
            codebook_sha256=given["codebook_sha256"],
            indicators=tuple(Indicator.from_dict(each, codebook) for each in given["indicators"]),
            period=Period(**given["period"]),
            sites=tuple(given["sites"]),
            freeze_at=moment(given["freeze_at"]),
            release_at=moment(given["release_at"]),
            names=given["names"],
            repeats=None
            if repeats is None
            else Repeats(repeats["every"], repeats["count"], moment(repeats["until"])),
            strata=tuple(given["strata"]),
            under=given["under"],
        )

    def asked(self, indicator: int, codebook: Codebook, sites: Sequence[str]) -> list[Question]:
        """The questions of the indicator at this place to ``sites``: those of a cause analysis
        where the plan is one, else all but those."""
        wanted = {f"stratum:{name}" for name in self.strata}
        made = self.every(indicator, codebook, sites)
        if wanted:
            return [each for each in made if each.role in wanted]
        return [each for each in made if not each.role.startswith("stratum:")]

    def every(self, indicator: int, codebook: Codebook, sites: Sequence[str]) -> list[Question]:
        """All questions that the indicator at this place can become."""
        return questions(
            self.indicators[indicator],
            codebook,
            study=self.study,
            period=self.period,
            sites=sorted(sites),
            purpose_text=self.purpose,
        )

    def later(self) -> Plan | None:
        """The plan of the next round of the series, under the same approval; None at its end."""
        if self.repeats is None or self.repeats.count < 1:
            return None
        months = MONTHS[self.repeats.every]
        repeats = replace(self.repeats, count=self.repeats.count - 1)
        made = replace(
            self,
            period=Period(month_later(self.period.first, months),
                          month_later(self.period.last, months)),
            freeze_at=months_later(self.freeze_at, months),
            release_at=months_later(self.release_at, months),
            repeats=repeats,
            under=self.under or self.sha256,
        )  # fmt: skip
        return made if made.freeze_at <= self.repeats.until else None


def key_of(question: Question) -> str:
    """What tells the questions of one indicator apart: the role, and the level of a stratum."""
    return question.role if question.level is None else f"{question.role}={question.level}"


def iso(at: datetime) -> str:
    """A UTC moment as 2026-03-05T09:12:45Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment that ``iso`` wrote; RoundError BAD_MOMENTS for another text."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise RoundError("BAD_MOMENTS", text[:40]) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def month_later(month: str, months: int) -> str:
    """The month so many months after one, as 2024-01."""
    year, _, number = month.partition("-")
    at = int(year) * 12 + int(number) - 1 + months
    return f"{at // 12:04d}-{at % 12 + 1:02d}"


def months_later(at: datetime, months: int) -> datetime:
    """The same hour so many months later; on the last day where that month is shorter."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    for day in range(at.day, at.day - 4, -1):
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise RoundError("BAD_MOMENTS")


def month_end(month: str) -> datetime:
    """The moment at which a month is over, in UTC."""
    year, _, number = month_later(month, 1).partition("-")
    return datetime(int(year), int(number), 1, tzinfo=UTC)
