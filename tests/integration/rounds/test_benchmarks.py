"""Reference figures: imported whole or not at all, shown with their source, taken back for good."""

from datetime import UTC, date, datetime, timedelta

import pytest
from scipy import stats
from sqlalchemy import func, select

from federation.indicators.asking import Period
from federation.rounds import benchmarks
from federation.rounds.benchmark_models import BenchmarkRow
from federation.rounds.errors import RoundError
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.seeds.oncozon import ONCOZON

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
KEEPER = Actor("user", "karel", frozenset({"coordinator", "coordinator@network"}))
SHARE, TIME = "mortality_30", "access_time"
GOOD = f"""Indicator;Regio;Van;Tot en met;Noemer;Teller;Waarde
{SHARE};Nederland;2024;2024;1000;23;
{SHARE};Zuid-Nederland;2024;2024;;;0,031
{TIME};Nederland;2024-01;2024-12;;;15
"""


@pytest.fixture
def session(factory):
    with factory() as session:
        studies.load_network(session, ONCOZON, SYSTEM, now=NOW)
        yield session


def take(session, text: str = GOOD, **more):
    given = {"source": "IKNL, NKR", "published": date(2026, 3, 1), "actor": KEEPER, "now": NOW}
    body = text if isinstance(text, bytes) else text.encode()
    return benchmarks.import_file(session, "oncozon", body, **{**given, **more})


def test_beside_a_result(session):
    kept = take(session)
    assert take(session).id == kept.id  # the same file again
    year = Period("2024-01", "2024-12")
    south, whole = sorted(
        benchmarks.beside(session, "oncozon", SHARE, year), key=lambda each: each.n or 0
    )
    assert (whole.n, whole.observed, whole.value, whole.region) == (1000, 23, 0.023, "Nederland")
    exact = stats.binomtest(23, 1000).proportion_ci()
    assert (whole.low, whole.high) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert (south.value, south.n, south.low) == (0.031, None, None)
    assert whole.same_period
    (time,) = benchmarks.beside(session, "oncozon", TIME, Period("2025-01", "2025-12"))
    assert (time.value, time.same_period) == (15.0, False)  # the newest there is, and it says so
    assert not benchmarks.beside(session, "oncozon", TIME, Period("2023-01", "2023-12"))
    newer = take(session, GOOD.replace(";15", ";14"), now=NOW + timedelta(days=1))
    (time,) = benchmarks.beside(session, "oncozon", TIME, year)
    assert time.value == 14.0
    benchmarks.withdraw(session, newer.id, reason="typing error", actor=KEEPER, now=NOW)
    (time,) = benchmarks.beside(session, "oncozon", TIME, year)
    assert time.value == 15.0
    assert [gone is None for _, gone in benchmarks.files(session, "oncozon")] == [False, True]
    for again in (
        lambda: benchmarks.withdraw(session, newer.id, reason="x", actor=KEEPER, now=NOW),
        lambda: take(session, GOOD.replace(";15", ";14")),
    ):
        with pytest.raises(RoundError, match=r"^BENCHMARK_WITHDRAWN:"):
            again()


WRONG = {
    "an unknown indicator": (GOOD.replace(TIME, "acces_time"), "line 4: .*access_time"),
    "an unknown column": (GOOD.replace("Waarde", "Waarden"), "line 1: .*waarde"),
    "a missing column": (GOOD.replace("Regio;", "").replace("Nederland;", ""), "line 1"),
    "a column twice": (GOOD.replace("Waarde", "Teller"), "line 1: .*twice"),
    "85 for 0.85": (GOOD.replace("0,031", "3,1"), "line 3: .*0.85 and not 85"),
    "more events than patients": (GOOD.replace(";23;", ";2300;"), "line 2"),
    "a value that is not the share": (GOOD.replace(";23;", ";23;0,5"), "line 2"),
    "a month that is none": (GOOD.replace("2024-12", "2024-13"), "line 4"),
    "the wrong way round": (GOOD.replace("2024-01;2024-12", "2024-12;2024-01"), "line 4"),
    "the same twice": (GOOD + f"{TIME};Nederland;2024-01;2024-12;;;16\n", "line 5: .*line 4"),
    "days below zero": (GOOD.replace(";15", ";-15"), "line 4"),
    "no value": (GOOD.replace(";15", ";"), "line 4"),
    "no number": (GOOD.replace(";15", ";veel"), "line 4"),
    "nothing": ("", "cannot be read"),
    "only names of columns": (GOOD.splitlines()[0], "no line below"),
    "a workbook": (b"PK\x03\x04rest", "workbook"),
    "too large": ("x" * 2_000_001, "larger"),
    "too many lines": (
        GOOD + "\n".join(f"{TIME};r{i};2024;2024;;;1" for i in range(5_001)),
        "5000",
    ),
}


@pytest.mark.parametrize("why", WRONG)
def test_one_wrong_line_and_nothing_is_kept(session, why):
    text, said = WRONG[why]
    with pytest.raises(RoundError, match=f"(?s)^BAD_BENCHMARK: .*{said}"):
        take(session, text)
    assert session.scalar(select(func.count()).select_from(BenchmarkRow)) == 0


def test_who_may_and_under_which_name(session):
    with pytest.raises(RoundError, match=r"^NOT_ALLOWED_HERE:"):
        take(session, actor=Actor("user", "rosa", frozenset({"researcher"})))
    with pytest.raises(RoundError, match=r"^BAD_BENCHMARK:"):
        take(session, published=date(2027, 1, 1))
    with pytest.raises(RoundError, match=r"^BAD_BENCHMARK:"):
        take(session, link="javascript:alert(1)")
    with pytest.raises(StudiesError, match=r"^points_at_somebody:"):
        take(session, source="born 01-02-1950")
