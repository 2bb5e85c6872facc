"""The adversarial cases of the decision rule by number (design: consent.md 6, T01 and T03 to T07).

The other numbers stand where their parts are: docs/reference/consent-tests.md lists them all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pytest

from consent.errors import ConsentError
from consent.items import with_parents
from consent.rule import ANY, Choice, Scope, decide
from consent.snapshot import build_claims, parse_claims

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = Scope("net", "site", "use.record", "x", "record")
STUDY_X = Scope("net", "site", ANY, "x", ANY)
EXACT = REQUEST
EVERYTHING = Scope()
BROAD = Scope("net", "site", "use.record", ANY, ANY)


def yes(scope: Scope, day: int, recorded: int | None = None, until: int | None = None) -> Choice:
    known = T0 + (day if recorded is None else recorded) * DAY
    end = None if until is None else T0 + until * DAY
    return Choice("grant", scope, T0 + day * DAY, known, end)


def no(scope: Scope, day: int, recorded: int | None = None, until: int | None = None) -> Choice:
    known = T0 + (day if recorded is None else recorded) * DAY
    end = None if until is None else T0 + until * DAY
    return Choice("denial", scope, T0 + day * DAY, known, end)


def permits(*said: Choice, at: int = 100, request: Scope = REQUEST) -> bool:
    """The answer, which must be the same for every order and with repeats."""
    answers = {decide(request, order, T0 + at * DAY).permit for order in permutations(said)}
    answers.add(decide(request, [*said, *said], T0 + at * DAY).permit)
    assert len(answers) == 1
    return answers.pop()


def test_t01_an_empty_requirement_set_counts_nobody() -> None:
    with pytest.raises(ConsentError) as refused:
        with_parents([])
    assert refused.value.code == "requirement_set_empty"
    claims = build_claims(
        network="net",
        seq=1,
        issued=T0,
        valid_until=T0 + DAY,
        columns=[("x", "use.record")],
        handles=[b"h" * 20],
        granted=[np.ones(1, np.bool_)],
    )
    told = parse_claims({**claims, "aud": "site"}, audience="site")
    with pytest.raises(ConsentError) as refused:
        told.permits([b"h" * 20], "x", [])
    assert refused.value.code == "requirement_set_empty"


def test_t03_a_withdrawal_whose_end_has_passed_still_closes() -> None:
    assert not permits(yes(EXACT, 0, until=1000), no(EXACT, 10, until=20), at=100)


def test_t04_a_no_to_a_study_stays_through_a_later_broad_yes() -> None:
    assert not permits(no(STUDY_X, 1), yes(BROAD, 5))
    assert permits(
        no(STUDY_X, 1),
        yes(BROAD, 5),
        request=Scope("net", "site", "use.record", "y", "record"),
    )


def test_t05_a_later_general_objection_closes_everything() -> None:
    said = (yes(EXACT, 1), no(EVERYTHING, 5))
    assert not permits(*said)
    assert not permits(*said, request=Scope("net", "site", "use.record", "y", "record"))


def test_t06_after_an_old_general_objection_a_yes_to_one_study_opens_that_one() -> None:
    said = (no(EVERYTHING, 1), yes(EXACT, 5))
    assert permits(*said)
    assert not permits(*said, request=Scope("net", "site", "use.record", "y", "record"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (yes(EXACT, 3), no(EXACT, 3)),  # the same moment
        (no(EXACT, 1, recorded=5), yes(EXACT, 3)),  # a no on paper, entered late
        (yes(EXACT, 1, recorded=5), no(EXACT, 3)),  # a yes on paper, entered late
    ],
    ids=["same moment", "late paper no", "late paper yes"],
)
def test_t07_doubt_about_the_order_closes(one: Choice, other: Choice) -> None:
    assert not permits(one, other)
