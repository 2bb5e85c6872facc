"""A difference is of all hospitals together, absolute and relative; no hospital has its own."""

from __future__ import annotations

from typing import Any

import pytest

from federation.indicators.asking import Period
from federation.indicators.catalogue import shipped
from federation.query.builtin import builtin_codebook
from federation.rounds.answers import Answer
from federation.rounds.findings import finding_of
from federation.rounds.states import LEFT
from federation.rounds.strata import strata_of

INDICATOR = shipped()["severe_complications_prehabilitation"]
YEAR = Period("2024-01", "2024-12")
#: 21 of 123 with prehabilitation, 38 of 128 without (17.1% and 29.7%, as in the PREHAB trial).
CELLS = {(True, True): 21, (True, False): 102, (False, True): 38, (False, False): 90}


def answer(cells: dict[tuple[bool, bool], int | None], **more: Any) -> Answer:
    made = [
        {
            "by": {"prehabilitation": str(a).lower(), "severe_complication": str(b).lower()},
            "n": n,
        }
        for (a, b), n in cells.items()
    ]
    result = {"n": 251, "missing": 4, "cells": made}
    return Answer(("a", "b", "c"), (), None, {"result": result, **more}, None)


def found(answers: dict[str, Answer], out: dict[str, str] | None = None) -> Any:
    given = out or dict.fromkeys(("a", "b", "c"), "refused")
    return finding_of(INDICATOR, answers, out=given, period=YEAR, names={})


def test_the_four_cells_of_all_give_difference_and_ratio_and_no_hospital_its_own() -> None:
    own = {site: {"n": n, "cells": []} for site, n in zip("abc", (12, 10, 30), strict=True)}
    excluded = Answer(("a", "b", "c"), (), None, {"by_site": own}, None)
    made = found({"main": answer(CELLS), "excluded": excluded})

    assert made.status == "shown"
    assert made.difference["difference"] == pytest.approx(21 / 123 - 38 / 128)
    assert made.difference["ratio"] == pytest.approx((21 / 123) / (38 / 128))
    assert (made.difference["hospitals_in"], made.difference["hidden"]) == (3, None)
    assert made.headline == made.difference["words"]
    assert (made.network.n, made.network.missing, made.network.excluded) == (251, 4, 52)
    assert {(row.site, row.n, row.hidden) for row in made.rows} == {
        (site, None, "not_measured") for site in "abc"
    }


def test_a_hidden_cell_hides_the_difference_and_a_small_hospital_the_number_taken_out() -> None:
    own = {"a": {"n": 12}, "b": {"code": "SMALL_GROUP"}, "c": {"n": 30}}
    excluded = Answer(("a", "b", "c"), (), None, {"by_site": own}, None)
    made = found({"main": answer({**CELLS, (True, True): None}), "excluded": excluded})
    assert made.difference == {"exposure": "prehabilitation", "hospitals_in": 3, "hidden": "small"}
    assert made.network.excluded is None


def test_who_left_or_was_not_asked_is_told_and_without_an_answer_there_is_none() -> None:
    out = {"a": "refused", "b": LEFT, "d": "no_data"}
    made = found({"main": answer(CELLS)}, out)
    assert [(row.site, row.hidden) for row in made.rows] == [
        ("a", "not_measured"),
        ("b", LEFT),
        ("d", "no_data"),
    ]
    nothing = Answer(("a", "b", "c"), (), "SMALL_GROUP", {}, None)
    assert found({"main": nothing}).status == "refused"
    assert found({}).status == "not_answered"


def test_groups_of_patients_have_their_own_difference_of_all_hospitals_together() -> None:
    """A cause analysis of an indicator with and without something: by group, and by no hospital."""
    book = builtin_codebook("oncomin/1")
    assert book is not None
    cells = [
        {**cell, "by": {**cell["by"], "stage_group": level}}
        for level, cut in (("II", {}), ("III", {(True, True): None}))
        for cell in answer({**CELLS, **cut}).pooled["cells"]
    ]
    asked = Answer(("a", "b", "c"), (), None, {"result": {"n": 502, "cells": cells}}, None)
    [found] = strata_of(INDICATOR, {"stratum:stage_group": asked}, book)
    two, three = found["rows"]
    assert (two["site"], two["level"], two["n"], two["hidden"]) == (None, "II", 251, None)
    assert two["difference"]["difference"] == pytest.approx(21 / 123 - 38 / 128)
    assert two["difference"]["ratio"] == pytest.approx((21 / 123) / (38 / 128))
    assert (three["level"], three["n"], three["hidden"]) == ("III", None, "small")
    refused = Answer(("a", "b", "c"), (), "SMALL_GROUP", {}, None)
    [found] = strata_of(INDICATOR, {"stratum:stage_group": refused}, book)
    assert found["rows"] == [{"site": None, "level": None, "hidden": "SMALL_GROUP"}]
