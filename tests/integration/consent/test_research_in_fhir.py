"""A study in FHIR R5 and R4, held against the definitions of both, and telling of nobody."""

import json
from datetime import timedelta
from typing import Any

import pytest
from fhir.resources.R4B.researchstudy import ResearchStudy as StudyR4
from fhir.resources.R4B.researchsubject import ResearchSubject as SubjectR4
from fhir.resources.researchstudy import ResearchStudy as StudyR5
from fhir.resources.researchsubject import ResearchSubject as SubjectR5
from fhir_definitions import elements, faults

from consent import joined, joining
from studies.exchange import fhir_words as words
from studies.exchange.fhir_research import R4, R5, bundle
from studies.participants import handover, milestones
from studies.participants.models import Participant
from studies.participants.numbers import set_arms
from studies.participants.states import STATES
from studies.recruitment import accrual
from studies.states import PARTICIPATION_STATES
from studies.study_state import STANDINGS

from .conftest import NOW, STUDY, Hub
from .ward import DAY, FORM, LATER, NURSE, OTHER, SITE, Letter, Ward

MODELS: dict[str, dict[str, Any]] = {
    R5: {"ResearchStudy": StudyR5, "ResearchSubject": SubjectR5},
    R4: {"ResearchStudy": StudyR4, "ResearchSubject": SubjectR4},
}


def test_every_state_has_a_code_of_both_versions() -> None:
    for table in (words.R4_OF_STEP, words.R5_OF_STEP):
        assert set(table) == set(PARTICIPATION_STATES)
    for table in (words.R4_OF_STANDING, words.R5_OF_STANDING):
        assert set(table) == set(STANDINGS)
    r4 = set(elements("r4")["ResearchStudy.status"]["codes"])
    assert {*words.R4_OF_STEP.values(), *words.R4_OF_STANDING.values()} <= r4
    r5 = {*words.R5_OF_STEP.values(), *words.R5_OF_STANDING.values()}
    assert r5 <= words.R5_STUDY_STATES
    assert len(words.R5_STUDY_STATES) == 17
    assert set(elements("r4")["ResearchSubject.status"]["codes"]) == set(STATES)
    assert set(words.PUBLICATION.values()) <= set(elements("r5")["ResearchStudy.status"]["codes"])
    # A word that is not theirs is found.
    wrong = {"resourceType": "ResearchSubject", "status": "enrolled", "subject": {}, "study": {}}
    assert any("none of" in fault for fault in faults(wrong, "r5"))


@pytest.fixture
def one(hub: Hub) -> Participant:
    """Who came in in Maastricht, was treated, went on elsewhere, and wants nothing more used."""
    ward = Ward(hub)
    session = hub.session
    set_arms(session, ward.study, [("a", "Kort", "Short"), ("b", "Lang", "Long")], actor=NURSE)
    accrual.set_plan(
        session,
        ward.study,
        [(NOW.date(), 0), ((NOW + 365 * DAY).date(), 40)],
        actor=NURSE,
        now=NOW,
    )
    found = ward.enter(
        "HT-0001", Letter(ward.patient(OTHER)[1]), site=OTHER, state="pending-on-study"
    )
    joining.move(session, found, "on-study", actor=NURSE, now=NOW + 2 * DAY)
    milestones.allocate(session, found, "b", actor=NURSE, now=NOW + 3 * DAY)
    handover.offer(session, found, SITE, actor=NURSE, now=LATER)
    handover.take_over(session, found, SITE, actor=NURSE, now=LATER)
    joining.leave(session, found, "treatment", actor=NURSE, now=LATER + DAY, reason="side_effects")
    joining.leave(session, found, "data_all", actor=NURSE, now=LATER + 2 * DAY)
    return found


def test_the_bundle_holds_in_both_versions_and_names_nobody(hub: Hub, one: Participant) -> None:
    session, now = hub.session, LATER + 3 * timedelta(days=1)
    study = Ward(hub).study
    told = {
        version: bundle(session, study, now, base="https://hub.example/", version=version)
        for version in (R5, R4)
    }
    for version, name in ((R5, "r5"), (R4, "r4")):
        assert faults(told[version], name) == []
        ids = [entry["resource"]["id"] for entry in told[version]["entry"]]
        assert len(ids) == len(set(ids)) == 12  # the study, ten hospitals, one participant
        for entry in told[version]["entry"]:
            resource = entry["resource"]
            assert faults(resource, name) == []
            MODELS[version][resource["resourceType"]].model_validate(resource)
        # Neither who the patient is, nor by which letter they came in.
        text = json.dumps(told[version])
        for subject in joined.subjects(session, one):
            assert subject.handle not in text
            assert subject.id not in text
        assert "Consent/" not in text
        alone = bundle(
            session, study, now, base="https://hub.example/", version=version, participants=False
        )
        assert "HT-0001" in text
        assert "HT-0001" not in json.dumps(alone)

    whole, *sites, subject = [entry["resource"] for entry in told[R5]["entry"]]
    assert whole["recruitment"] == {"targetNumber": 40, "actualNumber": 1}
    assert whole["comparisonGroup"][1] == {"linkId": "b", "name": "Long"}
    assert {"reference": f"ResearchStudy/{STUDY}.{SITE}"} in whole["site"]
    # Counted once, where they came on study; the hospital that goes on has no recruit.
    by_id = {each["id"]: each["recruitment"]["actualNumber"] for each in sites}
    assert sum(by_id.values()) == by_id[f"{STUDY}.{OTHER}"] == 1

    states = [
        (each["subjectState"]["coding"][0]["code"], each["startDate"], each.get("endDate"))
        for each in subject["progress"]
        if "subjectState" in each
    ]
    days = [(NOW + DAY), (NOW + 2 * DAY), (LATER + DAY), (LATER + 2 * DAY)]
    iso = [day.date().isoformat() for day in days]
    assert states == [
        ("pending-on-study", iso[0], iso[1]),
        ("on-study", iso[1], iso[2]),
        ("follow-up", iso[2], iso[3]),
        ("off-study", iso[3], None),
    ]
    assert {code for code, *_ in states} <= set(STATES)  # a required binding in R5
    reached = [
        each["milestone"]["coding"][-1]["code"]
        for each in subject["progress"]
        if "milestone" in each
    ]
    assert reached == ["consented", "randomised", "treatment", "data_all"]
    assert subject["assignedComparisonGroup"] == "b"
    assert subject["subject"]["identifier"]["value"] == "HT-0001"

    old = told[R4]["entry"][-1]["resource"]
    assert (old["status"], old["assignedArm"]) == ("off-study", "Long")
    assert len(old["extension"]) == len(subject["progress"])


def test_who_was_entered_wrongly_is_not_told(hub: Hub) -> None:
    ward = Ward(hub)
    wrong = ward.enter("HT-0009", FORM)
    joining.enter_wrongly(hub.session, wrong, actor=NURSE, now=LATER)
    told = json.dumps(bundle(hub.session, ward.study, LATER, base="https://hub.example/"))
    assert "HT-0009" not in told
