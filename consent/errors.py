"""What the consent package refuses, each with a stable code. Never holds anything about a patient.

No SQLAlchemy and nothing of ours, so that a site can import it with the rule and the snapshot.
"""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "requirement_set_empty": "The study names nothing that a patient must have agreed to.",
    "unknown_item": "This subject is not part of the choices that can be made here.",
    "unknown_answer": "An answer is yes, no, or don't know yet.",
    "answer_missing": "Each question needs an answer; 'I don't know yet' is one too.",
    "unknown_language": "Choices can be made in Dutch and in English.",
    "text_version_not_current": "The text of this study has changed; read the new text first.",
    "text_not_found": "This study has no text for patients that is valid now.",
    "text_not_valid": "The text for patients misses a part that it must have.",
    "text_altered": "The stored text is not the one that was approved, so nobody can answer it.",
    "text_begins_too_early": "A text begins now or later, and not before the text before it.",
    "text_published_before": "These words were published before; change them or keep that text.",
    "text_misses_requirement": "The text does not ask all that this study cannot do without.",
    "change_class_wrong": "The text changes something else than its class says; choose another.",
    "draft_not_found": "There is no draft with this number.",
    "draft_published": "This draft is published, so it does not change any more. Make a new one.",
    "draft_changed": "The draft is not the one that was looked at; read it again before deciding.",
    "own_draft": "Whoever wrote a text does not approve it; two others do.",
    "draft_objected": "An approver thinks that the class is wrong; change the draft first.",
    "text_suspended": "This text is suspended already, so no yes on it counts.",
    "suspension_open": "Somebody asked this before; another person decides about that first.",
    "suspension_without_reason": "Patients must read why, in Dutch and in English.",
    "suspension_decided": "This request was decided already.",
    "suspension_not_found": "There is no request with this number.",
    "route_not_allowed": "This network does not allow use without asking, so nothing is decided.",
    "route_incomplete": "Give ground, reason, reference and an end within five years.",
    "route_decided": "This proposal was decided already, or it has ended.",
    "route_not_found": "There is no such decision.",
    "draft_not_approved": "Two people who did not write this text must approve it first.",
    "not_your_own": "Only the patient can make this choice.",
    "closed": "A yes can no longer be given here; the hospital can tell more. A no always can.",
    "not_begun": "The appointment of this representative begins later; come back from that day on.",
    "proof_needed": "A yes needs a proof that only the patient can make.",
    "login_level_too_low": "This choice needs a safer way of signing in.",
    "paper_check_missing": "A second person must check the paper before a yes counts.",
    "choices_changed": "The choices were changed in the meantime; look at them first.",
    "idempotency_conflict": "The same form was sent before with other answers.",
    "receipt_not_found": "There is no receipt with this number.",
    "passkey_refused": "This passkey cannot be used here. Try again, or go on with your letter.",
    "code_invalid": "The code is not right, or it can no longer be used.",
    "invitation_not_valid": "The invitation misses a part that it must have.",
    "unknown_site": "No hospital with this name sends its patients here.",
    "study_not_found": "There is no study with this name.",
    "snapshot_malformed": "The state of consent could not be read.",
    "snapshot_other_site": "The state of consent was made for another hospital.",
    "snapshot_rollback": "The state of consent is older than the one already here.",
    "consent_state_too_old": "The state of consent is too old, so nobody is counted.",
    "clock_skew": "The clocks of hub and hospital differ too much, so nobody is counted.",
    "snapshot_never_sent": "The hospital confirms a state of consent that was never made.",
    "ack_malformed": "The hospital's confirmation could not be read.",
    "log_inconsistent": "The log of choices does not fit what was shown of it before.",
    "proof_not_possible": "There is no such leaf or no such size in the log of choices.",
    "years_not_valid": "Give whole years from 1 to 100: remind, then ask again, then end.",
    "alarm_not_found": "There is no alarm with this number.",
    "two_people_needed": "Two different people must decide this.",
    "study_not_ended": "This study has not ended, so its evidence must be kept.",
    "keeping_not_settled": "It is not settled how long evidence of this study must be kept.",
    "head_not_found": "No signed head of this log has been published yet.",
    "message_malformed": "A message of the hospital could not be read.",
    "unknown_party": "The hospital has not said that this person may speak for the patient.",
    "order_not_found": "This hospital has no such order to destroy.",
    "letter_not_found": "No letter of this hospital about this study has this number.",
    "not_agreed": "The patient does not agree to take part (any more), so this is not done.",
    "letter_linked": "This number has another letter of this hospital. Unlink that one first.",
    "letter_needed": "They came in with this letter. If it is not theirs, say: entered by mistake.",
    "letter_unlinked": "A letter was unlinked from this number. Link the right letter first.",
    "joined_already": "This patient is in this study already. Look at the hand-over of hospitals.",
    "questionnaire_not_open": "This questionnaire is not asked now, or it was sent before.",
    "order_not_open": "The order to destroy was answered or taken back, or may still be.",
}


class ConsentError(Exception):
    """A refusal of the consent package.

    `code` is one of CODES; `message` its sentence, without names, codes of letters or handles.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = CODES[code]
        super().__init__(f"{code}: {self.message}")
