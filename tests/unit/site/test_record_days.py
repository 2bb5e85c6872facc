"""Between which days the data of a row lie: fail closed, for files and for tables of many units."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from mapped_tables import Given, given

from consent.encoding import to_ms
from consent.snapshot import NO_END, NO_START, Snapshot, Windows
from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook, load_codebook
from federation.query.dated import dates_of
from federation.query.errors import QueryError
from federation.site.choices.days import Days
from federation.site.choices.record_days import days_of, rows_that_count
from federation.site.data.columns import Table

__all__ = ["given"]

FLAT = load_codebook(
    b"""
codebook: f/1
dates: {patient: {first: seen, last: {from: seen, plus: followed}}}
variables:
  seen:     {type: date}
  year:     {type: date, resolution: year}
  followed: {type: duration, unit: days, min: 0, max: 9000}
  age:      {type: integer, min: 0, max: 120}
"""
)
UNITS = load_codebook(
    b"""
codebook: w/1
units: {patient: null, tumour: patient, treatment: tumour}
dates:
  patient: {first: joined, last: seen}
  tumour: {first: found, last: seen}
  treatment: {first: given}
variables:
  sex:    {type: category, levels: [m, f]}
  found:  {type: date, per: tumour}
  dose:   {type: number, min: 0, max: 100, per: treatment}
"""
)
UNITS_MAPPING = """
version: 2
codebook: w/1
tables:
  patient:
    from: people
    key: nr
    sex: {column: geslacht, map: {m: m, v: f}}
    let: {joined: {column: sinds, format: "%Y-%m-%d"}, seen: {column: gezien}}
  tumour:
    from: tumours
    key: t
    parent: nr
    found: {column: datum, format: "%Y-%m-%d"}
  treatment:
    from: treatments
    key: b
    parent: t
    dose: {column: dosis}
    let: {given: {column: dag}}
"""
PEOPLE = (
    "nr,geslacht,sinds,gezien\np1,m,2020-02-03,2024-05-06\np2,v,2021-00-00,\np3,v,,2024-01-01\n"
)
TUMOURS = "t,nr,datum\nt1,p1,2020-03-00\nt2,p2,2021-07-08\nt3,p1,2019-12-31\nt4,p9,2020-01-01\n"
TREATMENTS = "b,t,dosis,dag\nb1,t1,5,2020-04-05\nb2,t1,6,\nb3,t3,7,2020-05-05\n"
FILES = {"people": PEOPLE, "tumours": TUMOURS, "treatments": TREATMENTS}
FLAT_MAPPING = """
codebook: f/1
key: nr
variables:
  seen: {column: gezien, format: "%Y-%m-%d"}
  year: {column: jaar, format: "%Y"}
  followed: {column: dagen}
"""
FLAT_FILE = "nr,gezien,jaar,dagen\np1,2020-02-03,2020,10\np2,,2020,10\np3,2020-02-03,2020,\n"


def days(table: Table) -> list[tuple[str | None, str | None]]:
    """First and last day of each row; None where nobody can say."""
    found = days_of(table)

    def said(day: float) -> str | None:
        return None if np.isnan(day) else str(date(1970, 1, 1) + timedelta(days=int(day)))

    return [(said(a), said(b)) for a, b in zip(found.first, found.last, strict=True)]


def test_a_date_known_to_the_month_may_be_any_day_of_it(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT_FILE}, FLAT)("patient")
    # Ten days after the last of February 2020 at the latest.
    assert days(table) == [("2020-02-01", "2020-03-10"), (None, None), ("2020-02-01", None)]
    by_year = FLAT.to_dict()
    by_year["dates"] = {"patient": {"first": "year", "last": "year"}}
    book = Codebook.from_dict(by_year)
    table = given(FLAT_MAPPING, {"flat": FLAT_FILE}, book)("patient")
    assert days(table)[1] == ("2020-01-01", "2020-12-31")


def test_without_dates_in_the_codebook_nobody_can_say(given: Given) -> None:
    silent = FLAT.to_dict()
    del silent["dates"]
    table = given(FLAT_MAPPING, {"flat": FLAT_FILE}, Codebook.from_dict(silent))("patient")
    assert days(table) == [(None, None)] * 3


def test_a_row_holds_also_what_is_said_of_what_it_belongs_to(given: Given) -> None:
    table = given(UNITS_MAPPING, FILES, UNITS)
    seen = "2024-05-06"
    assert days(table("patient")) == [
        ("2020-02-03", seen),
        ("2021-01-01", None),
        (None, "2024-01-01"),
    ]
    assert days(table("tumour")) == [
        ("2020-02-03", seen),  # the patient joined before
        ("2021-01-01", None),  # of the patient only the year is known, and nobody saw her since
        ("2019-12-31", seen),
        (None, None),  # of nobody
    ]
    # What a treatment was begun is known of two; nothing says until when it was written.
    assert days(table("treatment")) == [("2020-02-03", None), (None, None), ("2019-12-31", None)]
    # Asked in another order, the units say the same.
    again = given(UNITS_MAPPING, FILES, UNITS)
    assert days(again("treatment"))[0] == ("2020-02-03", None)
    assert days(again("tumour")) == days(table("tumour"))


def limits(since: datetime | None, until: datetime | None) -> tuple[Any, Any]:
    return (
        np.array([NO_START if since is None else to_ms(since)]),
        np.array([NO_END if until is None else to_ms(until)]),
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "since", "until", "counts"),
    [
        ("2020-02-03", "2020-02-03", None, None, True),
        (None, None, None, None, True),
        ("2020-02-03", "2020-02-03", at("2020-02-03T13:00"), None, True),
        ("2020-02-02", "2020-02-03", at("2020-02-03T13:00"), None, False),
        # Half past eleven in the evening by UTC is the next day in the Netherlands.
        ("2020-02-03", "2020-02-03", at("2020-02-03T22:30"), None, False),
        ("2020-02-04", "2020-02-04", at("2020-02-03T22:30"), None, True),
        (None, "2020-02-03", at("2020-02-03T13:00"), None, False),
        ("2020-02-01", "2020-02-02", None, at("2020-02-03T13:00"), True),
        ("2020-02-01", "2020-02-03", None, at("2020-02-03T13:00"), False),
        ("2020-02-01", "2020-02-03", None, at("2020-02-03T22:30"), False),
        ("2020-02-01", None, None, at("2020-02-03T13:00"), False),
        ("2020-02-01", "2020-02-03", at("2020-02-01T01:00"), at("2020-02-04T00:00"), True),
        ("2020-02-01", "2020-02-04", at("2020-02-01T01:00"), at("2020-02-04T00:00"), False),
        ("2020-02-01", "2020-02-01", at("2020-02-03T01:00"), at("2020-02-02T00:00"), False),
    ],
)
def test_the_day_of_the_yes_counts_and_that_of_the_no_does_not(
    first: str | None,
    last: str | None,
    since: datetime | None,
    until: datetime | None,
    counts: bool,
) -> None:
    epoch = date(1970, 1, 1)
    found = Days(
        *(
            np.array([np.nan if day is None else (date.fromisoformat(day) - epoch).days])
            for day in (first, last)
        )
    )
    assert found.within(*limits(since, until)).tolist() == [counts]


def test_only_patients_with_a_window_lose_rows(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT_FILE}, FLAT)("patient")
    handles = np.sort(table.handles)
    since = np.full(3, NO_START)
    snapshot = Snapshot(
        network="net",
        seq=1,
        issued=at("2024-01-01"),
        valid_until=at("2024-01-02"),
        columns=(("x", "use.record"),),
        handles=handles,
        granted=(np.ones(3, np.bool_),),
        windows=Windows((since,), (np.full(3, NO_END),)),
    )
    asked = (snapshot, table, "x", ["use.record"])
    assert rows_that_count(*asked).tolist() == [True, True, True]
    for place, handle in enumerate(table.handles.tolist()):
        since[:] = NO_START
        since[handles.tolist().index(handle)] = to_ms(at("2020-02-01T05:00"))
        # The second has no date; the others begin on the first of February or later.
        assert rows_that_count(*asked).tolist() == [True, place != 1, True]
    since[:] = to_ms(at("2020-02-02T05:00"))
    assert rows_that_count(*asked).tolist() == [False, False, False]


def test_built_in_dates_belong_to_the_built_in_codebook_alone() -> None:
    book = builtin_codebook("oncomin/1")
    assert book is not None
    assert set(dates_of(book.at("tumour"))) == {"patient", "tumour", "treatment", "prom"}
    other = {**book.to_dict(), "key": "other_number"}
    assert dates_of(Codebook.from_dict(other)) == {}


WRONG = {
    "not a table": 3,
    "nothing": {},
    "no such unit": {"visit": {"first": "found"}},
    "an empty unit": {"tumour": {}},
    "another key": {"tumour": {"begin": "found"}},
    "no date": {"patient": {"first": "sex"}},
    "of a unit below": {"patient": {"first": "found"}},
    "no name": {"tumour": {"first": "Found!"}},
    "a number": {"tumour": {"first": 7}},
    "without plus": {"tumour": {"first": {"from": "found"}}},
    "plus no duration": {"tumour": {"first": {"from": "found", "plus": "sex"}}},
    "plus what is not there": {"tumour": {"first": {"from": "found", "plus": "given"}}},
}


@pytest.mark.parametrize("name", WRONG)
def test_dates_that_cannot_be_right_are_refused(name: str) -> None:
    with pytest.raises(QueryError) as failure:
        Codebook.from_dict({**UNITS.to_dict(), "dates": WRONG[name]})
    assert failure.value.where.startswith("dates")


def test_a_codebook_keeps_its_dates_and_one_without_keeps_its_fingerprint() -> None:
    again = Codebook.from_dict(UNITS.to_dict())
    assert again == UNITS
    assert again.dates == UNITS.dates
    silent = {key: value for key, value in UNITS.to_dict().items() if key != "dates"}
    assert Codebook.from_dict(silent).to_dict() == silent
    assert Codebook.from_dict(silent).sha256 != UNITS.sha256
