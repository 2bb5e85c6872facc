"""A definition that exists can be asked; a wrong one is refused at its field, with what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from federation.indicators.catalogue import read_definition
from federation.indicators.definition import Indicator
from federation.indicators.target import Target
from federation.query.codebook import Codebook, load_codebook
from federation.query.errors import QueryError

GOOD: dict[str, Any] = {
    "id": "waiting",
    "version": 2,
    "text": {"en": "Waiting", "nl": "Wachten"},
    "lay": {"en": "How long people wait.", "nl": "Hoe lang mensen wachten."},
    "codebook": "oncomin/1",
    "unit": "tumour",
    "role": "first_visit",
    "measure": "time",
    "cohort": {"any": [{"var": "sex", "op": "in", "value": ["male"]}]},
    "exclusions": [
        {
            "text": {"en": "Emergencies", "nl": "Spoed"},
            "when": {"var": "emergency_surgery", "op": "=", "value": True},
        }
    ],
    "date": "first_visit_month",
    "time": "referral_to_visit_days",
    "norms": [21, 28],
    "better": "lower",
    "targets": [
        {"at_least": 0.9, "within": 28, "since": "2026-01-01", "set_by": "us"}
        | {"confirmed": False, "source": "a meeting"},
        {"at_least": 0.8, "within": 21, "since": "2000-01-01", "set_by": "Treek"}
        | {"confirmed": True, "source": "Treek"},
    ],
    "strata": ["stage_group"],
    "source": "made up",
    "owner": None,
}
SHARE = {
    **{key: value for key, value in GOOD.items() if key not in ("time", "norms", "targets")},
    "measure": "share",
    "numerator": {"var": "in_trial", "op": "=", "value": True},
}


def changed(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The definition with another value in one place; `path` as in a QueryError."""
    made = copy.deepcopy(base)
    place: Any = made
    *steps, last = path.replace("[", ".").replace("]", "").split(".")
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    place[int(last) if last.isdigit() else last] = value
    return made


def test_it_is_read_back_equal_and_hashed_by_what_it_says() -> None:
    made = Indicator.from_dict(GOOD)
    assert made.cohort.to_dict() == {"var": "sex", "op": "=", "value": "male"}
    assert (made.name, made.role_variable, made.text.nl) == (
        "waiting/2",
        "first_seen_here",
        "Wachten",
    )
    again = Indicator.from_dict(made.to_dict())
    assert again == made
    assert hash(again) == hash(made)
    assert again.sha256 == made.sha256
    other = Indicator.from_dict(changed(GOOD, "source", "elsewhere"))
    assert other.sha256 != made.sha256
    assert Indicator.from_dict({**SHARE, "case_mix": "age"}).case_mix == "age"


def test_the_target_of_a_day_is_the_first_that_holds() -> None:
    made = Indicator.from_dict(GOOD)
    assert made.target("1999-12-31") is None
    early, late = made.target("2025-12-31"), made.target("2026-01-01")
    assert early is not None
    assert late is not None
    assert (early.within, late.within) == (21, 28)
    assert early.met(0.8)
    assert not early.met(0.79)
    given = {**GOOD["targets"][0], "at_least": None, "at_most": 0.1, "within": None}
    ceiling = Target.from_dict(given, "share")
    assert ceiling.met(0.1)
    assert not ceiling.met(0.11)


WRONG = [
    ("id", "Two words", "id", "small letters"),
    ("version", 0, "version", "whole number"),
    ("version", True, "version", "whole number"),
    ("text", {"en": "x"}, "text", "'nl' is missing"),
    ("text.nl", "a\nb", "text.nl", "one line"),
    ("lay.en", "", "lay.en", "1 to 1000"),
    ("codebook", "oncomin/9", "codebook", "Did you mean"),
    ("unit", "tumor", "unit", "tumour"),
    ("role", "visit", "role", "first_visit"),
    ("measure", "ratio", "measure", "Use one of"),
    ("cohort", {"var": "sexe", "op": "=", "value": "male"}, "cohort.var", "sex"),
    ("exclusions[0].when", {}, "exclusions[0].when", "for everybody"),
    ("exclusions[0].text", "x", "exclusions[0].text", "named keys"),
    ("date", "incidence_year", "date", "incidence_month"),
    ("time", "age", "time", "duration"),
    ("norms", [20], "norms[0]", "no cut-point at 20 days"),
    ("norms", [28, 21], "norms", "ascending"),
    ("norms", [], "norms", "at least one"),
    ("norms", ["21"], "norms[0]", "whole number of days"),
    ("norms", [7, 14, 21, 28], "norms", "at most 3"),
    ("targets[0].at_most", 0.5, "targets[0].at_least", "not be more than at_most"),
    ("better", "up", "better", "Use one of"),
    ("targets[0].within", 42, "targets[0].within", "21, 28"),
    ("targets[0].at_least", 80, "targets[0].at_least", "0 to 1"),
    ("targets[0].at_least", None, "targets[0]", "at_least or at_most"),
    ("targets[0].since", "2000", "targets[0].since", "2026-01-31"),
    ("targets[0].confirmed", "yes", "targets[0].confirmed", "true or false"),
    ("targets[0].set_by", None, "targets[0].set_by", "no value"),
    ("strata", ["topography"], "strata[0]", "more than 12"),
    ("strata", ["stage_group", "stage_group"], "strata[1]", "twice"),
    ("strata", ["age"], "strata[0]", "category or boolean"),
    ("owner", "us", "owner", "network.group"),
    ("source", None, "source", "no value"),
    ("numerator", {"var": "in_trial", "op": "=", "value": True}, "numerator", "does not go with"),
    ("colour", "red", "", "no key 'colour'"),
]


@pytest.mark.parametrize(("path", "value", "where", "says"), WRONG)
def test_a_wrong_field_is_named_and_what_to_do_is_said(
    path: str, value: object, where: str, says: str
) -> None:
    with pytest.raises(QueryError) as caught:
        Indicator.from_dict(changed(GOOD, path, value))
    assert caught.value.where == where
    assert says in caught.value.message


def test_each_measure_has_its_own_fields() -> None:
    for base, key in ((SHARE, "numerator"), (GOOD, "time")):
        with pytest.raises(QueryError, match=f"needs '{key}'"):
            Indicator.from_dict({name: v for name, v in base.items() if name != key})
    difference = {**SHARE, "measure": "difference", "exposure": "prehabilitation"}
    assert Indicator.from_dict(difference).exposure == "prehabilitation"
    for numerator in (
        {"var": "in_trial", "op": "=", "value": False},
        {"var": "stage_group", "op": "=", "value": "I"},
        {"all": [difference["numerator"], {"var": "dead", "op": "=", "value": True}]},
    ):
        with pytest.raises(QueryError, match="one yes/no variable"):
            Indicator.from_dict({**difference, "numerator": numerator})
    with pytest.raises(QueryError, match="'within' does not go with measure share"):
        Indicator.from_dict({**SHARE, "targets": GOOD["targets"]})
    with pytest.raises(QueryError, match="has no target"):
        Indicator.from_dict({**difference, "targets": GOOD["targets"]})
    survival = {**SHARE, "measure": "survival", "numerator": None, "time": "follow_up_days"}
    made = Indicator.from_dict(
        {
            **survival,
            "event": "dead",
            "at": [365],
            "targets": [{**GOOD["targets"][0], "within": 365}],
        }
    )
    assert made.at == (365,)
    text = (
        "codebook: oncomin/1\nvariables: {large: {type: integer, min: 0, max: 900},"
        " in_trial: {type: boolean}, sex: {type: category, levels: [male]},"
        " emergency_surgery: {type: boolean}, first_visit_month: {type: date},"
        " first_seen_here: {type: boolean}, stage_group: {type: category, levels: [I]}}"
    )
    big = load_codebook(text.replace("variables", "unit: patient\nvariables").encode())
    with pytest.raises(QueryError, match="no groups to count by"):
        Indicator.from_dict(
            {**SHARE, "unit": "patient", "measure": "mix", "numerator": None, "variable": "large"},
            big,
        )


def test_a_codebook_of_a_study_can_take_the_place_of_the_built_in_one() -> None:
    book: Codebook = load_codebook(
        b"codebook: mine/1\nvariables: {yes: {type: boolean}, when: {type: date}}"
    )
    own = {
        **{k: v for k, v in SHARE.items() if k not in ("exclusions", "strata", "cohort")},
        "codebook": "mine/1",
        "unit": "patient",
        "role": "any",
        "cohort": {},
        "date": "when",
        "numerator": {"var": "yes", "op": "=", "value": True},
    }
    assert Indicator.from_dict(own, book).role_variable is None
    with pytest.raises(QueryError, match="not a codebook of the program"):
        Indicator.from_dict(own)
    with pytest.raises(QueryError, match="written for codebook"):
        Indicator.from_dict({**own, "codebook": "mine/2"}, book)
    with pytest.raises(QueryError) as caught:
        Indicator.from_dict({**own, "role": "treatment"}, book)
    assert caught.value.where == "role"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"x" * 60_000, "at most"),
        (b"{not json", "JSON"),
        (b"a: [", "cannot be read"),
        (b"- a\n", "named keys"),
    ],
)
def test_a_file_that_is_no_definition_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        read_definition(data)
