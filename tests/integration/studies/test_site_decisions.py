"""From idea to decision: who may do what, and how the study then stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studies import service as studies
from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce, announced
from studies.hospitals import committee, documents, feasibility
from studies.hospitals.card import site_card
from studies.models import Network, Study
from studies.study_state import standing_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
CHAIR = Actor("user", "chair", frozenset({"chair"}))
OTHER = Actor("user", "other", frozenset({"coordinator"}))
COMMITTEE = Actor("user", "judge", frozenset({"committee", "committee@study:trial"}))


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


def add_letter(session: Session, study: Study, kind: str = "decision") -> str:
    """The number of a document of the study."""
    made = documents.add_document(
        session,
        study,
        kind=kind,
        name="Besluit",
        version="1",
        body=b"%PDF-1.4\n%%EOF",
        valid_from=TODAY,
        **by(OTHER),
    )
    return made.id


def by(who: Actor) -> dict[str, Any]:
    return {"actor": who, "now": NOW}


def test_from_an_idea_to_a_study_that_data_access_decided(
    small: Session, new_study: Callable[..., Study]
) -> None:
    session = small
    session.get_one(Network, "small").needs = []
    announce(session, actor=CHAIR, action="network.changed", about="network:small")
    study = new_study(
        small,
        kind="data",
        phase=None,
        design="cohort",
        asks_data=True,
        identifiers={"omon": "nl-omon51234"},
    )
    assert study.identifiers == {"omon": "NL-OMON51234"}
    part = studies.invite(session, study, "north", **by(CHAIR))
    with refused("step_not_allowed"):
        feasibility.make_joint(session, study, **by(OTHER))
    feasibility.propose(session, study, **by(CHAIR))
    session.commit()
    assert standing_of(session, study) == "idea"
    with refused("step_not_allowed"):
        feasibility.propose(session, study, **by(OTHER))
    with refused("count_missing"):
        feasibility.make_joint(session, study, **by(OTHER))

    feasibility.ask_count(session, study, "run-1", **by(CHAIR))
    session.commit()
    assert standing_of(session, study) == "feasibility"
    for run, code in (("run-1", "name_taken"), ("", "bad_name")):
        with refused(code):
            feasibility.ask_count(session, study, run, **by(CHAIR))
    numbers: dict[str, int | None] = {"total": 140, "north": 100, "south": None}
    for run, given, code in (
        ("run-2", numbers, "not_found"),
        ("run-1", {"north": 100}, "bad_count"),
        ("run-1", {"total": -1}, "bad_count"),
        ("run-1", {"total": True}, "bad_count"),
    ):
        with refused(code):
            feasibility.release_count(session, study, run, given, **by(OTHER))
    told = feasibility.release_count(
        session, study, "run-1", numbers, words_nl="Genoeg.", words_en="Enough.", **by(OTHER)
    )
    assert (told.numbers, told.released_by, told.words_nl) == (numbers, "other", "Genoeg.")
    assert part.feasibility_run == "run-1"
    session.commit()
    with refused("step_not_allowed"):
        feasibility.release_count(session, study, "run-1", numbers, **by(OTHER))
    with refused("own_proposal"):
        feasibility.make_joint(session, study, **by(CHAIR))
    feasibility.make_joint(session, study, **by(OTHER))
    session.commit()
    assert (standing_of(session, study), study.state) == ("joint", "draft")

    # Data access decides; neither who proposed it nor who has another role.
    given_: dict[str, Any] = {
        "body": "data_access",
        "outcome": "positive",
        "reference": "DT-12",
        "decided_on": TODAY,
    }
    both = Actor("user", "chair", COMMITTEE.roles)
    elsewhere = Actor("user", "judge", frozenset({"committee", "committee@study:another"}))
    for who, code in ((both, "own_proposal"), (OTHER, "wrong_role"), (elsewhere, "wrong_role")):
        with refused(code):
            committee.decide(session, study, **given_, **by(who))
    for changes, code in (
        ({"body": "metc"}, "unknown_code"),
        ({"body": "king"}, "unknown_code"),
        ({"outcome": "maybe"}, "unknown_code"),
        ({"reference": "  "}, "empty_text"),
        ({"outcome": "conditions"}, "empty_text"),
        ({"conditions": ["A second reader"]}, "empty_text"),
        ({"decided_on": TODAY + DAY}, "in_the_future"),
        ({"document_id": "nothing"}, "not_found"),
        ({"document_id": "nothing", "body": "nwmo"}, "not_found"),
    ):
        with refused(code):
            committee.decide(session, study, **{**given_, **changes}, **by(COMMITTEE))
    letter = add_letter(session, study)
    # Another body's yes opens no study that asks hospitals for data.
    nwmo = {**given_, "body": "nwmo", "document_id": letter, **by(OTHER)}
    committee.decide(session, study, **nwmo)
    assert (standing_of(session, study), study.state) == ("joint", "draft")
    committee.decide(session, study, **given_, document_id=letter, **by(COMMITTEE))
    session.commit()
    assert (standing_of(session, study), study.state) == ("approved", "open")
    for step in ("feasibility", "approved", "open"):
        studies.move(session, part, step, **by(OTHER))
    assert standing_of(session, study) == "recruiting"
    # What data access took away, no letter of another body gives back; and the other way round.
    committee.decide(session, study, **{**given_, "outcome": "withdrawn"}, **by(COMMITTEE))
    assert (standing_of(session, study), study.state) == ("suspended", "closed")
    committee.decide(session, study, **nwmo)
    assert (standing_of(session, study), study.state) == ("suspended", "closed")
    assert site_card(session, "trial", "north", NOW).decision.outcome == "withdrawn"  # type: ignore[union-attr]
    committee.decide(session, study, **{**nwmo, "outcome": "negative", **by(CHAIR)})
    committee.decide(session, study, **given_, **by(COMMITTEE))
    assert (standing_of(session, study), study.state) == ("suspended", "closed")
    committee.decide(session, study, **nwmo)
    assert study.state == "open"
    assert [(each.body, each.outcome) for each in committee.list_decisions(session, "trial")] == [
        ("nwmo", "positive"),
        ("data_access", "positive"),
        ("data_access", "withdrawn"),
        ("nwmo", "positive"),
        ("nwmo", "negative"),
        ("data_access", "positive"),
        ("nwmo", "positive"),
    ]
    session.commit()
    assert announced(session) == ()


def test_a_trial_opens_by_its_committee_and_by_nothing_else(
    small: Session, new_study: Callable[..., Study]
) -> None:
    study = new_study(small, phase="3", design="randomised")
    with refused("step_not_allowed"), small.begin_nested():
        studies.move_study(small, study, "open", actor=OTHER, now=NOW)
    small.refresh(study)
    feasibility.propose(small, study, **by(CHAIR))
    decision: dict[str, Any] = {
        "body": "ctis",
        "reference": "2022-500014-26-00",
        "decided_on": TODAY,
        **by(OTHER),
    }
    committee.decide(small, study, outcome="negative", **decision)
    assert (study.state, standing_of(small, study)) == ("draft", "refused")
    # A yes comes with its letter, and not from whoever proposed the study.
    letter, protocol = (add_letter(small, study, kind) for kind in ("decision", "protocol"))
    for changes, code in (
        ({}, "letter_needed"),
        ({"document_id": protocol}, "letter_needed"),
        ({"document_id": letter, **by(CHAIR)}, "own_proposal"),
        ({"document_id": letter, "body": "data_access", **by(OTHER)}, "wrong_role"),
    ):
        with refused(code):
            committee.decide(small, study, outcome="positive", **{**decision, **changes})
    decision["document_id"] = letter
    committee.decide(small, study, outcome="positive", **decision)
    assert study.state == "open"
    # The last hospital that closes closes the study.
    done = [("follow_up_done", NOW - DAY)]
    for part in studies.take_over(small, study, {"north": done, "south": done}, **by(OTHER)):
        assert (study.state, standing_of(small, study)) == ("open", "follow_up_done")
        studies.take_over_step(small, part, "closed", at=NOW, **by(OTHER))
        small.commit()
    assert (study.state, standing_of(small, study)) == ("closed", "completed")
    for changes, code in (
        ({"kind": "trial"}, "unknown_kind"),
        ({"phase": "5"}, "unknown_code"),
        ({"design": "guess"}, "unknown_code"),
        ({"identifiers": {"nct": "12"}}, "bad_identifier"),
    ):
        with refused(code):
            new_study(small, "another", **changes)
