"""From what is written down to what the rule judges: which yes is complete, and whose is needed.

Everything is worked out when it is asked, from stored facts; no job ever changes a state. The same
stands in consent/rule_sql.py for the database; a property test holds both together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, select, type_coerce
from sqlalchemy.orm import Session

from consent.closing import Closed, closed_times
from consent.models import ConsentEvent, ConsentMark, Subject, TextEnd, TextVersion
from consent.models_people import Party
from consent.parties import HOLDERS
from consent.rule import ALONE, ANY, OLDER_DATA, SELF, Choice, Scope

PAPER: Final = "paper"


@dataclass
class Standing:
    """What a subject said, as the rule takes it, and whose yes is needed now."""

    choices: list[Choice] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    needs: frozenset[str] = ALONE


def of_subjects(
    session: Session, subjects: Iterable[str], now: datetime, known_at: datetime | None = None
) -> Mapping[str, Standing]:
    """For each of these subjects that said anything. `known_at`: by what was known then."""
    wanted = list(subjects)
    if not wanted:
        return {}
    return _standing(session, ConsentEvent.subject_id.in_(wanted), wanted, now, known_at)


def at_site(
    session: Session, site: str, now: datetime, known_at: datetime | None = None
) -> Mapping[str, Standing]:
    """For each subject of a site that said anything."""
    here = select(Subject.id).where(Subject.site == site)
    return _standing(session, ConsentEvent.subject_id.in_(here), here, now, known_at)


def asking_older(session: Session) -> frozenset[str]:
    """The ids of the texts that ask whether older data may be used."""
    # In the stored JSON as it is: texts are long. A question is named there by its code, quoted.
    names_it = type_coerce(TextVersion.content, Text).contains(f'"{OLDER_DATA}"')
    return frozenset(session.scalars(select(TextVersion.id).where(names_it)))


def _standing(
    session: Session,
    which: ColumnElement[bool],
    subjects: Any,
    now: datetime,
    known_at: datetime | None,
) -> Mapping[str, Standing]:
    event = ConsentEvent
    rows = session.execute(
        select(
            event.id,
            event.subject_id,
            event.kind,
            event.network,
            event.site,
            event.item,
            event.study,
            event.category,
            event.effective_at,
            event.recorded_at,
            event.until,
            event.complete,
            event.channel,
            event.party,
            event.text_version,
            TextVersion.id,
            TextVersion.suspended_at,
            event.receipt_id,
            event.proof.is_not(None),
        )
        .join(TextVersion, TextVersion.id == event.text_version, isouter=True)
        .where(which)
        .order_by(event.leaf)
    )
    doubts = _Doubts.of(session, which, subjects, now, known_at)
    asking = asking_older(session)
    found: dict[str, Standing] = {}
    scopes: dict[tuple[str, ...], Scope] = {}
    for row in rows:
        key = tuple(row[3:8])
        scope = scopes.get(key)
        if scope is None:
            scope = scopes[key] = Scope(*key)
        standing = found.setdefault(row[1], Standing())
        grants = row[2] == "granted"
        standing.events.append(row[0])
        standing.choices.append(
            Choice(
                kind="grant" if grants else "denial",
                scope=scope,
                effective_at=row[8],
                recorded_at=row[9],
                until=row[10],
                complete=not grants or (bool(row[11]) and bool(row[18]) and doubts.clear(row)),
                party=row[13],
                act=row[17],
                asks_older=row[14] in asking,
            )
        )
    for subject, needs in needs_of(session, subjects, now, known_at).items():
        if subject in found:
            found[subject].needs = needs
    return found


@dataclass(frozen=True)
class _Doubts:
    """What takes the force from a yes that was given."""

    ended: frozenset[tuple[str, str]]
    void: frozenset[str]
    confirmed: frozenset[str]
    closed: Mapping[str, Sequence[Closed]]
    grown: Mapping[str, datetime]
    begun: Mapping[tuple[str, str], datetime]
    known_at: datetime | None

    @classmethod
    def of(
        cls,
        session: Session,
        which: ColumnElement[bool],
        subjects: Any,
        now: datetime,
        known_at: datetime | None,
    ) -> "_Doubts":
        ended = session.execute(select(TextEnd.text_version, TextEnd.item).where(TextEnd.at <= now))
        marks = select(ConsentMark).where(
            ConsentMark.event_id.in_(select(ConsentEvent.id).where(which)),
            # What should never have counted did not count in the past either.
            (ConsentMark.recorded_at <= now) | (ConsentMark.kind == "invalidated"),
        )
        if known_at is not None:
            marks = marks.where(ConsentMark.recorded_at <= known_at)
        by_event: dict[str, list[ConsentMark]] = {}
        for mark in session.scalars(marks.order_by(ConsentMark.leaf)):
            by_event.setdefault(mark.event_id, []).append(mark)
        return cls(
            frozenset((text, item) for text, item in ended),
            frozenset(event for event, said in by_event.items() if is_void(said)),
            frozenset(
                event
                for event, said in by_event.items()
                if any(mark.kind == "confirmed" for mark in said)
            ),
            closed_times(session, subjects, now, known_at),
            grown_up_since(session, subjects, now, known_at),
            begun_at(session, subjects, known_at),
            known_at,
        )

    def clear(self, row: Any) -> bool:
        """Whether nothing takes the force from this yes."""
        event, subject, item, recorded = row[0], row[1], row[5], row[9]
        channel, text, known_text, suspended = row[12], row[14], row[15], row[16]
        grown = self.grown.get(subject)
        if row[13] == SELF and grown is not None and min(row[8], recorded) < grown:
            return False
        begun = self.begun.get((subject, row[13]))
        if begun is not None and min(row[8], recorded) < begun:
            return False
        if known_text is None or event in self.void:
            return False
        # What counted before a text was suspended did count then; now it never does.
        if suspended is not None and (self.known_at is None or suspended <= self.known_at):
            return False
        if (text, item) in self.ended or (text, ANY) in self.ended:
            return False
        if channel == PAPER and event not in self.confirmed:
            return False
        return not any(each.shuts(recorded) for each in self.closed.get(subject, ()))


def is_void(marks: Sequence[ConsentMark]) -> bool:
    """Whether marks on one yes, in the order of the log, leave it without force."""
    doubted = False
    for mark in marks:
        if mark.kind == "invalidated":
            return True
        if mark.kind in ("suspended", "resumed"):
            doubted = mark.kind == "suspended"
    return doubted


def needs_of(
    session: Session, subjects: Any, now: datetime, known_at: datetime | None = None
) -> Mapping[str, frozenset[str]]:
    """Whose yes is needed at `now`, for each subject of whom the hospital told anything about it.

    An empty set: nobody may decide at this moment, so nothing counts. Others decide alone.
    """
    needs: dict[str, set[str]] = {}
    for (subject, party), row in _newest(_parties(session, subjects, known_at)).items():
        own = needs.setdefault(subject, set())
        if _in_force(row, now):
            own.add(party)
    return {subject: frozenset(own) for subject, own in needs.items()}


def grown_up_since(
    session: Session, subjects: Any, now: datetime, known_at: datetime | None = None
) -> Mapping[str, datetime]:
    """Since when a patient decides without holders of authority, who had them before.

    Their own yes of before was one of several, and does not stand alone (consent.md 3.7, age).
    Every word of the hospital counts, also one that was overruled: authority that ended, did.
    """
    rows = _parties(session, subjects, known_at)
    held = {
        subject
        for (subject, _), row in _newest(rows).items()
        if row.role in HOLDERS and _in_force(row, now)
    }
    ended: dict[str, datetime] = {}
    for row in rows:
        until = row.valid_until
        if row.role in HOLDERS and until is not None and until <= now:
            ended[row.subject_id] = max(until, ended.get(row.subject_id, until))
    return {subject: until for subject, until in ended.items() if subject not in held}


def begun_at(
    session: Session, subjects: Any, known_at: datetime | None = None
) -> Mapping[tuple[str, str], datetime]:
    """From when each representative may speak, by subject and party, by the hospital's newest word.
    What somebody said before their appointment began does not count."""
    newest = _newest(_parties(session, subjects, known_at))
    return {place: row.valid_from for place, row in newest.items() if place[1] != SELF}


def _parties(session: Session, subjects: Any, known_at: datetime | None) -> Sequence[Party]:
    rows = select(Party).where(Party.subject_id.in_(subjects))
    if known_at is not None:
        rows = rows.where(Party.recorded_at <= known_at)
    return session.scalars(rows.order_by(Party.recorded_at, Party.id)).all()


def _newest(rows: Iterable[Party]) -> Mapping[tuple[str, str], Party]:
    return {(row.subject_id, row.party): row for row in rows}


def _in_force(row: Party, now: datetime) -> bool:
    return row.valid_from <= now and (row.valid_until is None or now < row.valid_until)
