"""Letters: one message for every refusal, a lock against guessing, stopping stays easy."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from consent import letters
from consent import service as consent
from consent.errors import ConsentError
from consent.letters import Letter
from consent.models import Invitation, Subject
from consent.subjects import LOCKED_FOR, MAX_FAILED, VALID_FOR, handle_bytes, handle_text
from studies.actor import Actor
from studies.events import announced

from .conftest import NOW, STUDY, Hub

HANDLE = bytes(range(20))
LATER = NOW + timedelta(minutes=1)


def letter(hub: Hub, handle: bytes = HANDLE, **changes: Any) -> Letter:
    made = letters.new_letter()
    given: dict[str, Any] = {
        "site": "zuyderland",
        "handle": handle,
        "code_id": made.code_id,
        "verifier": letters.verifier(made.code_id, made.secret),
        "studies": [STUDY],
        "language": "nl",
        "actor": Actor("site", "zuyderland"),
        "now": NOW,
    }
    consent.invite(hub.session, **{**given, **changes})
    return made


def wrong(made: Letter) -> str:
    last = "0" if made.secret[-1] != "0" else "1"
    return made.code_id + made.secret[:-1] + last


def test_the_right_code_in_any_spelling(hub: Hub) -> None:
    made = letter(hub)
    for typed in (made.printed, made.printed.lower(), made.printed.replace("-", " ")):
        answer = consent.sign_in_with_code(hub.session, typed, now=LATER)
        assert answer.accepted().handle == handle_text(HANDLE)
        assert answer.actor == Actor("patient", answer.accepted().id, frozenset({"patient"}))
        assert (answer.studies, answer.language) == ((STUDY,), "nl")


def test_every_refusal_looks_the_same(hub: Hub) -> None:
    made = letter(hub)
    expired = NOW + VALID_FOR
    refusals = [
        consent.sign_in_with_code(hub.session, "", now=LATER),
        consent.sign_in_with_code(hub.session, wrong(made), now=LATER),
        consent.sign_in_with_code(hub.session, letters.new_letter().printed, now=LATER),
        consent.sign_in_with_code(hub.session, made.printed, now=expired),
    ]
    replaced = made
    letter(hub)
    refusals.append(consent.sign_in_with_code(hub.session, replaced.printed, now=LATER))
    assert all(refusal == refusals[0] for refusal in refusals)
    with pytest.raises(ConsentError) as failure:
        refusals[0].accepted()
    assert failure.value.code == "code_invalid"


def test_the_audit_knows_why(hub: Hub) -> None:
    made = letter(hub)
    consent.sign_in_with_code(hub.session, wrong(made), now=LATER)
    last = announced(hub.session)[-1]
    assert (last.action, dict(last.facts)) == ("consent.sign_in_refused", {"why": "wrong"})
    assert made.code_id not in repr(last)


def test_five_wrong_tries_rest_the_code_for_an_hour(hub: Hub) -> None:
    made = letter(hub)
    for _ in range(MAX_FAILED):
        assert consent.sign_in_with_code(hub.session, wrong(made), now=LATER).subject is None
    just_before = LATER + LOCKED_FOR - timedelta(seconds=1)
    assert consent.sign_in_with_code(hub.session, made.printed, now=just_before).subject is None
    again = consent.sign_in_with_code(hub.session, made.printed, now=LATER + LOCKED_FOR)
    assert again.subject is not None


def test_tries_while_it_rests_do_not_lengthen_the_rest(hub: Hub) -> None:
    made = letter(hub)
    for _ in range(MAX_FAILED * 3):
        consent.sign_in_with_code(hub.session, wrong(made), now=LATER)
    assert consent.sign_in_with_code(hub.session, made.printed, now=LATER + LOCKED_FOR).subject


def test_a_right_try_forgets_the_wrong_ones(hub: Hub) -> None:
    made = letter(hub)
    for _ in range(3):
        for _ in range(MAX_FAILED - 1):
            consent.sign_in_with_code(hub.session, wrong(made), now=LATER)
        assert consent.sign_in_with_code(hub.session, made.printed, now=LATER).subject


def test_a_code_works_again_until_it_expires_so_that_stopping_stays_easy(hub: Hub) -> None:
    made = letter(hub)
    for days in (1, 30, 89):
        assert consent.sign_in_with_code(
            hub.session, made.printed, now=NOW + timedelta(days)
        ).subject
    invitation = hub.session.get_one(Invitation, made.code_id)
    assert invitation.first_used_at == NOW + timedelta(1)
    assert invitation.last_used_at == NOW + timedelta(89)


def test_the_hub_keeps_no_secret(hub: Hub) -> None:
    made = letter(hub)
    invitation = hub.session.get_one(Invitation, made.code_id)
    assert made.secret not in repr(vars(invitation))
    assert invitation.verifier.startswith("$argon2id$")


def test_a_second_letter_is_for_the_same_subject(hub: Hub) -> None:
    letter(hub)
    letter(hub)
    assert hub.session.scalar(select(func.count()).select_from(Subject)) == 1


def test_the_same_handle_at_another_hospital_is_another_subject(hub: Hub) -> None:
    letter(hub)
    letter(hub, site="catharina", actor=Actor("site", "catharina"))
    assert hub.session.scalar(select(func.count()).select_from(Subject)) == 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"language": "de"}, "unknown_language"),
    ({"code_id": "abc"}, "invitation_not_valid"),
    ({"code_id": "ABCUIL"}, "invitation_not_valid"),
    ({"verifier": "0123456789ABCDEF"}, "invitation_not_valid"),
    ({"studies": []}, "invitation_not_valid"),
    ({"studies": ["no-such-study"]}, "study_not_found"),
    ({"studies": [STUDY, "no-such-study"]}, "study_not_found"),
    ({"site": "nowhere"}, "unknown_site"),
]


@pytest.mark.parametrize(("changes", "code"), WRONG)
def test_a_letter_that_is_not_whole_is_refused(
    hub: Hub, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ConsentError) as failure:
        letter(hub, **changes)
    assert failure.value.code == code


def test_a_code_is_given_out_once(hub: Hub) -> None:
    made = letter(hub)
    with pytest.raises(ConsentError) as failure:
        letter(hub, handle=b"x" * 20, code_id=made.code_id)
    assert failure.value.code == "invitation_not_valid"


def test_a_subject_needs_a_known_hospital(hub: Hub) -> None:
    with pytest.raises(ConsentError) as failure:
        hub.subject("nowhere")
    assert failure.value.code == "unknown_site"


def test_handles_have_one_spelling() -> None:
    assert handle_bytes(handle_text(HANDLE)) == HANDLE
    for text in ("", "short", handle_text(HANDLE) + "A", "é" * 27, handle_text(HANDLE)[:-1] + "9"):
        with pytest.raises(ValueError, match="handle"):
            handle_bytes(text)
    with pytest.raises(ValueError, match="20"):
        handle_text(b"short")
