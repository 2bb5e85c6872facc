"""The grid shows what the database holds: every count, order and filter against plain counting."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.base import new_id
from studies.events import announce
from studies.hospitals.models import SitePlan
from studies.models import Institution, Membership, Network, Participation, Study, WorkingGroup
from studies.register import grid as grids
from studies.register.grid_wish import Wish, choices
from studies.states import PARTICIPATION_STATES

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
PLACES = ("aa", "bb", "cc", "dd")


@pytest.fixture
def parts(factory: SessionFactory) -> list[dict[str, Any]]:
    """Sixty studies by four hospitals, two of them in a subnetwork; what was written."""
    chance = random.Random(7)  # noqa: S311  the same each time
    groups = {name: new_id() for name in ("borst", "long")}
    written = []
    with factory() as session:
        for slug in ("whole", "part"):
            session.add(Network(slug=slug, name=slug, pathways={}))
        session.execute(
            insert(Institution),
            [{"slug": slug, "name": slug.upper(), "kind": "general"} for slug in PLACES],
        )
        member = {"since": NOW - 900 * DAY}
        session.execute(
            insert(Membership),
            [{"network": "whole", "institution": slug, **member} for slug in PLACES]
            + [{"network": "part", "institution": slug, **member} for slug in PLACES[:2]],
        )
        session.execute(
            insert(WorkingGroup),
            [
                {"id": key, "network": "whole", "slug": name, "name_nl": name, "name_en": name}
                for name, key in groups.items()
            ],
        )
        for number in range(60):
            session.add(_study(number, groups["borst" if number % 3 else "long"]))
        session.flush()
        for number in range(60):
            for place in PLACES:
                if chance.random() < 0.8:
                    written.append(
                        {
                            "id": new_id(),
                            "study": f"study-{number:02}",
                            "institution": place,
                            "state": chance.choice(PARTICIPATION_STATES),
                            "since": NOW - timedelta(hours=chance.randint(1, 9_000)),
                        }
                    )
        session.execute(insert(Participation), written)
        for action in ("network.created", "study.created", "participation.invited"):
            announce(session, actor=SYSTEM, action=action, about="test")
        session.commit()
    return written


def _study(number: int, group: str) -> Study:
    return Study(
        slug=f"study-{number:02}",
        network="whole",
        title_nl=f"Proef {number:02} 100%_klaar" if number == 7 else f"Proef {number:02}",
        title_en=f"Trial {99 - number}",
        group_id=group,
        kind=("wmo", "nwmo", "data")[number % 3],
        codebook={},
        codebook_id="x",
        requires=["use.record"],
        created_at=NOW,
        **dict.fromkeys(("question_nl", "question_en", "purpose_nl", "purpose_en"), "-"),
    )


def whole(session: Session, wish: Wish, language: str = "nl") -> grids.Grid:
    return grids.grid(session, wish, NOW, language=language, per_page=100)


def told(grid: grids.Grid) -> set[tuple[str, str, str]]:
    return {(row.slug, c.institution, c.state) for row in grid.rows for c in row.cells.values()}


def test_every_part_is_there_once_and_counted(
    factory: SessionFactory, parts: list[dict[str, Any]]
) -> None:
    with factory() as session:
        found = whole(session, Wish())
        assert told(found) == {(p["study"], p["institution"], p["state"]) for p in parts}
        assert found.states == Counter(p["state"] for p in parts)
        assert list(found.states) == [s for s in PARTICIPATION_STATES if s in found.states]
        assert (found.studies, found.parts, len(found.rows)) == (60, len(parts), 60)
        assert [place.slug for place in found.places] == list(PLACES)
        days = {(p["study"], p["institution"]): (NOW - p["since"]).days for p in parts}
        assert all(
            cell.days == days[row.slug, cell.institution]
            for row in found.rows
            for cell in row.cells.values()
        )
        # pages put together are the whole, and one past the end is the last
        pages = [grids.grid(session, Wish(page=n), NOW, per_page=25) for n in (1, 2, 3, 99)]
        assert [page.page for page in pages] == [1, 2, 3, 3]
        slugs = [row.slug for page in pages[:3] for row in page.rows]
        # so are the sides, when not all hospitals fit beside each other
        sides = [grids.grid(session, Wish(side=n), NOW, per_page=100, across=3) for n in (1, 2, 9)]
        assert [(side.side, len(side.places)) for side in sides] == [(1, 3), (2, 1), (2, 1)]
        assert told(sides[0]) | told(sides[1]) == told(found)
        assert told(sides[0]) & told(sides[1]) == set()
        assert {side.hospitals for side in sides} == {len(PLACES)}
        assert {side.parts for side in sides} == {len(parts)}
        assert slugs == [row.slug for row in found.rows]


def test_filters_leave_what_fits_and_nothing_else(
    factory: SessionFactory, parts: list[dict[str, Any]]
) -> None:
    def having(**wanted: str) -> set[str]:
        return {p["study"] for p in parts if all(p[k] == v for k, v in wanted.items())}

    with factory() as session:
        held = whole(session, Wish(state="on_hold"))
        assert {row.slug for row in held.rows} == having(state="on_hold")
        assert held.parts == sum(p["study"] in having(state="on_hold") for p in parts)

        one = whole(session, Wish(hospital="cc", state="open"))
        assert {row.slug for row in one.rows} == having(institution="cc", state="open")
        assert {c.institution for row in one.rows for c in row.cells.values()} == {"cc"}

        sub = whole(session, Wish(network="part"))
        assert [place.slug for place in sub.places] == ["aa", "bb"]
        assert sub.parts == sum(p["institution"] in ("aa", "bb") for p in parts)

        words = {row.slug for row in whole(session, Wish(words="100%_KLAAR proef")).rows}
        assert words == {"study-07"}
        assert whole(session, Wish(words="100a")).studies == 0, "% and _ are letters"
        assert {row.kind for row in whole(session, Wish(kind="nwmo")).rows} == {"nwmo"}

        offered = choices(session, None)
        group = next(key for key, nl, _en in offered.groups if nl == "long")
        assert {row.group_nl for row in whole(session, Wish(group=group)).rows} == {"long"}
        assert [slug for slug, _name in offered.networks] == ["part", "whole"]

        mine = frozenset({"study-01", "study-02"})
        assert {row.slug for row in whole(session, Wish(reach=mine)).rows} == mine
        reached = {p["institution"] for p in parts if p["study"] in mine}
        assert {place.slug for place in choices(session, mine).hospitals} == reached
        assert whole(session, Wish(reach=frozenset())).rows == ()


def test_orders_are_what_their_names_say(
    factory: SessionFactory, parts: list[dict[str, Any]]
) -> None:
    def of(study: str, **states: tuple[str, ...]) -> list[dict[str, Any]]:
        wanted = states.get("states", PARTICIPATION_STATES)
        return [p for p in parts if p["study"] == study and p["state"] in wanted]

    with factory() as session:
        by = {
            sort: [row.slug for row in whole(session, Wish(sort=sort)).rows] for sort in grids.SORTS
        }
        opened = [len(of(slug, states=("open",))) for slug in by["open"]]
        assert opened == sorted(opened, reverse=True)
        newest = [max(p["since"] for p in of(slug)) for slug in by["changed"] if of(slug)]
        assert newest == sorted(newest, reverse=True)
        waits = [
            min(p["since"] for p in of(slug, states=grids.WAITING))
            for slug in by["waiting"]
            if of(slug, states=grids.WAITING)
        ]
        assert waits == sorted(waits)
        # none waits: those come last
        assert all(not of(slug, states=grids.WAITING) for slug in by["waiting"][len(waits) :])
        assert by["title"] == sorted(by["title"])
        english = [row.slug for row in whole(session, Wish(), "en").rows]
        assert english == sorted(by["title"], reverse=True)
        turned = [row.slug for row in whole(session, Wish(descending=True)).rows]
        assert turned == by["title"][::-1]


def test_lines_are_the_same_parts_one_by_one(
    factory: SessionFactory, parts: list[dict[str, Any]]
) -> None:
    with factory() as session:
        for sort in grids.LINE_SORTS:
            found = grids.lines(session, Wish(sort=sort), NOW, per_page=1_000)
            assert found.total == len(parts)
            assert {(line.study, line.cell.institution) for line in found.lines} == {
                (p["study"], p["institution"]) for p in parts
            }
        days = [
            line.cell.days
            for line in grids.lines(session, Wish(sort="days"), NOW, per_page=1_000).lines
        ]
        assert days == sorted(days, reverse=True)
        held = grids.lines(session, Wish(sort="days", state="on_hold", page=2), NOW, per_page=3)
        assert held.total == sum(p["state"] == "on_hold" for p in parts)
        assert (held.page, len(held.lines)) == (2, 3)


def test_a_cell_says_what_comes_next_and_when_it_is_late(
    factory: SessionFactory, parts: list[dict[str, Any]]
) -> None:
    kinds = {f"study-{n:02}": ("wmo", "nwmo", "data")[n % 3] for n in range(60)}
    part = next(p for p in parts if p["state"] == "initiated" and kinds[p["study"]] == "wmo")
    other = next(p for p in parts if p["state"] == "open" and kinds[p["study"]] == "wmo")
    with factory() as session:
        for each, step, day in (
            (part, "open", NOW.date() - DAY),
            (other, "closed_to_accrual", date(2099, 1, 1)),
        ):
            session.add(
                SitePlan(
                    participation_id=each["id"], step=step, planned=day, set_by="x", set_at=NOW
                )
            )
        announce(session, actor=SYSTEM, action="participation.planned", about="test")
        session.flush()
        found = whole(session, Wish())
        cells = {(row.slug, c.institution): c for row in found.rows for c in row.cells.values()}
        late = cells[part["study"], part["institution"]]
        assert late.next is not None
        assert (late.next.code, late.planned, late.late) == ("open", NOW.date() - DAY, True)
        planned = cells[other["study"], other["institution"]]
        assert planned.next is not None
        assert (planned.next.code, planned.late) == ("closed_to_accrual", False)
        following = {
            (kinds[study], cell.state): cell.next.code if cell.next else None
            for (study, _place), cell in cells.items()
            if cell is not planned
        }
        assert following["wmo", "local_review"] == "vgo_signed"
        assert following["nwmo", "local_review"] == "contract_signed"
        assert following["data", "feasibility"] == "approved"
        assert {following[k, "open"] for k in ("wmo", "nwmo", "data")} == {None}
        # a network may leave steps out, and then the road goes on without them
        session.get_one(Network, "whole").pathways = {"wmo": ["local_review"]}
        announce(session, actor=SYSTEM, action="network.changed", about="test")
        session.flush()
        steps = {
            cell.next.code
            for row in whole(session, Wish(kind="wmo")).rows
            for cell in row.cells.values()
            if cell.state == "feasibility" and cell.next
        }
        assert steps
        assert "local_review" not in steps
