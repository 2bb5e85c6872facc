"""Which number of shared patients may be shown, and what the hub knows from links patients made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loaded_hub import copy
from sqlalchemy.orm import Session

from consent import service as consent
from consent.models_people import Link
from federation.query.terms import Terms
from federation.runs import matching
from federation.runs.counted_once import Found
from federation.runs.match_models import WAITING, PrivateMatch
from registry.database import engine_of, open_database

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
STUDY = "hormone-therapy"
THREE = ["catharina", "viecuri", "zuyderland"]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    factory = open_database(copy(tmp_path / "hub.sqlite"))
    with factory() as opened:
        yield opened
    engine_of(factory).dispose()


@pytest.fixture(autouse=True)
def lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is few is drawn; here always the lowest, but where a test is about the draw."""
    monkeypatch.setattr(matching, "drawn", lambda threshold: threshold)


def ended(
    session: Session, pairs: int | None, *, months: int = 0, sites: list[str] = THREE
) -> Found:
    """A match that came to this sum, so many months later; what may be shown of it."""
    now = NOW + timedelta(days=100 * months)
    row = PrivateMatch(study=STUDY, sites=sites, approved_by="c", asked_at=now, state=WAITING)
    row.plan = {"terms": Terms.strict().to_dict()}
    session.add(row)
    session.flush()
    code = None if pairs is not None else "SITE_UNREACHABLE"
    matching.finish(session, row, now, pairs=pairs, code=code)
    return matching.found(session, row.id)


FIRST, HIDDEN = "2026-11-23", "SMALL_GROUP"


@pytest.mark.parametrize("pairs", [0, 1, 9])
def test_none_looks_like_a_few(session: Session, pairs: int) -> None:
    assert ended(session, pairs) == Found("done", None, HIDDEN, FIRST)


def test_from_the_threshold_on_the_number_is_exact(session: Session) -> None:
    assert ended(session, 10) == Found("done", 10, None, FIRST)


def test_what_is_few_is_drawn_so_that_nobody_can_aim_at_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hospital that lies in its own number cannot place the sum just below the threshold."""
    monkeypatch.undo()
    draws = [matching.drawn(10) for _ in range(400)]
    assert set(draws) == set(range(10, 20))
    monkeypatch.setattr(matching, "drawn", lambda threshold: 2 * threshold - 1)
    assert ended(session, 18).hidden == HIDDEN
    assert ended(session, 19).count == 19
    assert ended(session, 37, months=1).count == 19
    assert ended(session, 38, months=2).count == 38


def test_a_match_that_failed_says_why_and_leaves_no_number(session: Session) -> None:
    assert ended(session, None) == Found("refused", code="SITE_UNREACHABLE")


def test_two_numbers_never_differ_by_a_few(session: Session) -> None:
    assert ended(session, 24).count == 24
    # one more patient at two hospitals, or a hostile list with one name in it: nobody sees it
    for later, pairs in enumerate((25, 15, 33), start=1):
        assert ended(session, pairs, months=later) == Found("done", 24, None, FIRST), pairs
    assert ended(session, 34, months=4).count == 34
    assert ended(session, 24, months=5).count == 24
    assert ended(session, 24, months=6) == Found("done", 24, None, "2028-07-15")


def test_numbers_of_other_hospitals_do_not_tell_what_one_shares(session: Session) -> None:
    assert ended(session, 24).count == 24
    four = [*THREE, "elkerliek"]
    # the fourth shares nought to nine: the difference would say so
    for later, pairs in enumerate((24, 25, 33), start=1):
        assert ended(session, pairs, months=later, sites=four).hidden == HIDDEN, pairs
    assert ended(session, 34, months=4, sites=four).count == 34
    assert ended(session, 34, months=5).hidden == HIDDEN


def test_a_snapshot_says_what_the_newest_match_of_its_hospitals_found(session: Session) -> None:
    def said(sites: list[str]) -> tuple[str, int | None, str | None]:
        told = matching.duplicates(session, study=STUDY, sites=sites, roles=["any"])
        return told["state"], told["count"], told["as_of"]

    assert said(THREE) == ("unknown", None, None)
    ended(session, 24)
    assert said(THREE[::-1]) == ("matched", 24, FIRST)
    assert said(THREE[:2]) == ("unknown", None, None)
    ended(session, None, months=1)
    assert said(THREE) == ("unknown", None, None)


def test_links_that_patients_made_are_told_in_tens(session: Session) -> None:
    def link(number: int, *sites: str) -> None:
        for site in sites:
            handle = f"{number:020d}".encode()
            subject = consent.add_subject(
                session, site=site, handle=handle, network="oncozon", now=NOW
            )
            session.flush()
            session.add(Link(link=f"{number:036d}", subject_id=subject.id, linked_at=NOW))
        session.flush()

    for number in range(9):
        link(number, "catharina", "zuyderland")
    link(90, "catharina", "maastro")  # not both of them are among the three
    assert matching.linked(session, THREE) is None
    link(9, "catharina", "viecuri", "zuyderland")  # one patient, whatever number of hospitals
    assert matching.linked(session, THREE) == 10
    for number in range(10, 19):
        link(number, "viecuri", "zuyderland")
    assert matching.linked(session, THREE) == 10
    assert matching.linked(session, ["catharina", "maastro"]) is None
    session.query(Link).update({"unlinked_at": NOW})
    assert matching.linked(session, THREE) is None
