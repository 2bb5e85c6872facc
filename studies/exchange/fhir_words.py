"""How our states are said in FHIR and on ClinicalTrials.gov: tables, with the systems of codes.

Sources: FHIR R5 CodeSystems research-study-status, research-study-party-role and
research-subject-state; FHIR R4 value sets research-study-status and research-subject-status.
"""

from collections.abc import Mapping
from typing import Final

from studies.hospitals.pathway import STEPS

STUDY_STATUS: Final = "http://hl7.org/fhir/research-study-status"
PARTY_ROLE: Final = "http://hl7.org/fhir/research-study-party-role"
SUBJECT_STATE: Final = "http://terminology.hl7.org/CodeSystem/research-subject-state"
SUBJECT_STATE_TYPE: Final = "http://terminology.hl7.org/CodeSystem/research-subject-state-type"
SUBJECT_MILESTONE: Final = "http://terminology.hl7.org/CodeSystem/research-subject-milestone"
STUDY: Final = "urn:oncokring:study"
SITE: Final = "urn:oncokring:institution"
NETWORK: Final = "urn:oncokring:network"
GROUP: Final = "urn:oncokring:working-group"
PARTICIPANT: Final = "urn:oncokring:participant"
MILESTONE: Final = "urn:oncokring:participant-milestone"
LEAVING: Final = "urn:oncokring:leaving"
REASON: Final = "urn:oncokring:participant-reason"
EXTENSION_PROGRESS: Final = "urn:oncokring:fhir:progress"
EXTENSION_RECRUITMENT: Final = "urn:oncokring:fhir:recruitment"
REGISTERS: Final[Mapping[str, str]] = {
    "eu_ct": "urn:oncokring:register:eu-ct",
    "eudract": "urn:oncokring:register:eudract",
    "abr": "urn:oncokring:register:abr",
    "nct": "http://clinicaltrials.gov",
    "omon": "urn:oncokring:register:omon",
}

R5_STUDY_STATES: Final = frozenset(
    """overall-study active active-but-not-recruiting administratively-completed approved
    closed-to-accrual closed-to-accrual-and-intervention completed disapproved
    enrolling-by-invitation in-review not-yet-recruiting recruiting temporarily-closed-to-accrual
    temporarily-closed-to-accrual-and-intervention terminated withdrawn""".split()
)
R5_OF_STEP: Final[Mapping[str, str]] = {
    **{step.code: step.fhir for step in STEPS},
    "invited": "not-yet-recruiting",
    "initiated": "not-yet-recruiting",
    "open": "recruiting",
}
"""State of a hospital's part -> progressStatus in R5, which tells apart what R4 does not."""
R4_OF_STEP: Final[Mapping[str, str]] = {step.code: step.fhir for step in STEPS}

R5_OF_STANDING: Final[Mapping[str, str]] = {
    "draft": "in-review",
    "idea": "in-review",
    "feasibility": "in-review",
    "joint": "in-review",
    "refused": "disapproved",
    "suspended": "temporarily-closed-to-accrual-and-intervention",
    "approved": "approved",
    "recruiting": "recruiting",
    "on_hold": "temporarily-closed-to-accrual",
    "closed_to_accrual": "closed-to-accrual",
    "follow_up_done": "closed-to-accrual-and-intervention",
    "completed": "completed",
    "terminated": "terminated",
}
"""Standing of a study (studies/study_state.py) -> progressStatus in R5."""
R4_OF_STANDING: Final[Mapping[str, str]] = {
    **R5_OF_STANDING,
    "recruiting": "active",
    "terminated": "administratively-completed",
}
PUBLICATION: Final[Mapping[str, str]] = {"draft": "draft", "open": "active", "closed": "retired"}
"""Short form of a study's standing -> status of the R5 resource itself."""
MILESTONE_CODES: Final[Mapping[str, str]] = {"screened": "Screened", "randomised": "Randomized"}
"""Milestones that HL7 has a code for; the others have ours alone."""
PHASES: Final = "http://terminology.hl7.org/CodeSystem/research-study-phase"
