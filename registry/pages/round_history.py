"""What happened to a released round, in words, and the other rounds of its series.

Who is in stands elsewhere on the page under the reader's letters; here no hospital is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.rounds import reading
from federation.rounds.models import EvaluationRound, RoundEvent
from federation.rounds.plan import moment
from registry.access import may_see_round
from registry.pages.round_reading import INSIDE_ROUND, Reading
from registry.pages.round_words import own_language, period
from registry.transaction import current_session
from registry.translate import moment as write_moment
from registry.translate import translate as _
from studies.actor import SYSTEM


@dataclass(frozen=True)
class Happened:
    """One thing that happened: when, who did it (empty for the program), and what."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True)
class Neighbour:
    """Another round of the series: its address by id, its title and months."""

    id: str
    title: str
    period: str
    later: bool


def history_of(found: Reading) -> list[Happened]:
    """The steps of the round, the oldest first. What was said, and what an action did, stand on the
    page already; what is put off, and why, only here."""
    titles = dict(found.indicator_options)
    steps = []
    for event in reading.events(current_session(), found.round):
        what = _what(event, titles)
        if what:
            who = "" if event.by == SYSTEM.id else event.by_name or event.by
            steps.append(Happened(event.at, who, what))
    return steps


def _what(event: RoundEvent, titles: dict[str, str]) -> str:
    plain = {
        "planned": _("planned"),
        "changed": _("plan changed"),
        "offered": _("laid before the committee"),
        "approved": _("approved by the committee"),
        "refused": _("refused by the committee"),
        "follows": _("begun under the approval of the round before"),
        "started": _("the hospitals were asked"),
        "released": _("released to everybody"),
        "closed": _("closed by the group"),
        "series_ended": _("the series ended: the next round could not be asked"),
    }
    if event.kind == "action_waits":
        name = titles.get(str(event.facts.get("indicator")), "")
        return _("measuring again is put off: %(name)s", name=name)
    if event.kind == "series_waits":
        when = write_moment(moment(str(event.facts["again"])))
        return _("the next round of the series waits until %(when)s", when=when)
    return plain.get(event.kind, "")


def series_of(found: Reading) -> list[Neighbour]:
    """The rounds before and after this one in its series that the reader may see, in order."""
    session = current_session()
    before = list(reversed(reading.series(session, found.round)))
    after: list[EvaluationRound] = []
    later = _following(session, found.round)
    while later is not None:
        after.append(later)
        later = _following(session, later)
    return [
        Neighbour(
            each.id,
            own_language(each.plan["title"]),
            period(each.plan["period"]),
            later=each in after,
        )
        for each in (*before, *after)
        if may_see_round(g.actor, each, INSIDE_ROUND)
    ]


def _following(session: Session, row: EvaluationRound) -> EvaluationRound | None:
    """The next of the series, whatever its state: that it is planned is no secret."""
    wanted = select(EvaluationRound).where(
        EvaluationRound.previous == row.id, EvaluationRound.kind == "round"
    )
    return session.scalars(wanted.limit(1)).first()
