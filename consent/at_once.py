"""Writing down the forms of many patients of one hospital at once, as after moving from another
register: the same events, leaves, receipts and proofs as one by one, in far fewer statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from consent import levels
from consent.acts import AS_USUAL, Act, Circumstances, Drawn, Said, draw_up, locked_head, store
from consent.closing import is_closed
from consent.errors import ConsentError
from consent.items import ITEMS, LANGUAGES
from consent.models import Receipt, Subject
from consent.proof import Prove
from consent.recording import KIND_OF_ANSWER, check_answers, check_takes_part
from consent.renewing import periods_of
from consent.rule import ANY
from consent.subjects import handle_text, patient
from consent.texts import text_for
from studies.actor import Actor
from studies.base import canonical_json, new_id
from studies.events import announce
from studies.models import Institution

AT_ONCE: Final = 2_000


@dataclass(frozen=True)
class Form:
    """What one patient said about the study, for themself.

    answers: item code -> "yes", "no" or "later", for each item of the text; None: stop with the
    study. form_key: of the form, once per patient. prove: makes the proof of a yes; without one a
    yes counts at no hospital.
    """

    handle: bytes
    answers: Mapping[str, str] | None
    form_key: str
    prove: Prove | None = None


def record_at_once(
    session: Session,
    *,
    site: str,
    network: str,
    study: str,
    text_version: str,
    language: str,
    forms: Sequence[Form],
    actor: Actor,
    now: datetime,
) -> dict[bytes, str]:
    """Write down many forms as `consent.service.record` and `withdraw` write one; give the id of
    the subject behind each handle. A new handle becomes a subject.

    actor: who brings the forms; every event is its patient's own. Nothing is taken twice: a form
    key that a patient used before is an error here. Raises ConsentError: `unknown_site`,
    `study_not_found`, `unknown_language`, `text_version_not_current`, `text_not_found`,
    `unknown_item`, `unknown_answer`, `answer_missing`, `login_level_too_low`, `closed`,
    `idempotency_conflict`.
    """
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    if session.get(Institution, site) is None:
        raise ConsentError("unknown_site")
    check_takes_part(session, site, study)
    text = text_for(session, study, now)
    if text.id != text_version:
        raise ConsentError("text_version_not_current")
    # As good as always the same few sets of answers, each checked once.
    kinds = {tuple(sorted(form.answers.items())) for form in forms if form.answers is not None}
    for kind in kinds:
        check_answers(dict(kind), text, language)
    yes = {item for kind in kinds for item, said in kind if said == "yes" and item in ITEMS}
    levels.check(session, network, AS_USUAL.login_level, AS_USUAL.channel, sorted(yes))
    if len({(form.handle, form.form_key) for form in forms}) != len(forms):
        raise ConsentError("idempotency_conflict")
    head = locked_head(session, network, now)
    use = periods_of(session, network).use
    found: dict[bytes, str] = {}
    for start in range(0, len(forms), AT_ONCE):
        some = forms[start : start + AT_ONCE]
        subjects = _subjects(session, site, network, some, now)
        _check_new(session, subjects, some)
        drawn: list[Drawn] = []
        for form in some:
            subject = subjects[form.handle]
            act, said = _act(form, study, text.content["items"], text_version, language)
            drawn.append(draw_up(subject, patient(subject), head, act, said, now, use))
            found[form.handle] = subject.id
        store(session, network, drawn)
    announce(
        session,
        actor=actor,
        action="consent.recorded",
        about=f"institution:{site}",
        facts={"acts": len(forms), "study": study, "tree_size": head.size},
    )
    return found


def _subjects(
    session: Session, site: str, network: str, forms: Sequence[Form], now: datetime
) -> dict[bytes, Subject]:
    """The subject of each form, made where it is new. They stay outside the session: thousands of
    objects that nothing changes would only be looked through at every flush."""
    texts = {form.handle: handle_text(form.handle) for form in forms}
    handles = list(texts.values())
    known = {
        subject.handle: subject
        for start in range(0, len(handles), 500)
        for subject in session.scalars(
            select(Subject).where(
                Subject.site == site, Subject.handle.in_(handles[start : start + 500])
            )
        )
    }
    fresh = {
        text: {"id": new_id(), "site": site, "handle": text, "network": network, "created_at": now}
        for text in handles
        if text not in known
    }
    if fresh:
        session.execute(insert(Subject), list(fresh.values()))
    made = {text: Subject(**values) for text, values in fresh.items()}
    return {handle: known.get(text) or made[text] for handle, text in texts.items()}


def _check_new(session: Session, subjects: Mapping[bytes, Subject], forms: Sequence[Form]) -> None:
    for form in forms:
        subject = subjects[form.handle]
        if subject not in session:  # made just now: nothing was said yet
            continue
        sent = select(Receipt.id).where(
            Receipt.subject_id == subject.id, Receipt.form_key == form.form_key
        )
        if session.scalars(sent).first() is not None:
            raise ConsentError("idempotency_conflict")
        if form.answers is not None and is_closed(session, subject.id):
            raise ConsentError("closed")


def _act(
    form: Form, study: str, items: Sequence[str], text_version: str, language: str
) -> tuple[Act, list[Said]]:
    around = Circumstances(prove=form.prove)
    if form.answers is None:
        sent = canonical_json({"withdraw": study, "language": language})
        evidence = {"page_sha256": around.page_sha256}
        act = Act("withdraw", study, form.form_key, sent, None, language, around, evidence)
        return act, [Said("withdrawn", ANY, study, ANY)]
    sent = canonical_json(
        {
            "study": study,
            "text": text_version,
            "answers": dict(form.answers),
            "language": language,
        }
    )
    said = [
        Said(KIND_OF_ANSWER[form.answers[item]], item, study, ITEMS[item].category)
        for item in items
    ]
    given = {
        "answers": [[item, form.answers[item]] for item in items],
        "page_sha256": around.page_sha256,
    }
    return Act("record", study, form.form_key, sent, text_version, language, around, given), said
