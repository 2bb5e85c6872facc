"""What an answer that counts says to a group: numbers as they were released, or nothing."""

from typing import Any

from federation.runs.feasibility import cells_of, numbers_of


def test_what_an_answer_counts() -> None:
    sealed: dict[str, Any] = {"result": {"n": None, "total": None}, "by_site": {"sealed": "x"}}
    assert numbers_of(sealed) == {"total": None}
    assert (numbers_of({}), cells_of({})) == ({"total": None}, None)
    # As lanes and own_answers write it: a hospital's own result, or why there is none.
    sites = {
        "north": {"n": 5},
        "south": {"status": "refused", "code": "SMALL_GROUP"},
        "west": {"n": None},
    }
    whole = {
        "n": 12,
        "total": 12,
        "cells": [{"by": {"sex": True}, "n": 12}, {"by": {"sex": False}, "n": None}],
    }
    assert numbers_of({"result": whole, "by_site": sites}) == {
        "total": 12,
        "north": 5,
        "west": None,
    }
    assert cells_of({"result": whole}) == whole["cells"]
    assert cells_of({"result": {"cells": [{"by": {}, "n": 12}]}}) is None
