"""Rules against rows: what is broken for certain, what is unknown, what is counted by year."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.base import Column
from federation.query.codebook import load_codebook
from federation.query.rules import RuleError, read_rules
from federation.site.data.judging import Facts, Span
from federation.site.data.plausibility import NO_YEAR, Findings, Plausibility

BOOK = load_codebook(b"""
codebook: t/1
variables:
  born: {type: integer, min: 1900, max: 2030}
  age: {type: integer, min: 0, max: 120}
  sex: {type: category, levels: [male, female, unknown]}
  site: {type: category, levels: [C50.1, C51.0, C58, C60.9, C63]}
  form: {type: category, levels: ["8140", "8141", "8500", "9999"]}
  size: {type: number}
  dead: {type: boolean}
  seen: {type: date}
  found: {type: date}
""")
NONE = math.nan
TODAY = float((date(2024, 6, 1) - date(1970, 1, 1)).days)


def day(text: str) -> float:
    return float((date.fromisoformat(text) - date(1970, 1, 1)).days)


def span(text: str | None) -> tuple[float, float]:
    """2024, 2024-03 or 2024-03-05 as its first and last day."""
    if text is None:
        return NONE, NONE
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return day(text), day(text)
    if len(parts) == 2:
        after = date(parts[0] + parts[1] // 12, parts[1] % 12 + 1, 1)
        return day(f"{text}-01"), day(after.isoformat()) - 1
    return day(f"{text}-01-01"), day(f"{text}-12-31")


def facts(**columns: list) -> Facts:
    """Rows as people would write them down; None is missing."""
    n = len(next(iter(columns.values())))
    made, dates = {}, {}
    for name, values in columns.items():
        variable = BOOK.variables[name]
        if variable.type == "date":
            spans = [span(value) for value in values]
            dates[name] = Span(np.array([s[0] for s in spans]), np.array([s[1] for s in spans]))
        elif variable.type in ("category", "boolean"):
            labels = [level.code for level in variable.levels] or [False, True]
            codes = [-1 if v is None else labels.index(v) for v in values]
            made[name] = Column(variable, np.array(codes, np.int16))
        else:
            made[name] = Column(variable, np.array([NONE if v is None else v for v in values]))
    return Facts(n, made, dates, TODAY)


def book(text: str, severity: str = "E"):
    rule = f"{{severity: {severity}, text: {{en: a, nl: b}}, {text}}}"
    return read_rules(f"plausibility: t/1\nyear: found\nrules: {{r: {rule}}}".encode())


def findings(rules: Plausibility, rows: Facts) -> Findings:
    return Findings(rules.rules, *rules.judge(rows), rules.missing)


def plausibility(made, names) -> Plausibility:
    """Rules held against rows that have these variables of the codebook."""
    found = {name: BOOK.variables[name] for name in names}
    return Plausibility(made, found, [n for n, v in found.items() if v.type == "date"])


def broken(text: str, **columns: list) -> str:
    """'x' per row that breaks the rule, '.' per row that does not."""
    rules = plausibility(book(text), columns)
    assert not rules.missing
    return crosses(findings(rules, facts(**columns)).plausible)


def crosses(good) -> str:
    return "".join("." if ok else "x" for ok in good)


@pytest.mark.parametrize(
    ("rule", "columns", "expected"),
    [
        # dates: only what is certain breaks a rule
        (
            "require: {compare: [seen, '<=', found]}",
            {
                "seen": ["2024-03-05", "2024-03-06", "2024-03", "2024-03", "2024", None, "2025"],
                "found": [*["2024-03-05"] * 3, "2024-02-29", "2024-01", "2020", "2024-12"],
            },
            ".x.x..x",
        ),
        (
            "require: {compare: [seen, '<', found]}",
            {"seen": ["2024-03-05", "2024-03", "2024"], "found": ["2024-03-05"] * 3},
            "x..",
        ),
        (
            "require: {compare: [seen, '=', found]}",
            {"seen": ["2024-03-05", "2024-03-06", "2024-03", "2023"], "found": ["2024-03-05"] * 4},
            ".x.x",
        ),
        (
            "require: {compare: [seen, '!=', found]}",
            {"seen": ["2024-03-05", "2024-03-06", "2024-03"], "found": ["2024-03-05"] * 3},
            "x..",
        ),
        (
            "require: {compare: [seen, '<=', today]}",
            {"seen": ["2024-06-01", "2024-06-02", "2024-06", "2024-07", "2024", "2025", None]},
            ".x.x.x.",
        ),
        (
            "require: {compare: [{days: [seen, found]}, '<=', 92]}",
            {
                "seen": ["2024-01-01", "2024-01-01", "2024-01", "2024-01"],
                "found": ["2024-04-02", "2024-04-03", "2024-04-30", "2024-05-03"],
            },
            ".x.x",
        ),
        (
            "require: {compare: [born, '<=', {year_of: seen}]}",
            {
                "born": [2000, 2001, 2000, None],
                "seen": ["2000-01-01", "2000-12-31", "2000", "1990"],
            },
            ".x..",
        ),
        (
            "require: {compare: [{add: [age, {years: {days: [seen, found]}}]}, '<', 100]}",
            {"age": [90, 89, 90], "seen": ["2000-01-01"] * 3, "found": ["2010-01-02"] * 2 + [None]},
            "x..",
        ),
        # numbers and booleans
        ("require: {compare: [size, '>=', 0]}", {"size": [0, -0.5, None, 3]}, ".x.."),
        ("require: {compare: [size, '>', 0]}", {"size": [0, -0.5, None, 3]}, "xx.."),
        ("require: {compare: [dead, '=', 1]}", {"dead": [True, False, None]}, ".x."),
        # codes
        ("require: {var: sex, in: [female, unknown]}", {"sex": ["male", "female", None]}, "x.."),
        (
            "require: {var: site, starts: [C50, C6]}",
            {"site": ["C50.1", "C51.0", "C63", None]},
            ".x..",
        ),
        (
            "require: {var: site, between: [C51, C58]}",
            {"site": ["C50.1", "C51.0", "C58", "C60.9", None]},
            "x..x.",
        ),
        # there or not there
        ("require: {var: sex, known: true}", {"sex": ["male", None]}, ".x"),
        ("require: {var: seen, known: false}", {"seen": ["2020", None]}, "x."),
        # implications and joined conditions: unknown never breaks anything
        (
            "when: {var: site, between: [C51, C58]}, require: {not: {var: sex, in: [male]}}",
            {
                "site": ["C51.0", "C51.0", "C50.1", "C51.0", None],
                "sex": ["male", "female", "male", None, "male"],
            },
            "x....",
        ),
        (
            "require: {all: [{compare: [size, '>', 0]}, {var: sex, in: [male]}]}",
            {"size": [1, None, None, 0], "sex": ["male", "female", None, None]},
            ".x.x",
        ),
        (
            "require: {any: [{compare: [size, '>', 0]}, {var: sex, in: [male]}]}",
            {"size": [1, None, None, 0, 0], "sex": ["male", "female", None, None, "female"]},
            "....x",
        ),
    ],
)
def test_a_row_breaks_a_rule_only_for_certain(rule, columns, expected):
    assert broken(rule, **columns) == expected


def test_a_day_that_counts_from_nobody_knows_when_is_held_against_its_like_only():
    columns = {"seen": ["2030-01-02"], "found": ["2030-01-01"], "born": [2031]}
    for rule, kinds, expected in (
        ("require: {compare: [seen, '<=', found]}", {"seen", "found"}, "x"),
        ("require: {compare: [seen, '<=', found]}", {"seen"}, "."),
        ("require: {compare: [seen, '<=', today]}", {"seen"}, "."),
        ("require: {compare: [born, '<=', {year_of: seen}]}", {"seen"}, "."),
        ("require: {compare: [{days: [found, seen]}, '<=', 0]}", {"seen", "found"}, "x"),
        ("require: {compare: [{days: [found, seen]}, '<=', 0]}", {"seen"}, "."),
    ):
        rows = replace(facts(**columns), relative=frozenset(kinds))
        found = findings(plausibility(book(rule), columns), rows)
        assert crosses(found.plausible) == expected, (rule, kinds)
        assert found.years.tolist() == [2030 if "found" not in kinds else NO_YEAR]


CERTAIN = [
    "require: {compare: [seen, '<=', found]}",
    "require: {compare: [seen, '!=', found]}",
    "require: {compare: [{days: [seen, found]}, '<', 92]}",
    "require: {compare: [born, '<=', {year_of: seen}]}",
    "when: {compare: [seen, '>', found]}, require: {not: {compare: [found, '=', seen]}}",
    "when: {compare: [seen, '>=', found]}, require: {compare: [born, '<', {year_of: found}]}",
    "require: {any: [{compare: [seen, '<', found]}, {compare: [{year_of: found}, '=', born]}]}",
    "require: {all: [{compare: [seen, '<', found]}, {not: {compare: [born, '>=', 2021]}}]}",
]


@given(data=st.data(), rule=st.sampled_from(CERTAIN))
def test_what_is_broken_stays_broken_when_more_becomes_known(data, rule):
    """A date known to the month breaks a rule only if every day of the month would."""
    low, width = st.integers(18_000, 19_000), st.integers(0, 400)
    spans = {name: (data.draw(low), data.draw(width)) for name in ("seen", "found")}
    born = data.draw(st.sampled_from([2019.0, 2020.0, 2021.0, 2022.0, NONE]))
    columns = {"born": [None if math.isnan(born) else born], "seen": ["2020"], "found": ["2020"]}
    rows = facts(**columns)
    vague = {n: Span(np.array([a + 0.0]), np.array([a + b + 0.0])) for n, (a, b) in spans.items()}
    exact = {
        n: Span.exact(np.array([a + data.draw(st.integers(0, b)) + 0.0]))
        for n, (a, b) in spans.items()
    }
    held = plausibility(book(rule), columns)
    if not findings(held, replace(rows, dates=vague)).plausible.all():
        assert not findings(held, replace(rows, dates=exact)).plausible.any()


def test_broken_rules_are_counted_by_year_and_only_e_excludes():
    columns = {"sex": ["male"] * 5, "found": ["2020-05-01", "2020", "2021-02", None, "2021-02"]}
    for severity in "EW":
        rules = plausibility(book("require: {var: sex, in: [female]}", severity), columns)
        found = findings(rules, facts(**columns))
        assert found.years.tolist() == [2020, 2020, 2021, NO_YEAR, 2021]
        assert found.plausible.all() == (severity == "W")
        assert found.breaking("r").all()
        assert found.by_year("r") == {2020: 2, 2021: 2, NO_YEAR: 1}


def test_each_rule_has_its_own_count():
    rule = "{{severity: {}, text: {{en: a, nl: b}}, require: {{var: sex, in: [{}]}}}}"
    text = f"a: {rule.format('W', 'male')}, b: {rule.format('E', 'female')}"
    made = read_rules(f"plausibility: t/1\nyear: found\nrules: {{{text}}}".encode())
    columns = {"sex": ["male", "female", "unknown", None]}
    found = findings(plausibility(made, columns), facts(**columns))
    assert crosses(~found.breaking("a")) == ".xx."
    assert crosses(~found.breaking("b")) == "x.x."
    assert crosses(found.plausible) == "x.x."
    assert found.by_year("a") == {NO_YEAR: 2}


def test_a_year_that_is_not_certain_is_no_year():
    columns = {"sex": ["male"], "found": ["2020"]}
    wide = facts(**columns)
    wide.dates["found"].high[0] += 1
    rules = plausibility(book("require: {var: sex, in: [female]}"), columns)
    assert rules.judge(wide)[1].tolist() == [NO_YEAR]


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ("require: {compare: [seen, '<=', found]}", {"r": ("seen",)}),
        ("require: {var: dead, in: ['1']}", {"r": ("dead",)}),
        # the codebook of this study has another idea of the variable: held against nothing
        ("require: {var: sex, in: [m]}", {"r": ()}),
        ("require: {compare: [sex, '=', 1]}", {"r": ()}),
        ("require: {var: size, in: ['1']}", {"r": ()}),
        ("require: {compare: [{year_of: size}, '=', 1]}", {"r": ()}),
        ("require: {compare: [{days: [found, size]}, '=', 1]}", {"r": ()}),
        ("require: {compare: [{add: [1, {years: sex}]}, '=', 1]}", {"r": ()}),
        ("when: {any: [{not: {var: sex, in: [m]}}]}, require: {var: sex, known: true}", {"r": ()}),
    ],
)
def test_a_rule_that_cannot_be_held_says_what_it_lacks(rule, missing):
    rules = plausibility(book(rule), {"sex", "size", "found"})
    assert rules.missing == missing
    assert not rules.rules


def test_without_rules_nothing_is_broken():
    rules = plausibility(None, {"sex"})
    found = findings(rules, facts(sex=["male", None]))
    assert found.plausible.tolist() == [True, True]
    assert found.years.tolist() == [NO_YEAR, NO_YEAR]
    assert not rules.dates | rules.columns


TWICE = "distinct: {first: {site: 3}, groups: {form: {adeno: [8140-8149, 8500]}}, same: [sex]}"


@pytest.mark.parametrize(
    ("people", "site", "form", "sex", "expected"),
    [
        ("AAA", ["C51.0"] * 3, ["8140", "8141", "8500"], ["male"] * 3, ".xx"),
        ("ABA", ["C51.0"] * 3, ["8140"] * 3, ["male"] * 3, "..x"),
        ("AA", ["C51.0", "C58"], ["8140"] * 2, ["male"] * 2, ".."),
        ("AA", ["C51.0"] * 2, ["8140", "9999"], ["male"] * 2, ".."),
        ("AA", ["C51.0"] * 2, ["8140"] * 2, ["male", "female"], ".."),
        ("AA", ["C51.0"] * 2, ["8140"] * 2, [None, None], ".x"),
        ("AA", ["C51.0"] * 2, ["8140"] * 2, [None, "male"], ".."),
        ("", [], [], [], ""),
    ],
)
def test_the_same_tumour_twice_in_one_patient(people, site, form, sex, expected):
    given = {"site": site, "form": form, "sex": sex}
    found = facts(**given)
    rules = plausibility(book(TWICE), given)
    bits, years = rules.judge(found)
    assert not bits.any()
    columns = {name: column.values for name, column in found.columns.items()}
    bits |= rules.compare_rows(columns, np.array(list(people)))
    assert crosses(Findings(rules.rules, bits, years, {}).plausible) == expected


def test_a_number_can_tell_tumours_apart_too():
    rule = "distinct: {groups: {size: {small: [0-3]}}}"
    given = {"size": [1, 2, 4, 5, 4, None, None]}
    rules = plausibility(book(rule, "W"), given)
    columns = {"size": facts(**given).columns["size"].values}
    bits = rules.compare_rows(columns, np.zeros(7))
    assert bits.tolist() == [0, 1, 0, 0, 1, 0, 1]
    assert Findings(rules.rules, bits, np.zeros(7, np.int16), {}).plausible.all()


@pytest.mark.parametrize(
    "text",
    [
        "require: {var: sex}",
        "require: {var: sex, in: []}",
        "require: {var: sex, in: [true]}",
        "require: {var: sex, in: [male], not: 1}",
        "require: {var: sex, between: [a, b, c]}",
        "require: {var: __class__, known: true}",
        "require: {var: sex, known: 1}",
        "require: {python: 'import os'}",
        "require: {all: []}",
        "require: {all: 1}",
        "require: {compare: [age, '<']}",
        "require: {compare: [age, '**', 2]}",
        "require: {compare: [age, '<', {pow: [age, 2]}]}",
        "require: {compare: [age, '<', true]}",
        "require: {compare: [age, '<', {days: [age]}]}",
        "require: {compare: [age, '<', 'os.system']}",
        "require: {var: sex, known: true}, distinct: {same: [sex]}",
        "when: {var: sex, known: true}",
        "require: {var: sex, known: true}, more: 1",
        "distinct: {first: {sex: 0}}",
        "distinct: {groups: {sex: {a: [x]}}}",
        "distinct: {groups: {sex: {a: 1}}}",
        "distinct: 1",
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(RuleError, match=r"^plausibility rules: rules\.r.*\.$"):
        book(text)


HEAD = "plausibility: t/1\nyear: found\n"
WHOLE = "rules: {r: {severity: E, text: {en: a, nl: b}, require: {var: a, known: true}}}"


def test_the_file_of_rules_that_is_spoilt_below_is_good():
    assert read_rules((HEAD + WHOLE).encode()).rules[0].name == "r"


@pytest.mark.parametrize(
    "text",
    [
        "a: &b 1",
        HEAD,
        HEAD + "rules: {}",
        HEAD + "rules: {R: {}}",
        HEAD.replace("t/1", "1") + WHOLE,
        HEAD + WHOLE.replace("E,", "X,"),
        HEAD + WHOLE.replace(", nl: b", ""),
        "[1]",
    ],
)
def test_what_is_no_file_of_rules_is_refused(text):
    with pytest.raises(RuleError, match=r"^plausibility rules: "):
        read_rules(text.encode())
