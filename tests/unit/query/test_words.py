from __future__ import annotations

from string import Formatter

import pytest

from federation.methods.registry import KINDS
from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort
from federation.query.model import parse_query
from federation.query.terms import Terms
from federation.query.words import TEXTS, cohort_words, explain, threshold_words

COHORT = {
    "all": [
        {"var": "age", "op": ">=", "value": 40},
        {"not": {"var": "grade", "op": "in", "value": ["1", "3"]}},
        {
            "any": [
                {"var": "relapse", "op": "=", "value": True},
                {"var": "pgr", "op": "<", "value": 20},
            ]
        },
    ]
}


def test_a_cohort_in_two_languages(gbsg: Codebook) -> None:
    cohort = parse_cohort(COHORT, gbsg)
    assert cohort_words(cohort, gbsg) == (
        "(pgr below 20 fmol/mg or relapse is yes) and not (grade is one of well, poor) "
        "and age at least 40 years"
    )
    assert cohort_words(cohort, gbsg, "nl") == (
        "(pgr onder 20 fmol/mg of relapse is ja) en niet (grade is een van well, poor) "
        "en age minstens 40 jaar"
    )


def test_explains_who_what_and_which_thresholds(gbsg: Codebook) -> None:
    obj = {
        **{"version": 1, "codebook": "gbsg/1", "title": "T.", "purpose": "P.", "cohort": COHORT},
        **{"sites": ["b", "a"], "analysis": {"kind": "count", "by": ["hormone"]}},
    }
    query = parse_query(obj, gbsg, KINDS)
    text = "\n".join(explain(query, gbsg, Terms.strict(), ["Counts leave."]))
    for part in ("Question: T.", "P.", "a, b", "Counts leave.", "below 10", "under a mask"):
        assert part in text
    assert "value is missing does not match" in text
    assert "'not' does include" in text
    open_text = "\n".join(explain(query, gbsg, Terms.open_data(), lang="nl"))
    assert "geen bescherming" in open_text
    assert "masker" not in open_text


def test_by_site_is_said(gbsg: Codebook) -> None:
    obj = {
        **{"version": 1, "codebook": "gbsg/1", "output": "by_site"},
        "analysis": {"kind": "count"},
    }
    lines = explain(parse_query(obj, gbsg, KINDS), gbsg, Terms.open_data())
    assert "The numbers of each hospital are shown separately." in lines
    assert "It is about all patients of the study who consent." in lines


@pytest.mark.parametrize("lang", ["en", "nl", "xx"])
def test_thresholds_are_the_effective_ones(lang: str) -> None:
    text = " ".join(threshold_words(Terms.strict(), lang))
    for number in ("10", "90", "30", "3"):
        assert number in text


def test_both_languages_say_the_same_things() -> None:
    assert set(TEXTS["en"]) == set(TEXTS["nl"])
    for key, text in TEXTS["en"].items():
        fields = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        other = {name for _, name, _, _ in Formatter().parse(TEXTS["nl"][key]) if name is not None}
        assert fields == other, key


def test_a_question_about_tumours_says_what_a_row_is() -> None:
    book = builtin_codebook("oncomin/1")
    assert book is not None
    asked = {"version": 1, "codebook": "oncomin/1", "analysis": {"kind": "count"}}
    tumours = parse_query({**asked, "unit": "tumour"}, book, KINDS)
    patients = parse_query(asked, book, KINDS)
    terms = Terms.strict()

    assert any(
        line.startswith("A row is a tumour; a patient may have several")
        for line in explain(tumours, book, terms)
    )
    assert any(
        line.startswith("Een rij is een tumor;") for line in explain(tumours, book, terms, (), "nl")
    )
    assert not any("row is" in line for line in explain(patients, book, terms))
