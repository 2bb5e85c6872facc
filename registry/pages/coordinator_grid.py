"""The coordinator's start page: studies by hospitals as a grid, a list and a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from sqlalchemy import func, select

from federation.runs.models import Run
from registry.access import reach, rule
from registry.pages.coordinator_words import (
    kind_name,
    marks,
    owner_name,
    phase_names,
    state_name,
)
from registry.pages.figure import Figure, both
from registry.pages.shell import whole
from registry.pictures.matrix import PHASE_ORDER, MatrixRow, MatrixWords, matrix
from registry.pictures.state_marks import PHASES, phase
from registry.transaction import current_session
from registry.translate import language, number, translate_count
from registry.translate import translate as _
from studies.hospitals.pathway import BY_CODE
from studies.register import grid as grids
from studies.register.grid import Grid
from studies.register.grid_wish import Choices, Wish, choices
from studies.states import PARTICIPATION_STATES

blueprint = Blueprint("coordinator_grid", __name__, url_prefix="/c")
#: Name of a filter in the address -> the field of a wish.
FILTERS: Mapping[str, str] = {
    "q": "words",
    "group": "group",
    "state": "state",
    "hospital": "hospital",
    "network": "network",
    "kind": "kind",
}
KINDS = ("wmo", "nwmo", "data")
LONGEST = 100
VIEWS = ("coordinator.overview", "coordinator_grid.listed", "coordinator_grid.picture")


@dataclass(frozen=True)
class Option:
    """One choice of a filter that is on, for the line that says what is shown."""

    label: str
    without: str


def wish_of(sorts: Sequence[str]) -> Wish:
    """The wish in this page's address; what it cannot mean is left out."""
    given = {field: request.args.get(name, "")[:LONGEST] for name, field in FILTERS.items()}
    if given["state"] not in PARTICIPATION_STATES:
        given["state"] = ""
    sort = request.args.get("sort", "")
    return Wish(
        reach=reach(g.actor, "coordinator", "study"),
        sort=sort if sort in sorts else sorts[0],
        descending=request.args.get("order") == "down",
        page=whole(request.args.get("page", "")) or 1,
        side=whole(request.args.get("side", "")) or 1,
        **{**given, "words": given["words"].strip()},
    )


def address(endpoint: str, **changes: object) -> str:
    """This page's address with its filters, some of them changed; None takes one away."""
    kept = {name: request.args.get(name) for name in (*FILTERS, "sort", "order")}
    given: dict[str, Any] = {**kept, **changes}
    return url_for(endpoint, **{name: value for name, value in given.items() if value})


def overview() -> str:
    """The grid; `/c` is its address (registry/pages/coordinator.py)."""
    wish = wish_of(grids.SORTS)
    session = current_session()
    found = grids.grid(session, wish, g.now, language=language())
    waiting = _questions_waiting([row.slug for row in found.rows])
    return render_template(
        "coordinator/grid.html", grid=found, waiting=waiting, **_shared(wish, found, VIEWS[0])
    )


@blueprint.get("/list")
@rule(roles={"coordinator"})
def listed() -> str:
    """The same parts in lines: who is longest in a state, what comes next, whose turn it is."""
    wish = wish_of(grids.LINE_SORTS)
    session = current_session()
    found = grids.lines(session, wish, g.now, language=language())
    whole_grid = grids.grid(session, wish, g.now, language=language(), per_page=1)
    return render_template(
        "coordinator/list.html", lines=found, **_shared(wish, whole_grid, VIEWS[1])
    )


@blueprint.get("/picture")
@rule(roles={"coordinator"})
def picture() -> str:
    """The same parts in one picture, with the counts per study in a table."""
    wish = wish_of(grids.SORTS)
    found = grids.grid(current_session(), wish, g.now, language=language(), across=None)
    return render_template(
        "coordinator/picture.html",
        grid=found,
        figure=drawing(found) if found.rows and found.places else None,
        counts=[
            (row, Counter(phase(cell.state) for cell in row.cells.values())) for row in found.rows
        ],
        phases=[(kind, phase_names()[kind]) for kind in PHASE_ORDER],
        **_shared(wish, found, VIEWS[2]),
    )


def drawing(found: Grid) -> Figure:
    """The picture of a page of the grid."""
    rows = [
        MatrixRow(
            row.title(language()),
            tuple(
                row.cells[place.slug].state if place.slug in row.cells else None
                for place in found.places
            ),
        )
        for row in found.rows
    ]
    counts = Counter(phase(state) for row in rows for state in row.states if state is not None)
    said = ", ".join(
        f"{number(counts[kind])} {name}" for kind, name in phase_names().items() if counts[kind]
    )
    words = MatrixWords(
        title=_("Studies and hospitals"),
        description=_("Parts of hospitals in these studies: %(said)s.", said=said or "0"),
        axis=_("Hospitals"),
        phases=phase_names(),
    )
    names = [place.name for place in found.places]
    return Figure(
        _("Studies and hospitals"),
        _(
            "A circle that fills is start-up, step by step; a full disc takes part. A point: not "
            "invited."
        ),
        both(lambda shape: matrix(names, rows, words=words, shape=shape, writer=number)),
    )


def _shared(wish: Wish, found: Grid, endpoint: str) -> dict[str, Any]:
    """What the three views have in common: filters, what is on, sorting, pages."""
    offered = choices(current_session(), wish.reach)
    phases = Counter[str]()
    for state, n in found.states.items():
        phases[phase(state)] += n
    return {
        "wish": wish,
        "offered": offered,
        "options": _options(offered),
        "on": _on(wish, offered, endpoint),
        "phases_of_all": [
            (kind, name, phases[kind]) for kind, name in phase_names().items() if phases[kind]
        ],
        "total_studies": found.studies,
        "total_parts": found.parts,
        "endpoint": endpoint,
        "view_items": [
            (view, words, address(view, sort=None, order=None))
            for view, words in zip(VIEWS, (_("Grid"), _("List"), _("Picture")), strict=True)
        ],
        "sorts": _sorts(endpoint),
        "address": address,
        "marks": marks(),
        "legend": [state for state in PHASES if state in found.states],
        # A page has thousands of cells: each text is looked up once.
        "state_name": cache(state_name),
        "owner_name": cache(owner_name),
        "kind_name": cache(kind_name),
        "step_name": cache(lambda code: BY_CODE[code].name(language())),
        "days_words": cache(days_words),
    }


def _sorts(endpoint: str) -> list[tuple[str, str]]:
    """The orders that a view can have, in words."""
    if endpoint == VIEWS[1]:
        return [
            ("days", _("Longest in its state first")),
            ("study", _("Study, from A")),
            ("hospital", _("Hospital, from A")),
            ("state", _("State, in the order of the road")),
        ]
    return [
        ("title", _("Study, from A")),
        ("group", _("Working group, from A")),
        ("waiting", _("Longest in start-up first")),
        ("changed", _("Newest change first")),
        ("open", _("Most open hospitals first")),
    ]


def days_words(days: int) -> str:
    """So many days."""
    return translate_count("%(count)s day", "%(count)s days", days)


def _options(offered: Choices) -> dict[str, list[tuple[str, str]]]:
    place = 1 if language() == "nl" else 2
    return {
        "group": [(each[0], each[place]) for each in offered.groups],
        "state": [(state, state_name(state)) for state in PARTICIPATION_STATES],
        "hospital": [(each.slug, each.name) for each in offered.hospitals],
        "network": list(offered.networks),
        "kind": [(kind, kind_name(kind)) for kind in KINDS],
    }


def _on(wish: Wish, offered: Choices, endpoint: str) -> list[Option]:
    """The filters that are on, each with the address of the page without it."""
    names = {name: dict(choices) for name, choices in _options(offered).items()}
    on = []
    for name, field in FILTERS.items():
        value = getattr(wish, field)
        if value:
            label = f"“{value}”" if name == "q" else names[name].get(value, value)
            on.append(Option(label, address(endpoint, **{name: None})))
    return on


def _questions_waiting(studies: Sequence[str]) -> dict[str, int]:
    found = current_session().execute(
        select(Run.study, func.count())
        .where(Run.state == "submitted", Run.study.in_(studies))
        .group_by(Run.study)
    )
    return {study: n for study, n in found}
