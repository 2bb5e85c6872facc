"""Erasmus MC is in EMBRAZE and in CONCORD: a round's totals of the region count it once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import round_snapshot as sample
from loaded_hub import copy
from sqlalchemy.orm import Session

from federation.rounds.rolling_up import RolledUp, parts_of, roll_up
from federation.rounds.snapshot import IndicatorFinding, Row
from registry.database import engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM
from studies.seeds.zuidwest import INSTITUTIONS, ZUIDWEST

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ERASMUS = "erasmus-mc"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    factory = open_database(copy(tmp_path_factory.mktemp("region") / "hub.sqlite"))
    bare = replace(ZUIDWEST, groups=(), agreements=(), expertise=(), meetings=(), trials=())
    with factory() as opened:
        studies.load_network(opened, bare, SYSTEM, now=NOW)
        opened.commit()
        yield opened
    engine_of(factory).dispose()


def rolled(
    session: Session, finding: IndicatorFinding, at: datetime, *without: str
) -> dict[str, RolledUp]:
    snapshot = sample.whole()
    parts = parts_of(session, "zuidwest", at)
    made = roll_up(snapshot, finding, parts, without=without)
    return {each.part.slug: each for each in made}


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> IndicatorFinding:
    """An indicator of all seventeen: each hospital counts a power of two, so that a sum says
    exactly who is in it and how often."""
    whole = sample.whole()
    shares = next(each for each in whole.indicators if each.definition["measure"] == "share")
    like = next(row for row in shares.rows if row.observed is not None)
    rows: list[Row] = [
        replace(like, site=each.slug, n=2**place, observed=0)
        for place, each in enumerate(INSTITUTIONS)
    ]
    hospitals = tuple(
        replace(whole.hospitals[0], site=each.slug, name=each.name) for each in INSTITUTIONS
    )
    asked = replace(whole, hospitals=hospitals)
    monkeypatch.setattr(sample, "whole", lambda: asked)
    return replace(shares, rows=tuple(rows))


def test_the_region_is_the_sum_of_its_hospitals_and_not_of_its_subnetworks(
    session: Session, finding: IndicatorFinding
) -> None:
    found = rolled(session, finding, NOW)
    everybody = 2 ** len(INSTITUTIONS) - 1
    erasmus = 2 ** [each.slug for each in INSTITUTIONS].index(ERASMUS)
    assert set(found) == {"embraze", "concord", "zuidwest"}
    assert ERASMUS in found["embraze"].inside
    assert ERASMUS in found["concord"].inside
    assert found["zuidwest"].numbers.n == everybody
    assert found["embraze"].numbers.n + found["concord"].numbers.n == everybody + erasmus

    without = rolled(session, finding, NOW, ERASMUS)
    assert without["zuidwest"].numbers.n == everybody - erasmus
    assert without["embraze"].numbers.n + without["concord"].numbers.n == everybody - erasmus
    assert without["concord"].outside == {ERASMUS: "left_out"}


def test_before_concord_was_founded_it_counts_once_too(
    session: Session, finding: IndicatorFinding
) -> None:
    found = rolled(session, finding, datetime(2016, 9, 1, tzinfo=UTC))
    assert set(found) == {"embraze", "zuidwest"}
    assert found["zuidwest"].inside.count(ERASMUS) == 1
