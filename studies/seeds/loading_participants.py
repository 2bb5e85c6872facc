"""Invented participants, screening months, arms and plans for the studies of a seed.

For demonstrations: nobody here exists, and every yes says so (`invented` in its evidence). Rows are
written together, as the commands would have written them: a test folds every history and holds it
against the table of states. Chance is seeded by the study, so the same day gives the same people.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.actor import Actor
from studies.days import local_month
from studies.events import announce
from studies.hospitals import open_time
from studies.models import Participation, Study
from studies.participants.history import fold
from studies.participants.models import (
    ArmCount,
    Participant,
    ParticipantEvent,
    ScreeningCount,
)
from studies.participants.numbers import set_arms, settle_prefix
from studies.recruitment.accrual import MOST as MOST_PLANNED
from studies.recruitment.accrual import set_plan
from studies.recruitment.screening import DECLINED, NOT_APPROACHED, NOT_ELIGIBLE, Counts

STUDIES: Final = 8
SITES: Final = 3
"""So many hospitals of a study must be open."""
ARMS: Final = (("usual", "Gewone zorg", "Usual care"), ("new", "Nieuwe aanpak", "New approach"))
PLANNED: Final = timedelta(days=3 * 365)
_DAY: Final = timedelta(days=1)


def add_recruitment(
    session: Session, network: str, actor: Actor, now: datetime, *, most: int = STUDIES
) -> int:
    """Invent the recruitment of up to `most` studies of a network that nobody is in yet; how many
    participants that gave. Randomised studies come first."""
    found = session.scalars(
        select(Study)
        .where(Study.network == network, Study.state == "open", Study.kind != "data")
        .options(selectinload(Study.participations).selectinload(Participation.steps))
        .order_by(Study.slug)
    )
    studies = [study for study in found if len(_open(study)) >= SITES]
    studies.sort(key=lambda study: (study.design != "randomised", study.slug))
    taken = set(session.scalars(select(Participant.study).distinct()))
    chosen = [study for study in studies[:most] if study.slug not in taken]
    return sum(_Invention(session, study, actor, now).write() for study in chosen)


def _open(study: Study) -> list[Participation]:
    return [part for part in study.participations if part.state == open_time.OPEN]


@dataclass
class _Invention:
    """The recruitment of one study."""

    session: Session
    study: Study
    actor: Actor
    now: datetime
    chance: random.Random = field(init=False)
    arms: tuple[str, ...] = ()
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    in_month: Counter[tuple[str, str]] = field(default_factory=Counter)
    of_arm: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.study.slug)  # noqa: S311

    def write(self) -> int:
        """Write all of it; how many participants."""
        settle_prefix(self.session, self.study, self._letters(), actor=self.actor, now=self.now)
        if self.study.design == "randomised":
            set_arms(self.session, self.study, ARMS, actor=self.actor)
            self.arms = tuple(code for code, _, _ in ARMS)
        sites = [part for part in self.study.participations if open_time.open_stays(part, self.now)]
        people = [one for part in sites for one in self._people(part)]
        self._hand_over(people, sites)
        for one in people:
            self._settle(one)
        self.session.add_all(people)
        self._screen(sites)
        self._count_arms()
        self._plan(sites, len(people))
        self.session.flush()
        announce(
            self.session,
            actor=self.actor,
            action="participant.invented",
            about=f"study:{self.study.slug}",
            facts={"participants": len(people)},
        )
        announce(
            self.session,
            actor=self.actor,
            action="screening.invented",
            about=f"study:{self.study.slug}",
            facts={"months": len(self.in_month)},
        )
        return len(people)

    def _letters(self) -> str:
        words = self.study.slug.upper().split("-")
        return "".join(word[0] for word in words if word.isalpha())[:4].ljust(2, "X")

    def _people(self, part: Participation) -> list[Participant]:
        """Who came in at a hospital while it was open, one after another at its own rate."""
        days_between = 30.4 / self.chance.gammavariate(2.5, 0.45)
        people: list[Participant] = []
        for stay in open_time.open_stays(part, self.now):
            moment = stay.since + self._days(1 / days_between)
            while moment < (stay.until or self.now) - 8 * _DAY:
                number = f"{self._letters()}-{next(self.numbers):04}"
                people.append(self._person(part.institution, number, moment))
                moment += self._days(1 / days_between)
        return people

    def _days(self, rate: float) -> timedelta:
        return max(_DAY, _DAY * self.chance.expovariate(rate))

    def _person(self, site: str, number: str, signed: datetime) -> Participant:
        one = Participant(study=self.study.slug, pseudonym=number, site=site)
        evidence = {"shown": "form", "text": "1", "checked_by": self.actor.id, "invented": True}
        self._event(one, "milestone", "consented", signed, evidence=evidence)
        self._event(one, "state", "screening", signed)
        if self.chance.random() < 0.1:
            self._event(one, "state", "ineligible", signed + 5 * _DAY, reason="criteria")
            return one
        self._event(one, "state", "eligible", signed + 4 * _DAY)
        came = signed + 7 * _DAY
        self._event(one, "state", "on-study", came)
        self.in_month[site, local_month(came)] += 1
        self._follow(one, came)
        return one

    def _follow(self, one: Participant, came: datetime) -> None:
        """What happened after coming on study, as far as that lies behind us."""
        left = None
        if self.arms:
            arm = self.chance.choice(self.arms)
            self._event(one, "milestone", "randomised", came)
            self._event(one, "arm", arm, came)
            counted = self.of_arm.setdefault((one.site, arm), Counter())
            counted["allocated"] += 1
        self._event(one, "state", "on-study-intervention", came + 6 * _DAY)
        ends = came + self.chance.randint(90, 180) * _DAY
        drawn = self.chance.random()
        if drawn < 0.06:
            left, when = "treatment", came + self.chance.randint(20, 80) * _DAY
            self._event(one, "left", left, when, reason="side_effects")
        elif drawn < 0.10:
            left, when = "follow_up", came + self.chance.randint(20, 160) * _DAY
            self._event(one, "left", left, when, reason="own_wish")
        elif drawn < 0.12:
            left, when = "data_all", came + self.chance.randint(20, 160) * _DAY
            self._event(one, "left", left, when)
        else:
            self._event(one, "milestone", "treatment_ended", ends)
            self._event(one, "state", "follow-up", ends)
            self._event(one, "milestone", "last_visit", ends + 365 * _DAY)
            self._event(one, "state", "off-study", ends + 365 * _DAY, reason="completed")
        if self.arms:
            happened = any(event.kind == "left" for event in one.events)
            counted["received"] += self.chance.random() < 0.97
            counted["discontinued"] += happened and left == "treatment"
            counted["lost"] += happened and left in ("follow_up", "data_all")

    def _hand_over(self, people: Sequence[Participant], sites: Sequence[Participation]) -> None:
        """One in twenty goes on at another hospital: they stay counted where they came in."""
        places = [part.institution for part in sites if part.state == open_time.OPEN]
        for one in people:
            others = [place for place in places if place != one.site]
            last = one.events[-1]
            ended = last.value in ("ineligible", "off-study") or last.kind == "left"
            if not others or ended or self.chance.random() > 0.05:
                continue
            moment = max(event.at for event in one.events)
            to = self.chance.choice(others)
            self._event(one, "offered", to, moment + _DAY)
            self._event(one, "taken_over", to, moment + 2 * _DAY, reason="moved")

    def _event(
        self,
        one: Participant,
        kind: str,
        value: str,
        at: datetime,
        *,
        reason: str | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> None:
        """Something that happened; what would lie ahead of us did not."""
        if at > self.now:
            return
        one.events.append(
            ParticipantEvent(
                number=len(one.events) + 1,
                kind=kind,
                value=value,
                site=one.site,
                at=at,
                recorded_at=min(at + _DAY, self.now),
                by=self.actor.id,
                reason=reason,
                evidence=evidence,
            )
        )

    def _settle(self, one: Participant) -> None:
        stands = fold(one.events)
        one.state, one.since = str(stands.state), stands.since or self.now
        one.site, one.credited = stands.site or one.site, stands.credited
        one.on_study, one.arm = stands.on_study, stands.arm
        one.offered_to, one.version = stands.offered_to, len(one.events)

    def _screen(self, sites: Sequence[Participation]) -> None:
        """The months that are over, but for the last one of the last hospital: it still owes it."""
        running = local_month(self.now)
        for part in sites:
            stays = open_time.open_stays(part, self.now)
            days = [
                stay.since + day * _DAY
                for stay in stays
                for day in range((((stay.until or self.now) - stay.since) // _DAY) + 1)
            ]
            months = sorted({local_month(day) for day in days} - {running})
            for month in months[: -1 if part is sites[-1] else None]:
                counts = self._month(self.in_month[part.institution, month])
                self.session.add(
                    ScreeningCount(
                        study=self.study.slug,
                        institution=part.institution,
                        month=month,
                        version=1,
                        counts=counts.as_dict(),
                        recorded_at=self.now,
                        by=self.actor.id,
                    )
                )

    def _month(self, registered: int) -> Counts:
        """Around 70% of who is screened is eligible, and nine of ten of those who agree go on."""
        consented = registered + (self.chance.random() < 0.1 * registered)
        declined = self._split(round(consented * self.chance.uniform(0.1, 0.6)), DECLINED)
        approached = consented + sum(declined.values())
        not_approached = self._split(self.chance.randint(0, 1), NOT_APPROACHED)
        eligible = approached + sum(not_approached.values())
        unfit = self._split(round(eligible * self.chance.uniform(0.3, 0.6)), NOT_ELIGIBLE)
        return Counts(
            screened=eligible + sum(unfit.values()),
            not_eligible=unfit,
            eligible=eligible,
            not_approached=not_approached,
            approached=approached,
            declined=declined,
            consented=consented,
            registered=registered,
        )

    def _split(self, n: int, reasons: Any) -> dict[str, int]:
        return dict(Counter(self.chance.choice(list(reasons)) for _ in range(n)))

    def _count_arms(self) -> None:
        for (site, arm), counted in sorted(self.of_arm.items()):
            self.session.add(
                ArmCount(
                    study=self.study.slug,
                    institution=site,
                    arm=arm,
                    version=1,
                    counts={
                        name: int(counted[name])
                        for name in ("allocated", "received", "lost", "discontinued", "analysed")
                    },
                    recorded_at=self.now,
                    by=self.actor.id,
                )
            )

    def _plan(self, sites: Sequence[Participation], n: int) -> None:
        """Three years from the first opening, at a little more than what was reached."""
        begin = min(open_time.open_stays(part, self.now)[0].since for part in sites)
        share = max((self.now - begin) / PLANNED, 0.1)
        target = min(max(20, round(n / share * self.chance.uniform(0.9, 1.4))), MOST_PLANNED)
        stages = [(begin.date(), 0), ((begin + PLANNED).date(), target)]
        set_plan(self.session, self.study, stages, actor=self.actor, now=self.now)
