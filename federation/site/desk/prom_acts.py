"""What the desk does with questionnaires: the same functions as `oncokring site prom`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from federation.prom.schedule import MONTHS, Pathway, Window
from federation.site.desk.acts import Acts
from federation.site.desk.doing import opened
from federation.site.prom.asking import Asking, Line, lines, pathways, planned

STATES = ("later", "due", "received", "late", "missed", "ended")


@dataclass(frozen=True)
class Wanted:
    """Questionnaires to ask of one patient."""

    number: str
    pathway: str
    start: date
    instruments: tuple[str, ...]
    any_number: bool


@dataclass(frozen=True)
class Counted:
    """How many patients stand where, of one questionnaire at one time point."""

    instrument: str
    timepoint: str
    of: Mapping[str, int]


class PromActs:
    """Asking, ending and counting, for one person at one desk. `ask` and `end` raise SetupError
    with the code of a sentence of the desk, or DataError."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    def pathways(self) -> Mapping[str, Pathway]:
        """The schedules of this hospital, by name."""
        return pathways(self._acts.path)

    def windows(self, wanted: Wanted) -> tuple[Window, ...]:
        """What would be asked, in order of time."""
        return planned(self._acts.path, wanted.pathway, wanted.start, wanted.instruments)

    def known(self, number: str, now: datetime, *, any_number: bool) -> None:
        """SetupError `number_unknown` for a number that no patient in the data has, unless any
        number is good."""
        with opened(self._acts.path, self._acts.by, now) as desk:
            desk.handle(number, any_number=any_number)

    def ask(self, wanted: Wanted, now: datetime) -> None:
        """Ask one patient; the hub hears it with the next exchange."""
        asked = self.windows(wanted)
        with opened(self._acts.path, self._acts.by, now) as desk:
            handle = desk.handle(wanted.number, any_number=wanted.any_number)
            with desk.act():
                asking = Asking(desk.database, desk.outbox, self._acts.by)
                asking.ask(handle, wanted.number, asked, now)

    def end(self, number: str, now: datetime, *, forget: bool, any_number: bool) -> int:
        """Ask a patient nothing more; about how many questionnaires that is."""
        with opened(self._acts.path, self._acts.by, now) as desk:
            handle = desk.handle(number, any_number=any_number)
            with desk.act():
                asking = Asking(desk.database, desk.outbox, self._acts.by)
                return asking.end(handle, now, forget=forget)

    def lines(self, now: datetime) -> list[Line]:
        """Every questionnaire that is or was asked, in order of its days."""
        with opened(self._acts.path, self._acts.by, now) as desk:
            return lines(desk.database, now.date())


def state_of(line: Line) -> str:
    """Where a questionnaire stands; `ended` where it is asked no more and never came."""
    return line.state if line.asked or line.received else "ended"


def counted(found: Sequence[Line]) -> list[Counted]:
    """Per questionnaire and time point, in order of time, how many patients stand where."""
    made: dict[tuple[str, str], Counter[str]] = {}
    for line in found:
        key = (line.window.instrument, line.window.timepoint)
        made.setdefault(key, Counter())[state_of(line)] += 1
    order = list(MONTHS)
    return [
        Counted(instrument, point, of)
        for (instrument, point), of in sorted(
            made.items(), key=lambda each: (each[0][0], order.index(each[0][1]))
        )
    ]
