"""A study at four hospitals, of which two are open, for the tests of recruitment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.models import Institution, Membership, Network, Participation, ParticipationStep, Study
from studies.participants.models import Participant
from studies.recruitment import accrual
from studies.taking_part import create_study

DAY0 = datetime(2026, 1, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NURSE = Actor(kind="user", id="nurse")
SITES = ("noord", "oost", "west", "zuid")
Road = list[tuple[str, int]]

# State and the day from which it held, counted from the first of January.
ROADS: dict[str, Road] = {
    "noord": [("invited", 0), ("feasibility", 10), ("approved", 40), ("open", 100)],
    "oost": [
        ("invited", 0),
        ("feasibility", 30),
        ("approved", 50),
        ("open", 130),
        ("on_hold", 160),
        ("open", 190),
    ],
    "west": [("invited", 5), ("feasibility", 25)],
    "zuid": [("invited", 0), ("declined", 12)],
}
NOW = DAY0 + 220 * DAY


class Trial:
    """A study at four hospitals, of which two are open."""

    def __init__(self, session: Session) -> None:
        self.session, self.numbers = session, count(1)
        session.add(Network(slug="net", name="Net"))
        for slug in SITES:
            session.add(Institution(slug=slug, name=slug.capitalize(), kind="general"))
        session.flush()
        session.add_all(Membership(network="net", institution=slug, since=DAY0) for slug in SITES)
        self.study: Study = create_study(
            session,
            slug="trial",
            network="net",
            title_nl="Proef",
            title_en="Trial",
            question_nl="?",
            question_en="?",
            purpose_nl="p",
            purpose_en="p",
            codebook={"codebook": "c/1", "variables": {"age": {"type": "integer"}}},
            requires=["study.join"],
            actor=SYSTEM,
            now=DAY0,
        )
        for site, road in ROADS.items():
            state, day = road[-1]
            part = Participation(
                study="trial", institution=site, state=state, since=DAY0 + day * DAY
            )
            part.steps = [
                ParticipationStep(
                    number=number,
                    state=step,
                    at=DAY0 + at * DAY,
                    recorded_at=DAY0 + at * DAY,
                    by="nurse",
                )
                for number, (step, at) in enumerate(road, start=1)
            ]
            session.add(part)
        session.flush()

    def part(self, site: str) -> Participation:
        return next(part for part in self.study.participations if part.institution == site)

    def recruit(self, site: str, *days: int, **more: Any) -> None:
        for day in days:
            self.session.add(
                Participant(
                    study="trial",
                    pseudonym=f"TR-{next(self.numbers):04}",
                    state="on-study",
                    since=DAY0 + day * DAY,
                    on_study=DAY0 + day * DAY,
                    **{"site": site, "credited": site} | more,
                )
            )
        self.session.flush()

    def accrual(self, day: int = 220) -> accrual.Accrual:
        self.session.expire_all()
        return accrual.accrual(self.session, self.study, DAY0 + day * DAY)


def refused(code: str, do: Callable[[], Any]) -> StudiesError:
    with pytest.raises(StudiesError) as found:
        do()
    assert found.value.code == code
    return found.value
