"""Any formula that can be written: it reads back to itself, and its columns have one name each."""

from __future__ import annotations

import random
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.methods.base import Column, Rows
from federation.methods.design import design_of
from federation.query.codebook import Codebook
from federation.query.errors import BAD_FORMULA, UNKNOWN_VARIABLE, QueryError
from federation.query.formula import Formula, parse_formula

BOOK = Codebook.from_dict(
    {
        "codebook": "bent/1",
        "variables": {
            "y": {"type": "number"},
            "age": {"type": "integer", "min": 18, "max": 110, "knots": [30, 50, 70]},
            "psa": {"type": "number", "min": 0, "max": 500, "knots": [1, 4, 10, 40]},
            "bmi": {"type": "number", "min": 10, "max": 80},
            "free": {"type": "number"},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "quoted": {"type": "category", "levels": ["it's", 'a "b"', "x:y"]},
            "flag": {"type": "boolean"},
        },
    }
)
BOUNDED = ("age", "psa", "bmi")
BENT = ("age", "psa")
NUMBERS = (*BOUNDED, "free")
CATEGORIES = ("g", "quoted", "flag")


def _names(form: tuple[str, int]) -> list[str]:
    name, power = form
    if power == 0:
        return [f"rcs({name})"]
    return [name if k == 1 else f"{name}^{k}" for k in range(1, power + 1)]


@st.composite
def written(draw: st.DrawFn) -> tuple[str, ...]:
    """The terms of a formula that is right: each variable in one form, lower powers included."""
    numbers = draw(st.lists(st.sampled_from(NUMBERS), unique=True, max_size=3))
    categories = draw(
        st.lists(st.sampled_from(CATEGORIES), unique=True, max_size=2, min_size=int(not numbers))
    )
    forms: dict[str, list[str]] = {}
    for name in numbers:
        powers = [1]
        powers += [2, 3] if name in BOUNDED else []
        powers += [0] if name in BENT else []
        forms[name] = _names((name, draw(st.sampled_from(powers))))
    for name in categories:
        labels = BOOK.variables[name].group_labels or ()
        level = draw(st.sampled_from(["", *labels]))
        quote = '"' if "'" in level else "'"
        forms[name] = [f"C({name}, ref={quote}{level}{quote})" if level else name]
    terms = [term for form in forms.values() for term in form]
    if len(forms) > 1 and draw(st.booleans()):
        one, other = draw(st.permutations(list(forms)))[:2]
        terms += [f"{a}:{b}" for a in forms[one] for b in forms[other]]
    return tuple(terms)


def parse(text: str) -> Formula:
    return parse_formula(text, BOOK, two_sided=False)


@given(written())
def test_a_formula_reads_back_to_itself(terms: tuple[str, ...]) -> None:
    formula = parse(" + ".join(terms))
    assert parse(str(formula)) == formula
    two_sided = parse_formula(f"y ~ {formula}", BOOK, two_sided=True)
    assert two_sided.terms == formula.terms
    assert two_sided.variables == ("y", *formula.variables)


@given(written(), st.integers(0, 9), st.randoms(use_true_random=False))
def test_spaces_and_repeats_do_not_matter(
    terms: tuple[str, ...], seed: int, rng: random.Random
) -> None:
    formula = parse(" + ".join(terms))
    spaced = " + ".join((*terms, rng.choice(terms)))
    for sign in ("+", ":", "(", "^"):
        spaced = spaced.replace(sign, f"{' ' * rng.randrange(3)}{sign}{' ' * rng.randrange(3)}")
    if "'" not in spaced and '"' not in spaced:  # spaces inside quotes are part of a level
        assert parse(spaced) == formula


@given(written(), st.randoms(use_true_random=False))
def test_the_order_of_terms_changes_the_order_of_columns_only(
    terms: tuple[str, ...], rng: random.Random
) -> None:
    formula = parse(" + ".join(terms))
    shuffled = parse(" + ".join(rng.sample(terms, len(terms))))
    columns, others = formula.columns(BOOK), shuffled.columns(BOOK)
    assert sorted(columns) == sorted(others)


@given(written())
def test_a_star_is_its_terms_written_out(terms: tuple[str, ...]) -> None:
    plain = [term for term in terms if re.fullmatch(r"\w+", term)]
    if len(plain) < 2:
        return
    one, other = plain[:2]
    assert parse(f"{one}*{other}") == parse(f"{one} + {other} + {one}:{other}")


@given(written())
def test_every_column_has_a_name_of_its_own_and_a_place_in_the_matrix(
    terms: tuple[str, ...],
) -> None:
    formula = parse(" + ".join(terms))
    columns = formula.columns(BOOK)
    assert len(set(columns)) == len(columns) > 0
    design = design_of(formula, BOOK)
    assert design.names == columns
    assert len({column.parts for column in design.columns}) == len(columns)


@settings(max_examples=50)
@given(written(), st.integers(0, 5))
def test_coefficients_of_powers_give_the_same_predictor(terms: tuple[str, ...], seed: int) -> None:
    """What `to_raw` promises: the curve of centred powers is the curve of plain ones."""
    design = design_of(parse(" + ".join(terms)), BOOK)
    rng = np.random.default_rng(seed)
    n = 40
    columns = {}
    for name, variable in BOOK.variables.items():
        labels = variable.group_labels
        if variable.is_numeric:
            low, high = variable.min or 0.0, variable.max or 100.0
            columns[name] = Column(variable, rng.uniform(low, high, n))
        else:
            columns[name] = Column(variable, rng.integers(0, len(labels or ()), n))
    rows = Rows(columns, n)
    matrix = design.matrix(rows)
    centre, scale = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-3)
    beta = rng.normal(size=design.size + 1)
    kept = list(range(design.size))
    raw = design.to_raw(kept, centre, scale) @ beta
    plain = np.column_stack(
        [np.ones(n), *(_plain(name, rows) for name in design.names)]
    )  # columns made from their names alone
    expected = beta[0] + ((matrix - centre) / scale) @ beta[1:]
    size = np.abs(plain * raw).sum(axis=1).max()
    assert np.abs(plain @ raw - expected).max() <= 1e-12 * max(size, 1.0)
    without = design.to_raw(kept, centre, scale, intercept=False) @ beta[1:]
    assert np.allclose(without, raw[1:], rtol=1e-12, atol=0)


def _plain(name: str, rows: Rows) -> np.ndarray:
    value = np.ones(rows.n)
    for part in re.split(r":(?![^\[]*\])", name):
        factor, _, rest = part.partition("[")
        if factor.startswith("rcs("):
            variable = BOOK.variables[factor[4:-1]]
            value = value * _bent(rows.column(variable.name).values, variable.knots, int(rest[:-1]))
        elif rest:
            column = rows.column(factor)
            labels = column.variable.group_labels or ()
            value = value * (column.values == labels.index(rest[:-1]))
        else:
            variable_name, _, power = factor.partition("^")
            value = value * rows.column(variable_name).values ** int(power or 1)
    return value


def _bent(x: np.ndarray, t: tuple[float, ...], place: int) -> np.ndarray:
    if place == 1:
        return x
    k, j = len(t) - 1, place - 2
    cube = [np.maximum(x - knot, 0) ** 3 for knot in t]
    wide = t[k] - t[k - 1]
    bent = cube[j] - cube[k - 1] * (t[k] - t[j]) / wide + cube[k] * (t[k - 1] - t[j]) / wide
    return np.asarray(bent / (t[k] - t[0]) ** 2)


WORDS = st.sampled_from(
    [
        *BOOK.variables,
        *("C", "rcs", "knots", "ref", "I", "x", "'a'", '"b"', "0", "1", "2", "3", "4"),
        *("+", "*", ":", "^", "~", "(", ")", ",", "=", "-", "**", "/", ";", " ", "\n", "é", "²"),
    ]
)


@settings(max_examples=500)
@given(st.lists(WORDS, max_size=14), st.booleans())
def test_any_words_give_a_formula_or_a_sentence(words: list[str], two_sided: bool) -> None:
    try:
        formula = parse_formula("".join(words), BOOK, two_sided)
    except QueryError as error:
        found = error
    else:
        assert parse_formula(str(formula), BOOK, two_sided) == formula
        assert set(formula.variables) <= set(BOOK.variables)
        return
    assert found.code in (BAD_FORMULA, UNKNOWN_VARIABLE)
    assert found.message.endswith((".", "?"))
