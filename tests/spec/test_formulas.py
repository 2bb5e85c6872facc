"""How a formula is read, and what a model of one yes-or-no term comes to by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.formula import parse_formula
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {
        "codebook": "spec/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110, "knots": [35, 50, 65, 80]},
            "nodes": {"type": "integer", "min": 0, "max": 2},
            "grade": {"type": "category", "levels": ["1", "2", "3"]},
            "hormone": {"type": "category", "levels": ["no", "yes"]},
            "relapse": {"type": "integer", "min": 0, "max": 1},
            "relapsed": {"type": "boolean"},
            "diagnosed": {"type": "date", "resolution": "month"},
        },
    }
)


def _table(file: str, columns: int) -> list[tuple[str, ...]]:
    lines = (Path(__file__).parent / file).read_text("utf-8").splitlines()
    found = [
        tuple(cell.strip() for cell in line.split("|", columns - 1))
        for line in lines
        if line and not line.startswith("#")
    ]
    assert all(len(row) == columns for row in found)
    return found


@pytest.mark.parametrize(("written", "read", "terms"), _table("formulas_accepted.txt", 3))
def test_accepted(written: str, read: str, terms: str) -> None:
    formula = parse_formula(written, BOOK, two_sided=False)
    assert str(formula) == read
    assert ", ".join(formula.columns(BOOK)) == terms


@pytest.mark.parametrize(("written", "said"), _table("formulas_refused.txt", 2))
def test_refused(written: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_formula(written, BOOK, two_sided=False)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("family", "table", "estimate", "error", "how"), _table("regressions.txt", 5)
)
def test_by_hand(family: str, table: str, estimate: str, error: str, how: str) -> None:
    cells = [int(number) for number in table.split()]
    exposed = np.repeat([1, 1, 0, 0], cells)
    yes = np.repeat([1, 0, 1, 0], cells)
    columns = {
        "hormone": Column(BOOK.variables["hormone"], exposed.astype(np.int16)),
        "relapsed": Column(BOOK.variables["relapsed"], yes.astype(np.int16)),
        "relapse": Column(BOOK.variables["relapse"], yes.astype(np.float64)),
    }
    outcome = "relapse" if family == "gaussian" else "relapsed"
    analysis = {"kind": "regression", "family": family, "formula": f"{outcome} ~ hormone"}
    query = parse({"version": 1, "codebook": BOOK.id, "analysis": analysis}, BOOK)
    ask = Ask(query, BOOK, Terms.open_data(), None)
    method = KINDS["regression"]
    # the first half of the patients at one hospital, the second at another
    rows = Rows(columns, yes.size)
    sites = [rows.select(np.arange(yes.size) % 2 == half) for half in (0, 1)]
    step = method.start(ask)
    while not isinstance(step, Finished):
        replies = [method.site(ask, step, site) for site in sites]
        step = method.combine(ask, step, {k: replies[0][k] + replies[1][k] for k in replies[0]})
    term = method.result(ask, step, {}).result["terms"][1]
    assert term["term"] == "hormone[yes]"
    assert f"{term['estimate']:.6f}".replace("-0.000000", "0.000000") == estimate
    assert f"{term['se']:.6f}" == error
