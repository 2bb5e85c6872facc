"""Writing down a choice: event, leaf and receipt in one transaction, once per form."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import levels
from consent.acts import (
    AS_USUAL,
    Act,
    Circumstances,
    Said,
    locked_head,
    sha256_hex,
    write,
    write_mark,
)
from consent.closing import is_closed
from consent.errors import ConsentError
from consent.items import ITEMS, LANGUAGES
from consent.models import (
    MARK_KINDS,
    ConsentEvent,
    ConsentMark,
    LogHead,
    Receipt,
    Subject,
    TextVersion,
)
from consent.rule import ANY
from consent.standing import PAPER
from consent.texts import text_for
from studies.actor import Actor
from studies.base import canonical_json
from studies.models import Participation

KIND_OF_ANSWER: Final[Mapping[str, str]] = {"yes": "granted", "no": "refused", "later": "deferred"}


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
    circumstances: Circumstances = AS_USUAL,
) -> Receipt:
    """Write down all answers of one form about one study; give the receipt.

    answers: item code -> "yes", "no" or "later" (don't know yet), one for each item of the text.
    text_version: id of the text the patient read; it must be the one in force.
    form_key: made with the form; the same form again gives the first receipt, nothing new.
    based_on: `state_version` when the form was shown, None to skip that check.
    An answer is about this study at the patient's hospital only.

    Raises ConsentError: `not_your_own`, `unknown_language`, `study_not_found`,
    `text_version_not_current`, `text_not_found`, `unknown_item`, `unknown_answer`,
    `answer_missing`, `idempotency_conflict`, `choices_changed`, `closed`,
    `login_level_too_low`.
    """
    _check_own(actor, subject, circumstances)
    head = locked_head(session, subject.network, now)
    form = canonical_json(
        {"study": study, "text": text_version, "answers": dict(answers), "language": language}
    )
    earlier = _sent_before(session, subject, form_key, form, circumstances.party)
    if earlier is not None:
        return earlier
    check_takes_part(session, subject.site, study)
    text = text_for(session, study, now)
    if text.id != text_version:
        raise ConsentError("text_version_not_current")
    check_answers(answers, text, language)
    if based_on is not None and based_on != state_version(session, subject):
        raise ConsentError("choices_changed")
    evidence = {
        "answers": [[item, answers[item]] for item in text.content["items"]],
        "page_sha256": circumstances.page_sha256,
    }
    said = [
        Said(KIND_OF_ANSWER[answers[item]], item, study, ITEMS[item].category)
        for item in text.content["items"]
    ]
    yes = [item for item in text.content["items"] if answers[item] == "yes"]
    _check_yes(session, subject, circumstances, yes, now)
    act = Act("record", study, form_key, form, text.id, language, circumstances, evidence)
    return write(session, subject, actor, head, act, said, now)


def withdraw(
    session: Session,
    *,
    subject: Subject,
    study: str | None,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances = AS_USUAL,
) -> Receipt:
    """Stop with everything in one study, or with `study` None in all studies of the network.

    It asks for nothing, needs no text version and is never held up by an overtaken form. The same
    form again gives the first receipt. Raises ConsentError `not_your_own`, `unknown_language`,
    `study_not_found`, `idempotency_conflict`.
    """
    about = ANY if study is None else study
    return say(
        session,
        subject=subject,
        act="withdraw",
        study=study,
        said=[Said("withdrawn", ANY, about, ANY)],
        form={"withdraw": about, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        circumstances=circumstances,
    )


def say(
    session: Session,
    *,
    subject: Subject,
    act: str,
    study: str | None,
    said: Sequence[Said],
    form: Mapping[str, object],
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    text_version: str | None = None,
    circumstances: Circumstances = AS_USUAL,
) -> Receipt:
    """Write down any things said at once as one act with one receipt.

    act: its name in the receipt, at most ten letters. study: None for all of the network. form:
    what was sent, to tell a repeat of the same form (which gives the first receipt) from another.
    A yes must name the `text_version` it was given on.
    Raises ConsentError: `not_your_own`, `unknown_language`, `study_not_found`, `closed`,
    `login_level_too_low`, `text_version_not_current`, `idempotency_conflict`.
    """
    _check_own(actor, subject, circumstances)
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    head = locked_head(session, subject.network, now)
    sent = canonical_json(dict(form))
    earlier = _sent_before(session, subject, form_key, sent, circumstances.party)
    if earlier is not None:
        return earlier
    if study is not None:
        check_takes_part(session, subject.site, study)
    yes = [one.item for one in said if one.kind == "granted"]
    if yes:
        _check_yes(session, subject, circumstances, yes, now)
        if study is None or text_version != text_for(session, study, now).id:
            raise ConsentError("text_version_not_current")
    evidence = {"page_sha256": circumstances.page_sha256}
    about = ANY if study is None else study
    whole = Act(act, about, form_key, sent, text_version, language, circumstances, evidence)
    return write(session, subject, actor, head, whole, said, now)


def mark(
    session: Session, event: ConsentEvent, *, kind: str, reason: str, actor: Actor, now: datetime
) -> ConsentMark:
    """Write down what became known about an earlier event (consent.models.MARK_KINDS).

    reason: a short code, never a text about a person. Only the hospital of the patient, or the
    system where a rule says so, may do it: nobody at the hub can give a yes its force back.
    Raises ConsentError `not_your_own`; ValueError for another kind.
    """
    if kind not in MARK_KINDS:
        raise ValueError("a mark is one of " + ", ".join(MARK_KINDS))
    opens = kind in ("confirmed", "resumed")
    if not (actor.kind == "site" and actor.id == event.site) and (
        opens or actor.kind not in ("system", "patient")
    ):
        raise ConsentError("not_your_own")
    head = locked_head(session, event.network, now)
    return write_mark(session, event, kind, reason, head=head, actor=actor, now=now)


def _check_own(actor: Actor, subject: Subject, circumstances: Circumstances) -> None:
    # Nobody at the hub can make a choice for a patient, not even an administrator. The hospital
    # can write down what the patient signed on paper; it vouches for that itself.
    own = actor.kind == "patient" and actor.id == subject.id
    paper = actor.kind == "site" and actor.id == subject.site and circumstances.channel == PAPER
    if not own and not paper:
        raise ConsentError("not_your_own")


def _check_yes(
    session: Session,
    subject: Subject,
    circumstances: Circumstances,
    yes: Sequence[str],
    now: datetime,
) -> None:
    """Whether a yes to these items may be given now, and by someone who came in like this."""
    if not yes:
        return
    if is_closed(session, subject.id):
        raise ConsentError("closed")
    known = [item for item in yes if item in ITEMS]
    levels.check(session, subject.network, circumstances.login_level, circumstances.channel, known)


def check_takes_part(session: Session, site: str, study: str) -> None:
    """Raise ConsentError `study_not_found` unless the hospital was asked for the study."""
    part = session.scalars(
        select(Participation.id).where(
            Participation.study == study, Participation.institution == site
        )
    ).first()
    if part is None:
        raise ConsentError("study_not_found")


def check_answers(answers: Mapping[str, str], text: TextVersion, language: str) -> None:
    """Raise ConsentError unless these answer every item of the text, in a language there is."""
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    items = text.content["items"]
    if any(item not in items for item in answers):
        raise ConsentError("unknown_item")
    if any(answer not in KIND_OF_ANSWER for answer in answers.values()):
        raise ConsentError("unknown_answer")
    if any(item not in answers for item in items):
        raise ConsentError("answer_missing")


def _sent_before(
    session: Session, subject: Subject, form_key: str, form: str, party: str
) -> Receipt | None:
    receipt = session.scalars(
        select(Receipt).where(Receipt.subject_id == subject.id, Receipt.form_key == form_key)
    ).first()
    # The same answers of the other parent are another act, with a receipt of its own.
    if receipt is not None and (receipt.form_sha256, receipt.party) != (sha256_hex(form), party):
        raise ConsentError("idempotency_conflict")
    return receipt
