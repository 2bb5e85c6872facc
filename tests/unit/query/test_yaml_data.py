"""Files from someone who may wish us ill end in a sentence, and quickly."""

from __future__ import annotations

import time

import pytest

from federation.query.yaml_data import MAX_VALUES, YamlError, load_yaml

BILLION_LAUGHS = b"""
a: &a ["lol","lol","lol","lol","lol","lol","lol","lol","lol"]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: -12", {"a": -12}),
        ("a: 1.5", {"a": 1.5}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: true", {"a": True}),
        ("a: False", {"a": False}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: null", {"a": None}),
        ("[1, [2, {b: c}]]", [1, [2, {"b": "c"}]]),
        ("a: |\n  block\n", {"a": "block\n"}),
        ("just a word", "just a word"),
        # what YAML 1.1 would read as false, octal, a date, hexadecimal, a time: text here
        ("a: no", {"a": "no"}),
        ("no: a", {"no": "a"}),
        ("a: on", {"a": "on"}),
        ("a: 010", {"a": "010"}),
        ("a: 00.5", {"a": "00.5"}),
        ("a: 2024-03-01", {"a": "2024-03-01"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: .nan", {"a": ".nan"}),
        ("a: '1'", {"a": "1"}),
        ("a: 1_000", {"a": "1_000"}),
        ("1: a", {1: "a"}),
        ("\ufeffa: é", {"a": "é"}),
        # the reference page itself writes this
        ("days:{type: duration}", {"days": {"type": "duration"}}),
    ],
)
def test_reads_what_stands_there(text: str, value: object) -> None:
    found = load_yaml(text.encode())
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BILLION_LAUGHS, "anchors"),
        (b"a: &x 1", "anchors"),
        (b"a: *x", "aliases"),
        (b"<<: {a: 1}", "merge keys"),
        (b"a: !!python/object:os.system x", "tags"),
        (b"a: !!str 1", "tags"),
        (b"!x {a: 1}", "tags"),
        (b"!x [1]", "tags"),
        (b"a: 1\na: 2", "twice"),
        (b"1: x\n'1': y", "twice"),
        (b"true: x\n1: y", "twice"),
        (b"{a: {b: 1, b: 1}}", "twice"),
        (b"? [1, 2]\n: x", "a key must be"),
        (b"? {a: 1}\n: x", "a key must be"),
        (b"a: 1\n---\nb: 2", "more than one document"),
        (b"", "empty"),
        (b"# only a comment", "empty"),
        (b"a: [1", "not valid YAML"),
        (b"a: 'x", "not valid YAML"),
        (b"a:{b: [", "not valid YAML"),
        (b"a: \x01", "not valid YAML"),
        (b"a: 1e999", "too large"),
        ("a: é".encode("latin-1"), "not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        ("a: 1".encode("utf-32"), "not UTF-8"),
        (b"[" * 21 + b"]" * 21, "nested more than 20"),
        (b"[" * 900_000, "nested more than 20"),
        (b"{a: " * 200_000, "nested more than 20"),
        (b"x" * 1_000_001, "larger than"),
        (b"- x\n" * (MAX_VALUES + 1), "more than"),
    ],
    ids=lambda each: str(each[:20]),
)
def test_refuses_in_a_sentence(data: bytes, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(YamlError, match=said):
        load_yaml(data)
    assert time.monotonic() - started < 5


def test_twenty_deep_is_allowed() -> None:
    assert load_yaml(b"[" * 20 + b"]" * 20)


def test_names_the_line() -> None:
    with pytest.raises(YamlError, match="line 3: the key 'b'") as caught:
        load_yaml(b"a: 1\nb: 2\nb: 3\n")
    assert caught.value.line == 3


def test_a_huge_integer_stays_text() -> None:
    assert load_yaml(b"a: " + b"9" * 5000) == {"a": "9" * 5000}
