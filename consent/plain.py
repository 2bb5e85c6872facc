"""Patients who only ever spoke for themselves through the portal, read and judged many at a time.

What the rule finds (consent/rule.py) for them is simple: of all that was said about an item the
last word counts, and at the same moment a no goes before a yes. So a hospital's acts are read as
one line each, and per patient a few masks of columns are laid over each other. Everybody about
whom anything else is known is left to `consent.grounds.Judging`; a property test holds both
together.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Text, case, func, select, type_coerce
from sqlalchemy.orm import Session

from consent.evidence import Act
from consent.grounds import Column, Judged, act_from
from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, ConsentMark, Subject, TextEnd, TextVersion
from consent.models_people import Fact, Party
from consent.nothing_new import COLLECT_NEW
from consent.rule import ANY, SELF
from consent.standing import PAPER
from studies.base import from_ms, to_ms

#: A no to this is about data from before a moment, which needs more than the last word.
PAST: Final = "use.past"


@dataclass(frozen=True, slots=True)
class Plain:
    """One patient's judgement, and the acts it rests on, by receipt."""

    judged: Judged
    acts: tuple[tuple[str, Act], ...]


def judge_plain(
    session: Session, site: str, network: str, columns: tuple[Column, ...], moment: datetime
) -> tuple[dict[str, Plain], list[str]]:
    """Everybody of a site who spoke plainly, and the subjects of all others who said anything."""
    others = _others(session, site)
    acts = _acts(session, site)
    judging = _Masks(session, site, network, columns, moment)
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
    query: Any = (
        select(
            event.subject_id,
            event.receipt_id,
            func.min(event.leaf),
            func.aggregate_strings(said, ","),
            func.count(event.until),
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
    ) -> None:
        self._site, self._network, self._columns = site, network, columns
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
        place = {column: number for number, column in enumerate(columns)}
        self._needs = [
            sum(1 << place[study, code] for code in with_parents([item])) for study, item in columns
        ]
        self._tables: dict[tuple[str, ...], dict[str, tuple[int, int, str]]] = {}
        self._rows: dict[int, tuple[bytes, int]] = {}

    def plain(self, rows: Iterable[tuple[Any, ...]]) -> Plain | None:
        """What is found of one patient by his acts; None when it takes more than the last word."""
        words: list[tuple[int, int, int]] = []  # moment, a yes before a no, mask
        grants: list[tuple[int, int, int, tuple[Any, ...]]] = []
        newest: dict[Column, int] = {}
        for row in rows:
            told = self._told(row)
            if told is None:
                return None
            yes, no, denied, (effective, recorded, study) = told
            first, last = min(effective, recorded), max(effective, recorded)
            if yes:
                words.append((first, 0, yes))
                grants.append((-first, row[2], yes, row))
            if denied:
                words.append((last, 1, no))
                for item in denied:
                    newest[study, item] = max(last, newest.get((study, item), 0))
        standing = 0
        for _, is_no, mask in sorted(words):
            standing = standing & ~mask if is_no else standing | mask
        bits, left = self._row(standing)
        acts = []
        for *_, yes, row in sorted(grants, key=itemgetter(0, 1)):
            if yes & left:
                acts.append((row[1], _act(row)))
                left &= ~yes
        denied_at = tuple((*place, at) for place, at in newest.items())
        resting = tuple(sorted(receipt for receipt, _ in acts))
        return Plain(Judged(bits, resting, denied_at), tuple(acts))

    def _told(
        self, row: tuple[Any, ...]
    ) -> tuple[int, int, list[str], tuple[int, int, str]] | None:
        said, ends, least_proof, most_proof = row[3:7]
        same, most = row[7:15], row[15:23]
        effective, recorded, study, network, site, party, channel, text = same
        if same != most or ends or least_proof != most_proof:
            return None
        if party != SELF or channel == PAPER or max(effective, recorded) > self._now:
            return None
        table = self._tables.setdefault((study, network, site, text), {})
        yes, no, denied = 0, 0, []
        for word in said.split(","):
            found = table.get(word)
            if found is None:
                found = table[word] = self._word(word, study, network, site, text)
            if found[0] < 0:
                return None
            yes |= found[0]
            no |= found[1]
            if found[2]:
                denied.append(found[2])
        return yes, no, denied, (effective, recorded, study)

    def _word(
        self, word: str, study: str, network: str, site: str, text: str
    ) -> tuple[int, int, str]:
        """The columns that one thing said opens, those it closes, and its item when it is a no.

        -1 for what is not plain.
        """
        kind, item, category, counts = word.split(" ")
        grants = kind == "granted"
        wide = ANY in (study, network, site, item, category)
        of_times = item == COLLECT_NEW or (item == PAST and not grants)
        if of_times or (grants and wide):
            return -1, 0, ""
        mask = 0
        if network in (ANY, self._network) and site in (ANY, self._site):
            for number, (of, about) in enumerate(self._columns):
                if study in (ANY, of) and item in (ANY, about):
                    if category in (ANY, ITEMS[about].category):
                        mask |= 1 << number
        if not grants:
            return 0, mask, item
        good = text in self._good and not {(text, item), (text, ANY)} & self._ended
        return (mask if good and counts == "1" else 0), 0, ""

    def _row(self, standing: int) -> tuple[bytes, int]:
        """The bits of a row, and the same as a mask: a closed parent closes its children."""
        row = self._rows.get(standing)
        if row is None:
            bits = bytes(needs & standing == needs for needs in self._needs)
            mask = sum(1 << number for number, bit in enumerate(bits) if bit)
            row = self._rows[standing] = bits, mask
        return row


def _act(row: tuple[Any, ...]) -> Act:
    effective, _, study, *_ = row[7:15]
    proof: Mapping[str, Any] = json.loads(row[6])
    return act_from(study, row[14], SELF, from_ms(effective), proof)
