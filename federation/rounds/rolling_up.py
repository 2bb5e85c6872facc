"""Hospital, subnetwork, region: the shown rows of a round added up, each hospital once.

Nothing is asked again and nothing hidden comes out: a sum is over hospitals whose own numbers are
shown, and it names who is in and who is not. An institution that is in two subnetworks (Erasmus MC
in EMBRAZE and CONCORD) counts in each of the two and once in the region; a total can be asked
without a named hospital.

In a round with letters only the region may be shown: beside the lettered rows, the sum of a
subnetwork or of all but one hospital tells whose letter is whose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from federation.rounds.findings import network_of
from federation.rounds.snapshot import IndicatorFinding, Network, Row, Snapshot
from studies.network.directory import network_at


@dataclass(frozen=True)
class Part:
    """A region or a subnetwork and its hospitals."""

    kind: Literal["region", "subnetwork"]
    slug: str
    name: str
    sites: frozenset[str]


@dataclass(frozen=True)
class RolledUp:
    """The sums of one part. `inside`: whose numbers are added; `outside`: why each other hospital
    of the part is not, by hospital: a reason of the snapshot, `not_asked` when the round did not
    ask it, or `left_out` when it was left out by name."""

    part: Part
    numbers: Network
    inside: tuple[str, ...]
    outside: Mapping[str, str]


def parts_of(session: Session, network: str, at: datetime) -> tuple[Part, ...]:
    """The region and its subnetworks with their members at a moment, the region last."""
    found = network_at(session, network, at)
    names = {part.slug: part.name for part in found.subnetworks}
    members: dict[str, set[str]] = {slug: set() for slug in names}
    for member in found.members:
        for part, _role in member.parts:
            members[part.slug].add(member.institution.slug)
    small = [Part("subnetwork", slug, names[slug], frozenset(members[slug])) for slug in names]
    whole = frozenset(member.institution.slug for member in found.members)
    return (*small, Part("region", network, found.network.name, whole))


def shown_parts(snapshot: Snapshot, parts: Collection[Part]) -> tuple[Part, ...]:
    """The parts whose sums a reader of this round may see.

    With letters only a region that holds every hospital of the round: one that a hospital has left
    would tell, beside the total, what is that hospital's."""
    asked = {hospital.site for hospital in snapshot.hospitals}
    return tuple(
        part
        for part in parts
        if snapshot.round.names or (part.kind == "region" and asked <= part.sites)
    )


def roll_up(
    snapshot: Snapshot,
    finding: IndicatorFinding,
    parts: Collection[Part],
    *,
    without: Collection[str] = (),
) -> tuple[RolledUp, ...]:
    """The sums of each part for one indicator of a round; `without`: these hospitals left out.

    Where the round did not agree to names, none of fewer than LEAST_HOSPITALS.
    """
    measure = str(finding.definition["measure"])
    rows = {row.site: row for row in finding.rows}
    asked = {hospital.site for hospital in snapshot.hospitals}
    found = tuple(_of(measure, part, rows, asked, frozenset(without)) for part in parts)
    if snapshot.round.names:
        return found
    return tuple(replace(each, numbers=each.numbers.for_outsiders()) for each in found)


def _of(
    measure: str,
    part: Part,
    rows: Mapping[str, Row],
    asked: Collection[str],
    without: frozenset[str],
) -> RolledUp:
    inside, outside = [], {}
    for site in sorted(part.sites):
        if site in without:
            outside[site] = "left_out"
        elif site not in asked or site not in rows:
            outside[site] = "not_asked"
        elif not _counts(measure, rows[site]):
            outside[site] = rows[site].hidden or "not_measured"
        else:
            inside.append(site)
    numbers = network_of(measure, [rows[site] for site in inside])
    return RolledUp(part, numbers, tuple(inside), outside)


def _counts(measure: str, row: Row) -> bool:
    """Whether a row has what the sum of this measure needs."""
    match measure:
        case "share":
            return row.observed is not None and row.n is not None
        case "time":
            return bool(row.bins)
        case _:
            return row.n is not None
