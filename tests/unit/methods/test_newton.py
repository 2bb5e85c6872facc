from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from federation.methods.newton import Newton, inverse
from federation.query.refusals import Refused

Function = Callable[[float], tuple[float, float, float]]  # value, slope, minus curvature


def _climb(function: Function, most: int = 40) -> Newton:
    state = Newton.start(1)
    while not state.done:
        state = Newton.from_json(json.loads(json.dumps(state.to_json())))
        value, slope, bend = function(state.beta[0])
        if state.worse(value):
            state = state.halve(most)
        else:
            state = state.accept(value, np.array([slope]), np.array([[bend]]), ("x",), most)
    return state


def test_a_parabola_takes_two_rounds() -> None:
    state = _climb(lambda b: (-((b - 3) ** 2), -2 * (b - 3), 2.0))
    assert state.beta == (3.0,)
    assert state.rounds == 2
    assert (state.loglik_null, state.loglik) == (-9.0, 0.0)


def test_a_step_too_far_is_halved() -> None:
    # sqrt(1 + (b - 2)^2) bends so little far from its top that the full step overshoots
    def hill(b: float) -> tuple[float, float, float]:
        r = np.sqrt(1 + (b - 2) ** 2)
        return -r, -(b - 2) / r, 1 / r**3

    seen: list[int] = []
    original = Newton.halve
    state = Newton.start(1)
    while not state.done:
        value, slope, bend = hill(state.beta[0])
        if state.worse(value):
            state = original(state, 40)
            seen.append(state.halvings)
        else:
            state = state.accept(value, np.array([slope]), np.array([[bend]]), ("x",), 40)
    assert seen
    assert state.beta[0] == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize(
    "function",
    [
        lambda b: (-np.exp(-b), np.exp(-b), np.exp(-b)),  # no top: rises for ever
        lambda b: (np.nan, 1.0, 1.0),
        lambda b: (-(b**2), np.inf, 1.0),
        lambda b: (-(b**2), 1.0, np.nan),
    ],
)
def test_no_top_is_refused(function: Function) -> None:
    with pytest.raises(Refused) as caught:
        _climb(function)
    assert caught.value.code == "MODEL_UNSTABLE"


def test_rounds_are_bounded() -> None:
    with pytest.raises(Refused) as caught:
        _climb(lambda b: (-((b - 3) ** 4), -4 * (b - 3) ** 3, 12 * (b - 3) ** 2), most=5)
    assert caught.value.code == "MODEL_UNSTABLE"


def test_flat_and_collinear_terms_are_named() -> None:
    start = Newton.start(3)
    score = np.zeros(3)
    with pytest.raises(Refused) as caught:
        start.accept(-1.0, score, np.diag([1.0, 0.0, 2.0]), ("a", "b", "c"), 40)
    assert (caught.value.code, caught.value.terms) == ("MODEL_TOO_RICH", ("b",))
    alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(Refused) as caught:
        start.accept(-1.0, score, alike, ("a", "b", "c"), 40)
    assert (caught.value.code, caught.value.terms) == ("MODEL_TOO_RICH", ("a", "b"))
    with pytest.raises(Refused) as caught:
        start.accept(-1.0, score, np.zeros((3, 3)), ("a", "b", "c"), 40)
    assert caught.value.terms == ("a", "b", "c")


def test_inverse_of_badly_scaled_information() -> None:
    scale = np.array([1e-6, 1.0, 1e6])
    matrix = (np.eye(3) + 0.5) * np.outer(scale, scale)
    expected = np.linalg.inv(np.eye(3) + 0.5) / np.outer(scale, scale)
    assert inverse(matrix) == pytest.approx(expected, rel=1e-9)
