"""What the unit tests of regression models share: patients, fits, and what a refusal said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()
REGRESSION = KINDS["regression"]


def refusal_of(run: Any, *args: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        run(*args)
    return caught.value.code, caught.value.terms


def digits(value: float) -> int:
    return len(f"{value:.12e}".split("e")[0].rstrip("0").replace(".", "").lstrip("-"))


def patients(rows: Any, n: int = 600, seed: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    h = rng.choice(["no", "yes"], n)
    eta = 0.7 * x + 0.4 * (h == "yes")
    return rows(
        e=rng.random(n) < 1 / (1 + np.exp(-eta)),
        score=rng.poisson(np.exp(0.3 * eta)).clip(1, 5),
        t=rng.integers(1, 2000, n),
        x=x,
        months=(30 + 5 * eta + rng.normal(size=n)).clip(0, 60),
        age=rng.integers(30, 90, n),
        g=rng.choice(["a", "b", "c"], n),
        h=h,
        flag=rng.random(n) < 0.4,
    )


FITS = [
    {"family": "gaussian", "formula": "months ~ age + x + g"},
    {"family": "binomial", "formula": "e ~ age + x + g"},
    {"family": "poisson", "formula": "score ~ age + x + g", "offset": "t"},
]
