"""Invented studies at the size of a real network: kinds, states and dates that could be true.

None of these studies exists; no register number is given, because there is none. Everything is
drawn from a fixed seed, and dates are days before the day on which the seed is loaded, so that a
demonstration looks the same next year.

The mix follows what is known of such portfolios (domain.md 2.2): most running studies recruit,
start-up takes months and is the bottleneck, some hospitals decline, a few studies are held.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from studies.seeds.people import names
from studies.seeds.shape import GroupSeed, InstitutionSeed, PartSeed, TrialSeed
from studies.seeds.themes import THEMES, Theme

# How far a study is -> how often, and how often its hospitals are in each state.
LIVES: Final[Mapping[str, tuple[float, Mapping[str, float]]]] = {
    "inviting": (0.08, {"invited": 0.45, "feasibility": 0.4, "declined": 0.15}),
    "starting": (
        0.22,
        {
            "feasibility": 0.15,
            "local_review": 0.3,
            "vgo_signed": 0.15,
            "contract_signed": 0.15,
            "approved": 0.12,
            "initiated": 0.05,
            "declined": 0.08,
        },
    ),
    "recruiting": (
        0.48,
        {
            "open": 0.66,
            "initiated": 0.06,
            "approved": 0.05,
            "contract_signed": 0.05,
            "local_review": 0.05,
            "on_hold": 0.03,
            "closed_to_accrual": 0.04,
            "declined": 0.06,
        },
    ),
    "held": (0.03, {"on_hold": 0.85, "declined": 0.15}),
    "closing": (
        0.12,
        {"closed_to_accrual": 0.5, "follow_up_done": 0.3, "closed": 0.12, "declined": 0.08},
    ),
    "finished": (0.07, {"closed": 0.92, "declined": 0.08}),
}
# The road to each state and how many days a step takes after the one before it.
ROAD: Final = (
    "invited",
    "feasibility",
    "local_review",
    "vgo_signed",
    "contract_signed",
    "approved",
    "initiated",
    "open",
    "closed_to_accrual",
    "follow_up_done",
    "closed",
)
# What a road leaves out (studies/hospitals/pathway.py), and the state that a hospital is in
# instead.
INSTEAD: Final[Mapping[str, Mapping[str, str]]] = {
    "wmo": {},
    "nwmo": {"vgo_signed": "local_review"},
    "data": {
        "local_review": "feasibility",
        "vgo_signed": "feasibility",
        "contract_signed": "feasibility",
        "initiated": "approved",
        "closed_to_accrual": "open",
        "follow_up_done": "open",
    },
}
TAKES: Final[Mapping[str, tuple[int, int]]] = {
    "feasibility": (10, 40),
    "local_review": (7, 30),
    "vgo_signed": (20, 70),
    "contract_signed": (5, 60),
    "approved": (10, 40),
    "initiated": (10, 45),
    "open": (3, 25),
    "on_hold": (60, 400),
    "closed_to_accrual": (300, 900),
    "follow_up_done": (200, 800),
    "closed": (20, 60),
    "declined": (5, 30),
}
# How long a hospital has been in its present state, in days.
STAYS: Final[Mapping[str, tuple[int, int]]] = {
    "invited": (1, 30),
    "feasibility": (2, 45),
    "local_review": (5, 80),
    "vgo_signed": (3, 60),
    "contract_signed": (3, 60),
    "approved": (2, 40),
    "initiated": (1, 20),
    "open": (20, 700),
    "on_hold": (5, 90),
    "closed_to_accrual": (30, 400),
    "follow_up_done": (20, 200),
    "closed": (30, 600),
    "declined": (10, 300),
}
NO: Final = ("no_capacity", "no_patients", "competing_study", "not_interested", "no_equipment")
HELD: Final = ("safety", "no_capacity")
INVENTED: Final = "verzonnen / invented"


def portfolio(
    groups: Sequence[GroupSeed],
    institutions: Sequence[InstitutionSeed],
    count: int,
    seed: str,
) -> tuple[TrialSeed, ...]:
    """`count` invented studies divided over the groups, each with hospitals of the network."""
    chance = random.Random(f"portfolio:{seed}")  # noqa: S311  the same on every machine
    drawn = names(f"investigators:{seed}")
    lives = _spread(count, chance)
    made = []
    for number in range(count):
        group = groups[number % len(groups)]
        turn = number // len(groups)
        theme = THEMES[(turn * 5 + number) % len(THEMES)]
        made.append(_trial(group, theme, institutions, lives[number], chance, drawn, seed))
    slugs = [trial.slug for trial in made]
    if len(set(slugs)) != len(slugs):
        raise ValueError("two studies of the portfolio have the same name")
    return tuple(made)


def _spread(count: int, chance: random.Random) -> list[str]:
    """Which life each study has: the shares of LIVES as exactly as `count` allows, shuffled."""
    lives = [life for life, (share, _) in LIVES.items() for _ in range(round(share * count))]
    lives = (lives + ["recruiting"] * count)[:count]
    chance.shuffle(lives)
    return lives


def _trial(
    group: GroupSeed,
    theme: Theme,
    institutions: Sequence[InstitutionSeed],
    life: str,
    chance: random.Random,
    drawn: Iterable[str],
    seed: str,
) -> TrialSeed:
    able = [each for each in institutions if _able(each, theme)]
    wanted = min(len(able), chance.randint(3, len(able)) if len(able) > 3 else len(able))
    sites = chance.sample(able, wanted)
    names_of = iter(drawn)
    states = LIVES[life][1]
    parts = tuple(
        _part(site.slug, theme.kind, _state(theme.kind, states, chance), chance, next(names_of))
        for site in sorted(sites, key=lambda each: each.slug)
    )
    oldest = max(part.steps[0][1] for part in parts)
    approvals = [days for part in parts for state, days in part.steps if state == "approved"]
    proposed = oldest + chance.randint(60, 200)
    chairs = [member for member in group.members if member.role == "chair"]
    lead = chairs[0].institution if chairs and chairs[0].institution else sites[0].slug
    named = chairs[0].name if chairs else next(names_of)
    name_nl, name_en = _small(group.name_nl), _small(group.name_en)
    return TrialSeed(
        slug=f"{'' if seed == 'oncozon' else seed + '-'}{group.slug}-{theme.slug}"[:63],
        title_nl=theme.title_nl.format(nl=name_nl),
        title_en=theme.title_en.format(en=name_en),
        question_nl=theme.question_nl,
        question_en=theme.question_en,
        purpose_nl="Verzonnen studie, om te laten zien hoe het register werkt.",
        purpose_en="Invented study, to show how the registry works.",
        group=group.slug,
        lead=lead,
        lead_name=f"{named} ({INVENTED})",
        kind=theme.kind,
        phase=theme.phase,
        design=theme.design,
        proposed=proposed,
        decided=max(approvals) + chance.randint(1, 9) if approvals else None,
        parts=parts,
        stages=theme.stages,
    )


def _able(institution: InstitutionSeed, theme: Theme) -> bool:
    radiotherapy = institution.kind == "radiotherapy"
    return (
        not radiotherapy
        if theme.site == "wards"
        else theme.site == "all"
        or radiotherapy
        or (institution.kind in ("university", "top_clinical"))
    )


def _state(kind: str, states: Mapping[str, float], chance: random.Random) -> str:
    found = chance.choices(list(states), list(states.values()))[0]
    return INSTEAD[kind].get(found, found)


def _part(
    institution: str, kind: str, state: str, chance: random.Random, investigator: str
) -> PartSeed:
    road = [step for step in ROAD if step not in INSTEAD[kind]]
    if state == "declined":
        way = [*road[: chance.choice((1, 2))], "declined"]
    elif state == "on_hold":
        way = [*road[: road.index("open") + 1], "on_hold"]
    else:
        way = road[: road.index(state) + 1]
    days = chance.randint(*STAYS[state])
    steps = [(way[-1], days)]
    for later, step in zip(reversed(way[1:]), reversed(way[:-1]), strict=True):
        days += chance.randint(*TAKES[later])
        steps.append((step, days))
    reason = {"declined": chance.choice(NO), "on_hold": chance.choice(HELD)}.get(state)
    return PartSeed(
        institution, f"{investigator} ({INVENTED})", tuple(reversed(steps)), reason=reason
    )


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
