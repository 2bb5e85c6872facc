"""Invented people for the seeds' working groups. Nobody here exists, and the names say so.

Names are drawn from a fixed seed, so that every machine has the same network.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from studies.seeds.shape import GroupSeed, InstitutionSeed, PersonSeed

_FIRST: Final = (
    "Aart Bea Carlo Dewi Emre Floor Gijs Hilde Iris Jamal Kim Lars Meral Niels Olaf Petra Quirine "
    "Rens Saskia Teun Ursula Victor Wouter Xandra Yusuf Zoë Anouk Boris Chantal Dirk Eline Frank "
    "Greet Hugo Imke Jelle Katja Leo Mirjam Nico"
).split()
_LAST: Final = (
    "Voorbeeld Verzonnen Denkbeeld Bedacht Fictief Schijnbaar Proefmans Bijvoorbeeld Zogenaamd "
    "Verzinsel Verdichtsel Droombeeld Hersenschim Gesteldat Stelmaar Nergenshuizen"
).split()
#: The share of hospitals that send nobody to a group, so that there are gaps to see.
ABSENT: Final = 0.07


def names(seed: str) -> Iterator[str]:
    """Invented names without end, no name twice before all were used."""
    chance = random.Random(f"people:{seed}")  # noqa: S311  the same people on every machine
    pairs = [f"{first} {last}" for first in _FIRST for last in _LAST]
    while True:
        chance.shuffle(pairs)
        yield from pairs


def filled(
    groups: Sequence[GroupSeed],
    institutions: Sequence[InstitutionSeed],
    seed: str,
    extra: Mapping[str, Sequence[str]] | None = None,
) -> tuple[GroupSeed, ...]:
    """The groups with one or two members of most hospitals added to those they have.

    `extra`: per group the hospitals that certainly send nobody.
    """
    drawn = names(seed)
    chance = random.Random(f"seats:{seed}")  # noqa: S311
    return tuple(_filled(group, institutions, drawn, chance, extra or {}) for group in groups)


def _filled(
    group: GroupSeed,
    institutions: Sequence[InstitutionSeed],
    drawn: Iterator[str],
    chance: random.Random,
    extra: Mapping[str, Sequence[str]],
) -> GroupSeed:
    members = list(group.members)
    expected = list(group.expected)
    institutes = any(each.kind == "radiotherapy" for each in institutions)
    for institution in institutions:
        absent = chance.random() < ABSENT or institution.slug in extra.get(group.slug, ())
        already = [each for each in members if each.institution == institution.slug]
        # Where no institute radiates, the larger hospitals do.
        radiates = not institutes and institution.kind != "general"
        wards = [each for each in expected if radiates or each != "radiotherapy"]
        if institution.kind == "radiotherapy":
            wanted = [each for each in expected if each == "radiotherapy"]
        else:
            wanted = chance.sample(wards, min(len(wards), chance.choice((1, 2, 2))))
        if absent and not already:
            continue
        for discipline in wanted:
            if all(each.discipline != discipline for each in already):
                members.append(PersonSeed(next(drawn), discipline, institution.slug))
    if not any(each.role == "patient" for each in members):
        members.append(PersonSeed(next(drawn), "patient", None, role="patient"))
    return replace(group, members=tuple(members))
