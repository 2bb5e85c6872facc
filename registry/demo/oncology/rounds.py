"""Two finished evaluation rounds of a working group, by the services and the running sites.

The group compares a year's outcomes. It measures the quarter in which one hospital's theatre staff
were ill, talks about it, looks for the cause by groups of patients, agrees on help with an owner
and a day, and measures the next quarter; a round of more indicators is planned. The hospitals did
not agree to names, so that no word of the group says whose letter is whose. All words are invented.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from federation.indicators import owning
from federation.indicators.catalogue import shipped
from federation.rounds import discussing, following, planning, reading
from federation.rounds.errors import RoundError
from federation.rounds.models import EvaluationRound, RoundAction
from federation.rounds.plan import Repeats, Wish
from federation.rounds.snapshot import IndicatorFinding, Snapshot
from federation.rounds.states import RELEASED
from federation.runs.embargo import seeing
from registry.demo.oncology.hospitals import (
    NEXT_QUARTER,
    QUARTER_AFTER,
    QUARTER_OF_TROUBLE,
    TROUBLE,
    YEAR,
)
from registry.demo.oncology.study import GROUP, QUALITY
from registry.demo.running import DemoFailed, RunningDemo
from registry.transaction import unit_of_work
from studies.actor import Actor
from studies.models import WorkingGroup
from studies.network.groups import find_group
from studies.seeds.oncozon import INSTITUTIONS, ONCOZON

ACCESS: Final = "access_time"
#: Each with all that an indicator asks. What its main question told may have its trend and who was
#: taken out refused (ADR 0013); the main questions go first, so that they are what is answered.
INDICATORS: Final = (ACCESS, "treatment_interval_surgery")
NEXT: Final = (ACCESS, "treatment_interval_surgery", "mdo_before_treatment")
#: What a year shows that a quarter has too few patients for.
OUTCOMES: Final = (
    "mdo_before_treatment",
    "severe_complications",
    "textbook_outcome_colon",
    "mortality_30",
)
STRATA: Final = ("stage_group",)
_GROUP_KEY: Final = f"{ONCOZON.slug}.{GROUP}"
_SITES: Final = tuple(sorted(each.slug for each in INSTITUTIONS))
_SOON: Final = timedelta(seconds=3)
_PATIENCE: Final = 600.0
#: The group's own versions: what differs from the shipped definition, and why.
OWN: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    ACCESS: ({"strata": list(STRATA)}, "Wij zoeken een oorzaak eerst per stadium."),
    "severe_complications": (
        {"case_mix": "age + asa + charlson"},
        "Bijna geen ziekenhuis heeft in een jaar tien spoedoperaties, en zonder die staat er geen "
        "verwacht aantal. Spoed bekijken wij daarom als groep apart.",
    ),
    "textbook_outcome_colon": (
        {"case_mix": "age + asa"},
        "Met een niveau per stadium en voor spoed heeft bijna geen ziekenhuis tien patiënten in "
        "elk niveau. Leeftijd en ASA houden wij als getal.",
    ),
}
SAID: Final[Mapping[str, str]] = {
    "severe_complications": "Wij vergelijken alleen met wat bij de patiënten van elk ziekenhuis te "
    "verwachten was. Wie buiten de grenzen ligt, laat zien hoe het de patiënten voorbereidt.",
    "mortality_30": "Gelukkig overlijden er per ziekenhuis te weinig mensen om één jaar te "
    "vergelijken. Wij kijken over drie jaar samen.",
}
CAUSE: Final = (
    "In het voorjaar waren meerdere medewerkers van de operatiekamer ziek. Spreekuren vielen uit. "
    "In elk stadium dat te zien is, wachtten mensen langer dan elders."
)
ACTION: Final = (
    "Twee andere ziekenhuizen lenen elk een operatieteam uit. "
    "Daarmee zijn er twee extra spreekuren per week."
)


@dataclass(frozen=True)
class Finished:
    """A round from plan to measured action, and the year's outcomes that were told before it."""

    id: str
    snapshot: Snapshot
    year: Snapshot
    action: Mapping[str, Any]
    following: str
    seconds: float

    @property
    def finding(self) -> IndicatorFinding:
        """What it found of access time."""
        return next(each for each in self.snapshot.indicators if each.id == ACCESS)

    @property
    def signals(self) -> list[str]:
        """The hospitals whose median is at least twice that of the others."""
        return [row.site for row in self.finding.rows if row.signal]

    @property
    def address(self) -> str:
        """Where the page of the round is."""
        return f"/rounds/{self.id}"


class Rounds:
    """The acts of the people who evaluate care, one transaction each."""

    def __init__(self, running: RunningDemo) -> None:
        self._running = running
        self._factory = running.network.factory
        self._chair, self._committee = running.actor("chair2"), running.actor("committee2")

    def hold(self) -> Finished:
        """Everything from the group's own definitions to the closed action."""
        start = time.monotonic()
        with self._act(self._chair) as session:
            self._own_versions(session)
            self._agree_on_target(session)
        year = self._compare_outcomes()
        quarter = self.begin(
            {
                "nl": "Wachten, tweede kwartaal 2025",
                "en": "Waiting, second quarter of 2025",
            },
            INDICATORS,
            QUARTER_OF_TROUBLE,
        )
        self._wait_released(quarter)
        self._discuss(quarter)
        self._cause(quarter)
        action = self._measure_again(quarter)
        later = self._plan_next()
        with self._factory() as session:
            found, outcomes = (
                reading.snapshot(session, reading.get(session, each)) for each in (quarter, year)
            )
        return Finished(quarter, found, outcomes, action, later, time.monotonic() - start)

    def _compare_outcomes(self) -> str:
        """A whole year of what came of treatment, in which most hospitals have enough patients."""
        year = self.begin(
            {"nl": "Uitkomsten van zorg, 2025", "en": "Outcomes of care, 2025"}, OUTCOMES, YEAR
        )
        self._wait_released(year)
        with self._act(self._chair) as session:
            row, now = reading.get(session, year), datetime.now(UTC)
            for indicator, text in SAID.items():
                discussing.say(
                    session, row, indicator=indicator, text=text, actor=self._chair, now=now
                )
        return year

    def _plan_next(self) -> str:
        """The round after this one: approved, asked in a month and told two weeks later."""
        return self.begin(
            {
                "nl": "Wachten, vierde kwartaal 2025",
                "en": "Waiting, fourth quarter of 2025",
            },
            NEXT,
            NEXT_QUARTER,
            freeze_in=timedelta(days=30),
            release_in=timedelta(days=14),
            repeats=True,
        )

    def begin(
        self,
        title: Mapping[str, str],
        indicators: tuple[str, ...],
        period: tuple[str, str],
        *,
        freeze_in: timedelta = timedelta(0),
        release_in: timedelta = _SOON,
        repeats: bool = False,
    ) -> str:
        """Plan a round, lay it before the committee, have it approved; its id.

        On a busy machine a plan may not be approved before its release; then it is planned anew.
        """
        for _ in range(5):
            now = datetime.now(UTC)
            wish = Wish(
                group=_GROUP_KEY,
                study=QUALITY.slug,
                title=title,
                indicators=indicators,
                first=period[0],
                last=period[1],
                sites=_SITES,
                freeze_at=now + freeze_in,
                release_at=now + freeze_in + release_in,
                repeats=Repeats("quarter", 2, now + timedelta(days=400)) if repeats else None,
                purpose="Samen nagaan of wij het afgesproken niveau halen.",
            )
            made = ""
            try:
                made = self._planned(wish)
                self._approve(made)
            except RoundError as error:
                if error.code != "BAD_MOMENTS":
                    raise
                if made:
                    self._cancel(made)
                release_in *= 3
            else:
                return made
        raise DemoFailed("a round was not approved before its release")

    def _planned(self, wish: Wish) -> str:
        with self._act(self._chair) as session:
            row = planning.plan(session, wish, actor=self._chair, now=datetime.now(UTC))
            planning.offer(
                session, row, version=row.version, actor=self._chair, now=datetime.now(UTC)
            )
            return row.id

    def _approve(self, round_id: str) -> None:
        with self._act(self._committee) as session:
            row, now = reading.get(session, round_id), datetime.now(UTC)
            planning.approve(session, row, version=row.version, actor=self._committee, now=now)

    def _cancel(self, round_id: str) -> None:
        with self._act(self._chair) as session:
            seeing(session)
            row, now = reading.get(session, round_id), datetime.now(UTC)
            planning.cancel(session, row, version=row.version, actor=self._chair, now=now)

    def _own_versions(self, session: Session) -> None:
        """The shipped definitions, changed where the group wants them otherwise."""
        for indicator, (changes, why) in OWN.items():
            given = shipped()[indicator].to_dict()
            owning.add_version(
                session,
                self._group(session),
                {**given, "version": given["version"] + 1, **changes},
                why=why,
                actor=self._chair,
                now=datetime.now(UTC),
            )

    def _agree_on_target(self, session: Session) -> None:
        """A level that the group agreed on, beside the national norm."""
        owning.set_target(
            session,
            self._group(session),
            ACCESS,
            {
                "at_least": 0.5,
                "within": 21,
                "since": "2025-01-01",
                "confirmed": True,
                "source": "Afspraak van de werkgroep, 3 maart 2025 (verzonnen)",
            },
            why="De helft binnen drie weken halen wij nu al; wie minder haalt vraagt hulp.",
            actor=self._chair,
            now=datetime.now(UTC),
        )

    def _group(self, session: Session) -> WorkingGroup:
        group = find_group(session, _GROUP_KEY)
        if group is None:
            raise DemoFailed(f"there is no working group {_GROUP_KEY}")
        return group

    def _discuss(self, round_id: str) -> None:
        with self._act(self._chair) as session:
            row, now = reading.get(session, round_id), datetime.now(UTC)
            discussing.say(
                session,
                row,
                indicator=ACCESS,
                text="Het ziekenhuis ziet het zelf ook. Wij kijken samen waar het zit.",
                actor=self._chair,
                now=now,
            )
            discussing.offer_help(
                session,
                row,
                indicator=ACCESS,
                from_site="maxima-mc",
                to_site=TROUBLE.hospital,
                text="Kom kijken hoe onze spreekuren zijn ingedeeld. Ook een team uitlenen kan.",
                actor=self._chair,
                now=now,
            )

    def _cause(self, round_id: str) -> None:
        with self._act(self._chair) as session:
            row, now = reading.get(session, round_id), datetime.now(UTC)
            asked = following.ask_cause(
                session,
                row,
                indicator=ACCESS,
                variables=STRATA,
                release_at=now + _SOON,
                actor=self._chair,
                now=now,
            ).id
        self._wait_released(asked)
        with self._act(self._chair) as session:
            discussing.say(
                session,
                reading.get(session, round_id),
                indicator=ACCESS,
                kind="cause",
                text=CAUSE,
                actor=self._chair,
                now=datetime.now(UTC),
            )

    def _measure_again(self, round_id: str) -> dict[str, Any]:
        """Agree on an action that measures the next quarter by itself; wait until it is closed."""
        with self._act(self._chair) as session:
            now = datetime.now(UTC)
            made = discussing.add_action(
                session,
                reading.get(session, round_id),
                indicator=ACCESS,
                site=TROUBLE.hospital,
                text=ACTION,
                cause=CAUSE,
                owner="De kwaliteitsmedewerker van het ziekenhuis",
                due=date(2027, 1, 15),
                first=QUARTER_AFTER[0],
                last=QUARTER_AFTER[1],
                measure_at=now + _SOON,
                actor=self._chair,
                now=now,
            ).id

        def closed(session: Session) -> bool:
            return session.get_one(RoundAction, made).state == "closed"

        self._wait(closed, "the action was not measured again")
        with self._factory() as session:
            action = session.get_one(RoundAction, made)
            return {
                "site": action.site,
                "owner": action.owner,
                "due": action.due.isoformat(),
                "state": action.state,
                "before": dict(action.before or {}),
                "after": dict(action.after or {}),
            }

    def _wait_released(self, round_id: str) -> None:
        def released(session: Session) -> bool:
            return session.get_one(EvaluationRound, round_id).state == RELEASED

        self._wait(released, "the round was not released")

    def _wait(self, done: Callable[[Session], bool], otherwise: str) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            with self._factory() as session:
                if done(session):
                    return
            time.sleep(0.05)
        raise DemoFailed(f"{otherwise} in {_PATIENCE:.0f} seconds")

    @contextmanager
    def _act(self, actor: Actor) -> Iterator[Session]:
        with unit_of_work(self._factory, actor) as session:
            yield session
