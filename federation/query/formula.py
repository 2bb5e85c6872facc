"""Model formulas: our own small grammar, parsed to data, never evaluated.

    formula = [name "~"] term ("+" term)*
    term    = factor | factor ":" factor | factor "*" factor
    factor  = name | "C(" name ["," "ref" "=" quoted] ")"

`a*b` means `a + b + a:b`. An intercept cannot be asked for or left out: the method decides.
Coding is treatment coding: a categorical factor has one column per level but the reference, which
is `ref` or else the codebook's first level. In an interaction this spans the same model as the
usual statistics packages only when the other factor stands in the formula on its own, so the
grammar demands that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

from federation.query.codebook import Codebook, Variable
from federation.query.errors import BAD_FORMULA, UNKNOWN_VARIABLE, QueryError, did_you_mean, shown

MAX_TEXT: Final = 2000
MAX_TERMS: Final = 50

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<sign>[~+:*(),=]))"
)


@dataclass(frozen=True)
class Factor:
    """One variable in a term. `ref` is the reference level of a categorical factor, else None."""

    variable: str
    ref: str | None = None

    @property
    def categorical(self) -> bool:
        """Tell whether the factor stands for one 0/1 column per level but the reference."""
        return self.ref is not None

    def levels(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the levels that have a column, in codebook order; () for a numeric factor."""
        labels = codebook.variables[self.variable].group_labels or ()
        return tuple(label for label in labels if label != self.ref) if self.categorical else ()

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the names of this factor's columns: `age`, or `grade[2]`, `grade[3]`."""
        if not self.categorical:
            return (self.variable,)
        return tuple(f"{self.variable}[{level}]" for level in self.levels(codebook))

    def text(self, codebook: Codebook) -> str:
        """Return the factor as written, with `C()` and `ref` only where they say something."""
        variable = codebook.variables[self.variable]
        if self.ref is None:
            return self.variable
        if self.ref != (variable.group_labels or ("",))[0]:
            quote = '"' if "'" in self.ref else "'"
            return f"C({self.variable}, ref={quote}{self.ref}{quote})"
        return self.variable if variable.type in ("category", "boolean") else f"C({self.variable})"


@dataclass(frozen=True)
class Term:
    """A main effect (one factor) or an interaction (two)."""

    factors: tuple[Factor, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the variables in the term."""
        return tuple(factor.variable for factor in self.factors)

    @property
    def name(self) -> str:
        """Return the term without levels: `age` or `age:hormone`."""
        return ":".join(self.variables)

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the column names; in an interaction the last factor varies fastest."""
        return tuple(
            ":".join(parts) for parts in product(*(f.columns(codebook) for f in self.factors))
        )


@dataclass(frozen=True)
class Formula:
    """A parsed formula: main effects in the author's order, then interactions in theirs."""

    response: str | None
    terms: tuple[Term, ...]
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def variables(self) -> tuple[str, ...]:
        """Return every variable once: the response first, then in order of the terms."""
        names = [self.response] if self.response is not None else []
        names += [name for term in self.terms for name in term.variables]
        return tuple(dict.fromkeys(names))

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the names of all columns, without an intercept."""
        return tuple(name for term in self.terms for name in term.columns(codebook))


def parse_formula(
    text: object, codebook: Codebook, two_sided: bool, where: str = "formula"
) -> Formula:
    """Parse `text` against `codebook`; `two_sided` says whether `y ~` is needed or forbidden.

    Raises QueryError BAD_FORMULA or UNKNOWN_VARIABLE.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise QueryError(
            BAD_FORMULA, f"A formula is a text of at most {MAX_TEXT} characters.", where
        )
    return _Parser(text, codebook, two_sided, where).parse()


class _Parser:
    def __init__(self, text: str, codebook: Codebook, two_sided: bool, where: str) -> None:
        self.codebook = codebook
        self.two_sided = two_sided
        self.where = where
        self.tokens = self._tokens(text.rstrip())
        self.at = 0
        self.explicit: dict[str, str | None] = {}  # variable -> ref of a C(), None when not given
        self.plain: set[str] = set()

    def _wrong(self, message: str) -> QueryError:
        return QueryError(BAD_FORMULA, message, self.where)

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                rest = text[position:].lstrip()
                if rest[0] in "01-":
                    raise self._wrong(
                        "The intercept cannot be set with 0, 1 or -. The method adds it itself."
                    )
                raise self._wrong(
                    f"'{shown(rest[0])}' does not belong in a formula. "
                    "Use names, +, :, * and C(name, ref='level')."
                )
            kind = match.lastgroup or ""
            tokens.append((kind, match.group(kind)))
            position = match.end()
        return tokens

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def _take(self, kind: str, value: str | None, needed: str) -> str:
        found = self._peek()
        if found[0] != kind or (value is not None and found[1] != value):
            raise self._wrong(f"{needed} is needed where '{shown(found[1])}' stands.")
        self.at += 1
        return found[1]

    def _accept(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self.at += 1
            return True
        return False

    def parse(self) -> Formula:
        response = None
        tilde = ("sign", "~") in self.tokens
        if tilde and not self.two_sided:
            raise self._wrong(
                "Only the right side is written here. Leave out the outcome and the '~'."
            )
        if not tilde and self.two_sided:
            raise self._wrong("The outcome is missing. Write: outcome ~ terms.")
        if tilde:
            response = self._variable(self._take("name", None, "The outcome's name")).name
            self._take("sign", "~", "A '~'")
        written: list[tuple[str, ...]] = []
        while True:
            written += self._term()
            if self._peek()[0] == "end":
                break
            self._take("sign", "+", "A '+'")
        return self._finish(response, written)

    def _variable(self, name: str) -> Variable:
        if name not in self.codebook.variables:
            raise QueryError(
                UNKNOWN_VARIABLE,
                f"Codebook {self.codebook.id} has no variable '{shown(name)}'. "
                f"{did_you_mean(name, self.codebook.variables)}",
                self.where,
            )
        return self.codebook.variables[name]

    def _term(self) -> list[tuple[str, ...]]:
        first = self._factor()
        for sign, expand in _JOINS:
            if self._accept(sign):
                second = self._factor()
                if first == second:
                    raise self._wrong(f"'{first}' cannot interact with itself. Leave one out.")
                if self._peek()[1] in (":", "*"):
                    raise self._wrong("An interaction has two variables at most.")
                return expand(first, second)
        return [(first,)]

    def _factor(self) -> str:
        name = self._take("name", None, "A variable's name")
        if name == "C" and self._accept("("):
            variable = self._variable(self._take("name", None, "A variable's name"))
            ref = None
            if self._accept(","):
                if self._take("name", None, "ref") != "ref":
                    raise self._wrong("Only ref='level' may follow in C(name, ref='level').")
                self._take("sign", "=", "A '='")
                ref = self._take("text", None, "A level between quotes")[1:-1]
            self._take("sign", ")", "A ')'")
            self._code(variable, ref)
            return variable.name
        if self._peek() == ("sign", "("):
            raise self._wrong(
                f"'{shown(name)}(...)' is not possible; no functions but C(). "
                "Ask for the variable in the codebook."
            )
        variable = self._variable(name)
        self.plain.add(variable.name)
        if variable.type == "date":
            raise self._wrong(f"'{name}' is a date, which cannot be a term. Use another variable.")
        return variable.name

    def _code(self, variable: Variable, ref: str | None) -> None:
        labels = variable.group_labels
        if labels is None:
            raise self._wrong(f"'{variable.name}' has no levels or cuts, so C() does not apply.")
        if ref is not None and ref not in labels:
            raise self._wrong(
                f"'{shown(ref)}' is not a level of '{variable.name}'. {did_you_mean(ref, labels)}"
            )
        before = self.explicit.get(variable.name)
        if before is not None and ref is not None and before != ref:
            raise self._wrong(f"'{variable.name}' has two references. Use the same one.")
        self.explicit[variable.name] = ref if ref is not None else before

    def _coded(self, name: str) -> Factor:
        variable = self.codebook.variables[name]
        category = variable.type in ("category", "boolean")
        if name in self.explicit and name in self.plain and not category:
            raise self._wrong(f"'{name}' stands both as a number and as C({name}). Use one.")
        if category or name in self.explicit:
            labels = variable.group_labels or ("",)
            if len(labels) < 2:
                raise self._wrong(f"'{name}' has one level only, so it cannot be a term.")
            return Factor(name, self.explicit.get(name) or labels[0])
        return Factor(name)

    def _finish(self, response: str | None, written: list[tuple[str, ...]]) -> Formula:
        mains = dict.fromkeys(names for names in written if len(names) == 1)
        pairs: dict[frozenset[str], tuple[str, ...]] = {}
        for names in written:
            if len(names) == 2:
                pairs.setdefault(frozenset(names), names)
        terms = tuple(
            Term(tuple(self._coded(name) for name in names)) for names in (*mains, *pairs.values())
        )
        if len(terms) > MAX_TERMS:
            raise self._wrong(f"A formula has at most {MAX_TERMS} terms. Leave some out.")
        for term in terms:
            if response in term.variables:
                raise self._wrong(f"'{response}' is the outcome and cannot also be a term.")
            self._check_coding(term, {names[0] for names in mains})
        right = " + ".join(
            ":".join(factor.text(self.codebook) for factor in term.factors) for term in terms
        )
        return Formula(response, terms, right if response is None else f"{response} ~ {right}")

    def _check_coding(self, term: Term, mains: set[str]) -> None:
        if len(term.factors) < 2:
            return
        for factor, other in (term.factors, term.factors[::-1]):
            if factor.categorical and other.variable not in mains:
                raise self._wrong(
                    f"'{term.name}' needs '{other.variable}' as a term of its own. "
                    f"Write {factor.variable}*{other.variable}, or add + {other.variable}."
                )


_JOINS: Final[tuple[tuple[str, Callable[[str, str], list[tuple[str, ...]]]], ...]] = (
    (":", lambda a, b: [(a, b)]),
    ("*", lambda a, b: [(a,), (b,), (a, b)]),
)
