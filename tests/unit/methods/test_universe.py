from __future__ import annotations

import numpy as np

from federation.methods.base import Ask
from federation.methods.registry import KINDS, parse
from federation.methods.universe import SIZE, definitions
from federation.query.codebook import Codebook
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "days": {"type": "duration", "unit": "days", "min": 0, "max": 400, "cuts": [100, 200]},
            "visits": {"type": "integer", "min": 0, "max": 50},
            "treated": {"type": "boolean"},
            "marker": {"type": "number", "min": 0, "max": 5000, "cuts": [35, 200]},
        },
    }
)


def _definitions(cohort: dict[str, object], **analysis: object) -> np.ndarray:
    query = parse(
        {"version": 1, "codebook": "made/1", "cohort": cohort, "analysis": analysis}, BOOK
    )
    return definitions(KINDS[query.kind], Ask(query, BOOK, Terms.strict(), "here"))


def test_nobody_lacks_a_person_time() -> None:
    """Otherwise the patients of a rate would look like fewer than those of a count."""
    rates = _definitions(
        {},
        kind="regression",
        family="poisson",
        formula="visits ~ treated",
        offset="days",
    )
    assert rates[0].sum() == SIZE
    counts = _definitions({}, kind="regression", family="poisson", formula="visits ~ treated")
    assert np.array_equal(rates, counts)


def test_a_person_time_stays_in_its_class() -> None:
    early = {"var": "days", "op": "<", "value": 100}
    rates = _definitions(
        early, kind="regression", family="poisson", formula="visits ~ treated", offset="days"
    )
    counts = _definitions(early, kind="count")
    assert np.array_equal(rates[-1], counts[-1])


def test_narrow_classes_have_as_many_as_wide_ones() -> None:
    """Else three usual conditions leave nobody, and sets without anybody all look the same."""
    low = {"var": "marker", "op": "<", "value": 35}
    early = {"var": "days", "op": "<", "value": 100}
    treated = {"var": "treated", "op": "=", "value": True}
    found = _definitions({"all": [low, early, treated]}, kind="count")
    assert 0.04 * SIZE < found[-1].sum() < 0.07 * SIZE  # an eighteenth
