"""Patients who only ever spoke for themselves through the portal, read and judged many at a time.

What the rule finds (consent/rule.py) for them is simple: of all that was said about an item the
last word counts, and at the same moment a no goes before a yes. Who was asked about older data and
has no yes to them counts with data since the first yes that stands. So a hospital's acts are read
as one line each, and per patient a few masks of columns are laid over each other. Everybody about
whom anything else is known, also a yes that ends or that may have come after a gap, is left to
`consent.grounds.Judging`; a property test holds both together.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Text, case, func, select, type_coerce
from sqlalchemy.orm import Session

from consent.evidence import Act
from consent.grounds import Column, Judged, act_from
from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, ConsentMark, Subject, TextEnd, TextVersion
from consent.models_people import Fact, Party
from consent.rule import ANY, COLLECT_NEW, OLDER_DATA, SELF
from consent.standing import PAPER, asking_older
from studies.base import from_ms, to_ms

_NEVER: Final = 1 << 62


class _Word(NamedTuple):
    """What one thing said does: the columns that it opens, those it closes, its item when it is a
    no, and the studies in which it shows that older data were asked about. opens: -1 for what is
    not plain."""

    opens: int
    closes: int = 0
    item: str = ""
    asks: int = 0


@dataclass(frozen=True, slots=True)
class Plain:
    """One patient's judgement, and the acts it rests on, by receipt. until: the first moment, in
    milliseconds, at which it may change by itself."""

    judged: Judged
    acts: tuple[tuple[str, Act], ...]
    until: int


def judge_plain(
    session: Session,
    site: str,
    network: str,
    columns: tuple[Column, ...],
    moment: datetime,
    sure_until: datetime,
    renewal: timedelta,
) -> tuple[dict[str, Plain], list[str]]:
    """Everybody of a site who spoke plainly, and the subjects of all others who said anything.

    Who may be judged otherwise before `sure_until`, because a yes ends, did not.
    """
    others = _others(session, site)
    acts = _acts(session, site)
    judging = _Masks(session, site, network, columns, moment, sure_until, renewal)
    found: dict[str, Plain] = {}
    left: list[str] = []
    for subject, rows in groupby(acts, itemgetter(0)):
        plain = None if subject in others else judging.plain(rows)
        if plain is None:
            left.append(subject)
        else:
            found[subject] = plain
    return found, left


def _others(session: Session, site: str) -> set[str]:
    """Patients of whom more is known than what they said themselves."""
    here = select(Subject.id).where(Subject.site == site)
    marked = (
        select(ConsentEvent.subject_id)
        .join(ConsentMark, ConsentMark.event_id == ConsentEvent.id)
        .where(ConsentEvent.subject_id.in_(here))
    )
    told = select(Party.subject_id).where(Party.subject_id.in_(here))
    closed = select(Fact.subject_id).where(Fact.subject_id.in_(here), Fact.kind == "closed")
    return {subject for rows in (marked, told, closed) for subject in session.scalars(rows)}


def _acts(session: Session, site: str) -> Iterable[tuple[Any, ...]]:
    """One row per act, those of a patient together, the oldest first.

    Everything about an act that is the same in all its rows comes as smallest and largest; what
    differs is in one text: kind, item, category, whether it is complete and proved.
    """
    event = ConsentEvent
    effective = type_coerce(event.effective_at, BigInteger)
    recorded = type_coerce(event.recorded_at, BigInteger)
    proof = type_coerce(event.proof, Text)
    counts = case((event.complete & event.proof.is_not(None), "1"), else_="0")
    said = event.kind + " " + event.item + " " + event.category + " " + counts
    same = (
        effective,
        recorded,
        event.study,
        event.network,
        event.site,
        event.party,
        event.channel,
        func.coalesce(event.text_version, ""),
    )
    until = type_coerce(event.until, BigInteger)
    query: Any = (
        select(
            event.subject_id,
            event.receipt_id,
            func.min(event.leaf),
            func.aggregate_strings(said, ","),
            func.min(until),
            func.min(proof),
            func.max(proof),
            *(func.min(each) for each in same),
            *(func.max(each) for each in same),
        )
        .join(Subject, Subject.id == event.subject_id)
        .where(Subject.site == site)
        .group_by(event.subject_id, event.receipt_id)
    )
    return sorted(session.execute(query), key=itemgetter(0, 2))


class _Masks:
    """Acts as masks over the columns of one site."""

    def __init__(
        self,
        session: Session,
        site: str,
        network: str,
        columns: tuple[Column, ...],
        moment: datetime,
        sure_until: datetime,
        renewal: timedelta,
    ) -> None:
        self._site, self._network = site, network
        self._sure, self._renewal = to_ms(sure_until), renewal // timedelta(milliseconds=1)
        studies = sorted({study for study, _ in columns})
        # Older data of a study are asked about also where the hospital has no column of it.
        further = [(study, OLDER_DATA) for study in studies if (study, OLDER_DATA) not in columns]
        self._columns = (*columns, *further)
        self._width = len(columns)
        self._now = to_ms(moment)
        self._good = set(
            session.scalars(select(TextVersion.id).where(TextVersion.suspended_at.is_(None)))
        )
        self._ended = {
            (text, item)
            for text, item in session.execute(
                select(TextEnd.text_version, TextEnd.item).where(TextEnd.at <= moment)
            )
        }
        place = {column: number for number, column in enumerate(self._columns)}
        self._needs = [
            sum(1 << place[study, code] for code in with_parents([item])) for study, item in columns
        ]
        self._asking = asking_older(session)
        # Per study: its columns, and the one of older data.
        self._studies = [
            (
                study,
                sum(1 << number for number, (of, _) in enumerate(columns) if of == study),
                1 << place[study, OLDER_DATA],
            )
            for study in studies
        ]
        self._tables: dict[tuple[str, ...], dict[str, _Word]] = {}
        self._rows: dict[int, tuple[bytes, int]] = {}

    def plain(self, rows: Iterable[tuple[Any, ...]]) -> Plain | None:
        """What is found of one patient by his acts; None when it takes more than the last word."""
        said: list[tuple[int, bool, int, int, Any]] = []  # moment, a no?, leaf, mask, act
        newest: dict[Column, int] = {}
        asked = 0
        until = _NEVER
        for row in rows:
            words = self._told(row)
            if words is None:
                return None
            effective, recorded, study = row[7:10]
            if row[4] is not None:
                until = min(until, row[4])
            opens = closes = 0
            for word in words:
                opens |= word.opens
                closes |= word.closes
                asked |= word.asks
                if word.item:
                    place = (study, word.item)
                    newest[place] = max(effective, recorded, newest.get(place, 0))
            if opens:
                said.append((min(effective, recorded), False, row[2], opens, row))
            if closes:
                said.append((max(effective, recorded), True, row[2], closes, row))
        if until <= self._sure:
            return None
        said.sort(key=itemgetter(0, 1, 2))
        standing = 0
        for _, is_no, _, mask, _ in said:
            standing = standing & ~mask if is_no else standing | mask
        bits, mask = self._row(standing)
        apart, older = self._limits(standing, mask, asked)
        if apart and any(at + self._renewal <= self._sure for at, is_no, *_ in said if not is_no):
            return None  # a yes may have come after a gap
        acts, due, again = self._newest(said, mask | older)
        until = min(until, again)
        if apart:
            acts |= self._first(said, apart)
        apart |= due & mask
        return Plain(
            Judged(
                self._bytes(mask & ~apart) if apart else bits,
                tuple(sorted(acts)),
                tuple((*place, at) for place, at in newest.items()),
                self._bytes(apart) if apart else b"",
            ),
            tuple((receipt, _act(row)) for receipt, row in acts.items()),
            until,
        )

    def _limits(self, standing: int, mask: int, asked: int) -> tuple[int, int]:
        """The columns that count with data of some time only; those that let older data count."""
        apart = older = 0
        for number, (_, own, past) in enumerate(self._studies):
            if asked >> number & 1 and mask & own:
                if standing & past:
                    older |= past
                else:
                    apart |= mask & own
        return apart, older

    def _newest(
        self, said: Sequence[tuple[int, bool, int, int, Any]], left: int
    ) -> tuple[dict[str, Any], int, int]:
        """Per column of `left` the newest act that opens it, of two at one moment the first; the
        columns that are due to be said again, and when the next ones are."""
        found: dict[str, Any] = {}
        due, again = 0, _NEVER
        for at, is_no, _, mask, row in sorted(said, key=lambda each: (-each[0], each[2])):
            if not is_no and mask & left:
                found[row[1]] = row
                if at + self._renewal <= self._sure:
                    due |= mask & left
                else:
                    again = min(again, at + self._renewal)
                left &= ~mask
        return found, due, again

    def _first(
        self, said: Sequence[tuple[int, bool, int, int, Any]], wanted: int
    ) -> dict[str, Any]:
        """Per column of `wanted` the first act of those that still stand."""
        standing = 0
        firsts: list[tuple[int, Any]] = []
        for _, is_no, _, mask, row in said:
            if is_no:
                standing &= ~mask
                firsts = [(own & ~mask, act) for own, act in firsts]
            else:
                firsts.append((mask & ~standing, row))
                standing |= mask
        return {row[1]: row for own, row in firsts if own & wanted}

    def _told(self, row: tuple[Any, ...]) -> list[_Word] | None:
        """What was said in one act; None when it is not plain."""
        said, _, least_proof, most_proof = row[3:7]
        same, most = row[7:15], row[15:23]
        effective, recorded, study, network, site, party, channel, text = same
        if same != most or least_proof != most_proof:
            return None
        if party != SELF or channel == PAPER or max(effective, recorded) > self._now:
            return None
        table = self._tables.setdefault((study, network, site, text), {})
        words = []
        for word in said.split(","):
            found = table.get(word)
            if found is None:
                found = table[word] = self._word(word, study, network, site, text)
            if found.opens < 0:
                return None
            words.append(found)
        return words

    def _word(self, word: str, study: str, network: str, site: str, text: str) -> _Word:
        kind, item, category, counts = word.split(" ")
        grants = kind == "granted"
        if item == COLLECT_NEW or (grants and ANY in (study, network, site, item, category)):
            return _Word(-1)
        here = network in (ANY, self._network) and site in (ANY, self._site)
        mask = asks = 0
        for number, (of, about) in enumerate(self._columns):
            if here and study in (ANY, of) and item in (ANY, about):
                if category in (ANY, ITEMS[about].category):
                    mask |= 1 << number
        if here and (item == OLDER_DATA or (grants and text in self._asking)):
            for number, (of, _, _) in enumerate(self._studies):
                asks |= (study in (ANY, of)) << number
        if not grants:
            return _Word(0, mask, item, asks)
        good = text in self._good and not {(text, item), (text, ANY)} & self._ended
        return _Word(mask if good and counts == "1" else 0, asks=asks)

    def _row(self, standing: int) -> tuple[bytes, int]:
        """The bits of a row, and the same as a mask: a closed parent closes its children."""
        row = self._rows.get(standing)
        if row is None:
            bits = bytes(needs & standing == needs for needs in self._needs)
            mask = sum(1 << number for number, bit in enumerate(bits) if bit)
            row = self._rows[standing] = bits, mask
        return row

    def _bytes(self, mask: int) -> bytes:
        return bytes(mask >> number & 1 for number in range(self._width))


def _act(row: tuple[Any, ...]) -> Act:
    effective, _, study, *_ = row[7:15]
    proof: Mapping[str, Any] = json.loads(row[6])
    return act_from(study, row[14], SELF, from_ms(effective), proof)
