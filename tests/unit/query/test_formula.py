from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.formula import MAX_TERMS, parse_formula


@pytest.mark.parametrize(
    ("text", "canonical", "columns"),
    [
        ("age", "age", ["age"]),
        ("  age+pgr ", "age + pgr", ["age", "pgr"]),
        ("grade", "grade", ["grade[2]", "grade[3]"]),
        ("C(grade)", "grade", ["grade[2]", "grade[3]"]),
        ("C(grade, ref='1')", "grade", ["grade[2]", "grade[3]"]),
        ('C(grade,ref="3")', "C(grade, ref='3')", ["grade[1]", "grade[2]"]),
        ("relapse", "relapse", ["relapse[true]"]),
        ("C(relapse, ref='true')", "C(relapse, ref='true')", ["relapse[false]"]),
        ("age + age:hormone", "age + age:hormone", ["age", "age:hormone[yes]"]),
        ("hormone*age", "hormone + age + hormone:age", ["hormone[yes]", "age", "hormone[yes]:age"]),
        ("age:pgr", "age:pgr", ["age:pgr"]),
        ("age + age:pgr + pgr:age", "age + age:pgr", ["age", "age:pgr"]),
        ("age:pgr + age + age", "age + age:pgr", ["age", "age:pgr"]),
        (
            "grade*hormone",
            "grade + hormone + grade:hormone",
            [
                "grade[2]",
                "grade[3]",
                "hormone[yes]",
                "grade[2]:hormone[yes]",
                "grade[3]:hormone[yes]",
            ],
        ),
        # a reference given once holds wherever the variable stands
        (
            "C(grade, ref='2') + age + age:grade",
            "C(grade, ref='2') + age + age:C(grade, ref='2')",
            ["grade[1]", "grade[3]", "age", "age:grade[1]", "age:grade[3]"],
        ),
    ],
)
def test_reads(gbsg: Codebook, text: str, canonical: str, columns: list[str]) -> None:
    formula = parse_formula(text, gbsg, two_sided=False)
    assert str(formula) == canonical
    assert list(formula.columns(gbsg)) == columns
    assert parse_formula(canonical, gbsg, two_sided=False) == formula


BENT = Codebook.from_dict(
    {
        "codebook": "bent/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110, "knots": [30, 50, 70, 80]},
            "bmi": {"type": "number", "min": 10, "max": 80},
            "free": {"type": "number"},
            "h": {"type": "category", "levels": ["no", "yes"]},
        },
    }
)


@pytest.mark.parametrize(
    ("text", "canonical", "columns"),
    [
        ("age+age^2", "age + age^2", ["age", "age^2"]),
        ("bmi ^ 3 + bmi + bmi^2", "bmi^3 + bmi + bmi^2", ["bmi^3", "bmi", "bmi^2"]),
        ("rcs(age)", "rcs(age)", ["rcs(age)[1]", "rcs(age)[2]", "rcs(age)[3]"]),
        ("rcs( age , knots )", "rcs(age)", ["rcs(age)[1]", "rcs(age)[2]", "rcs(age)[3]"]),
        (
            "rcs(age)*h",
            "rcs(age) + h + rcs(age):h",
            [
                *(f"rcs(age)[{k}]" for k in (1, 2, 3)),
                "h[yes]",
                *(f"rcs(age)[{k}]:h[yes]" for k in (1, 2, 3)),
            ],
        ),
        (
            "bmi*h + bmi^2*h",
            "bmi + h + bmi^2 + bmi:h + bmi^2:h",
            ["bmi", "h[yes]", "bmi^2", "bmi:h[yes]", "bmi^2:h[yes]"],
        ),
        ("rcs(age):free", "rcs(age):free", [f"rcs(age)[{k}]:free" for k in (1, 2, 3)]),
    ],
)
def test_reads_powers_and_splines(text: str, canonical: str, columns: list[str]) -> None:
    formula = parse_formula(text, BENT, two_sided=False)
    assert str(formula) == canonical
    assert list(formula.columns(BENT)) == columns
    assert parse_formula(canonical, BENT, two_sided=False) == formula


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age^2", "'age^2' needs 'age' as well. Add + age."),
        ("age + age^3", "'age^3' needs 'age^2' as well. Add + age^2."),
        ("age + age^4", "Only ^2 and ^3 are possible, not ^4."),
        ("age + age^1", "Only ^2 and ^3 are possible, not ^1."),
        ("age^", "A whole number after '^' is needed where 'the end' stands."),
        ("age^h", "A whole number after '^' is needed where 'h' stands."),
        ("age^-1", "The intercept cannot be set"),
        ("h + h^2", "'h' is of type category, which has no powers."),
        ("free + free^2", "The codebook gives no min and max for 'free'"),
        ("age 2", "A '+' is needed where '2' stands."),
        ("2 + age", "A number may only follow ^"),
        ("I(age^2)", "no functions but C() and rcs(). A power is written age^2."),
        ("poly(age, 2)", "no functions but C() and rcs()"),
        ("bs(age)", "no functions but C() and rcs()"),
        ("age + age^2 + age^2:h", "'age^2:h' needs 'h' as well. Add + h."),
        ("age + age^2 + h + age^2:h", "'age^2:h' needs 'age:h' as well. Add + age:h."),
        ("age + age^2 + age^2:free", "'age^2:free' needs 'free' as well. Add + free."),
        ("age:age^2", "'age' cannot interact with itself"),
        ("rcs(bmi)", "gives no knots for 'bmi', so rcs() does not apply. It gives them for age."),
        ("rcs(h)", "gives no knots for 'h'"),
        ("rcs(age, 4)", "Only the word knots may follow"),
        ("rcs(age, [40, 60])", "'[' does not belong in a formula"),
        ("rcs(age, age)", "knots from the data would say something of the patients"),
        ("rcs(age", "A ')' is needed"),
        ("rcs()", "A variable's name is needed"),
        ("rcs(ages)", "Did you mean 'age'"),
        ("rcs(age) + age", "'age' stands both in rcs(age) and otherwise"),
        ("rcs(age) + age + age^2", "'age' stands both in rcs(age) and otherwise"),
        ("h*rcs(age) + h:age", "'age' stands both in rcs(age) and otherwise"),
        ("rcs(age)^2", "A '+' is needed where '^' stands."),
        ("rcs(rcs(age))", "no variable 'rcs'"),
    ],
)
def test_refuses_powers_and_splines(text: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_formula(text, BENT, two_sided=False)
    assert said in caught.value.message
    assert caught.value.message.endswith((".", "?"))


def test_without_knots_a_power_is_offered(gbsg: Codebook) -> None:
    with pytest.raises(QueryError, match=r"Use a power: age\^2"):
        parse_formula("rcs(age)", gbsg, two_sided=False)


def test_a_number_with_cuts_may_be_cut(gbsg: Codebook) -> None:
    formula = parse_formula("C(pgr)", gbsg, two_sided=False)
    assert str(formula) == "C(pgr)"
    assert formula.columns(gbsg)[0] == "pgr[[20,50)]"
    assert formula.terms[0].factors[0].ref == "[0,20)"


def test_two_sides(gbsg: Codebook) -> None:
    formula = parse_formula("relapse ~ age + C(grade, ref='1') + age:hormone", gbsg, two_sided=True)
    assert formula.response == "relapse"
    assert str(formula) == "relapse ~ age + grade + age:hormone"
    assert formula.variables == ("relapse", "age", "grade", "hormone")
    assert formula.terms[2].name == "age:hormone"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "A formula is a text"),
        ("  ", "A formula is a text"),
        (3, "A formula is a text"),
        ("age + " * 1000 + "age", "at most 2000"),
        ("0 + age", "intercept"),
        ("1", "intercept"),
        ("age - 1", "intercept"),
        ("log(age)", "no functions but C"),
        ("age/pgr", "'/' does not belong"),
        ("age**pgr", "A power is written age\\^2"),
        ("age**2", "A power is written age\\^2"),
        ("__import__", "has no variable '__import__'"),
        ("age; drop", "';' does not belong"),
        ("age +", "A variable's name is needed where 'the end'"),
        ("age pgr", "A '\\+' is needed where 'pgr'"),
        ("agee", "Did you mean 'age'"),
        ("C(agee)", "Did you mean 'age'"),
        ("C(age", "A '\\)' is needed"),
        ("C()", "A variable's name is needed"),
        ("C(grade, reff='1')", "Only ref="),
        ("C(grade, ref=1)", "A level between quotes"),
        ("C(grade, ref '1')", "A '=' is needed"),
        ("C(grade, ref=grade)", "A level between quotes"),
        ("C(grade, ref='9')", "'9' is not a level of 'grade'"),
        ("C(rfs_days)", "C\\(\\) does not apply"),
        ("C(age, ref='40')", "is not a level"),
        ("C(grade, ref='1') + C(grade, ref='2')", "two references"),
        ("age + C(age)", "both as a number"),
        ("diagnosed", "is a date"),
        ("age:age", "with itself"),
        ("age*age", "with itself"),
        ("age:hormone:grade", "two variables at most"),
        ("hormone:grade", "needs '(grade|hormone)' as a term"),
        ("hormone + hormone:grade", "needs 'grade' as a term"),
        ("hormone:age", "needs 'age' as a term"),
        ("relapse ~ age", "Only the right side"),
    ],
)
def test_refuses(gbsg: Codebook, text: object, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        parse_formula(text, gbsg, two_sided=False, where="analysis.formula")
    assert caught.value.code in ("BAD_FORMULA", "UNKNOWN_VARIABLE")
    assert caught.value.where == "analysis.formula"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age", "outcome is missing"),
        ("~ age", "The outcome's name"),
        ("relapse ~ relapse", "is the outcome"),
        ("relapse ~ age ~ pgr", "A '\\+' is needed where '~'"),
        ("a + b ~ age", "has no variable 'a'"),
        ("relapse + age ~ age", "A '~' is needed"),
    ],
)
def test_refuses_two_sides(gbsg: Codebook, text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse_formula(text, gbsg, two_sided=True)


def test_a_level_with_a_quote_keeps_its_meaning() -> None:
    book = Codebook.from_dict(
        {"codebook": "x/1", "variables": {"v": {"type": "category", "levels": ["a", "b's"]}}}
    )
    formula = parse_formula('C(v, ref="b\'s")', book, two_sided=False)
    assert str(formula) == 'C(v, ref="b\'s")'
    assert parse_formula(str(formula), book, two_sided=False) == formula


def test_one_level_cannot_be_a_term() -> None:
    book = Codebook.from_dict(
        {"codebook": "x/1", "variables": {"v": {"type": "category", "levels": ["a"]}}}
    )
    with pytest.raises(QueryError, match="one level only"):
        parse_formula("v", book, two_sided=False)


def test_too_many_terms() -> None:
    names = [f"v{i}" for i in range(MAX_TERMS + 1)]
    book = Codebook.from_dict(
        {"codebook": "x/1", "variables": {name: {"type": "number"} for name in names}}
    )
    with pytest.raises(QueryError, match="at most 50 terms"):
        parse_formula(" + ".join(names), book, two_sided=False)


@given(st.text(alphabet="age pgrhomn:+*~C()'\"=,refks01-23^", max_size=40), st.booleans())
def test_any_text_gives_a_formula_or_a_sentence(gbsg: Codebook, text: str, two_sided: bool) -> None:
    try:
        formula = parse_formula(text, gbsg, two_sided)
    except QueryError as error:
        said: str | None = error.message
    else:
        said = None
        assert parse_formula(str(formula), gbsg, two_sided) == formula
    assert said is None or said.endswith((".", "?"))
