"""What patients signed on paper, written into the log as their hospital tells it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from consent.acts import Circumstances, Said
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.models import ConsentEvent, Receipt, TextVersion
from consent.proof import act_of, site_prover
from consent.recording import mark, say
from consent.rule import ANY, COLLECT_NEW
from consent.site_facts import Told, moment, text

PAPER: Final = "paper"
LEVEL: Final = "desk"
_FORM: Final = re.compile(r"paper-[0-9a-f]{32}-(yes|no)")
_STAFF: Final = re.compile(r"s-[0-9a-f]{16}")
_ACT: Final = re.compile(r"[0-9a-f]{32}")
_CODE: Final = re.compile(r"[a-z][a-z_]{0,39}")
_SHA256: Final = re.compile(r"([0-9a-f]{64})?")
_HOW: Final = ("paper", "desk", "phone")
_OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC) - timedelta(days=1)
_MOST: Final = 100
_KIND: Final = {"yes": "granted", "no": "refused", "later": "deferred"}


def write_paper(told: Told, content: Mapping[str, Any]) -> None:
    """A form: a "no" by the word of one person, a "yes" by that of two different ones.

    Raises ConsentError `paper_check_missing`, `unknown_party`, `unknown_item` and what
    `recording.say` raises; ValueError for another form.
    """
    found = _FORM.fullmatch(text(content["form"]))
    answers = _answers(content["answers"])
    opens = "yes" in answers.values()
    if (
        found is None
        or opens != (found[1] == "yes")
        or (opens and set(answers.values()) != {"yes"})
    ):
        raise ValueError("a form holds a yes, or a no and later")
    checked_by = _checked_by(content["checked_by"])
    if opens and (len(set(checked_by)) < 2 or content["how"] != PAPER):
        raise ConsentError("paper_check_missing")
    subject = told.subject(content["handle"])
    role = told.role(subject, content["party"], content["role"])
    study = text(content["study"])
    if opens:
        _check_asked(told, text(content["text_version"]), answers)
    receipt = say(
        told.session,
        subject=subject,
        act=PAPER,
        study=None if study == ANY else study,
        said=_said(answers, study),
        form={key: value for key, value in content.items() if key != "handle"},
        language=text(content["language"]),
        form_key=content["form"],
        actor=told.actor,
        now=told.now,
        text_version=text(content["text_version"]) if opens else None,
        circumstances=Circumstances(
            login_level=LEVEL,
            channel=PAPER,
            party=text(content["party"]),
            role=role,
            prove=site_prover(checked_by[0]) if opens else None,
            signed_on=_signed(told, content["signed_at"]),
            more=_evidence(content, checked_by),
        ),
    )
    if opens:
        for event in _granted(told, receipt):
            mark(
                told.session,
                event,
                kind="confirmed",
                reason="second_person",
                actor=told.actor,
                now=told.now,
            )


def write_invalidation(told: Told, content: Mapping[str, Any]) -> None:
    """A yes should never have counted; `act` names it as in its proof.

    Raises ConsentError `receipt_not_found`; ValueError for another form.
    """
    act, reason = text(content["act"]), text(content["reason_code"])
    if not _ACT.fullmatch(act) or not _CODE.fullmatch(reason):
        raise ValueError("an act and a code")
    subject = told.subject(content["handle"])
    receipts = told.session.scalars(select(Receipt).where(Receipt.subject_id == subject.id))
    receipt = next((each for each in receipts if act_of(each.form_key) == act), None)
    if receipt is None:
        raise ConsentError("receipt_not_found")
    for event in _granted(told, receipt):
        mark(told.session, event, kind="invalidated", reason=reason, actor=told.actor, now=told.now)


def _said(answers: Mapping[str, str], study: str) -> list[Said]:
    if ANY in answers or study == ANY:
        if dict(answers) != {ANY: "no"}:
            raise ValueError("all at once can only be stopped")
        return [Said("withdrawn", ANY, study, ANY)]
    # "Nothing new" (level W2) can be said at the desk; allowing it again takes the letter.
    stops = [item for item, answer in answers.items() if (item, answer) == (COLLECT_NEW, "no")]
    asked = {item: answer for item, answer in answers.items() if item not in stops}
    if any(item not in ITEMS or ITEMS[item].regime != "consent" for item in asked):
        # Objections and what only points elsewhere are not answered on a form.
        raise ConsentError("unknown_item")
    said = [
        Said(_KIND[answer], item, study, ITEMS[item].category) for item, answer in asked.items()
    ]
    return [*said, *(Said("withdrawn", item, study, ANY) for item in stops)]


def _check_asked(told: Told, text_version: str, answers: Mapping[str, str]) -> None:
    """A yes is to what the text asks, and to nothing else. ConsentError `unknown_item`."""
    found = told.session.get(TextVersion, text_version)
    # A text that is not there, or not in force, is refused where the yes is written down.
    if found is not None and not answers.keys() <= set(found.content["items"]):
        raise ConsentError("unknown_item")


def _answers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST:
        raise ValueError("answers by item")
    if any(answer not in _KIND for answer in value.values()):
        raise ConsentError("unknown_answer")
    return dict(sorted(value.items()))


def _checked_by(value: object) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= 4:
        raise ConsentError("paper_check_missing")
    if not all(isinstance(each, str) and _STAFF.fullmatch(each) for each in value):
        raise ValueError("people of the hospital are codes")
    return value


def _signed(told: Told, value: object) -> datetime:
    signed = moment(value)
    if not _OLDEST <= signed <= told.now + timedelta(days=1):
        raise ValueError("signed in the future or too far back")
    return signed


def _evidence(content: Mapping[str, Any], checked_by: list[str]) -> dict[str, Any]:
    how, scan = content["how"], text(content["scan_sha256"])
    if how not in _HOW or not _SHA256.fullmatch(scan):
        raise ValueError("how, and the hash of a scan")
    return {"how": how, "scan_sha256": scan, "checked_by": checked_by}


def _granted(told: Told, receipt: Receipt) -> list[ConsentEvent]:
    return list(
        told.session.scalars(
            select(ConsentEvent)
            .where(ConsentEvent.receipt_id == receipt.id, ConsentEvent.kind == "granted")
            .order_by(ConsentEvent.leaf)
        )
    )
