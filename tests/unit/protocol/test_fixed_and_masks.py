"""Masked sums equal plain sums to the last bit."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.protocol import fixed
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey
from federation.protocol.masks import mask
from federation.protocol.sums import check_layout, flatten, layout_of, total, unflatten

floats = st.floats(-(2.0**59), 2.0**59, allow_nan=False)
integers = st.integers(-(2**59) + 1, 2**59 - 1)


def exact(limbs):
    """The rational number that each row of limbs stands for."""
    values = []
    for low, high in limbs.tolist():
        number = (high << 64) | low
        if number >= 2**127:
            number -= 2**128
        values.append(Fraction(number, 2**60))
    return values


@given(st.lists(floats, min_size=1, max_size=20))
def test_a_float_is_kept_to_the_last_unit(values):
    limbs = fixed.encode(np.array(values, float))
    for value, kept in zip(values, exact(limbs), strict=True):
        if abs(value) >= 2.0**-8 or value == 0:
            assert kept == Fraction(value)
        assert abs(kept - Fraction(value)) <= Fraction(1, 2**61)
    assert np.allclose(fixed.decode_floats(limbs), values, rtol=4e-16, atol=2.0**-60)


@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=20))
def test_adding_limbs_adds_the_numbers(pairs):
    left, right = (np.array(side, float) for side in zip(*pairs, strict=True))
    a, b = fixed.encode(left), fixed.encode(right)
    assert exact(fixed.add(a, b)) == [x + y for x, y in zip(exact(a), exact(b), strict=True)]
    assert exact(fixed.negate(a)) == [-x for x in exact(a)]


@given(st.lists(integers, min_size=1, max_size=20))
def test_an_integer_comes_back(values):
    array = np.array(values, np.int64)
    assert fixed.decode_integers(fixed.encode(array)).tolist() == values


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0**60, -(2.0**60)])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(ProtocolError, match="OUT_OF_RANGE"):
        fixed.encode(np.array([value]))


def test_an_integer_that_does_not_fit_is_refused():
    with pytest.raises(ProtocolError, match="OUT_OF_RANGE"):
        fixed.encode(np.array([-(2**60)]))


@pytest.mark.parametrize("value", [[1, 0], [0, 2**59], [0, 2**63]])
def test_a_sum_that_is_no_integer_is_refused(value):
    with pytest.raises(ProtocolError, match="NOT_INTEGER"):
        fixed.decode_integers(np.array([value], np.uint64))


def keys(sites):
    return {f"site-{i}": BoxKey.generate() for i in range(sites)}


@pytest.mark.parametrize("sites", [1, 2, 3, 10])
def test_masked_vectors_add_up_to_the_plain_sum(sites):
    rng = np.random.default_rng(sites)
    own = keys(sites)
    roster = {slug: key.public for slug, key in own.items()}
    plain = [flatten({"n": rng.integers(0, 99, 4), "x": rng.normal(0, 1e6, (3, 2))}) for _ in own]
    layout = plain[0][0]
    masked = [
        mask(vector, key, slug, roster, b"run-1/0")
        for (slug, key), (_, vector) in zip(own.items(), plain, strict=True)
    ]
    assert np.array_equal(total(masked), total([v for _, v in plain]))
    if sites > 1:
        for seen, (_, vector) in zip(masked, plain, strict=True):
            assert not np.any(seen == vector)
    sums = unflatten(layout, total(masked))
    assert sums["n"].shape == (4,)
    assert sums["x"].shape == (3, 2)


def test_another_context_gives_another_mask():
    own = keys(2)
    roster = {slug: key.public for slug, key in own.items()}
    vector = np.zeros((3, 2), np.uint64)
    key = own["site-0"]
    seen = {mask(vector, key, "site-0", roster, c).tobytes() for c in (b"a", b"b")}
    assert len(seen) == 2


@pytest.mark.parametrize("wrong", ["absent", "other key"])
def test_a_site_that_is_not_in_the_roster_masks_nothing(wrong):
    own = keys(2)
    roster = {slug: key.public for slug, key in own.items()}
    if wrong == "absent":
        del roster["site-0"]
    else:
        roster["site-0"] = BoxKey.generate().public
    with pytest.raises(ProtocolError, match="ROSTER"):
        mask(np.zeros((1, 2), np.uint64), own["site-0"], "site-0", roster, b"c")


def test_layout_and_vector_must_fit():
    layout, vector = flatten({"a": np.arange(3), "b": np.zeros((2, 2))})
    assert check_layout(layout) == layout == layout_of({"b": np.zeros((2, 2)), "a": np.arange(3)})
    with pytest.raises(ProtocolError, match="BAD_LAYOUT"):
        unflatten(layout, vector[:-1])
    with pytest.raises(ProtocolError, match="BAD_LAYOUT"):
        total([])
    with pytest.raises(ProtocolError, match="BAD_LAYOUT"):
        total([vector, vector[:-1]])
    assert flatten({})[1].shape == (0, 2)


@pytest.mark.parametrize(
    "layout",
    [
        "x",
        ["x"],
        [["a", [1], "f"], ["a", [1], "f"]],
        [["b", [1], "f"], ["a", [1], "f"]],
        [["a", [-1], "f"]],
        [["a", [True], "f"]],
        [["a", [1], "q"]],
        [["a", [1] * 5, "f"]],
        [["a", 1, "f"]],
        [[1, [1], "f"]],
    ],
)
def test_a_layout_that_is_none_is_refused(layout):
    with pytest.raises(ProtocolError, match="BAD_LAYOUT"):
        check_layout(layout)
