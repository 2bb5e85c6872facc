"""A hospital's part in a study, put right: two at one card, history, papers, roads of networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hospital_road import BOARD, COORDINATOR, DAY, NOW, TODAY, NewStudy, add, by, refused
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.events import announced
from studies.hospitals import documents, signing, versions
from studies.hospitals import work as site_work
from studies.hospitals.card import site_card
from studies.hospitals.models import DocumentBody, Signature
from studies.hospitals.road_settings import leave_out
from studies.hospitals.signing import sign, waiting_for
from studies.hospitals.steps import state_on, taken
from studies.models import Network, Participation


def test_two_at_one_card_get_a_conflict_with_both_versions(
    small: Session, new_study: NewStudy, factory: SessionFactory
) -> None:
    part = studies.invite(small, new_study(small), "north", **by())
    small.commit()
    shown = part.version
    site_work.plan_step(small, part, "open", TODAY + 90 * DAY, expected=shown, **by())
    small.commit()
    assert part.version == shown + 1
    with factory() as other:
        theirs = studies.get_participation(other, "trial", "north")
        with refused("changed_meanwhile") as caught:
            site_work.plan_step(other, theirs, "open", TODAY, expected=shown, **by())
        assert caught.value.versions == (shown, shown + 1)
        other.rollback()
        # Who read before the other wrote is refused too, though nobody told a version.
        old = studies.get_participation(other, "trial", "north")
        other.commit()
        studies.decline(small, part, "no_capacity", **by())
        small.commit()
        with refused("changed_meanwhile"):
            site_work.confirm_state(other, old, **by())
        other.rollback()
    bar = site_card(small, "trial", "north", NOW).bar
    assert [step.planned for step in bar if step.planned] == [TODAY + 90 * DAY]
    assert (part.state, part.interest, part.note_code) == ("declined", False, "no_capacity")
    studies.move(small, part, "invited", **by())
    assert part.interest is None
    site_work.plan_step(small, part, "open", None, **by())
    assert not any(step.planned for step in site_card(small, "trial", "north", NOW).bar)


def test_history_is_corrected_by_rows_and_never_changed(
    small: Session, new_study: NewStudy
) -> None:
    study = new_study(small)
    [part] = studies.take_over(
        small,
        study,
        {"north": [("invited", NOW - 90 * DAY), ("open", NOW - 30 * DAY)]},
        **by(now=NOW - 10 * DAY),
    )
    assert [step.note_code for step in part.steps] == ["taken_over"] * 2
    assert announced(small)[-1].action == "participation.taken_over"
    studies.move(small, part, "on_hold", reason="safety", **by())
    change: dict[str, Any] = {"reason": "mistake", **by()}
    for number, at, code in (
        (1, None, "step_not_allowed"),
        (2, None, "step_not_allowed"),
        (9, None, "not_found"),
        (2, NOW - 91 * DAY, "before_last_step"),
        (2, NOW + DAY, "in_the_future"),
    ):
        with refused(code):
            studies.correct(small, part, number, at=at, **change)
    with refused("unknown_note"):
        studies.correct(small, part, 2, at=NOW, reason="because", **by())
    studies.correct(small, part, 2, at=NOW - 40 * DAY, **change)
    studies.correct(small, part, 3, **change)
    assert (part.state, part.since, part.note_code) == ("open", NOW - 40 * DAY, "taken_over")
    assert [row.number for row in part.steps] == [1, 2, 3, 4, 5]
    assert [step.number for step in taken(part.steps)] == [1, 2]
    assert state_on(part.steps, NOW - 35 * DAY) == "open"
    assert state_on(part.steps, NOW - 35 * DAY, known_at=NOW - 5 * DAY) == "invited"
    small.commit()
    for statement in (
        "UPDATE participation_step SET state = 'open'",
        "DELETE FROM participation_step",
        "DELETE FROM study_event",
    ):
        if "study_event" in statement:
            studies.move_study(small, new_study(small, "other", kind="data"), "open", **by())
            small.flush()
        with pytest.raises(DatabaseError, match="append-only"), small.begin_nested():
            small.execute(text(statement))


def test_a_step_is_not_put_on_a_day_on_which_it_was_not_allowed(
    small: Session, new_study: NewStudy
) -> None:
    [part] = studies.take_over(
        small, new_study(small), {"north": [("feasibility", NOW - 60 * DAY)]}, **by()
    )
    site_work.describe_site(small, part, investigator="Dr. X", gcp_until=TODAY - 9 * DAY, **by())
    late = {"at": NOW - 10 * DAY, "reason": "recorded_late"}
    studies.move(small, part, "local_review", **late, **by())
    with refused("not_ready") as caught:
        studies.correct(small, part, 2, at=NOW - 8 * DAY, reason="mistake", **by())
    assert caught.value.missing == ("gcp",)
    studies.correct(small, part, 2, at=NOW - 20 * DAY, reason="mistake", **by())
    studies.correct(small, part, 1, at=NOW - 70 * DAY, reason="mistake", **by())
    assert [step.at for step in taken(part.steps)] == [NOW - 70 * DAY, NOW - 20 * DAY]


def test_taking_over_keeps_to_the_road_and_to_agreements(
    small: Session, new_study: NewStudy
) -> None:
    study = new_study(small, asks_data=True)
    begun = ("invited", NOW - 9 * DAY)
    for history, code in (
        ({"west": [begun]}, "not_a_member"),
        ({"north": []}, "step_not_allowed"),
        ({"north": [begun, ("nothing", NOW)]}, "step_not_allowed"),
        ({"north": [("closed", NOW - DAY), ("open", NOW)]}, "step_not_allowed"),
        ({"north": [begun, ("open", NOW - 10 * DAY)]}, "before_last_step"),
        ({"north": [begun, ("open", NOW + DAY)]}, "in_the_future"),
    ):
        with refused(code), small.begin_nested():
            studies.take_over(small, study, history, **by())
        small.refresh(study)
    network = small.get(Network, "small")
    assert network is not None
    network.needs = ["queries"]
    small.flush()
    [part] = studies.take_over(small, study, {"north": [begun]}, **by())
    with refused("not_ready") as caught, small.begin_nested():
        studies.take_over_step(small, part, "open", at=NOW, **by())
    assert caught.value.missing == ("agreement",)
    small.refresh(part)
    network.needs = []
    studies.take_over_step(small, part, "open", at=NOW, **by())
    assert [step.state for step in part.steps] == ["invited", "open"]
    with refused("name_taken"):
        studies.take_over(small, study, {"north": [begun]}, **by())


def test_documents_and_signatures(small: Session, new_study: NewStudy) -> None:
    study = new_study(small)
    part = studies.invite(small, study, "north", **by())
    for changes, code in (
        ({"body": b"PK\x03\x04 not a pdf %%EOF"}, "not_pdf"),
        ({"body": b"%PDF-1.7 cut off"}, "not_pdf"),
        ({"body": b"%PDF-1.7" + bytes(documents.MAX_BYTES) + b"%%EOF"}, "document_too_large"),
        ({"name": "  "}, "bad_document"),
        ({"version": "1 of 2"}, "bad_document"),
        ({"valid_until": TODAY - 500 * DAY}, "bad_period"),
        ({"institution": None}, "unknown_code"),
        ({"institution": "south"}, "not_found"),
    ):
        given: dict[str, Any] = {"version": "1", **changes}
        with refused(code):
            add(small, study, "contract", **given)
    with refused("unknown_code"):
        add(small, study, "recipe")
    contract = add(small, study, "contract", valid_until=TODAY)
    with refused("document_exists"):
        add(small, study, "contract")
    signs: dict[str, Any] = {"sha256": contract.sha256, "fresh": True, **by(BOARD)}
    elsewhere = Actor("user", "b", frozenset({"board", "board@site:south"}))
    uploader = Actor("user", "coordinator", BOARD.roles)
    protocol = add(small, study, "protocol", institution=None)
    for changes, code in (
        ({"fresh": False}, "fresh_needed"),
        ({"actor": elsewhere}, "wrong_role"),
        ({"actor": COORDINATOR}, "wrong_role"),
        ({"actor": uploader}, "own_document"),
        ({"sha256": "0" * 64}, "document_altered"),
        ({"now": NOW + DAY}, "document_outdated"),
    ):
        with refused(code):
            sign(small, contract.id, **{**signs, **changes})
    for number, code in ((protocol.id, "not_found"), ("nothing", "not_found")):
        with refused(code):
            sign(small, number, **signs)
    later = add(small, study, "contract", "2", valid_from=TODAY - DAY)
    with refused("document_outdated"):
        sign(small, contract.id, **signs)
    sign(small, later.id, **{**signs, "sha256": later.sha256})
    with refused("already_signed"):
        sign(small, later.id, **{**signs, "sha256": later.sha256})
    lines = site_card(small, "trial", "north", NOW).documents
    assert [(line.document.version, line.newest, len(line.signatures)) for line in lines] == [
        ("1", False, 0),
        ("2", True, 1),
        ("1", True, 0),
    ]
    # A new version of a signed contract waits for the board again.
    renewed = add(small, study, "contract", "3", valid_from=TODAY)
    assert [each.document for each in waiting_for(small, "north", NOW)] == [renewed]
    assert part.version > 1
    small.commit()
    small.execute(
        update(DocumentBody).where(DocumentBody.sha256 == later.sha256).values(body=b"other")
    )
    small.expire_all()
    with refused("document_altered"):
        documents.get_document(small, later.id)
    with pytest.raises(DatabaseError, match="append-only"), small.begin_nested():
        small.execute(update(Signature).values(name="Somebody Else"))


def test_a_network_leaves_steps_out(small: Session, new_study: NewStudy) -> None:
    study = new_study(small)
    network = small.get(Network, "small")
    assert network is not None
    [part] = studies.take_over(small, study, {"north": [("local_review", NOW - DAY)]}, **by())
    with refused("step_needed"):
        leave_out(small, network, "wmo", ["approved"], actor=SYSTEM)
    leave_out(small, network, "wmo", ["local_review", "vgo_signed"], actor=SYSTEM)
    small.commit()
    card = site_card(small, "trial", "north", NOW)
    assert [button.step.code for button in card.buttons] == ["declined", "contract_signed"]
    assert "local_review" not in [step.step.code for step in card.bar]
    assert card.task is not None
    assert card.task.code == "contract"
    assert part.state == "local_review"
    with refused("unknown_step"):
        site_work.plan_step(small, part, "vgo_signed", TODAY, **by())


def test_small_refusals(small: Session, new_study: NewStudy) -> None:
    study = new_study(small)
    part: Participation = studies.invite(small, study, "north", **by())
    calls: list[tuple[str, Callable[[], object]]] = [
        (
            "unknown_code",
            lambda: site_work.request_annex(small, part, "garden", requested=TODAY, **by()),
        ),
        (
            "bad_period",
            lambda: site_work.request_annex(
                small, part, "data", requested=TODAY, due=TODAY - DAY, **by()
            ),
        ),
        (
            "not_found",
            lambda: site_work.receive_annex(small, part, "data", "ok", received=TODAY, **by()),
        ),
        (
            "unknown_code",
            lambda: site_work.receive_annex(small, part, "data", "fine", received=TODAY, **by()),
        ),
        ("unknown_code", lambda: site_work.record_milestone(small, part, "party", TODAY, **by())),
        (
            "in_the_future",
            lambda: site_work.record_milestone(small, part, "green_light", TODAY + DAY, **by()),
        ),
        ("empty_text", lambda: site_work.add_condition(small, part, "  ", **by())),
        (
            "not_found",
            lambda: site_work.meet_condition(small, part, "contract", 1, TODAY, **by()),
        ),
        ("bad_name", lambda: site_work.describe_site(small, part, contact="x" * 201, **by())),
        (
            "bad_count",
            lambda: site_work.answer_invitation(
                small, part, interest=True, expected_per_year=-1, **by()
            ),
        ),
        ("reason_needed", lambda: studies.decline(small, part, None, **by())),  # type: ignore[arg-type]
        ("unknown_note", lambda: studies.decline(small, part, "because", **by())),
        ("not_found", lambda: versions.adopt_version(small, part, "x", in_use_since=TODAY, **by())),
    ]
    for code, call in calls:
        with refused(code):
            call()
    site_work.record_milestone(small, part, "questionnaire_sent", TODAY - DAY, **by())
    with refused("reason_needed"):
        site_work.record_milestone(small, part, "questionnaire_sent", TODAY, **by())
    site_work.record_milestone(small, part, "questionnaire_sent", TODAY, reason="mistake", **by())
    assert site_card(small, "trial", "north", NOW).milestones == {"questionnaire_sent": TODAY}
    made = {"kind": "protocol", "in_force_from": TODAY, "adopt_by": TODAY, **by()}
    first = versions.publish_version(small, study, version="1", **made)
    for changes, code in (
        ({"kind": "poem", "version": "2"}, "unknown_code"),
        ({"version": "1"}, "document_exists"),
        ({"version": "two!"}, "bad_document"),
        ({"version": "2"}, "bad_period"),
        ({"version": "2", "in_force_from": TODAY + DAY}, "bad_period"),
        ({"kind": "consent", "version": "2", "document_id": "x"}, "not_found"),
    ):
        with refused(code):
            versions.publish_version(small, study, **{**made, **changes})
    for day, code in ((TODAY - DAY, "bad_period"), (TODAY + DAY, "in_the_future")):
        with refused(code):
            versions.adopt_version(small, part, first.id, in_use_since=day, **by())
    versions.adopt_version(small, part, first.id, in_use_since=TODAY, **by())
    with refused("already_signed"):
        versions.adopt_version(small, part, first.id, in_use_since=TODAY, **by())
    assert signing.waiting_for(small, "north", NOW) == ()
