"""What coordinators are reminded of: each rule the day before, on the day, and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.hospitals.models import (
    DocumentBody,
    SiteAnnex,
    SiteMilestone,
    SiteVersion,
    StudyDocument,
    StudyVersion,
)
from studies.models import Participation, ParticipationStep, Study
from studies.network.models import Agreement, AgreementSignature
from studies.participants.models import AccrualPlan
from studies.reminder_words import KINDS
from studies.reminders import Reminder, reminders, settle

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
NewStudy = Callable[..., Study]
COORDINATOR = Actor("user", "coordinator", frozenset({"coordinator"}), "Co Ordinator")


@pytest.fixture
def part(small: Session, new_study: NewStudy) -> Participation:
    """Hospital `north` in a trial with an EU number, invited just now."""
    study = new_study(small)
    study.identifiers = {"eu_ct": "2025-501234-12-00"}
    studies.invite(small, study, "north", actor=SYSTEM, now=NOW)
    small.flush()
    return small.query(Participation).one()


def found(session: Session, now: datetime = NOW) -> dict[str, Reminder]:
    """By code; a rule gives no more than one here."""
    session.flush()
    listed = reminders(session, None, now)
    by_code = {each.code: each for each in listed}
    assert len(by_code) == len(listed), [each.key for each in listed]
    return by_code


def test_a_hospital_that_owes_a_word(small: Session, part: Participation) -> None:
    part.since = NOW - 14 * DAY
    assert found(small) == {}
    part.since = NOW - 15 * DAY
    late = found(small)["unanswered"]
    assert (late.day, late.late, late.institution) == (TODAY - DAY, True, "north")
    assert late.words("nl", "vandaag").startswith("North had de uitnodiging uiterlijk vandaag")
    part.answer_due = TODAY
    assert found(small) == {}
    part.answer_due, part.interest = TODAY - DAY, True
    assert found(small) == {}  # answered

    part.state = "feasibility"
    assert set(found(small)) == {"feasibility"}
    small.add(
        SiteMilestone(
            participation_id=part.id,
            number=1,
            kind="questionnaire_answered",
            day=TODAY,
            recorded_at=NOW,
            by="x",
        )
    )
    assert found(small) == {}

    part.state, part.since = "local_review", NOW - 91 * DAY
    assert found(small)["confirm"].day == TODAY - 91 * DAY
    part.confirmed_at = NOW - 90 * DAY
    assert found(small) == {}

    annex = SiteAnnex(
        participation_id=part.id, department="pharmacy", requested=TODAY - 15 * DAY, due=None
    )
    small.add(annex)
    assert "Pharmacy" in found(small)["annex"].words("en", "x")
    annex.due = TODAY
    assert found(small) == {}
    annex.due, annex.received = TODAY - DAY, TODAY
    assert found(small) == {}
    part.state = "declined"
    annex.received = None
    assert found(small) == {}


def test_what_ends(small: Session, part: Participation) -> None:
    part.state, part.confirmed_at = "approved", NOW
    part.gcp_until, part.insurance_until = TODAY + 61 * DAY, TODAY + 60 * DAY
    assert set(found(small)) == {"insurance"}
    part.gcp_until = TODAY - DAY
    assert [found(small)[code].late for code in ("gcp", "insurance")] == [True, False]
    part.gcp_until = part.insurance_until = None

    small.add(DocumentBody(sha256="0" * 64, body=b"%PDF"))
    given = {"study": part.study, "institution": "north", "kind": "contract", "sha256": "0" * 64}
    given |= {"name": "contract", "size": 4, "uploaded_at": NOW, "uploaded_by": "x"}

    def document(version: str, begins: int, ends: int | None) -> None:
        until = None if ends is None else TODAY + ends * DAY
        more = {"version": version, "valid_from": TODAY + begins * DAY, "valid_until": until}
        small.add(StudyDocument(**given, **more))

    document("1", -400, 10)
    assert found(small)["document"].place == "North"
    document("2", -10, None)  # a newer one took its place
    assert found(small) == {}

    agreement = Agreement(
        network="small",
        kind="cooperation",
        version="1",
        title_nl="Deelname",
        title_en="Joining",
        since=NOW - 400 * DAY,
        until=NOW + 30 * DAY,
    )
    small.add(agreement)
    assert found(small) == {}  # nobody is bound by it
    signed = AgreementSignature(
        institution="north", signed_at=NOW - 300 * DAY, signatory="B", by="x"
    )
    agreement.signatures.append(signed)
    assert "Joining 1" in found(small)["agreement"].words("en", "x")
    signed.withdrawn_at = NOW
    assert found(small) == {}


def test_a_version_that_is_not_in_use(small: Session, part: Participation) -> None:
    part.state, part.confirmed_at = "initiated", NOW
    version = StudyVersion(
        study=part.study,
        kind="consent",
        version="3",
        in_force_from=TODAY + DAY,
        adopt_by=TODAY + 15 * DAY,
        made_at=NOW,
        made_by="x",
    )
    small.add(version)
    assert found(small) == {}
    assert found(small, NOW + DAY)["amendment"].late is False
    late = found(small, NOW + 16 * DAY)["amendment"]
    assert (late.late, "toestemmingsformulier 3" in late.words("nl", "x")) == (True, True)
    small.flush()
    small.add(
        SiteVersion(
            participation_id=part.id,
            version_id=version.id,
            in_use_since=TODAY,
            recorded_at=NOW,
            by="x",
        )
    )
    assert found(small, NOW + 16 * DAY) == {}


def opened(session: Session, part: Participation, at: datetime) -> None:
    part.state, part.since, part.confirmed_at = "open", at, NOW
    session.add(
        ParticipationStep(
            participation_id=part.id, number=2, state="open", at=at, recorded_at=at, by="x"
        )
    )
    session.flush()
    session.expire(part, ["steps"])


def test_nobody_joins_and_the_plan(small: Session, part: Participation) -> None:
    opened(small, part, NOW - 59 * DAY)
    settle_all(small)
    assert found(small) == {}
    assert found(small, NOW + DAY)["no_inclusion"].late is False
    assert found(small, NOW + 31 * DAY)["no_inclusion"].late is True
    part.confirmed_at = NOW + 120 * DAY
    assert set(found(small, NOW + 121 * DAY)) == {"close_zero"}

    small.add(
        AccrualPlan(
            study=part.study,
            institution=None,
            number=1,
            shape="linear",
            stages=[[str(TODAY - 59 * DAY), 0], [str(TODAY + 59 * DAY), 20]],
            recorded_at=NOW,
            by="x",
        )
    )
    behind = found(small)["behind"]
    assert "0 of 10 of the participants" in behind.words("en", "x")
    assert behind.key.endswith(":2026-11")


def settle_all(session: Session) -> None:
    for each in reminders(session, None, NOW):
        if each.kind.settle:
            settle(session, each.key, actor=COORDINATOR, now=NOW)


def test_notices_to_ctis_within_fifteen_days(small: Session, part: Participation) -> None:
    opened(small, part, NOW - 5 * DAY)
    start = found(small)["ctr_start"]
    assert (start.day, start.late) == (TODAY + 10 * DAY, False)
    assert found(small, NOW + 11 * DAY)["ctr_start"].late
    assert "ctr_start" not in found(small, NOW + 56 * DAY)  # what happened long ago
    settle(small, start.key, actor=COORDINATOR, now=NOW)
    settle(small, start.key, actor=COORDINATOR, now=NOW)
    assert found(small) == {}
    for wrong in ("unanswered:trial:north:x", "x", "ctr_start:" + "x" * 200):
        with pytest.raises(StudiesError, match="unknown_code"):
            settle(small, wrong, actor=COORDINATOR, now=NOW)

    part.state, part.since = "on_hold", NOW - DAY
    assert set(found(small)) == {"ctr_halt"}
    part.state = "closed_to_accrual"
    assert set(found(small)) == {"ctr_end"}
    part.of_study.identifiers = {}
    assert found(small) == {}


def test_only_what_somebody_coordinates(small: Session, part: Participation) -> None:
    part.since = NOW - 30 * DAY
    small.flush()
    assert len(reminders(small, frozenset({"trial"}), NOW)) == 1
    assert reminders(small, frozenset({"other"}), NOW) == ()
    assert reminders(small, frozenset(), NOW) == ()


def test_every_kind_is_said_in_both_languages() -> None:
    gaps = {"place": "P", "study": "S", "day": "D", "detail": "X"}
    for kind in KINDS.values():
        for language in ("nl", "en"):
            assert kind.title(language)
            assert "%" not in kind.words(language) % gaps
