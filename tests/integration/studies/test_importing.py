"""A spreadsheet of the past: judged line by line, written only when said so, and never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.exchange import importing
from studies.exchange.exporting import Sheet, to_csv
from studies.exchange.importing import Plan, Problem, moment_of, plan, read_day, write
from studies.exchange.reading_csv import MOST_ROWS, Row, read_file
from studies.hospitals import moving as site_moving
from studies.hospitals.feasibility import propose
from studies.hospitals.pathway import BY_CODE
from studies.hospitals.steps import taken
from studies.models import Institution, ParticipationStep, Study
from studies.reading import get_participation

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WHO = Actor(kind="user", id="somebody", name="Somebody")
NewStudy = Callable[..., Study]
HEAD = "studie;ziekenhuis;stand;datum;contact\n"


def judged(session: Session, text: str, **more: Any) -> Plan:
    return plan(session, read_file((HEAD + text).encode()).rows, NOW, **more)


def written(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(ParticipationStep)) or 0


def test_what_is_right_comes_in_and_what_is_wrong_is_named(
    small: Session, new_study: NewStudy
) -> None:
    study = new_study(small, identifiers={"nct": "NCT01234567"}, now=NOW)
    new_study(
        small, "queries", title_nl="Vragen", title_en="Questions", kind="data", asks_data=True
    )
    small.add(Institution(slug="far", name="Ver weg", kind="general"))
    small.get_one(Institution, "south").agb = "06010203"
    small.flush()
    found = judged(
        small,
        "trial;North;Uitgenodigd;03-02-2025;bureau\n"  # 2
        "NCT01234567;NORTH;feasibility;2025-02-17;\n"  # 3: by number, another way to write a day
        "Proef;06010203;Open;1/3/2026;\n"  # 4: by title and AGB code, steps between left out
        "geen;North;Open;01-03-2026;\n"  # 5
        "trial;Oost;Open;01-03-2026;\n"  # 6
        "trial;North;klaar;01-03-2026;\n"  # 7
        "trial;North;Open;31-02-2026;\n"  # 8
        "trial;North;Open;24-11-2026;\n"  # 9
        "trial;South;Open;01-03-2026;\n"  # 10: the same as 4
        "trial;Ver weg;Open;01-03-2026;\n"  # 11
        "queries;North;Open;01-03-2026;\n"  # 12
        "queries;North;Lokale toetsing;01-03-2026;\n"  # 13
        "queries;South;Uitgenodigd;01-03-2026;\n"  # 14
        "trial;North\n"  # 15
        "trial;North;Goedgekeurd;23-11-2026;\n",  # 16: the study is here since that day
    )
    assert found.problems == (
        Problem(5, "unknown_study", "geen"),
        Problem(6, "unknown_hospital", "Oost"),
        Problem(7, "unknown_state", "klaar"),
        Problem(8, "wrong_date", "31-02-2026"),
        Problem(9, "in_the_future", "24-11-2026"),
        Problem(10, "twice", "4"),
        Problem(11, "not_a_member", "Ver weg"),
        Problem(12, "decided_in_person", "Open"),
        Problem(15, "too_few_columns"),
        Problem(16, "decided_in_person", "Goedgekeurd"),
    )
    # North and South of the trial had a wrong line, so nothing of them comes in.
    assert [(part.study, part.institution) for part in found.parts] == [("queries", "south")]
    assert (found.rows, found.same, written(small)) == (15, 0, 0)
    assert write(small, found, actor=WHO, now=NOW) == (1, 0)
    assert get_participation(small, "queries", "south").state == "invited"

    # Whoever proposed a study lets nobody in by a file; somebody else of the study may.
    propose(small, study, actor=WHO, now=NOW)
    text = "trial;South;Uitgenodigd;01-01-2026;\ntrial;South;Open;01-03-2026;\n"
    assert [p.code for p in judged(small, text, by=WHO.id).problems] == ["decided_in_person"]
    theirs = judged(small, text, by="another")
    assert (len(theirs.parts), theirs.problems) == (1, ())
    # The fingerprint of a plan changes with any day of it, not with the number of its parts only.
    moved = judged(small, text.replace("01-03", "02-03"), by="another")
    assert len(moved.parts) == len(theirs.parts)
    assert importing.digest(moved) != importing.digest(theirs)
    assert importing.digest(judged(small, text)) == importing.digest(theirs)


def test_a_hospitals_history_comes_in_with_its_days_and_says_so(
    small: Session, new_study: NewStudy
) -> None:
    new_study(small, now=NOW)  # what lies before, happened before the hub knew
    text = (
        "trial;South;Open;01-03-2026;\n"
        "trial;North;Haalbaarheid;17-02-2025;\n"
        "trial;North;Uitgenodigd;03-02-2025;bureau\n"
        "trial;North;Tijdelijk gestopt;20-11-2026;\n"
        "trial;North;Open;01-09-2025;\n"
    )
    found = judged(small, text)
    assert found.problems == ()
    assert write(small, found, actor=WHO, now=NOW) == (2, 0)
    north = get_participation(small, "trial", "north")
    steps = taken(north.steps)
    assert [(s.state, s.at.date()) for s in steps] == [
        ("invited", date(2025, 2, 3)),
        ("feasibility", date(2025, 2, 17)),
        ("open", date(2025, 9, 1)),
        ("on_hold", date(2026, 11, 20)),
    ]
    assert {(s.by, s.reason, s.recorded_at) for s in steps} == {("somebody", "taken_over", NOW)}
    assert north.contact == "bureau"
    small.commit()

    # The same file again does nothing; a later step goes on from there; an earlier one does not.
    again = judged(small, text)
    assert (again.parts, again.problems, again.same) == ((), (), 5)
    # What is known already is passed over, also where a file could not say it any more.
    small.get_one(Study, "trial").created_at = NOW - timedelta(days=1000)
    late = judged(small, text, by="another")
    assert (late.parts, late.problems, late.same) == ((), (), 5)
    small.rollback()
    more = judged(
        small,
        text + "trial;North;Open;22-11-2026;\ntrial;South;Geïnitieerd;01-01-2026;\n",
    )
    assert [(p.institution, p.steps, p.there) for p in more.parts] == [
        ("north", (("open", date(2026, 11, 22)),), True)
    ]
    assert more.problems == (Problem(8, "before_last_step", "2026-03-01"),)
    assert write(small, more, actor=WHO, now=NOW) == (1, 0)
    assert get_participation(small, "trial", "north").state == "open"
    back = judged(small, "trial;North;Uitgenodigd;23-11-2026;\n")
    assert back.problems == (Problem(2, "cannot_follow", "open"),)
    gone = judged(small, "trial;North;Nacontrole klaar;23-11-2026;\n")
    assert gone.parts[0].steps == (("follow_up_done", date(2026, 11, 23)),)


def test_what_one_download_holds_another_hub_can_read(small: Session, new_study: NewStudy) -> None:
    study = new_study(small)
    for place, at in (("north", NOW - timedelta(days=40)), ("south", NOW)):
        site_moving.invite(
            small,
            study,
            place,
            actor=WHO,
            now=NOW,
            at=at,
            reason="recorded_late",
            contact="=bureau",
        )
    parts = sorted(study.participations, key=lambda part: part.institution)
    rows = tuple(
        (study.slug, part.institution, BY_CODE[s.state].name("nl"), s.at.date(), part.contact)
        for part in parts
        for s in taken(part.steps)
    )
    body = to_csv(Sheet("stappen", ("studie", "ziekenhuis", "stand", "datum", "contact"), rows))
    there = plan(small, read_file(body).rows, NOW)
    assert (there.parts, there.problems, there.same) == ((), (), 2)
    new_study(small, "twin")
    elsewhere = plan(small, read_file(body.replace(b"trial;", b"twin;")).rows, NOW)
    assert [part.contact for part in elsewhere.parts] == ["=bureau", "=bureau"]
    assert elsewhere.problems == ()


def test_only_ones_own_studies_and_kinds_of_roads_count(
    small: Session, new_study: NewStudy
) -> None:
    new_study(small)
    new_study(small, "other", title_nl="Proef", title_en="Other")  # the same Dutch title
    assert (
        judged(small, "other;North;Uitgenodigd;01-01-2026;\n", reach=frozenset({"trial"})).parts
        == ()
    )
    both = judged(small, "Proef;North;Uitgenodigd;01-01-2026;\n")
    assert [p.code for p in both.problems] == ["unknown_study"], (
        "a name that two have means neither"
    )
    new_study(small, "files", title_nl="Bestanden", title_en="Files", kind="data")
    short = judged(small, "files;North;Lokale toetsing;01-01-2026;\n")
    assert [(p.code, p.value) for p in short.problems] == [("not_on_road", "local_review")]


def test_a_hundred_thousand_lines_are_judged_one_by_one(
    small: Session, new_study: NewStudy
) -> None:
    new_study(small)
    wrong = ("trial;North;Open;99-99-2026;", "nee;North;Open;01-01-2026;", "trial;Nee;Open;x;")
    body = (
        HEAD
        + "trial;South;Uitgenodigd;01-01-2026;\n"
        + "\n".join(wrong[n % 3] for n in range(MOST_ROWS - 1))
    )
    found = plan(small, read_file(body.encode()).rows, NOW)
    counted = Counter(problem.code for problem in found.problems)
    assert counted == {"wrong_date": 33_333, "unknown_study": 33_333, "unknown_hospital": 33_333}
    assert [problem.line for problem in found.problems] == list(range(3, MOST_ROWS + 2))
    assert [part.institution for part in found.parts] == ["south"]


def test_a_large_plan_is_written_in_pieces(small: Session, new_study: NewStudy) -> None:
    for number in range(4):
        new_study(small, f"s{number}", title_nl=f"S{number}", title_en=f"S{number}")
    text = "".join(
        f"s{n};{place};Uitgenodigd;01-01-2026;\n" for n in range(4) for place in ("North", "South")
    )
    found = judged(small, text)
    assert write(small, found, actor=WHO, now=NOW, most=5) == (5, 3)
    rest = judged(small, text)
    assert (len(rest.parts), rest.same) == (3, 5)
    assert write(small, rest, actor=WHO, now=NOW) == (3, 0)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-23", date(2026, 11, 23)),
        ("23-11-2026", date(2026, 11, 23)),
        ("3/2/2026", date(2026, 2, 3)),
        (" 3.2.2026 ", date(2026, 2, 3)),
        ("11-23-2026", None),
        ("23-11-26", None),
        ("0026-01-01", None),
        ("1989-12-31", None),
        ("٢٣-١١-٢٠٢٦", None),
        ("23-11-2026 extra", None),
        ("", None),
    ],
)
def test_days_are_read_as_people_write_them(text: str, day: date | None) -> None:
    assert read_day(text) == day


def test_a_day_stands_for_its_noon_here_and_never_for_what_is_to_come() -> None:
    assert moment_of(date(2026, 7, 1), NOW) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert moment_of(date(2026, 11, 23), NOW) == NOW
    assert moment_of(date(2026, 11, 24), NOW) == datetime(2026, 11, 24, 11, tzinfo=UTC)
    assert importing.AT_ONCE >= 1_000
    assert Row(2, "a", "b", "c", "d").short is False
