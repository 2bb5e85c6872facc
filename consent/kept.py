"""What was found of each patient, kept from one list to the next: only who may have changed is
judged again.

A judgement may change when the patient or the hospital says something (a new leaf of the log, a new
fact), when a time that matters to it comes near, or when texts, columns or erased content change;
in the last case everybody is judged anew. A lost or doubtful memory costs time, never truth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import standing
from consent.closing import CLOSED
from consent.collecting import without_collecting
from consent.evidence import Act
from consent.grounds import Column, Judged, Judging, State, acts_of, assemble, handles_of
from consent.models import ConsentEvent, ConsentMark, Subject, TextEnd, TextVersion
from consent.models_people import Fact, FactCorrection, Party
from consent.models_trust import Erasure
from consent.plain import judge_plain
from consent.renewing import periods_of
from consent.standing import Standing
from studies.base import to_ms

#: Above this share of a hospital's patients, reading everybody is quicker.
_MOST_SHARE: Final = 0.1
_SOME: Final = 500
_People = Mapping[str, tuple[object, ...]]


@dataclass
class _Site:
    """The memory of one hospital. until: when a judgement may change by itself, and how far it was
    sure then; plain_until: the same of those who spoke plainly, in milliseconds; size: of the log,
    below which everything is in."""

    network: str
    basis: tuple[object, ...]
    moment: datetime
    size: int
    people: _People
    judged: dict[str, Judged] = field(default_factory=dict)
    until: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    plain_until: dict[str, int] = field(default_factory=dict)
    acts: dict[str, Act] = field(default_factory=dict)
    handles: dict[str, bytes] = field(default_factory=dict)


class Kept:
    """The judgements of the patients of any number of hospitals, in memory."""

    def __init__(self) -> None:
        self._sites: dict[str, _Site] = {}

    def state_of(
        self,
        session: Session,
        site: str,
        network: str,
        columns: tuple[Column, ...],
        moment: datetime,
        sure_until: datetime,
        size: int,
    ) -> State:
        """As `consent.grounds.state_of`. size: of the network's log, read before in the same
        session; what was said after it may be in."""
        with without_collecting():
            return self._state_of(session, site, network, columns, moment, sure_until, size)

    def _state_of(
        self,
        session: Session,
        site: str,
        network: str,
        columns: tuple[Column, ...],
        moment: datetime,
        sure_until: datetime,
        size: int,
    ) -> State:
        renewal = periods_of(session, network).renewal
        basis = (*_basis(session, network, columns, moment), renewal)
        people = _people(session, site)
        kept = self._sites.get(site)
        judging = Judging(network, site, columns, moment, sure_until, renewal)
        if (
            kept is None
            or (kept.network, kept.basis) != (network, basis)
            or moment < kept.moment
            or size < kept.size
        ):
            kept = None
        else:
            again = _changed(session, site, kept, people, sure_until)
            if len(again) > max(_SOME, _MOST_SHARE * len(kept.judged)):
                kept = None
            else:
                # Forgotten until all is well: what fails half-way must not be believed later.
                del self._sites[site]
                kept.moment, kept.size, kept.people = moment, size, people
                _judge(session, kept, judging, again)
        if kept is None:
            self._sites.pop(site, None)
            kept = _Site(network, basis, moment, size, people)
            plain, others = judge_plain(
                session, site, network, columns, moment, sure_until, renewal
            )
            kept.handles = handles_of(session, site)
            for subject, found in plain.items():
                kept.judged[subject] = found.judged
                kept.plain_until[subject] = found.until
                kept.acts.update(found.acts)
            _judge(session, kept, judging, others)
        state = assemble(session, columns, kept.judged, kept.handles, kept.acts)
        self._sites[site] = kept
        return state


def _basis(
    session: Session, network: str, columns: tuple[Column, ...], moment: datetime
) -> tuple[object, ...]:
    """What the judgement of everybody rests on."""
    suspended = session.execute(
        select(TextVersion.id, TextVersion.suspended_at).order_by(TextVersion.id)
    )
    ended = session.execute(
        select(TextEnd.text_version, TextEnd.item)
        .where(TextEnd.at <= moment)
        .order_by(TextEnd.text_version, TextEnd.item)
    )
    erased = session.scalar(
        select(func.count()).select_from(Erasure).where(Erasure.network == network)
    )
    return columns, tuple(map(tuple, suspended)), tuple(map(tuple, ended)), erased


def _people(session: Session, site: str) -> _People:
    """Of whom the hospital told who decides, or that no yes may come any more, and the times."""
    here = select(Subject.id).where(Subject.site == site)
    found: dict[str, tuple[object, ...]] = {}
    told = select(Party.subject_id, Party.id, Party.valid_from, Party.valid_until)
    for subject, *rest in session.execute(
        told.where(Party.subject_id.in_(here)).order_by(Party.id)
    ):
        found[subject] = (*found.get(subject, ()), *rest)
    closed = (
        select(Fact.subject_id, Fact.id, Fact.recorded_at, FactCorrection.recorded_at)
        .join(FactCorrection, FactCorrection.fact_id == Fact.id, isouter=True)
        .where(Fact.kind == CLOSED)
    )
    for subject, *rest in session.execute(
        closed.where(Fact.subject_id.in_(here)).order_by(Fact.id)
    ):
        found[subject] = (*found.get(subject, ()), *rest)
    return found


def _changed(
    session: Session, site: str, kept: _Site, people: _People, sure_until: datetime
) -> set[str]:
    """Whose judgement may have changed since it was made."""
    event, mark = ConsentEvent, ConsentMark
    said = (
        select(event.subject_id)
        .join(Subject, Subject.id == event.subject_id)
        .where(event.network == kept.network, event.leaf >= kept.size, Subject.site == site)
    )
    marked = (
        select(event.subject_id)
        .join(mark, mark.event_id == event.id)
        .join(Subject, Subject.id == event.subject_id)
        .where(mark.network == kept.network, mark.leaf >= kept.size, Subject.site == site)
    )
    again = set(session.scalars(said)) | set(session.scalars(marked))
    again |= {
        subject
        for subject in people.keys() | kept.people.keys()
        if people.get(subject) != kept.people.get(subject)
    }
    sure = to_ms(sure_until)
    again |= {subject for subject, until in kept.plain_until.items() if until <= sure}
    # Sure for as long as nothing comes before the end of the list; one that was judged with a
    # later end may have left out a yes that lasts long enough for this one.
    return again | {
        subject for subject, (until, sure) in kept.until.items() if not sure <= sure_until < until
    }


def _judge(session: Session, kept: _Site, judging: Judging, subjects: Iterable[str]) -> None:
    """Judge these patients one by one, by the rule itself."""
    wanted = sorted(subjects)
    for start in range(0, len(wanted), _SOME):
        some = wanted[start : start + _SOME]
        standings = standing.of_subjects(session, some, judging.moment)
        missing = [subject for subject in some if subject not in kept.handles]
        kept.handles |= handles_of(session, judging.site, missing)
        for subject in some:
            own = standings.get(subject)
            kept.until.pop(subject, None)
            kept.plain_until.pop(subject, None)
            if own is None:
                kept.judged.pop(subject, None)
                continue
            kept.judged[subject] = judging.judged(own)
            people = kept.people.get(subject, ())
            until = _next_time(own, people, judging.moment, judging.renewal)
            if until is not None:
                kept.until[subject] = (until, judging.sure_until)
        resting = {
            receipt
            for subject in some
            if subject in kept.judged
            for receipt in kept.judged[subject].acts
        }
        kept.acts |= acts_of(session, resting - kept.acts.keys())


def _next_time(
    own: Standing, people: tuple[object, ...], moment: datetime, renewal: timedelta
) -> datetime | None:
    """The first moment still to come that matters to this patient; None for none."""
    times = [time for time in people if isinstance(time, datetime)]
    for choice in own.choices:
        times += [choice.effective_at, choice.recorded_at]
        if choice.until is not None:
            times.append(choice.until)
        if choice.kind == "grant":
            times.append(min(choice.effective_at, choice.recorded_at) + renewal)
    return min((time for time in times if time > moment), default=None)
