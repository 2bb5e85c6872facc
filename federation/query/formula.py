"""Model formulas: our own small grammar, parsed to data, never evaluated.

    formula = [name "~"] term ("+" term)*
    term    = factor | factor ":" factor | factor "*" factor
    factor  = name | name "^" ("2" | "3") | "rcs(" name ["," "knots"] ")"
            | "C(" name ["," "ref" "=" quoted] ")"

`a*b` means `a + b + a:b`. An intercept cannot be asked for or left out: the method decides.
Coding is treatment coding: a categorical factor has one column per level but the reference, which
is `ref` or else the codebook's first level. In an interaction this spans the same model as the
usual statistics packages only when the other factor stands in the formula on its own, so the
grammar demands that. `x^2` is the square of x; the lower powers of a power must stand in the
formula, too, without which the model would depend on where the scale of x begins. `rcs(x)` is a
restricted cubic spline with the codebook's knots: knots from the data would say something of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Final

from federation.query.codebook import Codebook, Variable
from federation.query.errors import BAD_FORMULA, QueryError, did_you_mean, shown
from federation.query.formula_terms import Factor, Formula, Term

__all__ = ["MAX_TERMS", "MAX_TEXT", "Factor", "Formula", "Term", "parse_formula"]

MAX_TEXT: Final = 2000
MAX_TERMS: Final = 50
MAX_POWER: Final = 3

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<number>[0-9]+)|(?P<sign>[~+:*^(),=]))"
)
_ALLOWED: Final = "Use names, +, :, *, ^2, rcs(name) and C(name, ref='level')."
_NO_FUNCTIONS: Final = (
    "no functions but C() and rcs(). A power is written age^2. For anything else, ask for the "
    "variable in the codebook."
)

_Written = tuple[str, int]
"""A factor before its coding is known: a variable's name and a power, or 0 for a spline."""
_SPLINE: Final = 0


def parse_formula(
    text: object, codebook: Codebook, two_sided: bool, where: str = "formula"
) -> Formula:
    """Parse `text` against `codebook`; `two_sided` says whether `y ~` is needed or forbidden.

    Raises QueryError BAD_FORMULA, UNKNOWN_VARIABLE, or NOT_IN_CATALOGUE (another unit's variable).
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
        self.bent: set[str] = set()

    def _wrong(self, message: str) -> QueryError:
        return QueryError(BAD_FORMULA, message, self.where)

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                rest = text[position:].lstrip()
                if rest[0] == "-":
                    raise self._wrong(_INTERCEPT)
                raise self._wrong(f"'{shown(rest[0])}' does not belong in a formula. {_ALLOWED}")
            kind = match.lastgroup or ""
            tokens.append((kind, match.group(kind)))
            if tokens[-2:] == [("sign", "*"), ("sign", "*")]:
                raise self._wrong("'**' does not belong in a formula. A power is written age^2.")
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
        written: list[tuple[_Written, ...]] = []
        while True:
            written += self._term()
            if self._peek()[0] == "end":
                break
            self._take("sign", "+", "A '+'")
        return self._finish(response, written)

    def _variable(self, name: str) -> Variable:
        return self.codebook.variable(name, self.where)

    def _term(self) -> list[tuple[_Written, ...]]:
        first = self._factor()
        for sign, expand in _JOINS:
            if self._accept(sign):
                second = self._factor()
                if first[0] == second[0]:
                    raise self._wrong(
                        f"'{first[0]}' cannot interact with itself. Leave one out, or write "
                        f"{first[0]}^2 for its square."
                    )
                if self._peek()[1] in (":", "*"):
                    raise self._wrong("An interaction has two variables at most.")
                return expand(first, second)
        return [(first,)]

    def _factor(self) -> _Written:
        if self._peek()[0] == "number":
            raise self._wrong(_INTERCEPT if self._peek()[1] in ("0", "1") else _NUMBER)
        name = self._take("name", None, "A variable's name")
        if name == "C" and self._accept("("):
            return self._category()
        if name == "rcs" and self._accept("("):
            return self._spline()
        if self._peek() == ("sign", "("):
            raise self._wrong(f"'{shown(name)}(...)' is not possible; {_NO_FUNCTIONS}")
        variable = self._variable(name)
        power = self._power(variable) if self._accept("^") else 1
        self.plain.add(variable.name)
        if variable.type == "date":
            raise self._wrong(f"'{name}' is a date, which cannot be a term. Use another variable.")
        return variable.name, power

    def _category(self) -> _Written:
        variable = self._variable(self._take("name", None, "A variable's name"))
        ref = None
        if self._accept(","):
            if self._take("name", None, "ref") != "ref":
                raise self._wrong("Only ref='level' may follow in C(name, ref='level').")
            self._take("sign", "=", "A '='")
            ref = self._take("text", None, "A level between quotes")[1:-1]
        self._take("sign", ")", "A ')'")
        self._code(variable, ref)
        return variable.name, 1

    def _power(self, variable: Variable) -> int:
        power = self._take("number", None, "A whole number after '^'")
        if power not in ("2", "3"):
            raise self._wrong(
                f"Only ^2 and ^3 are possible, not ^{shown(power)}. For a line that bends where "
                f"the codebook says, use rcs({variable.name})."
            )
        if not variable.is_numeric:
            raise self._wrong(
                f"'{variable.name}' is of type {variable.type}, which has no powers. Leave out ^."
            )
        if variable.min is None or variable.max is None:
            raise self._wrong(
                f"The codebook gives no min and max for '{variable.name}', which a power needs. "
                "Use another variable, or have the codebook extended."
            )
        return int(power)

    def _spline(self) -> _Written:
        variable = self._variable(self._take("name", None, "A variable's name"))
        if self._accept(","):
            if self._peek() != ("name", "knots"):
                raise self._wrong(
                    "Only the word knots may follow in rcs(name, knots). The knots are those of "
                    "the codebook; knots from the data would say something of the patients."
                )
            self.at += 1
        self._take("sign", ")", "A ')'")
        if not variable.knots:
            bent = [name for name, v in self.codebook.variables.items() if v.knots]
            raise self._wrong(
                f"The codebook gives no knots for '{variable.name}', so rcs() does not apply. "
                + (f"It gives them for {', '.join(bent)}." if bent else "Use a power: age^2.")
            )
        self.bent.add(variable.name)
        return variable.name, _SPLINE

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

    def _coded(self, written: _Written) -> Factor:
        name, power = written
        variable = self.codebook.variables[name]
        if name in self.bent and (name in self.plain or name in self.explicit):
            raise self._wrong(
                f"'{name}' stands both in rcs({name}) and otherwise. Use one: the spline holds the "
                "straight line already."
            )
        category = variable.type in ("category", "boolean")
        if name in self.explicit and name in self.plain and not category:
            raise self._wrong(f"'{name}' stands both as a number and as C({name}). Use one.")
        if category or name in self.explicit:
            labels = variable.group_labels or ("",)
            if len(labels) < 2:
                raise self._wrong(f"'{name}' has one level only, so it cannot be a term.")
            return Factor(name, self.explicit.get(name) or labels[0])
        return Factor(name, spline=True) if power == _SPLINE else Factor(name, power=power)

    def _finish(self, response: str | None, written: list[tuple[_Written, ...]]) -> Formula:
        mains = dict.fromkeys(factors for factors in written if len(factors) == 1)
        pairs: dict[frozenset[_Written], tuple[_Written, ...]] = {}
        for factors in written:
            if len(factors) == 2:
                pairs.setdefault(frozenset(factors), factors)
        terms = tuple(
            Term(tuple(self._coded(factor) for factor in factors))
            for factors in (*mains, *pairs.values())
        )
        if len(terms) > MAX_TERMS:
            raise self._wrong(f"A formula has at most {MAX_TERMS} terms. Leave some out.")
        there = {frozenset(term.factors) for term in terms}
        for term in terms:
            if response in term.variables:
                raise self._wrong(f"'{response}' is the outcome and cannot also be a term.")
            self._check_coding(term, there)
            self._check_powers(term, there)
        right = " + ".join(
            ":".join(factor.text(self.codebook) for factor in term.factors) for term in terms
        )
        return Formula(response, terms, right if response is None else f"{response} ~ {right}")

    def _check_coding(self, term: Term, there: set[frozenset[Factor]]) -> None:
        if len(term.factors) < 2:
            return
        for factor, other in (term.factors, term.factors[::-1]):
            if factor.categorical and frozenset({other}) not in there:
                raise self._wrong(
                    f"'{term.name}' needs '{other.name}' as a term of its own. "
                    f"Write {factor.name}*{other.name}, or add + {other.name}."
                )

    def _check_powers(self, term: Term, there: set[frozenset[Factor]]) -> None:
        """Every product that a power taken about another origin would bring in must be there."""
        for factors in product(*(_lower(factor) for factor in term.factors)):
            needed = frozenset(factor for factor in factors if factor is not None)
            if needed and needed not in there:
                name = Term(tuple(f for f in factors if f is not None)).name
                raise self._wrong(f"'{term.name}' needs '{name}' as well. Add + {name}.")


def _lower(factor: Factor) -> list[Factor | None]:
    """The factor and its lower powers down to none at all; only itself when it is no power."""
    if factor.power == 1:
        return [factor]
    return [None, *(Factor(factor.variable, power=k) for k in range(1, factor.power + 1))]


_INTERCEPT: Final = "The intercept cannot be set with 0, 1 or -. The method adds it itself."
_NUMBER: Final = "A number may only follow ^, as in age^2."

_JOINS: Final[
    tuple[tuple[str, Callable[[_Written, _Written], list[tuple[_Written, ...]]]], ...]
] = (
    (":", lambda a, b: [(a, b)]),
    ("*", lambda a, b: [(a,), (b,), (a, b)]),
)
