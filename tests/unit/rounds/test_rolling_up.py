"""Hospital, subnetwork, region: each hospital once, and only those whose numbers are shown."""

import csv
import io
import json
from dataclasses import replace

import pytest
import round_snapshot as sample

from federation.rounds.errors import RoundError
from federation.rounds.exporting import COLUMNS, as_csv, export
from federation.rounds.rolling_up import Part, roll_up

SITES = sample.SITES
#: catharina is in both subnetworks, as Erasmus MC is in EMBRAZE and CONCORD.
EAST = Part("subnetwork", "east", "East", frozenset({"catharina", "elkerliek"}))
WEST = Part("subnetwork", "west", "West", frozenset({"catharina", "mmc", "annabel", "viecuri"}))
REGION = Part("region", "oncozon", "OncoZON", frozenset({*SITES, "viecuri"}))


def shares():
    """The sample's snapshot and its indicator with shares, and the rows that are shown there."""
    snapshot = sample.whole(names=True)
    finding = next(each for each in snapshot.indicators if each.definition["measure"] == "share")
    rows = {row.site: row for row in finding.rows if row.observed is not None}
    return snapshot, finding, rows


def test_a_hospital_in_two_parts_counts_once_in_the_region():
    snapshot, finding, rows = shares()
    east, west, region = roll_up(snapshot, finding, [EAST, WEST, REGION])
    assert "catharina" in east.inside
    assert "catharina" in west.inside
    assert region.inside == tuple(sorted(rows))
    assert region.numbers.n == sum(row.n for row in rows.values())
    assert region.numbers.observed == sum(row.observed for row in rows.values())
    assert east.numbers.n + west.numbers.n == region.numbers.n + rows["catharina"].n
    assert region.numbers.value == pytest.approx(region.numbers.observed / region.numbers.n)


def test_with_and_without_a_named_hospital():
    snapshot, finding, rows = shares()
    (whole,) = roll_up(snapshot, finding, [REGION])
    (less,) = roll_up(snapshot, finding, [REGION], without=["catharina"])
    assert less.outside["catharina"] == "left_out"
    assert whole.numbers.n - less.numbers.n == rows["catharina"].n


def test_who_is_not_in_is_named_with_the_reason():
    snapshot, finding, _ = shares()
    (region,) = roll_up(snapshot, finding, [REGION])
    assert region.outside["viecuri"] == "not_asked"
    hidden = {row.site: row.hidden for row in finding.rows if row.observed is None}
    assert hidden
    assert {site: region.outside[site] for site in hidden} == hidden


def test_a_hidden_hospital_changes_no_sum():
    """A sum with a hidden hospital in it would tell its number: it is as if it were not there."""
    snapshot, finding, _ = shares()
    (before,) = roll_up(snapshot, finding, [REGION])
    hidden = next(row.site for row in finding.rows if row.observed is None)
    without = replace(finding, rows=tuple(row for row in finding.rows if row.site != hidden))
    (after,) = roll_up(snapshot, without, [REGION])
    assert before.numbers == after.numbers


def test_days_are_added_as_days():
    snapshot = sample.whole()
    finding = next(each for each in snapshot.indicators if each.definition["measure"] == "time")
    (region,) = roll_up(snapshot, finding, [REGION])
    shown = [row for row in finding.rows if row.bins]
    assert region.numbers.n == sum(row.n for row in shown)
    low, high = region.numbers.median
    assert low is None or high is None or low <= high


def test_the_export_says_what_it_means():
    snapshot = sample.whole(names=True)
    made = export(snapshot, [EAST, REGION], without=["mmc"])
    assert made["snapshot_sha256"] == snapshot.sha256
    assert {each["id"] for each in made["definitions"]} == {r["indicator"] for r in made["rows"]}
    assert len(made["rows"]) == 2 * len(snapshot.indicators)
    for row in made["rows"]:
        assert "mmc" not in row["hospitals_in"]
        assert row["n"] is not None or row["hidden"]
    lines = list(csv.DictReader(io.StringIO(as_csv(made, "nl"))))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == len(made["rows"])
    assert all(line["n"] or line["not_shown"] for line in lines)


def test_a_round_with_letters_gives_the_region_only():
    """The sum of two known hospitals, or of all but one, would tell whose letter is whose."""
    made = export(sample.whole(), [EAST, WEST, REGION])
    assert {row["level"] for row in made["rows"]} == {"region"}
    # "This one was silent" beside a letter that was: no hospital is named, only counted.
    text = json.dumps(made["rows"]) + as_csv(made, "en")
    assert not [site for site in (*SITES, "viecuri") if site in text]
    assert [(row["counted"], row["not_counted"]) for row in made["rows"]] == [(3, 2), (2, 3)]
    for more in ({"hospitals": True}, {"without": ["mmc"]}):
        with pytest.raises(RoundError, match=r"^NO_NAMES:"):
            export(sample.whole(), [REGION], **more)
    # A hospital has left the region since: its number would be the total less the region's.
    less = replace(REGION, sites=REGION.sites - {"mmc"})
    with pytest.raises(RoundError, match=r"^NO_NAMES:"):
        export(sample.whole(), [less])
    assert export(sample.whole(names=True), [less])["rows"]


def test_a_sum_of_one_or_two_hospitals_is_for_who_may_see_them_by_name():
    """With letters, "the region" of two hospitals is for each of the two the other's number."""
    _, finding, rows = shares()
    assert len(rows) == 2
    (row,) = (r for r in export(sample.whole(), [REGION])["rows"] if r["indicator"] == finding.id)
    assert (row["n"], row["observed"], row["hidden"]) == (None, None, "few_hospitals")
    waits = export(sample.whole(), [REGION])["rows"][0]
    assert (waits["n"], waits["hidden"]) == (360, None)


def test_each_hospital_where_names_were_agreed():
    made = export(sample.whole(names=True), [REGION], hospitals=True)
    own = [row for row in made["rows"] if row["level"] == "hospital"]
    assert {row["part"] for row in own} == set(SITES)
    assert all(row["n"] is not None or row["hospitals_out"] for row in own)


def test_no_cell_is_a_formula():
    evil = Part("region", "x", "=HYPERLINK(1)", REGION.sites)
    lines = csv.DictReader(io.StringIO(as_csv(export(sample.whole(), [evil]), "en")))
    assert next(lines)["part_name"] == "'=HYPERLINK(1)"
