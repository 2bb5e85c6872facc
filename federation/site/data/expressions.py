"""The closed language of `expr:` and `when:` in a mapping: text in, a small tree out.

    incjr - leeft                      numbers (columns are read as numbers)
    topo + '.' + topo_sublok[3:4]      texts, where at least one side is a text
    vital_date - incidence_date        days between two dates
    incidence_date + 30                a date
    value == 1 and not (kind == 'x')   true or false
    `Datum recidief`                   a column, whatever characters its name has
    patient.birth_year                 what another table of the mapping says

Functions: year(date), years(from, to), lower(text), upper(text), first_known(a, b, …). There is
nothing else: no loops, no patterns, no names of Python. A tree is bounded in length and depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 500
MAX_NODES: Final = 120
MAX_DEPTH: Final = 20
MAX_SLICE: Final = 200
FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "year": (1, 1),
    "years": (2, 2),
    "lower": (1, 1),
    "upper": (1, 1),
    "first_known": (2, 8),
}
COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")
_WORDS: Final = frozenset({"and", "or", "not"})

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)"
    r"|(?P<word>[^\W\d]\w{0,79})"
    r"|(?P<column>`[^`\x00-\x1f]{1,80}`)"
    r"|(?P<text>'[^'\x00-\x1f]{0,80}'|\"[^\"\x00-\x1f]{0,80}\")"
    r"|(?P<sign>==|!=|<=|>=|[-+*<>()\[\]:,.])"
)


class ExpressionError(ValueError):
    """What is wrong and at which character, counted from 1."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(f"character {place}: {message}")


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Text:
    value: str


@dataclass(frozen=True)
class Name:
    """A name as written: `table` "" without a dot; `quoted` when it can only be a column."""

    table: str
    name: str
    quoted: bool = False


@dataclass(frozen=True)
class Arithmetic:
    """`op` is one of + - *."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Comparison:
    """`op` is one of COMPARISONS."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Logic:
    """`op` is "and" or "or"."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Negation:
    of: Tree


@dataclass(frozen=True)
class Slice:
    """Characters `start` up to, not including, `stop`, counted from 0; None for the end."""

    of: Tree
    start: int
    stop: int | None


@dataclass(frozen=True)
class Call:
    """One of FUNCTIONS."""

    name: str
    arguments: tuple[Tree, ...]


Tree = Number | Text | Name | Arithmetic | Comparison | Logic | Negation | Slice | Call


def parse(text: str) -> Tree:
    """The tree of one expression. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    return _Reader(text).whole()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError("this is not part of an expression", at + 1)
        at = found.end()
        kind = str(found.lastgroup)
        if kind != "space":
            yield _Token(kind, found.group(), found.start() + 1)
    yield _Token("end", "", at + 1)


class _Reader:
    """Recursive descent over the tokens, counting nodes and depth."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._nodes = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def whole(self) -> Tree:
        tree = self._or(1)
        if self._next.kind != "end":
            raise ExpressionError("an operator is missing here", self._next.place)
        return tree

    def _take(self, *texts: str) -> str | None:
        """The next token when it is one of the signs or words `texts`."""
        token = self._next
        if token.kind in ("sign", "word") and token.text in texts:
            self._at += 1
            return token.text
        return None

    def _must(self, text: str) -> None:
        if self._take(text) is None:
            raise ExpressionError(f"'{text}' is missing here", self._next.place)

    def _made(self, tree: Tree) -> Tree:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError("the expression is too long; split it", self._next.place)
        return tree

    def _deeper(self, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise ExpressionError("the expression is nested too deep", self._next.place)
        return depth + 1

    def _or(self, depth: int) -> Tree:
        tree = self._and(depth)
        while self._take("or"):
            tree = self._made(Logic("or", tree, self._and(depth)))
        return tree

    def _and(self, depth: int) -> Tree:
        tree = self._not(depth)
        while self._take("and"):
            tree = self._made(Logic("and", tree, self._not(depth)))
        return tree

    def _not(self, depth: int) -> Tree:
        if self._take("not"):
            return self._made(Negation(self._not(self._deeper(depth))))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Tree:
        tree = self._sum(depth)
        op = self._take(*COMPARISONS)
        return tree if op is None else self._made(Comparison(op, tree, self._sum(depth)))

    def _sum(self, depth: int) -> Tree:
        tree = self._product(depth)
        while op := self._take("+", "-"):
            tree = self._made(Arithmetic(op, tree, self._product(depth)))
        return tree

    def _product(self, depth: int) -> Tree:
        tree = self._minus(depth)
        while self._take("*"):
            tree = self._made(Arithmetic("*", tree, self._minus(depth)))
        return tree

    def _minus(self, depth: int) -> Tree:
        if self._take("-"):
            of = self._minus(self._deeper(depth))
            return self._made(Arithmetic("-", Number(0.0), of))
        return self._sliced(depth)

    def _sliced(self, depth: int) -> Tree:
        tree = self._single(depth)
        while self._take("["):
            start = self._position()
            self._must(":")
            stop = self._position() if self._next.kind == "number" else None
            self._must("]")
            tree = self._made(Slice(tree, start or 0, stop))
        return tree

    def _position(self) -> int | None:
        token = self._next
        if token.kind != "number":
            return None
        if not token.text.isdigit() or int(token.text) > MAX_SLICE:
            raise ExpressionError(f"a place is a whole number up to {MAX_SLICE}", token.place)
        self._at += 1
        return int(token.text)

    def _single(self, depth: int) -> Tree:
        token = self._next
        if self._take("("):
            tree = self._or(self._deeper(depth))
            self._must(")")
            return tree
        self._at += 1
        if token.kind == "number":
            return self._made(Number(float(token.text)))
        if token.kind == "text":
            return self._made(Text(token.text[1:-1]))
        if token.kind == "column":
            return self._made(Name("", token.text[1:-1], quoted=True))
        if token.kind != "word" or token.text in _WORDS:
            raise ExpressionError("a column, number or text is missing here", token.place)
        if self._take("("):
            return self._call(token, depth)
        return self._name(token)

    def _name(self, first: _Token) -> Tree:
        if not self._take("."):
            return self._made(Name("", first.text))
        token = self._next
        if token.kind not in ("word", "column"):
            raise ExpressionError("a name is missing after the point", token.place)
        self._at += 1
        return self._made(Name(first.text, token.text.strip("`")))

    def _call(self, word: _Token, depth: int) -> Tree:
        if word.text not in FUNCTIONS:
            raise ExpressionError(f"the functions are {', '.join(FUNCTIONS)}", word.place)
        depth = self._deeper(depth)
        arguments = [self._or(depth)]
        while self._take(","):
            arguments.append(self._or(depth))
        self._must(")")
        least, most = FUNCTIONS[word.text]
        if not least <= len(arguments) <= most:
            raise ExpressionError("this function has another number of arguments", word.place)
        return self._made(Call(word.text, tuple(arguments)))
