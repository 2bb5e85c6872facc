"""Whether a patient counts in a study now, and if not, why: for this hospital's own people.

By the same books, proofs and list as an answer is counted by
(federation/site/choices/consenting.py). Nothing of it leaves the hospital.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.bands import band
from consent.errors import ConsentError
from consent.items import with_parents
from consent.rule import ANY
from consent.snapshot import NO_END, NO_START, as_handles
from federation.site.choices import denials, parties
from federation.site.choices.consenting import Consenting
from federation.site.choices.places import Places
from federation.site.directory import SiteDirectory

REASONS: Final[Mapping[str, str]] = {
    "counts": "Counts: a yes is here and this hospital could prove it.",
    "counts_in_part": "Counts with data of the allowed time only.",
    "no_list": "This hospital has no list of choices yet, so nobody counts.",
    "list_too_old": "The list of choices is too old, so nobody counts until a newer one comes.",
    "not_asked": "Nothing of this patient is known: no letter was used and no form was entered.",
    "stopped": "The patient, or who speaks for the patient, said no or stopped.",
    "not_agreed": "There is no yes to everything this study needs, or it ended, or somebody whose "
    "yes is needed too has not said it.",
    "not_proved": "The hub says yes, but this hospital cannot prove that it is the patient's, or "
    "somebody whose yes is needed too has not said it. Make a new letter.",
    "not_told": "There is a yes; it counts when its notice was sent long enough ago.",
    "died": "The patient died, and did not agree to use after death.",
}
"""What is said of a patient, and what it means."""


@dataclass(frozen=True)
class Decided:
    """Of one patient in one study. since, until: of which time data count, in milliseconds; None
    without a limit."""

    reason: str
    since: int | None = None
    until: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the patient is counted at all."""
        return self.reason in ("counts", "counts_in_part")


@dataclass(frozen=True)
class InUse:
    """The list that is counted by: its number and when the hub made it."""

    seq: int
    issued: datetime


def decide(
    directory: SiteDirectory,
    database: sqlite3.Connection,
    study: str,
    handles: Sequence[bytes] | NDArray[np.bytes_],
    now: datetime,
) -> tuple[InUse | None, list[Decided]]:
    """The list in use and, for each of `handles` in their order, what is decided now.

    study: one that this hospital agreed to. Raises KeyError for another one.
    """
    settings = directory.settings
    requires = settings.studies[study].requires
    consenting = Consenting(
        database,
        slug=settings.slug,
        network=settings.network,
        hub_public=settings.hub_public,
        periods=settings.periods,
        notice_days=settings.notice_days,
    )
    asked = as_handles(handles)
    looked = consenting.looked(now)
    if looked is None:
        return None, [Decided("no_list")] * len(asked)
    told, proven, waits = looked
    here = InUse(told.seq, told.issued)
    try:
        told.check_fresh(now, timedelta(minutes=directory.policy.consent_max_age_min))
    except ConsentError:
        return here, [Decided("list_too_old")] * len(asked)
    said = told.permits(asked, study, requires)
    counted = proven.permits(asked, study, requires)
    since, until = proven.limits(asked, study, requires)
    stopped = _stopped(database, study, requires)
    died = frozenset(parties.dead(database))
    places = Places(told.handles)
    found = []
    for number, handle in enumerate(Places(asked)):
        place = places.get(handle)
        if counted[number]:
            found.append(_window(int(since[number]), int(until[number])))
        elif handle in stopped:
            found.append(Decided("stopped"))
        elif place is None:
            found.append(Decided("not_asked"))
        elif not said[number]:
            found.append(Decided("not_agreed"))
        elif handle in died:
            found.append(Decided("died"))
        else:
            found.append(Decided("not_told" if waits[place] else "not_proved"))
    return here, found


def counts_of(decided: Sequence[Decided]) -> dict[str, str]:
    """How many patients each reason holds for, as ranges: a number that goes round in a hospital
    is compared with another one sooner or later."""
    found = Counter(each.reason for each in decided)
    return {reason: band(found[reason]) for reason in REASONS if found[reason]}


def _window(since: int, until: int) -> Decided:
    if since == NO_START and until == NO_END:
        return Decided("counts")
    return Decided(
        "counts_in_part",
        None if since == NO_START else since,
        None if until == NO_END else until,
    )


def _stopped(database: sqlite3.Connection, study: str, requires: Sequence[str]) -> frozenset[bytes]:
    """Who ever said no to something that this study cannot do without. Who said yes again later
    counts, and is not asked about here."""
    about = {*with_parents(requires), ANY}
    return frozenset(
        handle
        for handle, where, item in denials.newest(database)
        if where in (study, ANY) and item in about
    )
