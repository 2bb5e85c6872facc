"""What of a patient's log is said in FHIR: one Consent per act, and the result for now. Pure.

FHIR is a picture of the log, never the store. A reader may look at nothing but `status` and the
permits of what is `active`: then it must find exactly what the rule permits now. So

- an act is `active` only with the yeses that count now and that it is the newest source of;
- whatever ended (withdrawn, expired, overtaken, text ended, doubt) is `inactive`, and beside it
  stands an `active` deny: the act that withdrew, and always the computed result;
- a yes of the wrong person is `entered-in-error`;
- a yes that has to be said again, or of somebody who wants nothing new used, permits nothing;
- an act that only says no is `active` while nothing of its study is permitted, else `inactive`: a
  deny beside a permit would be two resources that contradict each other.

fhir_r4.py and fhir_r5.py put this into words; fhir_log.py reads it from the database.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Final

from consent.fhir_model import (
    WRONG_PERSON,
    Checked,
    ConsentNow,
    ItemNow,
    Patient,
    Spoken,
    State,
    Status,
)
from consent.items import ITEMS
from consent.rule import ANY, OLDER_DATA, decide


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
        self.limits = cache(lambda study, item: patient.data_until(study, item, now))
        # What lies in the future is not said yet.
        self.spoken = [one for one in patient.spoken if one.moment <= now]
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
            ended = later.moment
        return ItemNow(
            study=one.study,
            item=one.item,
            state=state,
            permits=id(one) in self.sources,
            since=one.choice.effective_at,
            until=one.choice.until if one.choice.kind == "grant" else None,
            ended=ended,
            data_until=self._data_until(one.study, one.item, state),
        )

    def _data_until(self, study: str, item: str, state: State) -> datetime | None:
        limit = self.limits(study, item) if state in ("due", "no_new_data") else None
        return None if limit is None else limit[1]

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
        limit = self.limits(one.study, one.item)
        return "suspended" if limit is None else limit[0]

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
        moment = max((one.moment for one in said), default=self.now)
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
        return ItemNow(
            study,
            item,
            shown,
            since=last.choice.effective_at,
            data_until=self._data_until(study, item, shown),
        )

    def _only_new_data(self, study: str, said: Sequence[Spoken]) -> bool:
        asked = self.patient.asked.get(study)
        was_asked = asked is not None and OLDER_DATA in asked.items
        was_said = any(one.item == OLDER_DATA for one in said)
        return (was_asked or was_said) and not self.permits(study, OLDER_DATA)


_SAID: Final = ("refused", "deferred", "withdrawn", "objected")


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
