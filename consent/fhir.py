"""What of a patient's log is said in FHIR: one Consent per act, and the result for now. Pure.

FHIR is a picture of the log, never the store. A reader may look at nothing but `status` and the
permits of what is `active`: then it must find exactly what the rule permits now. So

- an act is `active` only with the yeses that count now and that it is the newest source of;
- whatever ended (withdrawn, expired, overtaken, text ended, doubt) is `inactive`, and beside it
  stands an `active` deny: the act that withdrew, and always the computed result;
- a yes of the wrong person is `entered-in-error`;
- an act that only says no is `active` while nothing of its study is permitted, else `inactive`: a
  deny beside a permit would be two resources that contradict each other.

fhir_r4.py and fhir_r5.py put this into words; fhir_log.py reads it from the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Final, Literal

from consent.items import ITEMS, with_parents
from consent.rule import ALONE, ANY, Choice, Scope, decide

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
]
WRONG_PERSON: Final = "wrong_person"
OLDER_DATA: Final = "use.past"
#: Said when a patient wants nothing new to be used (withdrawal level W2), and when again.
NOTHING_NEW: Final = "collect.new"


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
    stopped."""

    study: str
    item: str
    state: State
    permits: bool = False
    since: datetime | None = None
    until: datetime | None = None
    ended: datetime | None = None


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

    @property
    def changed(self) -> datetime | None:
        """When something about this patient was last written down."""
        said = [one.choice.recorded_at for one in self.spoken]
        return max([*said, *(at for one in self.spoken for *_, at in one.marks)], default=None)

    def permits(self, study: str, item: str, now: datetime) -> bool:
        """Whether `item` of `study` counts now: the rule permits it and everything it rests on.

        Who wants nothing new used is not counted while a hospital cannot tell old data from new.
        """
        if item not in ITEMS or study == ANY or self._wants_nothing_new(study, now):
            return False
        return all(self._permits_alone(study, code, now) for code in with_parents([item]))

    def _wants_nothing_new(self, study: str, now: datetime) -> bool:
        said = [
            one.choice
            for one in self.spoken
            if one.item == NOTHING_NEW and one.study in (study, ANY) and _moment(one) <= now
        ]
        last = max(said, key=lambda choice: choice.recorded_at, default=None)
        return last is not None and last.kind != "grant"

    def _permits_alone(self, study: str, item: str, now: datetime) -> bool:
        choices = [one.choice for one in self.spoken]
        return decide(self.request(study, item), choices, now, needs=self.needs).permit

    def request(self, study: str, item: str) -> Scope:
        """The fully valued question of the rule."""
        return Scope(self.network, self.site, item, study, ITEMS[item].category)


def consents(
    patient: Patient, now: datetime, *, party: str | None = None
) -> tuple[ConsentNow, ...]:
    """Each act in the order of the log, then the computed result per study. See the module.

    party: what this speaker may see, who learns what counts but not what another one answered.
    """
    return _View(patient, now, party).all()


def computed_id(key: str, study: str) -> str:
    """The id of the computed Consent of a patient in a study: stable, at most 64 characters."""
    return f"{key}.{sha256(study.encode()).hexdigest()[:16]}"


class _View:
    """The log of one patient, looked at from one moment."""

    def __init__(self, patient: Patient, now: datetime, party: str | None) -> None:
        self.patient = patient
        self.now = now
        self.party = party
        self.permits = cache(lambda study, item: patient.permits(study, item, now))
        # What lies in the future is not said yet.
        self.spoken = [one for one in patient.spoken if _moment(one) <= now]
        self.place = {id(one): number for number, one in enumerate(self.spoken)}
        self.sources = {id(one) for one in self._sources()}
        self.acts: dict[str, list[Spoken]] = {}
        for one in self.spoken:
            self.acts.setdefault(one.receipt, []).append(one)

    def all(self) -> tuple[ConsentNow, ...]:
        acts = [self._act(receipt) for receipt, said in self.acts.items() if self._seen(said[0])]
        return (*acts, *(self._computed(study) for study in self._studies()))

    def _seen(self, one: Spoken) -> bool:
        return self.party in (None, one.choice.party)

    def _sources(self) -> Iterable[Spoken]:
        """Per item and party the newest yes that stands: what a permit of now comes from."""
        newest: dict[tuple[str, str, str], Spoken] = {}
        denials = [one.choice for one in self.patient.spoken if one.choice.kind != "grant"]
        for one in self.spoken:
            party = one.choice.party
            if one.choice.kind != "grant" or not one.named or party not in self.patient.needs:
                continue
            if not self.permits(one.study, one.item):
                continue
            request = self.patient.request(one.study, one.item)
            alone = decide(request, [*denials, one.choice], self.now, needs=frozenset({party}))
            if alone.permit:
                newest[one.study, one.item, party] = one
        return newest.values()

    def _studies(self) -> list[str]:
        said = {one.study for one in self.spoken if self._seen(one)} - {ANY}
        return sorted(said | set(self.patient.asked))

    # -- an act ----------------------------------------------------------------------------------

    def _act(self, receipt: str) -> ConsentNow:
        said = self.acts[receipt]
        items = tuple(self._item(one) for one in said)
        first = said[0]
        return ConsentNow(
            id=receipt,
            receipt=receipt,
            study=first.study if all(one.study == first.study for one in said) else ANY,
            status=self._status(said, items),
            items=items,
            effective_at=first.choice.effective_at,
            recorded_at=first.choice.recorded_at,
            text_version=first.text_version,
            language=first.language,
            by=((first.choice.party, first.role),),
            checked=_checked(said),
            only_new_data=self._only_new_data(first.study, said),
        )

    def _status(self, said: Sequence[Spoken], items: Sequence[ItemNow]) -> Status:
        if _in_error(said):
            return "entered-in-error"
        if any(item.permits for item in items):
            return "active"
        kinds = {one.kind for one in said}
        if "granted" in kinds or not self._is_last_word(said):
            return "inactive"
        if kinds == {"deferred"}:
            return "proposed"
        return "rejected" if kinds <= {"refused", "deferred"} else "active"

    def _is_last_word(self, said: Sequence[Spoken]) -> bool:
        """Whether nothing came after it, and nothing it could be read to deny is permitted."""
        studies = {one.study for one in said}
        about = set(self._studies()) if ANY in studies else studies
        given = dict.fromkeys(_named_items([one for one in self.spoken if one.kind == "granted"]))
        if any(self.permits(study, item) for study in about for item in given):
            return False
        last = max(self.place[id(one)] for one in said)
        overtaken = {
            one.study
            for one in self.spoken[last + 1 :]
            if one.receipt != said[0].receipt and not _in_error(self.acts[one.receipt])
        }
        return not (studies <= overtaken or ANY in overtaken)

    def _item(self, one: Spoken) -> ItemNow:
        state = self._state(one)
        later = self._next_word(one)
        ended = None
        if state == "expired":
            ended = one.choice.until
        elif one.kind == "granted" and state in ("withdrawn", "superseded") and later is not None:
            ended = max(later.choice.effective_at, later.choice.recorded_at)
        return ItemNow(
            study=one.study,
            item=one.item,
            state=state,
            permits=id(one) in self.sources,
            since=one.choice.effective_at,
            until=one.choice.until if one.choice.kind == "grant" else None,
            ended=ended,
        )

    def _state(self, one: Spoken) -> State:
        if one.marked("invalidated"):
            return "invalidated"
        if one.kind != "granted":
            return one.kind if one.kind in _SAID else "withdrawn"  # type: ignore[return-value]
        if id(one) in self.sources:
            return "granted"
        later = self._next_word(one)
        if later is not None:
            return "withdrawn" if later.kind in ("withdrawn", "objected") else "superseded"
        if one.choice.until is not None and one.choice.until <= self.now:
            return "expired"
        return "suspended"

    def _next_word(self, one: Spoken) -> Spoken | None:
        """The first thing said later about the same, by the same person or as a denial."""
        for later in self.spoken[self.place[id(one)] + 1 :]:
            same = later.study in (one.study, ANY) and later.item in (one.item, ANY)
            own = later.choice.party == one.choice.party
            if same and (own or later.choice.kind != "grant") and not later.marked("invalidated"):
                return later
        return None

    # -- the result for now ----------------------------------------------------------------------

    def _computed(self, study: str) -> ConsentNow:
        said = [one for one in self.spoken if one.study in (study, ANY) and self._seen(one)]
        asked = self.patient.asked.get(study)
        codes = dict.fromkeys((*(asked.items if asked else ()), *_named_items(said)))
        items = tuple(self._result(study, code, said) for code in codes)
        sources = [one for one in said if id(one) in self.sources]
        texts = [one for one in (*said, *sources) if one.text_version is not None]
        newest = texts[-1] if texts else None
        moment = max((_moment(one) for one in said), default=self.now)
        return ConsentNow(
            id=computed_id(self.patient.key, study),
            receipt=None,
            study=study,
            status="active" if any(one.kind != "deferred" for one in said) else "proposed",
            items=items,
            effective_at=moment,
            recorded_at=moment,
            text_version=newest.text_version if newest else asked.text_version if asked else None,
            language=newest.language if newest else "nl",
            by=tuple(dict.fromkeys((one.choice.party, one.role) for one in sources or said[-1:])),
            only_new_data=self._only_new_data(study, said),
        )

    def _result(self, study: str, item: str, said: Sequence[Spoken]) -> ItemNow:
        about = [one for one in said if one.item in (item, ANY)]
        if self.permits(study, item):
            # Where several must agree, it holds from the last of them on.
            own = [one for one in about if id(one) in self.sources] or about
            ends = [one.choice.until for one in own if one.choice.until is not None]
            since = max(one.choice.effective_at for one in own)
            return ItemNow(study, item, "granted", True, since, min(ends, default=None))
        if not about:
            state: State = "invited" if study in self.patient.asked else "not_asked"
            return ItemNow(study, item, state)
        last = about[-1]
        # A parent that was closed, or another person's yes that is awaited.
        shown = self._state(last)
        shown = "suspended" if shown == "granted" else shown
        return ItemNow(study, item, shown, False, last.choice.effective_at)

    def _only_new_data(self, study: str, said: Sequence[Spoken]) -> bool:
        asked = self.patient.asked.get(study)
        was_asked = asked is not None and OLDER_DATA in asked.items
        was_said = any(one.item == OLDER_DATA for one in said)
        return (was_asked or was_said) and not self.permits(study, OLDER_DATA)


_SAID: Final = ("refused", "deferred", "withdrawn", "objected")


def _moment(one: Spoken) -> datetime:
    return max(one.choice.effective_at, one.choice.recorded_at)


def _in_error(said: Sequence[Spoken]) -> bool:
    """Whether the wrong person spoke; a mark on each yes of an act stands for all of it."""
    yes = [one for one in said if one.kind == "granted"]
    return all(
        any(kind == "invalidated" and reason == WRONG_PERSON for kind, reason, _at in one.marks)
        for one in yes or said
    )


def _checked(said: Sequence[Spoken]) -> Checked | None:
    if all(one.channel != "paper" for one in said):
        return None
    confirmed = [at for one in said for kind, _why, at in one.marks if kind == "confirmed"]
    return Checked(min(confirmed, default=None))


def _named_items(said: Sequence[Spoken]) -> Iterable[str]:
    if any(one.kind == "granted" and one.item == ANY for one in said):
        return ITEMS
    return (one.item for one in said if one.item != ANY)
