"""How far institutions are from a place, as the crow flies, nearest first. Nothing writes.

Distance is measured from the middle of a place to the middle of the city of the hospital; it says
which hospital is nearest, not how long the way is.
"""

from collections.abc import Iterable

from studies.models import Institution
from studies.network.places import Place, find_place, kilometres


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


def or_far(kilometre: float | None) -> float:
    """A distance to sort by: what is not known comes last."""
    return float("inf") if kilometre is None else kilometre
