"""Read a small YAML file as plain data, from someone who may wish us ill.

The reader takes the parser's events and builds the value itself: anchors, aliases, tags, merge
keys, several documents and duplicate keys are refused, so a file can neither grow when read nor
mean something else than it shows. Only what a codebook, a policy or a mapping needs is typed:
`true`/`false`, whole numbers without leading zeros, decimals, `null`. Everything else (`no`, `yes`,
`010`, `2024-03-01`, `0x1F`, `1:30`) stays the text that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

MAX_VALUES: Final = 50_000  # keys and values together; the largest codebook has about 5 000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(
    r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}|[0-9]{1,18})([eE][-+]?[0-9]{1,3})?"
)
_GLUED = re.compile(r"^([ \t]*[A-Za-z_][A-Za-z0-9_]*):([{\[])", re.MULTILINE)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")


class YamlError(ValueError):
    """The file is not YAML that we read. `line` counts from 1; 0 means the file as a whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


def load_yaml(data: bytes, max_bytes: int = 1_000_000, max_depth: int = 20) -> Any:
    """Return the one document in `data` as dict, list, str, int, float, bool or None.

    `data` must be UTF-8 (a byte-order mark is allowed), at most `max_bytes` long and nested at
    most `max_depth` deep. Mapping keys are str, int, float, bool or None as written; whether a key
    is acceptable is for the caller to say. Raises YamlError with a sentence.
    """
    text = decode_utf8(data, max_bytes)
    try:
        return _build(_events(text), max_depth)
    except yaml.YAMLError as error:
        spaced = _GLUED.sub(r"\1: \2", text)
        if spaced != text:
            # `days:{type: duration}` is not YAML, but everybody reads it the same way; retried
            # only after a failure, so no valid file changes its meaning
            return load_yaml(spaced.encode(), max_bytes * 2, max_depth)
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        raise YamlError(
            "this is not valid YAML. Check quotes, colons and indentation.", line
        ) from None


def decode_utf8(data: bytes, max_bytes: int) -> str:
    """Return `data` as text, or raise YamlError when it is too large or not UTF-8."""
    if len(data) > max_bytes:
        raise YamlError(f"the file is larger than {max_bytes} bytes. Make it smaller.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise YamlError("the file is not UTF-8 text. Save it as UTF-8.") from None


def _events(text: str) -> Iterator[Any]:
    # libyaml when PyYAML was built with it: the pure parser takes seconds for a megabyte
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from yaml.parse(text, Loader=loader)


class _Open:
    """A list or mapping that is being read."""

    def __init__(self, value: dict[Any, Any] | list[Any]) -> None:
        self.value = value
        self.key: Any = None
        self.has_key = False
        self.spelled: set[str] = set()

    def put(self, item: Any, line: int) -> None:
        if isinstance(self.value, list):
            self.value.append(item)
        elif self.has_key:
            self.value[self.key] = item
            self.has_key = False
        else:
            if isinstance(item, dict | list):
                raise YamlError("a key must be a plain word, not a list or mapping.", line)
            if isinstance(item, str) and _GLUED.match(item):
                raise yaml.YAMLError("a brace is glued to a key")  # load_yaml tries once more
            # 1, 1.0 and True are one key to Python; 1 and "1" are one code to a codebook
            if item in self.value or _spelled(item) in self.spelled:
                raise YamlError(f"the key '{str(item)[:60]}' stands here twice. Remove one.", line)
            self.spelled.add(_spelled(item))
            self.key, self.has_key = item, True


def _spelled(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _build(events: Iterator[Any], max_depth: int) -> Any:
    stack: list[_Open] = []
    root: list[Any] = []
    count = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlError("anchors (&) and aliases (*) are not allowed. Write it out.", line)
        if isinstance(event, yaml.NodeEvent):
            count += 1
            if count > MAX_VALUES:
                raise YamlError(f"the file holds more than {MAX_VALUES} values. Split it.", line)
            if getattr(event, "tag", None) is not None:
                raise YamlError("tags (!) are not allowed. Leave the tag out.", line)
        if isinstance(event, yaml.DocumentStartEvent) and root:
            raise YamlError("the file holds more than one document. Keep one.", line)
        if isinstance(event, yaml.ScalarEvent):
            _place(stack, root, _scalar(event, line), line)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            if len(stack) >= max_depth:
                raise YamlError(f"the file is nested more than {max_depth} deep. Flatten it.", line)
            made: dict[Any, Any] | list[Any] = (
                [] if isinstance(event, yaml.SequenceStartEvent) else {}
            )
            _place(stack, root, made, line)
            stack.append(_Open(made))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            stack.pop()
    if not root:
        raise YamlError("the file is empty.")
    return root[0]


def _place(stack: list[_Open], root: list[Any], item: Any, line: int) -> None:
    if stack:
        stack[-1].put(item, line)
    else:
        root.append(item)


def _scalar(event: Any, line: int) -> Any:
    text: str = event.value
    if event.style:  # quoted or block: always text
        return text
    if text == "<<":
        raise YamlError("merge keys (<<) are not allowed. Write it out.", line)
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and not _LEADING_ZERO.match(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise YamlError("this number is too large.", line)
        return number
    return text
