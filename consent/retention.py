"""How long evidence is kept, and erasing it after that: content and salt go, the leaf stays.

The classes and years are those of the design (consent.md 3.7). A refusal or objection is kept as
long as there is a yes that it holds back. The log still verifies, and so do all other receipts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.models import ConsentEvent, ConsentMark, Receipt
from consent.models_trust import Erasure
from consent.rule import ANY
from studies.actor import Actor
from studies.events import announce
from studies.models import Network, Participation, Study
from studies.states import PARTICIPATION_ENDED

#: Retention class of a study -> years after its end. `registry`: while a released result rests on
#: it, plus the claim period that the network settled; None without one, and then nothing is erased.
YEARS: Final[Mapping[str, int | None]] = MappingProxyType(
    {"medicine": 25, "atmp": 30, "device": 10, "implant": 15, "wmo": 15, "registry": None}
)
_ALWAYS_OBEYED: Final = ("objected",)
_NOTHING: Final = "0" * 64
_SOME: Final = 500


@dataclass(frozen=True)
class Due:
    """What may be erased of a study now: its leaves in the log, and how many leaves must stay.

    `until`: the end of the time of keeping. Before it `leaves` is empty.
    """

    study: str
    network: str
    ground: str
    until: datetime
    leaves: tuple[int, ...]
    kept: int


def keep_until(session: Session, study: Study, last_result: datetime | None = None) -> datetime:
    """When the evidence of an ended study may go. last_result: when its last result left.

    The study ends when the last hospital stopped, the last choice was made and the last result was
    released, whichever is later. Raises ConsentError `study_not_ended`, `keeping_not_settled`.
    """
    ended = _ended(session, study, last_result)
    kind = retention_class(study)
    years = YEARS[kind]
    if years is None:
        network = session.get_one(Network, study.network)
        years = _whole(network.consent.get("claim_years"))
    return _years_later(ended, years)


def retention_class(study: Study) -> str:
    """The retention class of a study: what was settled for it, `registry` otherwise.

    Raises ConsentError `keeping_not_settled` for a class that is not in YEARS.
    """
    kind = study.consent.get("retention", "registry")
    if kind not in YEARS:
        raise ConsentError("keeping_not_settled")
    return str(kind)


def due(session: Session, study: str, now: datetime, last_result: datetime | None = None) -> Due:
    """What of a study may be erased now. Raises ConsentError `study_not_found`,
    `study_not_ended`, `keeping_not_settled`."""
    found = session.get(Study, study)
    if found is None:
        raise ConsentError("study_not_found")
    until, kind = keep_until(session, found, last_result), retention_class(found)
    if now < until:
        return Due(study, found.network, kind, until, (), _count(session, study))
    events = session.scalars(
        select(ConsentEvent).where(ConsentEvent.study == study).order_by(ConsentEvent.leaf)
    ).all()
    broad = _with_broad_yes(session, found.network)
    going = [event for event in events if may_go(event.kind, event.subject_id in broad)]
    marks = _marks_of(session, [event.id for event in going])
    leaves = sorted([event.leaf for event in going] + [mark.leaf for mark in marks])
    return Due(study, found.network, kind, until, tuple(leaves), len(events) - len(going))


def erase_due(
    session: Session,
    study: str,
    *,
    by: Sequence[Actor],
    now: datetime,
    last_result: datetime | None = None,
) -> Due:
    """Erase content and salt of what is due; `consent_erasure` names each leaf, why, by whom.

    by: two different people. Raises ConsentError `two_people_needed`, or what `due` raises.
    """
    people = sorted({actor.id for actor in by})
    if len(people) < 2:
        raise ConsentError("two_people_needed")
    found = due(session, study, now, last_result)
    _erase(session, found, people, now)
    if found.leaves:
        announce(
            session,
            actor=by[0],
            action="consent.content_erased",
            about=f"study:{study}",
            facts={"leaves": len(found.leaves), "ground": found.ground, "with": by[1].id},
        )
    return found


def _erase(session: Session, found: Due, people: list[str], now: datetime) -> None:
    event, mark = ConsentEvent, ConsentMark
    # The rows that allow it come first: without them the database refuses.
    for leaves in _parts(found.leaves):
        named: list[dict[str, Any]] = [
            {
                "network": found.network,
                "leaf": leaf,
                "ground": found.ground,
                "by": people,
                "at": now,
            }
            for leaf in leaves
        ]
        session.execute(insert(Erasure), named)
    for leaves in _parts(found.leaves):
        session.execute(delete(mark).where(mark.network == found.network, mark.leaf.in_(leaves)))
    # The newest first: a correction names the earlier event that it corrects.
    for leaves in _parts(found.leaves[::-1]):
        here = (event.network == found.network, event.leaf.in_(leaves))
        acts = select(event.receipt_id).where(*here)
        # A hash without salt over a few possible answers would still tell the answers.
        session.execute(update(Receipt).where(Receipt.id.in_(acts)).values(form_sha256=_NOTHING))
        session.execute(delete(event).where(*here))
    session.expire_all()


def _parts(leaves: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(leaves), _SOME):
        yield leaves[start : start + _SOME]


def may_go(kind: str, has_broad_yes: bool) -> bool:
    """Whether something said about a study that is over holds nothing back any more.

    A yes may always go: that only closes. A no, also "I don't know yet", may go when no broader yes
    of this patient stays.
    """
    if kind == "granted":
        return True
    return kind not in _ALWAYS_OBEYED and not has_broad_yes


def _with_broad_yes(session: Session, network: str) -> set[str]:
    """Patients with a yes that is about more than one study."""
    return set(
        session.scalars(
            select(ConsentEvent.subject_id)
            .where(
                ConsentEvent.network == network,
                ConsentEvent.study == ANY,
                ConsentEvent.kind == "granted",
            )
            .distinct()
        )
    )


def _marks_of(session: Session, events: Sequence[str]) -> list[ConsentMark]:
    found: list[ConsentMark] = []
    for start in range(0, len(events), _SOME):
        some = events[start : start + _SOME]
        found += session.scalars(select(ConsentMark).where(ConsentMark.event_id.in_(some)))
    return found


def _ended(session: Session, study: Study, last_result: datetime | None) -> datetime:
    parts = session.scalars(select(Participation).where(Participation.study == study.slug)).all()
    if study.state != "closed" or any(part.state not in PARTICIPATION_ENDED for part in parts):
        raise ConsentError("study_not_ended")
    said = session.scalar(
        select(func.max(ConsentEvent.recorded_at)).where(ConsentEvent.study == study.slug)
    )
    moments = [study.created_at, last_result, said, *(part.since for part in parts)]
    return max(moment for moment in moments if moment is not None)


def _count(session: Session, study: str) -> int:
    wanted = select(func.count()).select_from(ConsentEvent).where(ConsentEvent.study == study)
    return session.scalar(wanted) or 0


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ConsentError("keeping_not_settled")
    return value


def _years_later(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February: the day after is never too early
        return moment.replace(year=moment.year + years, month=3, day=1)
