"""What a raw value means, and what has no meaning."""

import math

import numpy as np
import pytest

from federation.query.codebook import load_codebook
from federation.site.data.convert import VariableReader, check_fit
from federation.site.data.mapping import read_mapping
from federation.site.data.meanings import text_of
from federation.site.errors import DataError

SOURCE = {"kind": "csv", "path": "x.csv"}


def reader(tmp_path, variable, form, **source):
    book = load_codebook(f"codebook: t/1\nvariables:\n  v: {variable}\n".encode())
    text = f"codebook: t/1\nkey: k\nvariables:\n  v: {form}\n"
    mapped = read_mapping(text.encode(), {**SOURCE, **source}, tmp_path, "m")
    check_fit(book, mapped)
    return VariableReader(book.variables["v"], mapped.variables["v"], mapped.source, watch=True)


def values(found):
    return [None if math.isnan(v) else v for v in found.tolist()]


INTEGER = "{type: integer, min: 0, max: 100}"
NUMBER = "{type: number, min: -5, max: 100}"
PLAIN = "{column: c}"


@pytest.mark.parametrize(
    ("variable", "form", "raw", "expected"),
    [
        (INTEGER, PLAIN, ["3", " 4 ", "5.0", 6, 7.0, "", "NA", None], [3, 4, 5, 6, 7] + [None] * 3),
        (INTEGER, PLAIN, ["3.5", "x", "1_0", "nan", "inf", "1e1"], [None] * 5 + [10]),
        (INTEGER, PLAIN, ["-1", "101", "0", "100"], [None, None, 0, 100]),
        (NUMBER, PLAIN, ["-5", "1.25", "1,25", "-6"], [-5, 1.25, None, None]),
        (NUMBER, "{column: c, times: 10}", ["1.5", "10", "11"], [15, 100, None]),
        (INTEGER, '{column: c, map: {"1": "10", X: "20"}}', ["1", "X", "Y", 1], [10, 20, None, 10]),
        ("{type: number}", PLAIN, ["1e12", "2e12", "-1e300"], [1e12, None, None]),
    ],
)
def test_numbers(tmp_path, variable, form, raw, expected):
    assert values(reader(tmp_path, variable, form).read([raw])) == expected


def test_a_decimal_comma(tmp_path):
    found = reader(tmp_path, NUMBER, PLAIN, decimal=",").read([["1,5", "2", "1.5", 2.5]])

    # With a decimal comma a point could be a thousand's mark: 1.500 must not become 1.5.
    assert values(found)[:3] == [1.5, 2, None]


CATEGORY = '{type: category, levels: ["1", "2", b]}'


@pytest.mark.parametrize(
    ("variable", "form", "raw", "expected"),
    [
        (CATEGORY, PLAIN, ["1", 2, "b", 1.0, "B", "", None], [0, 1, 2, 0, -1, -1, -1]),
        (CATEGORY, '{column: c, map: {J: b, "1": "2"}}', ["J", "1", "b"], [2, 1, -1]),
        (
            "{type: boolean}",
            PLAIN,
            ["1", "0", "Yes", "no", "TRUE", "f", "x", 1],
            [1, 0, 1, 0, 1, 0, -1, 1],
        ),
        ("{type: boolean}", "{column: c, map: {J: true, N: false}}", ["J", "N", "1"], [1, 0, -1]),
        ("{type: boolean}", '{column: c, map: {"1": false, "2": true}}', ["1", 2], [0, 1]),
    ],
)
def test_codes(tmp_path, variable, form, raw, expected):
    found = reader(tmp_path, variable, form).read([raw])

    assert found.dtype == np.int16
    assert found.tolist() == expected


DURATION = "{type: duration, min: 0, max: 10000}"


@pytest.mark.parametrize(
    ("variable", "form", "raw", "expected"),
    [
        (
            DURATION,
            '{days_between: [a, b], format: "%d-%m-%Y"}',
            [
                ["1-3-2020", "31-02-2020", "", "05-05-2020"],
                ["01-03-2021", "01-03-2020", "01-03-2020", "04-05-2020"],
            ],
            [365, None, None, None],
        ),
        (DURATION, "{days_between: [a, b]}", [["2020-02-28"], ["2020-03-01"]], [2]),
        (
            INTEGER,
            "{years_between: [a, b]}",
            [
                ["1960-02-29", "1960-03-01", "1960-03-01"],
                ["2020-02-28", "2020-03-01", "2020-02-29"],
            ],
            [59, 60, 59],
        ),
        (INTEGER, "{subtract: [a, b]}", [["2020", "5", "x"], ["1950", "", "1"]], [70, None, None]),
        (
            "{type: date}",
            '{column: c, format: "%Y/%m"}',
            [["2020/01", "2020/12", "2020/13"]],
            [24240, 24251, None],
        ),
        ("{type: date, resolution: year}", PLAIN, [["2020-11-30"]], [24240]),
        (
            "{type: date}",
            '{column: c, format: "%Y-%m-%d %H:%M:%S"}',
            [["2020-01-05 10:11:12.5", "2020-01-05"]],
            [24240, None],
        ),
    ],
)
def test_dates(tmp_path, variable, form, raw, expected):
    assert values(reader(tmp_path, variable, form).read(raw)) == expected


def test_what_has_no_meaning_is_counted_with_its_text(tmp_path):
    found = reader(tmp_path, CATEGORY, PLAIN)
    found.read([["1", "Z", "Z", "", "Q"]])
    found.read([["Z", None]])

    assert (found.tally.missing, found.tally.unmapped) == (2, 4)
    assert found.tally.values == {"Z": 3, "Q": 1}


def test_a_value_of_zero_rows(tmp_path):
    assert len(reader(tmp_path, INTEGER, PLAIN).read([[]])) == 0


def test_very_many_different_values_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr("federation.site.data.convert._MEMO_LIMIT", 10)
    found = reader(tmp_path, "{type: number}", PLAIN)

    assert found.read([[str(n) for n in range(100)]]).tolist() == list(range(100))
    assert len(found._memo) <= 10


@pytest.mark.parametrize(
    ("variable", "form"),
    [
        (CATEGORY, "{days_between: [a, b]}"),
        ("{type: boolean}", "{subtract: [a, b]}"),
        ("{type: date}", "{column: c, map: {a: b}}"),
        (CATEGORY, "{column: c, map: {a: nothing}}"),
        ("{type: boolean}", "{column: c, map: {a: nothing}}"),
    ],
)
def test_a_form_that_does_not_fit_the_type_is_refused(tmp_path, variable, form):
    with pytest.raises(DataError) as caught:
        reader(tmp_path, variable, form)
    assert caught.value.detail == "v"


@pytest.mark.parametrize(
    ("raw", "text"),
    [(None, ""), (3, "3"), (3.0, "3"), (3.5, "3.5"), (" a ", "a"), (True, "True"), (1e20, "1e+20")],
)
def test_the_text_of_a_raw_value(raw, text):
    assert text_of(raw) == text
