"""Finding a study: by kind of cancer, how far it has come, hospital and place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, selectinload

from studies.errors import StudiesError
from studies.models import Institution, Membership, Participation, Study
from studies.network.nearest import nearest_first, or_far
from studies.network.places import Place
from studies.network.tumours import covers
from studies.periods import in_force
from studies.register.stages import STAGES
from studies.states import PARTICIPATION_ENDED

SHOWN = ("recruiting", "open", "closed", "all")


@dataclass(frozen=True)
class Wish:
    """What somebody looks for; None leaves it open.

    group: the key of a working group. tumour: an ICD-10 code or range that its group is about.
    show: "recruiting" (open for participants in some hospital), "open", "closed" or "all".
    """

    group: str | None = None
    stage: str | None = None
    hospital: str | None = None
    place: Place | None = None
    show: str = "recruiting"
    words: str = ""
    tumour: str | None = None


@dataclass(frozen=True)
class Found:
    """A study, the hospitals where people can take part now, nearest first, and how many take part.

    A distance is None where no place was given or the hospital's is not known.
    """

    study: Study
    places: tuple[tuple[Institution, float | None], ...]
    taking_part: int

    @property
    def nearest(self) -> float | None:
        """Kilometres to the nearest hospital."""
        return self.places[0][1] if self.places else None


def find_studies(session: Session, wish: Wish, now: datetime) -> list[Found]:
    """The studies that fit, nearest first where a place was given, else by Dutch title.

    A hospital that is not in the network of the study on that day is no place to take part. Raises
    StudiesError `unknown_code` for a stage or `show` that there is not, `bad_tumour`.
    """
    if wish.show not in SHOWN or (wish.stage is not None and wish.stage not in STAGES):
        raise StudiesError("unknown_code")
    states = {"all": ("open", "closed"), "closed": ("closed",)}.get(wish.show, ("open",))
    rows = session.scalars(
        select(Study)
        .where(Study.state.in_(states))
        .options(
            defer(Study.codebook),
            selectinload(Study.group),
            selectinload(Study.participations).selectinload(Participation.of_institution),
        )
        .order_by(Study.title_nl, Study.slug)
    )
    found = list(_fitting(rows.all(), wish, _members(session, now)))
    if wish.place is not None:
        found.sort(key=lambda each: or_far(each.nearest))
    return found


def _members(session: Session, now: datetime) -> set[tuple[str, str]]:
    """(network, institution) of everybody who is in a network now."""
    held = select(Membership.network, Membership.institution).where(in_force(Membership, now))
    return {(network, institution) for network, institution in session.execute(held)}


def _fitting(rows: Sequence[Study], wish: Wish, members: set[tuple[str, str]]) -> Iterator[Found]:
    words = wish.words.casefold().split()
    for study in rows:
        text = " ".join((study.title_nl, study.title_en, study.question_nl, study.question_en))
        if not all(word in text.casefold() for word in words):
            continue
        if wish.group is not None and (study.group is None or study.group.key != wish.group):
            continue
        if wish.tumour is not None and not covers(
            [] if study.group is None else study.group.tumours, wish.tumour
        ):
            continue
        if wish.stage is not None and study.stages and wish.stage not in study.stages:
            continue
        one = _found(study, wish.place, members)
        if wish.show == "recruiting" and not one.places:
            continue
        if wish.hospital is not None and not _is_at(study, one, wish):
            continue
        yield one


def _found(study: Study, place: Place | None, members: set[tuple[str, str]]) -> Found:
    taking = [
        part
        for part in study.participations
        if part.state not in PARTICIPATION_ENDED and (study.network, part.institution) in members
    ]
    open_at = [part.of_institution for part in taking if part.state == "open"]
    return Found(study, nearest_first(open_at, place), len(taking))


def _is_at(study: Study, one: Found, wish: Wish) -> bool:
    if wish.show == "recruiting":
        return any(each.slug == wish.hospital for each, _ in one.places)
    return any(part.institution == wish.hospital for part in study.participations)
