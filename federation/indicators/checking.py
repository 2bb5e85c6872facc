"""Whether a definition can really be asked: its questions, held against the kinds that exist."""

from __future__ import annotations

from typing import Any, Final

from federation.indicators.asking import Period, questions
from federation.indicators.definition import Indicator
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort
from federation.query.errors import TOO_LARGE, QueryError

#: A year like any other: a question of it is as long as one of any other year.
_YEAR: Final = Period("2024-01", "2024-12")


def check_askable(indicator: Indicator, codebook: Codebook) -> tuple[str, ...]:
    """Return the roles of the questions that the indicator becomes, each parsed as a hospital does.

    Raises QueryError of the first question that no kind of analysis takes; its `where` begins with
    the role of the question.
    """
    found = []
    asked = questions(
        indicator, codebook, study="check", period=_YEAR, sites="all", purpose_text="check"
    )
    for question in asked:
        try:
            parse(question.query, codebook)
        except QueryError as error:
            where = f"{question.role}.{error.where}" if error.where else question.role
            raise QueryError(error.code, error.message, where) from None
        found.append(question.role)
    return tuple(dict.fromkeys(found))


def longest_condition(indicator: Indicator, codebook: Codebook) -> int:
    """Return how many comparisons the longest cohort or outcome of the indicator's questions has.

    A hospital's policy says how many it answers (`max_filter_terms`).
    """
    asked = questions(
        indicator, codebook, study="check", period=_YEAR, sites="all", purpose_text="check"
    )
    return max(_leaves(question.query, codebook) for question in asked)


def check_length(indicator: Indicator, codebook: Codebook, most: int) -> None:
    """Raise QueryError when a question has more comparisons than hospitals allow by default."""
    longest = longest_condition(indicator, codebook)
    if longest > most:
        raise QueryError(
            TOO_LARGE,
            f"A question of this indicator has {longest} comparisons with role, period, exclusions "
            f"and stratum, and hospitals answer at most {most} by default. Leave some out.",
            "cohort",
        )


def _leaves(query: Any, codebook: Codebook) -> int:
    view = codebook.at(query["unit"])
    trees = [parse_cohort(query["cohort"], view)]
    outcome = query["analysis"].get("outcome")
    if isinstance(outcome, dict):
        trees.append(parse_cohort(outcome, view))
    return max(sum(1 for _ in tree.leaves()) for tree in trees)
