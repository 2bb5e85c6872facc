"""A hospital's whole way through a trial under the WMO, on each real database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any

from hospital_road import BOARD, DAY, NOW, TODAY, NewStudy, add, by, refused
from sqlalchemy.orm import Session

from registry import audit
from studies import service as studies
from studies.errors import StudiesError
from studies.events import announced
from studies.hospitals import committee, documents, versions
from studies.hospitals import work as site_work
from studies.hospitals.amendments import may_enrol, pending
from studies.hospitals.card import site_card
from studies.hospitals.pathway import pathway
from studies.hospitals.signing import sign, waiting_for
from studies.study_state import standing_of


def test_thirteen_steps_of_a_hospital(small: Session, new_study: NewStudy) -> None:
    session, study = small, new_study(small)
    session.commit()

    def do(command: Callable[..., Any], *arguments: object, **more: Any) -> Any:
        """Each act commits alone, so that each is seen to tell the audit log what it changed."""
        try:
            result = command(session, *arguments, **{**by(), **more})
        except StudiesError:
            session.rollback()
            raise
        actions.update(each.action for each in announced(session))
        session.commit()
        return result

    actions: set[str] = set()
    part = do(studies.invite, study, "north")
    with refused("step_not_allowed"):
        do(studies.move, part, "local_review")

    def waits_for(to: str, *codes: str) -> None:
        """The step is refused with these guards, and the page says the same."""
        with refused("not_ready") as caught:
            do(studies.move, part, to)
        assert caught.value.missing == codes
        card = site_card(session, "trial", "north", NOW)
        [button] = [button for button in card.buttons if button.step.code == to]
        assert tuple(guard.code for guard in button.missing) == codes

    waits_for("feasibility", "interest")
    do(site_work.answer_invitation, part, interest=True, expected_per_year=12)
    do(studies.move, part, "feasibility")
    waits_for("local_review", "investigator", "gcp")
    do(
        site_work.describe_site,
        part,
        investigator=" Dr.  Verzonnen ",
        gcp_until=TODAY + 365 * DAY,
    )
    assert part.investigator == "Dr. Verzonnen"
    do(studies.move, part, "local_review")

    # The board signs the VGO after the annexes, and the contract before or after it.
    vgo, contract = add(session, study, "vgo"), add(session, study, "contract")
    session.commit()
    waits_for("vgo_signed", "annexes", "vgo")
    do(site_work.request_annex, part, "pharmacy", requested=TODAY - 9 * DAY)
    assert [(each.document.kind, each.ready) for each in waiting_for(session, "north", NOW)] == [
        ("contract", True),
        ("vgo", False),
    ]
    given = {"fresh": True, "actor": BOARD}
    with refused("not_ready"):
        do(sign, vgo.id, sha256=vgo.sha256, **given)
    # A department's no is not wiped by asking again, nor by a yes over it, without a reason.
    do(site_work.receive_annex, part, "pharmacy", "not_ok", received=TODAY)
    with refused("reason_needed"):
        do(site_work.receive_annex, part, "pharmacy", "ok", received=TODAY)
    with refused("reason_needed"):
        do(site_work.request_annex, part, "pharmacy", requested=TODAY)
    with refused("unknown_note"):
        do(site_work.request_annex, part, "pharmacy", requested=TODAY, reason="because")
    do(site_work.request_annex, part, "pharmacy", requested=TODAY, reason="mistake")
    said = next(line for line in reversed(list(audit.lines(session))))
    assert (said.action, said.facts["before"]) == ("participation.annex_requested", "not_ok")
    do(site_work.receive_annex, part, "pharmacy", "ok", received=TODAY)
    signature = do(sign, vgo.id, sha256=vgo.sha256, **given)
    assert (signature.signed_by, signature.role, signature.name) == ("board", "board", "Bo Ard")
    assert (
        signature.sha256 == hashlib.sha256(documents.get_document(session, vgo.id)[1]).hexdigest()
    )
    assert [each.document.kind for each in waiting_for(session, "north", NOW)] == ["contract"]
    do(site_work.add_condition, part, "The fridge is there")
    waits_for("contract_signed", "contract")
    do(sign, contract.id, sha256=contract.sha256, **given)
    assert waiting_for(session, "north", NOW) == ()
    do(studies.move, part, "contract_signed")
    waits_for("approved", "decision", "conditions")
    do(studies.move, part, "vgo_signed")
    waits_for("contract_signed", "not_twice")

    # The committees' conditions hold for the hospital too: of one as well as of the other.
    letter = {
        "decided_on": TODAY,
        "document_id": add(session, study, "decision", institution=None).id,
    }
    for body, words in (("metc", "A second reader"), ("ctis", "A fridge"), ("ccmo", "")):
        do(
            committee.decide,
            study,
            body=body,
            outcome="conditions" if words else "positive",
            reference="NL81234.058.22",
            conditions=[words] if words else [],
            **letter,
        )
    assert (study.state, standing_of(session, study)) == ("open", "approved")
    waits_for("approved", "conditions")
    for source, number in (("committee", 1), ("contract", 1), ("committee", 2)):
        waits_for("approved", "conditions")
        do(site_work.meet_condition, part, source, number, TODAY)
    # Deciding again in the same words keeps what was met, though the lines change places.
    do(
        committee.decide,
        study,
        body="metc",
        outcome="conditions",
        reference="NL81234.058.23",
        conditions=["A second reader", "A lock"],
        **letter,
    )
    waits_for("approved", "conditions")
    do(site_work.meet_condition, part, "committee", 3, TODAY)
    lines = site_card(session, "trial", "north", NOW).conditions
    assert [line.words for line in lines if line.source == "committee"] == [
        "A fridge",
        "A second reader",
        "A lock",
    ]
    # Another day for a condition that is met says why.
    with refused("reason_needed"):
        do(site_work.meet_condition, part, "committee", 1, TODAY - DAY)
    do(site_work.meet_condition, part, "committee", 1, TODAY - DAY, reason="mistake")
    do(studies.move, part, "approved")

    # No opening on another version than the one in force.
    first = do(
        versions.publish_version,
        study,
        kind="protocol",
        version="1.0",
        in_force_from=TODAY - 30 * DAY,
        adopt_by=TODAY - 5 * DAY,
    )
    waits_for("initiated", "initiation_visit", "delegation_log", "versions")
    for kind in ("initiation_visit", "delegation_log"):
        do(site_work.record_milestone, part, kind, TODAY)
    do(versions.adopt_version, part, first.id, in_use_since=TODAY)
    do(studies.move, part, "initiated")
    second = do(
        versions.publish_version,
        study,
        kind="protocol",
        version="2.0",
        in_force_from=TODAY,
        adopt_by=TODAY + 14 * DAY,
    )
    waits_for("open", "versions", "green_light")
    do(site_work.record_milestone, part, "green_light", TODAY)
    do(versions.adopt_version, part, second.id, in_use_since=TODAY)
    assert may_enrol(session, part, NOW).why == "site_not_open"
    do(studies.move, part, "open")
    assert may_enrol(session, part, NOW)
    assert standing_of(session, study) == "recruiting"

    # An amendment: enrolling goes on until its day, and stops after it until it is signed.
    third = do(
        versions.publish_version,
        study,
        kind="consent",
        version="3",
        in_force_from=TODAY,
        adopt_by=TODAY + 14 * DAY,
    )
    assert [line.version for line in pending(session, part, NOW)] == ["3"]
    assert site_card(session, "trial", "north", NOW).amendment_pending
    assert may_enrol(session, part, NOW + 14 * DAY)
    assert may_enrol(session, part, NOW + 15 * DAY).why == "amendment_overdue"
    assert may_enrol(session, part, NOW + 15 * DAY).words("nl").startswith("Het ziekenhuis")
    do(versions.adopt_version, part, third.id, in_use_since=TODAY)
    assert may_enrol(session, part, NOW + 15 * DAY)

    # Held while closed to accrual is not open again; and the end of the road.
    with refused("reason_needed"):
        do(studies.move, part, "on_hold")
    do(studies.move, part, "on_hold", reason="safety")
    assert standing_of(session, study) == "on_hold"
    do(studies.move, part, "open")
    do(studies.move, part, "closed_to_accrual", reason="target_reached")
    do(studies.move, part, "on_hold", reason="safety")
    waits_for("open", "held_while_open")
    do(studies.move, part, "closed_to_accrual")
    waits_for("follow_up_done", "last_visit")
    do(site_work.record_milestone, part, "last_visit", TODAY)
    do(studies.move, part, "follow_up_done")
    waits_for("closed", "close_out_visit", "archive")
    do(site_work.record_milestone, part, "close_out_visit", TODAY)
    do(site_work.describe_site, part, archive_until=date(2051, 1, 1))
    do(studies.move, part, "closed")
    assert (study.state, standing_of(session, study)) == ("closed", "completed")
    card = site_card(session, "trial", "north", NOW)
    assert (card.buttons, card.task, card.version) == ((), None, part.version)
    assert {step.place for step in card.bar} == {"done", "now", "passed"}
    assert [step.step.code for step in card.bar if step.place == "passed"] == ["declined"]
    assert actions >= {step.action for step in pathway("wmo").steps} - {"participation.declined"}
