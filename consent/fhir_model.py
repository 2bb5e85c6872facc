"""What a FHIR export is made of, whatever its version: events with their marks, items, Consents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from consent.items import ITEMS, with_parents
from consent.rule import (
    ALONE,
    ANY,
    OLDER_DATA,
    Choice,
    Decision,
    Scope,
    decide,
    nothing_new_since,
    renewed_until,
)

Status = Literal["proposed", "active", "rejected", "inactive", "entered-in-error"]
State = Literal[
    "not_asked",
    "invited",
    "deferred",
    "granted",
    "refused",
    "withdrawn",
    "objected",
    "expired",
    "suspended",
    "superseded",
    "invalidated",
    "due",
    "no_new_data",
]
"""`due`: a yes that has to be said again for new data. `no_new_data`: the patient wants nothing new
used. Both permit nothing in an export, where a reader may not look at dates; hospitals go on
counting what is of before `data_until`."""

WRONG_PERSON: Final = "wrong_person"


@dataclass(frozen=True)
class Spoken:
    """One event of the log with what became known about it later.

    choice: as the rule takes it (consent/standing.py). marks: kind and reason, in the log's order.
    """

    receipt: str
    kind: str
    choice: Choice
    role: str = "self"
    text_version: str | None = None
    language: str = "nl"
    channel: str = "portal"
    marks: tuple[tuple[str, str, datetime], ...] = ()

    @property
    def item(self) -> str:
        """The item, or "*"."""
        return self.choice.scope.item

    @property
    def study(self) -> str:
        """The study, or "*"."""
        return self.choice.scope.study

    @property
    def named(self) -> bool:
        """Whether it is about one item of one study."""
        return ANY not in (self.item, self.study)

    @property
    def moment(self) -> datetime:
        """From when it is said: neither meant to hold nor written down later."""
        return max(self.choice.effective_at, self.choice.recorded_at)

    def marked(self, kind: str) -> bool:
        """Whether a mark of this kind was put on it."""
        return any(mark[0] == kind for mark in self.marks)


@dataclass(frozen=True)
class Asked:
    """What a patient is asked in a study: the text in force, and its items."""

    text_version: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class ItemNow:
    """One item of one study in a Consent. `permits`: a yes that counts now. `ended`: when a yes
    stopped. `data_until`: hospitals count only data of before, and go on doing so."""

    study: str
    item: str
    state: State
    permits: bool = False
    since: datetime | None = None
    until: datetime | None = None
    ended: datetime | None = None
    data_until: datetime | None = None


@dataclass(frozen=True)
class Checked:
    """The check of a paper record by a second person; `at` None while it is awaited."""

    at: datetime | None


@dataclass(frozen=True)
class ConsentNow:
    """One Consent, whatever the version of FHIR. `by`: who spoke, as (party, role).

    receipt: the act it shows; None for the computed result. data_from: data from before the yes
    may not be used (item use.past was asked and is not granted).
    """

    id: str
    receipt: str | None
    study: str
    status: Status
    items: tuple[ItemNow, ...]
    effective_at: datetime
    recorded_at: datetime
    text_version: str | None
    language: str
    by: tuple[tuple[str, str], ...]
    checked: Checked | None = None
    only_new_data: bool = False

    @property
    def computed(self) -> bool:
        """Whether it is the result of the rule for now, not an act."""
        return self.receipt is None


@dataclass
class Patient:
    """Everything about one patient that an export needs; `spoken` in the order of the log."""

    key: str
    network: str
    site: str
    spoken: Sequence[Spoken]
    asked: Mapping[str, Asked] = field(default_factory=dict)
    needs: frozenset[str] = ALONE
    renewal: timedelta | None = None

    @property
    def changed(self) -> datetime | None:
        """When something about this patient was last written down."""
        said = [one.choice.recorded_at for one in self.spoken]
        return max([*said, *(at for one in self.spoken for *_, at in one.marks)], default=None)

    def permits(self, study: str, item: str, now: datetime) -> bool:
        """Whether `item` of `study` counts now: the rule permits it and everything it rests on.

        Who wants nothing new used is not permitted in an export, nor who was to be asked again and
        has not said yes since: a reader may not look at dates.
        """
        if item not in ITEMS or study == ANY or self._wants_nothing_new(study, now):
            return False
        return all(self._permits_alone(study, code, now) for code in with_parents([item]))

    def data_until(self, study: str, item: str, now: datetime) -> tuple[State, datetime] | None:
        """Why a yes that stands permits nothing in an export, and the end of the time of which
        hospitals go on counting data; None for a yes that does permit, or does not stand."""
        if item not in ITEMS or study == ANY:
            return None
        found = [self._decided(study, code, now) for code in with_parents([item])]
        if not all(each.permit for each in found):
            return None
        nothing_new = self._nothing_new(study, now)
        renewed = [renewed_until(each, self.renewal) for each in found]
        due = [each for each in renewed if each is not None and each <= now]
        ends = [*due, *([] if nothing_new is None else [nothing_new])]
        if not ends:
            return None
        return "no_new_data" if nothing_new is not None else "due", min(ends)

    def _wants_nothing_new(self, study: str, now: datetime) -> bool:
        return self._nothing_new(study, now) is not None

    def _nothing_new(self, study: str, now: datetime) -> datetime | None:
        said = [one.choice for one in self.spoken]
        return nothing_new_since(self.request(study, OLDER_DATA), said, now, needs=self.needs)

    def _permits_alone(self, study: str, item: str, now: datetime) -> bool:
        found = self._decided(study, item, now)
        renewed = renewed_until(found, self.renewal)
        return found.permit and (renewed is None or now < renewed)

    def _decided(self, study: str, item: str, now: datetime) -> Decision:
        choices = [one.choice for one in self.spoken]
        return decide(self.request(study, item), choices, now, needs=self.needs)

    def request(self, study: str, item: str) -> Scope:
        """The fully valued question of the rule."""
        return Scope(self.network, self.site, item, study, ITEMS[item].category)
