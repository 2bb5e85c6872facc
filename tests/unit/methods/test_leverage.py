"""Rule O8: one patient, some alike, or a handful over several hospitals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.base import Sums
from federation.methods.leverage import check_heavy, check_leverage
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()


class TestAtOneHospital:
    """A few patients alike share the leverage of their place in the model."""

    def _judge(self, matrix: np.ndarray, local: np.ndarray, people: Any = None) -> str:
        inverse = np.linalg.inv(matrix.T @ matrix)
        shares = np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
        try:
            check_leverage(shares[local], matrix[local], people, STRICT)
        except Refused as refusal:
            return refusal.code
        return "released"

    @pytest.mark.parametrize("few", [1, 2, 3, 8, 9, 10, 11])
    def test_patients_who_alone_have_a_value(self, few: int) -> None:
        matrix = np.column_stack([np.ones(100), np.arange(100) < few]).astype(float)
        found = self._judge(matrix, np.arange(100))
        assert found == ("released" if few >= 10 else "MODEL_UNSTABLE")

    def test_ten_are_released_wherever_they_are_treated(self) -> None:
        matrix = np.column_stack([np.ones(100), np.arange(100) < 10]).astype(float)
        for local in (np.arange(10), np.arange(5, 60), np.arange(0)):
            assert self._judge(matrix, local) == "released"

    def test_patients_who_differ_are_not_added_up(self) -> None:
        rng = np.random.default_rng(1)
        matrix = np.column_stack([np.ones(12), rng.normal(size=(12, 2))])
        assert self._judge(matrix, np.arange(12)) in ("released", "MODEL_UNSTABLE")
        spread = np.column_stack([np.ones(40), np.linspace(-1, 1, 40)])
        assert self._judge(spread, np.arange(40)) == "released"

    def test_rows_of_one_patient_are_added_up(self) -> None:
        matrix = np.column_stack([np.ones(60), np.linspace(-1, 1, 60)])
        people = np.concatenate([np.zeros(20, dtype=np.int64), np.arange(1, 41)])
        assert self._judge(matrix, np.arange(60)) == "released"
        assert self._judge(matrix, np.arange(60), people) == "MODEL_UNSTABLE"

    def test_what_cannot_be_judged_is_refused(self) -> None:
        with pytest.raises(Refused):
            check_leverage(np.array([np.nan]), np.ones((1, 1)), None, STRICT)


class TestTogether:
    """What no hospital sees alone: each has one of the few patients who differ from all others."""

    def _judge(self, matrix: np.ndarray, site: np.ndarray, people: Any = None) -> str:
        inverse = np.linalg.inv(matrix.T @ matrix)
        shares = np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
        try:
            sums: list[Sums] = [
                check_leverage(
                    shares[site == s],
                    matrix[site == s],
                    None if people is None else people[site == s],
                    STRICT,
                )
                for s in np.unique(site)
            ]
            check_heavy({name: sum(each[name] for each in sums) for name in sums[0]}, STRICT)
        except Refused as refusal:
            return refusal.code
        return "released"

    @pytest.mark.parametrize("few", [2, 3, 8, 9, 10, 11])
    def test_one_of_the_few_at_each_hospital(self, few: int) -> None:
        matrix = np.column_stack([np.ones(300), np.arange(300) < few]).astype(float)
        found = self._judge(matrix, np.arange(300) % max(few, 3))
        assert found == ("released" if few >= 10 else "MODEL_UNSTABLE")

    def test_the_few_need_not_be_alike(self) -> None:
        rng = np.random.default_rng(2)
        marker = rng.normal(size=300) * 0.01
        marker[:4] = [10.0, 11.0, -9.0, 10.5]
        matrix = np.column_stack([np.ones(300), rng.normal(size=300), marker])
        assert self._judge(matrix, np.arange(300) % 4) == "MODEL_UNSTABLE"

    @pytest.mark.parametrize("n", [200, 500, 2000])
    @pytest.mark.parametrize("seed", range(5))
    def test_markers_that_are_skewed_as_in_life_are_released(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        marker = np.exp(rng.normal(4, 0.8, n))
        matrix = np.column_stack([np.ones(n), rng.normal(size=n), marker])
        assert self._judge(matrix, np.arange(n) % 5) == "released"

    def test_a_small_model_has_many_heavy_patients(self) -> None:
        rng = np.random.default_rng(3)
        matrix = np.column_stack([np.ones(40), rng.normal(size=(40, 3))])
        assert self._judge(matrix, np.arange(40) % 3) == "released"

    def test_heavy_are_patients_not_rows(self) -> None:
        matrix = np.column_stack([np.ones(300), np.arange(300) < 12]).astype(float)
        people = np.where(np.arange(300) < 12, np.arange(300) // 4, np.arange(300))
        site = np.where(np.arange(300) < 12, np.arange(300) // 4, 3)
        assert self._judge(matrix, site) == "released"
        assert self._judge(matrix, site, people) == "MODEL_UNSTABLE"

    def test_no_rows_are_nothing(self) -> None:
        sums = check_leverage(np.zeros(0), np.ones((0, 2)), None, STRICT)
        assert (sums["heavy"].tolist(), sums["heavy_share"].tolist()) == ([0], [0.0])
        check_heavy(sums, STRICT)
