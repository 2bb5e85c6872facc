"""Tumours, places, periods and invented portfolios: what needs no database."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.errors import StudiesError
from studies.hospitals.pathway import pathway
from studies.network.places import PLACES, find_place, kilometres
from studies.network.tumours import covers, read_tumour, read_tumours
from studies.network.words import DISCIPLINES
from studies.periods import end, holds
from studies.seeds.group_shapes import SHAPES
from studies.seeds.oncozon import GROUPS, INSTITUTIONS
from studies.seeds.oncozon_whole import ONCOZON_WHOLE
from studies.seeds.people import filled
from studies.seeds.west import WEST
from studies.seeds.zuidwest import ZUIDWEST

SEEDS = (ONCOZON_WHOLE, ZUIDWEST, WEST)


@pytest.mark.parametrize(
    ("text", "written"),
    [("c50", "C50"), ("C50.4", "C50.4"), (" C18 – C20 ", "C18-C20"), ("C97-D05", "C97-D05")],
)
def test_a_tumour_is_written_one_way(text: str, written: str) -> None:
    assert str(read_tumour(text)) == written


@pytest.mark.parametrize(
    "text", ["", "50", "C5", "C20-C18", "C18.1-C20", "D49", "E10", "Z79", "C18-C20-C22", "C500"]
)
def test_what_is_no_tumour_is_refused(text: str) -> None:
    with pytest.raises(StudiesError, match="bad_tumour"):
        read_tumour(text)


def test_ranges_of_one_group_do_not_overlap() -> None:
    assert [str(each) for each in read_tumours(["D05", "C50"])] == ["C50", "D05"]
    with pytest.raises(StudiesError, match="bad_tumour"):
        read_tumours(["C18-C20", "C20.1"])
    assert covers(["C18-C20", "C50"], "C19.9")
    assert not covers(["C18-C20"], "C21")


_code = st.builds(
    lambda letter, number: f"{letter}{number:02d}", st.sampled_from("CD"), st.integers(0, 48)
)


@given(_code, _code, _code)
def test_a_range_covers_what_lies_between_its_ends(a: str, b: str, c: str) -> None:
    low, high = sorted((a, b))
    assert covers([f"{low}-{high}"], c) == (low <= c <= high)


def test_distance_is_the_great_circle() -> None:
    # Vincenty on WGS 84 between the same two points gives 177.7 km; the sphere differs by < 0.3%.
    there = {name: find_place(name) for name in ("Maastricht", "Amsterdam")}
    a, b = ((p.latitude, p.longitude) for p in there.values() if p is not None)
    assert kilometres(a, b) == pytest.approx(177.6, abs=0.6)
    assert kilometres(a, a) == 0
    assert kilometres((0, 0), (0, 180)) == pytest.approx(20_015, abs=1)  # half around


def test_places_are_found_by_every_spelling() -> None:
    assert find_place("den bosch") is find_place("'s-Hertogenbosch") is not None
    heerlen = find_place("Heerlen en Sittard-Geleen")
    assert heerlen is not None
    assert heerlen.name == "Heerlen"
    assert find_place("Parijs") is None
    for place in PLACES.values():  # all of them in the Netherlands
        assert 50.7 < place.latitude < 53.6, place
        assert 3.3 < place.longitude < 7.3, place


def test_a_period_ends_once() -> None:
    class Row:
        since = datetime(2020, 1, 1, tzinfo=UTC)
        until: datetime | None = None

    row, day = Row(), timedelta(days=1)
    assert holds(row, row.since)
    assert not holds(row, row.since - day)
    end(row, row.since + 3 * day)
    assert holds(row, row.since + 2 * day)
    assert not holds(row, row.since + 3 * day)
    with pytest.raises(StudiesError, match="bad_period"):
        end(row, row.since + 4 * day)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.slug)
def test_a_seed_is_whole(seed) -> None:  # type: ignore[no-untyped-def]
    slugs = {each.slug for each in seed.institutions}
    assert len(slugs) == len(seed.institutions)
    assert all(find_place(each.city) for each in seed.institutions)
    for group in seed.groups:
        assert read_tumours(group.tumours)
        assert sum(member.role == "chair" for member in group.members) == 1
        for member in group.members:
            assert member.invented
            assert member.discipline in DISCIPLINES
            assert member.institution is None or member.institution in slugs
    for part in seed.subnetworks:
        assert {slug for slug, _role in part.members} <= slugs
    for line in seed.expertise:
        assert line.institution in slugs
        assert "verzonnen" in line.source
    for trial in seed.trials:
        assert "verzonnen" in trial.lead_name
        assert "Verzonnen" in trial.purpose_nl
        road = pathway(trial.kind)
        for part in trial.parts:
            states = [state for state, _ in part.steps]
            days = [ago for _, ago in part.steps]
            assert states[0] == "invited"
            assert all(road.allows(a, b) for a, b in pairwise(states))
            assert days == sorted(days, reverse=True)
            assert days[-1] >= 0
            assert trial.proposed > days[0]


def test_the_sizes_are_those_of_the_sources() -> None:
    assert (len(ONCOZON_WHOLE.institutions), len(ONCOZON_WHOLE.groups)) == (10, 16)
    assert len(ONCOZON_WHOLE.studies) + len(ONCOZON_WHOLE.trials) == 120
    embraze, concord = ({slug for slug, _ in p.members} for p in ZUIDWEST.subnetworks)
    assert embraze & concord == {"erasmus-mc"}
    assert len(embraze) == len(concord) == 9
    assert len(ZUIDWEST.institutions) == 17
    leads = [p.slug for p in ZUIDWEST.subnetworks if ("erasmus-mc", "lead") in p.members]
    assert leads == ["embraze", "concord"]
    assert len(WEST.institutions) == 7
    assert sum(group.since == "2017-12-12" for group in WEST.groups) == 6
    assert SHAPES.keys() == {group.slug for group in GROUPS}


def test_people_are_the_same_on_every_machine() -> None:
    again = filled(GROUPS, INSTITUTIONS, "oncozon", {"neuro-oncology": ("sjg-weert", "st-anna")})
    assert again == ONCOZON_WHOLE.groups
    states = {part.state for trial in ONCOZON_WHOLE.trials for part in trial.parts}
    assert {"invited", "declined", "local_review", "open", "on_hold", "closed"} <= states
    kinds = {trial.kind for trial in ONCOZON_WHOLE.trials}
    assert kinds == {"wmo", "nwmo", "data"}
