"""Studies that are open nearest to a place, as the crow flies. Nothing writes.

Distance is measured from the middle of a place to the middle of the city of the hospital; it says
which hospital is nearest, not how long the way is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.models import Institution, Membership, Participation, Study, WorkingGroup
from studies.network.places import Place, find_place, kilometres
from studies.network.tumours import covers
from studies.periods import in_force


@dataclass(frozen=True)
class NearStudy:
    """A study with the hospitals where it is open, nearest first; a distance is None for a hospital
    whose place is not known, which then stands last."""

    study: Study
    places: tuple[tuple[Institution, float | None], ...]

    @property
    def nearest(self) -> float | None:
        """The distance to the nearest hospital, in kilometres."""
        return self.places[0][1]


def where_is(institution: Institution) -> tuple[float, float] | None:
    """The coordinates of an institution: its own, else those of its city."""
    if institution.latitude is not None and institution.longitude is not None:
        return institution.latitude, institution.longitude
    place = find_place(institution.city) if institution.city else None
    return None if place is None else (place.latitude, place.longitude)


def distance(place: Place, institution: Institution) -> float | None:
    """From a place to an institution in kilometres; None when its place is not known."""
    there = where_is(institution)
    return None if there is None else kilometres((place.latitude, place.longitude), there)


def nearest_first(
    institutions: Iterable[Institution], place: Place | None
) -> tuple[tuple[Institution, float | None], ...]:
    """Institutions with their distance from a place, nearest first, then by name; a distance is
    None where the place is not given or the institution's is not known, which then stands last."""
    far = [(each, None if place is None else distance(place, each)) for each in institutions]
    return tuple(sorted(far, key=lambda each: (or_far(each[1]), each[0].name)))


def open_near(
    session: Session,
    place: Place,
    at: datetime,
    *,
    tumour: str | None = None,
    group: str | None = None,
) -> list[NearStudy]:
    """The studies that hospitals have open now, nearest first.

    tumour: only studies of groups about this ICD-10 code; group: only of the group of this key.
    Raises StudiesError `bad_tumour`.
    """
    rows = session.scalars(
        select(Study)
        .where(
            Study.state == "open",
            Study.slug.in_(select(Participation.study).where(Participation.state == "open")),
        )
        .options(
            selectinload(Study.participations).selectinload(Participation.of_institution),
            selectinload(Study.group),
        )
        .order_by(Study.slug)
    )
    members = set(session.scalars(select(Membership.institution).where(in_force(Membership, at))))
    found = []
    for study in rows:
        if not _asked_for(study.group, tumour, group):
            continue
        open_at = [
            part.of_institution
            for part in study.participations
            if part.state == "open" and part.institution in members
        ]
        if open_at:
            found.append(NearStudy(study, nearest_first(open_at, place)))
    return sorted(found, key=lambda each: (or_far(each.nearest), each.study.slug))


def _asked_for(group: WorkingGroup | None, tumour: str | None, key: str | None) -> bool:
    if tumour is not None and (group is None or not covers(group.tumours, tumour)):
        return False
    return key is None or (group is not None and group.key == key)


def or_far(kilometre: float | None) -> float:
    """A distance to sort by: what is not known comes last."""
    return float("inf") if kilometre is None else kilometre
