"""What a hospital may say about its data, and nothing more."""

from datetime import date

import pytest

from federation.query.codebook import load_codebook
from federation.query.coverage import (
    LEVELS,
    Coverage,
    CoverageError,
    level_of,
    read_coverages,
    rounded,
)

BOOK = load_codebook(b"codebook: t/1\nvariables: {age: {type: number}, sex: {type: boolean}}")
GOOD = {
    "codebook_sha256": BOOK.sha256,
    "as_of": "2026-11-22",
    "variables": {"age": "over_90", "sex": "absent"},
    "rules": {"r": None, "s": 120},
}


@pytest.mark.parametrize(
    ("filled", "rows", "patients", "level"),
    [
        (0, 100, 0, "none"),
        (9, 100, 9, "none"),
        (30, 100, 9, "none"),  # many tumours, few patients
        (10, 100, 10, "under_50"),
        (49, 100, 49, "under_50"),
        (50, 100, 50, "50_to_90"),
        (90, 100, 90, "50_to_90"),
        (91, 100, 91, "over_90"),
        (100, 100, 100, "over_90"),
    ],
)
def test_a_share_becomes_a_word(filled, rows, patients, level):
    assert level_of(filled, rows, patients, threshold=10) == level
    assert level in LEVELS


@pytest.mark.parametrize(
    ("rows", "patients", "others", "told"),
    [
        (0, 0, 50, None),
        (9, 9, 50, None),
        (40, 9, 50, None),
        (10, 10, 50, 10),
        (19, 19, 50, 10),
        (20, 11, 50, 20),
        (50, 50, 10, 50),
        (51, 51, 9, None),  # nearly everybody, or everybody
        (60, 60, 0, None),
    ],
)
def test_a_count_is_suppressed_and_rounded_down(rows, patients, others, told):
    assert rounded(rows, patients, others, threshold=10) == told


def test_a_hospital_with_a_lower_threshold_still_rounds():
    assert rounded(7, 7, 50, threshold=5) is None
    assert level_of(7, 10, 7, threshold=5) == "50_to_90"


def test_what_is_sent_is_what_is_read():
    found = read_coverages({"onco": GOOD})
    assert found["onco"].as_of == date(2026, 11, 22)
    assert found["onco"].to_dict() == GOOD
    assert found["onco"].fits(BOOK)
    assert read_coverages({}) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"variables": {"age": "none"}},
        {"variables": {**GOOD["variables"], "more": "none"}},
        {"codebook_sha256": "0" * 64},
    ],
)
def test_coverage_of_another_codebook_does_not_fit(other):
    assert not read_coverages({"onco": {**GOOD, **other}})["onco"].fits(BOOK)


@pytest.mark.parametrize(
    "other",
    [
        {"codebook_sha256": "x"},
        {"codebook_sha256": 1},
        {"as_of": "2026-11-32"},
        {"as_of": "20261122"},
        {"as_of": None},
        {"variables": {"age": "93.1"}},
        {"variables": {"age": 93.1}},
        {"variables": {"age": ["over_90"]}},
        {"variables": {"Age": "none"}},
        {"variables": ["age"]},
        {"rules": {"r": 7}},
        {"rules": {"r": 0}},
        {"rules": {"r": -10}},
        {"rules": {"r": 10.0}},
        {"rules": {"r": True}},
        {"rules": {"r": 10**12}},
        {"rules": {"r; DROP": 10}},
        {"rules": {f"r{n}": 10 for n in range(65)}},
        {"more": 1},
    ],
)
def test_nothing_else_is_coverage(other):
    with pytest.raises(CoverageError):
        read_coverages({"onco": {**GOOD, **other}})


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], "x", {"a/b": GOOD}, {1: GOOD}, {"onco": None}, {"onco": {}}),
        {f"s{n}": GOOD for n in range(201)},
    ],
)
def test_only_a_mapping_of_studies_is_read(value):
    with pytest.raises(CoverageError):
        read_coverages(value)


def test_coverage_says_no_more_than_its_four_keys():
    assert set(Coverage.__dataclass_fields__) == set(GOOD)
