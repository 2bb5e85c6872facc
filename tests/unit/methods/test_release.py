from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from federation.methods.release import Release, number, seen, significant
from federation.query.terms import Terms


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_null(value: float | None) -> None:
    assert number(value) is None
    assert significant(value, 3) is None


def test_significant_digits() -> None:
    assert significant(123456.789, 6) == 123457.0
    assert significant(-0.000123456789, 6) == -0.000123457
    assert significant(0.0, 6) == 0.0


def test_numbers_are_rounded_only_under_protection(ask: Any) -> None:
    strict, open_data = Release(ask("count")), Release(ask("count", terms=Terms.open_data()))
    assert (strict.coefficient(1 / 3), open_data.coefficient(1 / 3)) == (0.333333, 1 / 3)
    assert (strict.loglik(-7.12345), open_data.loglik(-7.12345)) == (-7.123, -7.12345)
    assert (strict.survival(0.12345), open_data.survival(0.12345)) == (0.123, 0.12345)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_few_missing_look_all_the_same(count: int, ask: Any) -> None:
    release = Release(ask("count"))
    assert release.missing(count) is None
    assert release.hidden == [{"where": "missing", "why": "small_cell"}]
    assert Release(ask("count", terms=Terms.open_data())).missing(count) == count


def test_ten_missing_are_told(ask: Any) -> None:
    assert Release(ask("count")).missing(10) == 10


def test_a_table_the_gate_did_not_judge_is_not_shown() -> None:
    assert seen({}, "cells", (2, 2)).tolist() == [[False, False], [False, False]]
    assert seen({"cells": np.array([True, False])}, "cells", (2,)).tolist() == [True, False]
