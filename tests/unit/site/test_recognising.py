"""What a hospital recognises of a question: sets of earlier answers, and what follows from them."""

from dataclasses import replace

import pytest

from federation.disclosure.looking import COHORT
from federation.disclosure.marks import WORDS
from federation.methods.base import Ask
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.site.history.marking import Marking
from federation.site.history.recognising import Recognising
from federation.site.store import open_store, transaction

BOOK = Codebook.from_dict(
    {
        "codebook": "small/1",
        "variables": {
            "sex": {"type": "category", "levels": {"m": "male", "f": "female"}},
            "old": {"type": "boolean"},
        },
    }
)
METHOD = KINDS["count"]


def ask(by, cohort):
    asked = {"version": 1, "codebook": "small/1", "cohort": cohort}
    query = parse({**asked, "analysis": {"kind": "count", "by": by}}, BOOK)
    return Ask(query, BOOK, Terms.strict(), site="h1")


def mark(number):
    return (number,) * WORDS


@pytest.fixture
def recognising(tmp_path):
    """A hospital that answered once: about the men, whose mark is five times five."""
    database = open_store(tmp_path / "site.sqlite")
    marking = Marking(database)
    made = Recognising(database, marking)
    men = {"analysis": mark(5), COHORT: mark(5)}
    assert made.recognises("r1", METHOD, ask([], {"var": "sex", "op": "=", "value": "m"}), men) == {
        COHORT  # it is the analysis set
    }
    with transaction(database):
        marking.keep("r1", men)
    yield made
    database.close()


ALL = {"analysis": mark(12), "sex=m": mark(5), "sex=f": mark(7)}


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        (ALL, {"sex=m", "sex=f"}),
        ({**ALL, "sex=f": mark(8)}, {"sex=m"}),  # other women than everybody less the men
        ({**ALL, "sex=m": mark(6)}, {"sex=f"}),
        ({**ALL, "analysis": mark(13)}, {"sex=m"}),
    ],
)
def test_everybody_less_the_men_of_before_are_the_women(recognising, marks, told):
    assert recognising.recognises("r2", METHOD, ask(["sex"], {}), marks) == told


def test_what_has_nothing_to_do_with_the_earlier_answer_is_new(recognising):
    marks = {"analysis": mark(12), "old=false": mark(5), "old=true": mark(7)}
    assert recognising.recognises("r2", METHOD, ask(["old"], {}), marks) == set()


def test_the_analysis_set_is_recognised_by_earlier_answers_only(recognising):
    asked = ask(["old"], {"var": "sex", "op": "=", "value": "m"})
    marks = {"analysis": mark(5), "old=true": mark(2)}
    assert recognising.recognises("r2", METHOD, asked, marks) == {"analysis"}
    other = {**marks, "analysis": mark(4)}
    assert recognising.recognises("r3", METHOD, replace(asked), other) == set()
