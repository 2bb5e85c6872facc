"""Handles are looked up by their first bytes, and nobody is taken for another who begins alike."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from consent.finding import count_different, find, order

# Half of them begin alike, and some end in zero bytes, which numpy does not show.
HANDLES = st.one_of(
    st.binary(min_size=20, max_size=20),
    st.builds(lambda end: b"12345678" + end.rjust(12, b"\0"), st.binary(max_size=2)),
    st.builds(lambda begin: begin.ljust(20, b"\0"), st.binary(min_size=1, max_size=2)),
)


def array(handles: list[bytes]) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(handles), "S20") if handles else np.zeros(0, "S20")


@given(st.lists(HANDLES, min_size=1, unique=True), st.lists(HANDLES))
def test_who_is_there_is_found_at_the_right_place(there: list[bytes], others: list[bytes]) -> None:
    ordered = sorted(there)
    asked = [*there, *others]
    at, found = find(array(ordered), array(asked))
    assert found.tolist() == [handle in ordered for handle in asked]
    for handle, place, is_found in zip(asked, at.tolist(), found.tolist(), strict=True):
        assert not is_found or ordered[place] == handle


@given(st.lists(HANDLES))
def test_they_are_ordered_and_counted_as_whole_handles(handles: list[bytes]) -> None:
    expected = sorted(range(len(handles)), key=handles.__getitem__)
    assert order(array(handles)).tolist() == expected
    assert count_different(array(handles)) == len(set(handles))
