from __future__ import annotations

import pytest

from federation.query.errors import QueryError
from federation.query.json_data import load_json, nesting


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        ('\ufeff"é"'.encode(), "é"),
        (b'{"a": "]]]\\"[[["}', {"a": ']]]"[[['}),
    ],
)
def test_reads(data: bytes, value: object) -> None:
    assert load_json(data) == value


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"[" * 41 + b"]" * 41, "TOO_LARGE", "nested more than 40"),
        (b"[" * 200_000, "TOO_LARGE", "nested"),
        (b" " * 262_145, "TOO_LARGE", "larger"),
        (b"\xff\xfe{\x00", "BAD_JSON", "UTF-8"),
        (b'{"a": 1, "a": 2}', "BAD_JSON", "twice"),
        (b'{"a": NaN}', "BAD_JSON", "NaN"),
        (b'{"a": -Infinity}', "BAD_JSON", "Infinity"),
        (b'{"a": 1e999}', "BAD_JSON", "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "BAD_JSON", "more than 18 digits"),
        (b'{"a": }', "BAD_JSON", "line 1, column 7"),
        (b"", "BAD_JSON", "not valid JSON"),
    ],
    ids=lambda each: str(each[:16]),
)
def test_refuses_in_a_sentence(data: bytes, code: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        load_json(data)
    assert caught.value.code == code


def test_nesting_ignores_brackets_in_text() -> None:
    assert nesting('{"a": ["[[[", {"\\"[": []}]}') == 4
