"""What the studies package refuses, each with a stable code and a sentence that says what to do."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "not_found": "There is nothing with this name here. Check the name.",
    "bad_phone": "A phone number has digits, spaces and dashes. Give it as people dial it.",
    "name_taken": "This name is already in use. Choose another one.",
    "bad_name": (
        "A short name has small letters, digits and dashes, starts with a letter and is at most "
        "63 characters long."
    ),
    "step_not_allowed": "This step cannot follow the present state. Look at the state first.",
    "unknown_note": "The reason is not one of the list. Choose one from the list.",
    "requirement_set_empty": (
        "A study names at least one thing that a patient must have agreed to. Add one."
    ),
    "bad_codebook": "The study has no codebook with a name and variables. Give one.",
    "bad_delivery": (
        "Sealed results need the study's public result key, results at the hub the agreement of "
        "the benchmark. Give it."
    ),
    "not_a_member": "This institution is not in the network of the study. Add it first.",
    "in_the_future": "The date lies in the future. Give today or an earlier date.",
    "before_last_step": "The date lies before the last step. Give a later date.",
    "unknown_kind": "A study is of the kind wmo, nwmo or data. Choose one of them.",
    "unknown_step": "There is no such step on the road of this study. Choose one of its steps.",
    "step_needed": "No study can do without this step, so a network cannot leave it out.",
    "not_ready": "Something must be done before this step. The page of the hospital says what.",
    "reason_needed": "This step, or a date that lies back, needs a reason. Choose one.",
    "changed_meanwhile": (
        "Somebody else changed this in the meantime, so nothing of yours was written. Load it "
        "again, look at what changed, and repeat your change."
    ),
    "bad_identifier": (
        "This is not how a number of this register is written. Copy it from the register."
    ),
    "fresh_needed": (
        "A signature asks for your password and code again. Confirm that it is you, then sign."
    ),
    "wrong_role": "Your role does not do this for this hospital or study. Ask who has the role.",
    "own_document": "Whoever put a document here does not sign it. Ask another board member.",
    "own_proposal": "Whoever proposed a study does not decide about it. Ask somebody else.",
    "too_many_ideas": (
        "You have too many ideas that nobody decided about yet. Finish some of them first."
    ),
    "letter_needed": (
        "A yes of this committee is written down with its letter. Add the letter to the documents "
        "of the study first, then choose it here."
    ),
    "not_pdf": "Only whole PDF files are kept. Save the document as PDF and send that.",
    "document_too_large": "A document is at most 8 MB. Save it smaller, or split it.",
    "document_exists": "This version is here already. Give the new document a new version.",
    "bad_document": (
        "A document needs a name and a version of at most 20 letters, digits, points or dashes. "
        "Give both."
    ),
    "document_altered": (
        "The document is not the one that was shown. Read it again; if it stays, tell the network "
        "office."
    ),
    "document_outdated": (
        "There is a newer version, or this one does not hold today. Sign the newest one."
    ),
    "asks_no_data": (
        "This study asks no data of its patients, so nobody can be counted in it. Choose another."
    ),
    "ideas_not_counted": (
        "The committee of that study does not let its patients be counted for ideas. Ask it, or "
        "choose a study of the list."
    ),
    "not_an_idea": (
        "Patients are counted for a study that was proposed and has not begun. Propose it first."
    ),
    "count_missing": "The group has not seen a count of patients yet. Release one first.",
    "bad_tumour": (
        "Tumour types are ICD-10 codes or ranges such as C50 or C18-C20, no two over each other. "
        "Give them so."
    ),
    "bad_period": "The end lies before the beginning, or it has ended already. Look at the dates.",
    "unknown_code": "This code is not in the list. Choose one from the list.",
    "already_signed": "This institution has signed this version already. Nothing is to be done.",
    "not_signed": "This institution has not signed this version. Look at the agreements first.",
    "meeting_frozen": (
        "The state of this meeting was frozen and cannot be changed. Write a new decision instead."
    ),
    "bad_plan": (
        "A plan begins with 0, has at least two days and numbers that rise with them. Give it so."
    ),
    "bad_month": "A month is given as 2026-11. Give it so.",
    "bad_count": "A count is a whole number from 0 up, under a name of the list. Look at them.",
    "counts_differ": "The counts do not add up. Look at the lines that are named.",
    "bad_pseudonym": (
        "This is not a study number: it begins with the letters of the study, then digits, and "
        "holds nothing of a person. Give the number that the study gave."
    ),
    "no_prefix": "The letters of the study's numbers are not settled. Settle them first.",
    "pseudonym_taken": "This study number is in use. Look at that participant first.",
    "not_enrolling": "This hospital takes no new participants now. Its page says why.",
    "consent_needed": (
        "Nobody comes into a study before they agreed. Give the letter, or the date of the signed "
        "form, its text and who checked it."
    ),
    "unknown_checker": (
        "Who checked the form has no account with a role in this study or at this hospital. Name "
        "somebody who has, or leave it out when it was you."
    ),
    "consent_text_differs": (
        "The form is not on the text that was in use at this hospital then. Look at the texts."
    ),
    "milestone_reached": "This was written down before, and it stays true. Nothing is to do.",
    "unknown_milestone": "There is no such milestone. Choose one from the list.",
    "has_left": "This participant has left the study, or ended it. Nothing new is written down.",
    "no_handover": "Nobody offered this participant to that hospital. Look at where they are.",
    "unknown_arm": "The study has no such arm. Choose one of its arms.",
    "bad_doi": "A DOI looks like 10.1000/xyz123. Copy it from the paper's page.",
    "empty_text": "There is nothing written here. Write a sentence.",
    "control_sign": (
        "The text holds a sign that cannot be seen, such as one of a terminal. Type it again."
    ),
    "points_at_somebody": (
        "A number of eight digits or more, or a date of birth, could point at a patient. Leave it "
        "out; write a phone number in parts."
    ),
    "paper_too_late": (
        "Somebody signed this version without a paper. Add a new version with its paper."
    ),
    "too_long_ago": "The date lies before 1990. Look at the year.",
    "not_the_writer": "Only who wrote this, or an administrator, takes it back. Ask them.",
}


class StudiesError(Exception):
    """A refusal of the studies package; `code` is one of CODES, `message` its sentence.

    `missing` are the codes of unmet guards (`not_ready`), `versions` the version that the caller
    was shown and the one that is there now (`changed_meanwhile`).
    """

    def __init__(
        self,
        code: str,
        *,
        missing: tuple[str, ...] = (),
        versions: tuple[int, int] | None = None,
    ) -> None:
        self.code = code
        self.message = CODES[code]
        self.missing = missing
        self.versions = versions
        super().__init__(f"{code}: {self.message}")
