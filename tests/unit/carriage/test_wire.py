"""What both ends of the vantage6 engine agree on: one form of message and result, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.carriage import wire
from federation.carriage.wire import (
    WireError,
    decode_input,
    decode_result,
    encode_input,
    encode_result,
    task_name,
)

ROOT = Path(__file__).parents[3]


@given(st.binary(max_size=300))
def test_what_is_written_is_read(data: bytes) -> None:
    assert decode_input(encode_input(data)) == data
    assert decode_result(encode_result(reply=data)) == (data, None)


def test_a_message_is_an_ordinary_call_for_a_stock_node() -> None:
    assert json.loads(encode_input(b"abc")) == {
        "method": "answer",
        "args": [],
        "kwargs": {"message": "YWJj"},
    }
    assert json.loads(encode_result(failure="TOO_LARGE")) == {"failure": "TOO_LARGE"}
    assert decode_result(encode_result(failure="TOO_LARGE")) == (None, "TOO_LARGE")


@given(st.binary(max_size=300))
def test_anything_else_is_an_error_of_one_kind(data: bytes) -> None:
    for decode in (decode_input, decode_result):
        with pytest.raises(WireError):
            decode(data)


GOOD_INPUT = {"method": "answer", "args": [], "kwargs": {"message": "YWJj"}}


@pytest.mark.parametrize(
    ("decode", "value"),
    [
        (decode_input, GOOD_INPUT | {"method": "partial"}),
        (decode_input, GOOD_INPUT | {"args": [1]}),
        (decode_input, GOOD_INPUT | {"more": 1}),
        (decode_input, GOOD_INPUT | {"kwargs": {"message": "YWJj", "more": 1}}),
        (decode_input, GOOD_INPUT | {"kwargs": {"message": "YW Jj"}}),
        (decode_input, GOOD_INPUT | {"kwargs": {"message": 1}}),
        (decode_input, [GOOD_INPUT]),
        (decode_result, {"reply": "YWJj", "failure": "X_Y"}),
        (decode_result, {"reply": None}),
        (decode_result, {"reply": "é"}),
        (decode_result, {"failure": "patient 7 has relapsed"}),  # a code is no channel for text
        (decode_result, {}),
    ],
)
def test_nearly_right_is_wrong(decode: Any, value: Any) -> None:
    with pytest.raises(WireError):
        decode(json.dumps(value).encode())


def test_deep_and_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WireError):
        decode_input(b"[" * 200_000)
    monkeypatch.setattr(wire, "MAX_MESSAGE", 10)
    monkeypatch.setattr(wire, "MAX_ENCODED", 100)
    with pytest.raises(ValueError, match="too large"):
        encode_input(b"x" * 11)
    with pytest.raises(ValueError, match="one reply"):
        encode_result(reply=b"x" * 11)
    with pytest.raises(WireError, match="too large"):
        decode_result(b" " * 101)


@pytest.mark.parametrize(
    "given", [{}, {"reply": b"x", "failure": "X_Y"}, {"failure": "not a code"}, {"failure": "X"}]
)
def test_a_result_is_one_of_two(given: Any) -> None:
    with pytest.raises(ValueError, match="one reply or one code"):
        encode_result(**given)


def test_a_task_says_nothing_in_its_name() -> None:
    assert task_name("0" * 32) == "oncokring " + "0" * 32
    for bad in ("", "0" * 31, "G" * 32, "0" * 31 + "%"):  # % would match others when looked for
        with pytest.raises(ValueError, match="handle"):
            task_name(bad)


def test_each_code_is_explained() -> None:
    sources = (ROOT / "federation" / "engines").glob("vantage6*.py")
    used = {
        code for path in sources for code in re.findall(r"\bVANTAGE6_[A-Z_]+", path.read_text())
    }
    settings = {"VANTAGE6_ALLOW_UNENCRYPTED", "VANTAGE6_KEY_FILE", "VANTAGE6_CA_FILE"}
    page = (ROOT / "docs" / "reference" / "vantage6-codes.md").read_text()
    assert used - settings == set(re.findall(r"^\| `(VANTAGE6_[A-Z_]+)`", page, re.MULTILINE))
