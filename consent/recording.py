"""Writing down a choice: event, leaf and receipt in one transaction, once per form."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.items import ITEMS, LANGUAGES
from consent.log import EMPTY_ROOT, Frontier, leaf_hash
from consent.models import ConsentEvent, LogHead, LogLeaf, Receipt, Subject, TextVersion
from consent.rule import ANY
from consent.texts import text_for
from studies.actor import SYSTEM, Actor
from studies.base import canonical_json, new_id, to_ms
from studies.events import announce
from studies.models import Participation

KIND_OF_ANSWER: Final[Mapping[str, str]] = {"yes": "granted", "no": "refused", "later": "deferred"}
SALT_BYTES: Final = 16
_SAYS_NOTHING: Final = (("party", "self"), ("proof", None))


@dataclass(frozen=True)
class Circumstances:
    """How a choice was made: kept with it as evidence, never an IP address or a device.

    page_sha256: hash of the check page as it was shown. login_level and channel are codes.
    """

    login_level: str = "letter"
    channel: str = "portal"
    page_sha256: str = ""


def as_of(session: Session, network: str, now: datetime) -> datetime:
    """The moment to judge choices at: now, but never before the last one written down."""
    last = session.scalar(select(LogHead.at).where(LogHead.network == network))
    return now if last is None else max(now, last)


def state_version(session: Session, subject: Subject) -> int:
    """A number that grows with each choice of this subject: for finding an overtaken form."""
    last = session.scalar(
        select(func.max(ConsentEvent.leaf)).where(ConsentEvent.subject_id == subject.id)
    )
    return 0 if last is None else last + 1


def record(
    session: Session,
    *,
    subject: Subject,
    study: str,
    answers: Mapping[str, str],
    text_version: str,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    based_on: int | None = None,
    circumstances: Circumstances = Circumstances(),
) -> Receipt:
    """Write down all answers of one form about one study; give the receipt.

    answers: item code -> "yes", "no" or "later" (don't know yet), one for each item of the text.
    text_version: id of the text the patient read; it must be the one in force.
    form_key: made with the form; the same form again gives the first receipt, nothing new.
    based_on: `state_version` when the form was shown, None to skip that check.
    An answer is about this study at the patient's hospital only.

    Raises ConsentError: `not_your_own`, `unknown_language`, `study_not_found`,
    `text_version_not_current`, `text_not_found`, `unknown_item`, `unknown_answer`,
    `answer_missing`, `idempotency_conflict`, `choices_changed`.
    """
    _check_own(actor, subject)
    head = _locked_head(session, subject.network, now)
    form = canonical_json(
        {"study": study, "text": text_version, "answers": dict(answers), "language": language}
    )
    earlier = _sent_before(session, subject, form_key, form)
    if earlier is not None:
        return earlier
    _check_takes_part(session, subject, study)
    text = text_for(session, study, now)
    if text.id != text_version:
        raise ConsentError("text_version_not_current")
    _check_answers(answers, text, language)
    if based_on is not None and based_on != state_version(session, subject):
        raise ConsentError("choices_changed")
    evidence = {
        "answers": [[item, answers[item]] for item in text.content["items"]],
        "page_sha256": circumstances.page_sha256,
    }
    said = [
        _Said(KIND_OF_ANSWER[answers[item]], item, study, ITEMS[item].category)
        for item in text.content["items"]
    ]
    act = _Act("record", study, form_key, form, text.id, language, circumstances, evidence)
    return _write(session, subject, actor, head, act, said, now)


def withdraw(
    session: Session,
    *,
    subject: Subject,
    study: str | None,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances = Circumstances(),
) -> Receipt:
    """Stop with everything in one study, or with `study` None in all studies of the network.

    It asks for nothing, needs no text version and is never held up by an overtaken form. The same
    form again gives the first receipt. Raises ConsentError `not_your_own`, `unknown_language`,
    `study_not_found`, `idempotency_conflict`.
    """
    _check_own(actor, subject)
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    head = _locked_head(session, subject.network, now)
    about = ANY if study is None else study
    form = canonical_json({"withdraw": about, "language": language})
    earlier = _sent_before(session, subject, form_key, form)
    if earlier is not None:
        return earlier
    if study is not None:
        _check_takes_part(session, subject, study)
    evidence = {"page_sha256": circumstances.page_sha256}
    act = _Act("withdraw", about, form_key, form, None, language, circumstances, evidence)
    return _write(session, subject, actor, head, act, [_Said("withdrawn", ANY, about, ANY)], now)


@dataclass(frozen=True)
class _Said:
    kind: str
    item: str
    study: str
    category: str


@dataclass(frozen=True)
class _Act:
    name: str
    study: str
    form_key: str
    form: str
    text_version: str | None
    language: str
    circumstances: Circumstances
    evidence: Mapping[str, Any]


def _check_own(actor: Actor, subject: Subject) -> None:
    # Nobody at the hub can make a choice for a patient, not even an administrator.
    if actor.kind != "patient" or actor.id != subject.id:
        raise ConsentError("not_your_own")


def _check_takes_part(session: Session, subject: Subject, study: str) -> None:
    part = session.scalars(
        select(Participation.id).where(
            Participation.study == study, Participation.institution == subject.site
        )
    ).first()
    if part is None:
        raise ConsentError("study_not_found")


def _check_answers(answers: Mapping[str, str], text: TextVersion, language: str) -> None:
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    items = text.content["items"]
    if any(item not in items for item in answers):
        raise ConsentError("unknown_item")
    if any(answer not in KIND_OF_ANSWER for answer in answers.values()):
        raise ConsentError("unknown_answer")
    if any(item not in answers for item in items):
        raise ConsentError("answer_missing")


def _sent_before(session: Session, subject: Subject, form_key: str, form: str) -> Receipt | None:
    receipt = session.scalars(
        select(Receipt).where(Receipt.subject_id == subject.id, Receipt.form_key == form_key)
    ).first()
    if receipt is not None and receipt.form_sha256 != _sha256(form):
        raise ConsentError("idempotency_conflict")
    return receipt


def _locked_head(session: Session, network: str, now: datetime) -> LogHead:
    """The head of the log, locked until the commit: leaves get their numbers one after another."""
    query = select(LogHead).where(LogHead.network == network).with_for_update()
    # Another transaction may have moved it since this session read it.
    fresh = query.execution_options(populate_existing=True)
    head = session.scalars(fresh).first()
    if head is not None:
        return head
    return _first_head(session, network, now, fresh)


def _first_head(session: Session, network: str, now: datetime, fresh: Select[LogHead]) -> LogHead:
    if session.get_bind().dialect.name == "postgresql":
        # No row to lock yet: whoever comes second waits here and then finds the row of the first.
        # On SQLite a writing transaction is alone anyway.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"log_head {network}"))))
        made = session.scalars(fresh).first()
        if made is not None:
            return made
    head = LogHead(network=network, size=0, root=EMPTY_ROOT.hex(), frontier=[], at=now)
    session.add(head)
    session.flush()
    announce(session, actor=SYSTEM, action="consent.log_started", about=f"network:{network}")
    return head


def _write(
    session: Session,
    subject: Subject,
    actor: Actor,
    head: LogHead,
    act: _Act,
    said: Sequence[_Said],
    now: datetime,
) -> Receipt:
    receipt_id, first = new_id(), head.size
    # A clock that was set back must not let a later "no" look older than an earlier "yes".
    moment = now if now > head.at or head.size == 0 else head.at + timedelta(milliseconds=1)
    events = [
        _event(subject, actor, act, one, receipt_id, first + number, moment)
        for number, one in enumerate(said)
    ]
    leaves = [leaf_hash(event["salt"], event_content(event).encode("utf-8")) for event in events]
    frontier = Frontier(head.size, tuple(bytes.fromhex(peak) for peak in head.frontier)).append(
        leaves
    )
    receipt = Receipt(
        id=receipt_id,
        subject_id=subject.id,
        network=subject.network,
        act=act.name,
        study=act.study,
        form_key=act.form_key,
        form_sha256=_sha256(act.form),
        language=act.language,
        recorded_at=moment,
        first_leaf=first,
        leaves=len(leaves),
        tree_size=frontier.size,
        tree_root=frontier.root.hex(),
    )
    session.add(receipt)
    head.size, head.root, head.at = frontier.size, frontier.root.hex(), moment
    head.frontier = [peak.hex() for peak in frontier.peaks]
    session.flush()
    session.execute(insert(ConsentEvent), events)
    session.execute(
        insert(LogLeaf),
        [
            {"network": subject.network, "number": first + number, "hash": leaf}
            for number, leaf in enumerate(leaves)
        ],
    )
    announce(
        session,
        actor=actor,
        action="consent.recorded" if act.name == "record" else "consent.withdrawn",
        about=f"receipt:{receipt_id}",
        facts={"items": len(events), "tree_size": frontier.size},
    )
    return receipt


def _event(
    subject: Subject,
    actor: Actor,
    act: _Act,
    one: _Said,
    receipt_id: str,
    leaf: int,
    now: datetime,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "subject_id": subject.id,
        "receipt_id": receipt_id,
        "kind": one.kind,
        "network": subject.network,
        "site": subject.site,
        "item": one.item,
        "study": one.study,
        "category": one.category,
        "effective_at": now,
        "recorded_at": now,
        "until": None,
        "complete": True,
        "text_version": act.text_version,
        "language": act.language,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_role": "self",
        "login_level": act.circumstances.login_level,
        "channel": act.circumstances.channel,
        "evidence": dict(act.evidence),
        "corrects": None,
        "salt": secrets.token_bytes(SALT_BYTES),
        "leaf": leaf,
    }


def event_content(event: Mapping[str, Any]) -> str:
    """The canonical text of an event that its leaf stands for: all columns but salt and leaf.

    Times are milliseconds since 1970. This text and the salt are what a receipt needs to check.
    What an event of before revision 0008 did not have is left out when it says nothing.
    """
    content = {
        name: value
        for name, value in event.items()
        if name not in ("salt", "leaf") and (name, value) not in _SAYS_NOTHING
    }
    for name in ("effective_at", "recorded_at", "until"):
        if content[name] is not None:
            content[name] = to_ms(content[name])
    return canonical_json(content)


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()
