"""A patient's questionnaire on the hub: open only with the secret of the patient's own letter.

The key stands in the browser's sealed cookie (registry/accounts/proving.py). Drafts are sealed with
a key made from it, so the hub's own secret opens none of them; what is sent is sealed to the key of
the hospital. While a request is answered, the hub's memory holds what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from flask import g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from consent import reporting
from consent.answered import Answered, open_own, seal_own
from consent.models import Subject
from consent.models_reports import PromAsk, PromSealed, PromWording
from consent.reading import StudyChoices
from consent.reporting import Asked
from federation.prom.instruments import Instrument, by_slug
from federation.prom.wording import Wording, read_wording
from federation.protocol.sealing import seal
from registry.accounts import proving
from registry.pages.patient_draft import speaker
from registry.pages.patient_person import me
from registry.translate import language
from studies.days import local_day
from studies.models import SiteNode

OWN_SCORES = "own-scores"
QUESTIONNAIRES = "contact.questionnaire"
_DRAFT = "answers-draft"


@dataclass(frozen=True)
class LetterKey:
    """The letter that this browser showed, and the key made from its secret."""

    code_id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Answers:
    """What was filled in so far: item -> answer. number: of the statement that it becomes, so that
    sending twice is sending once. seen: the screens that were passed."""

    number: str
    given: Mapping[str, int] = field(default_factory=dict)
    seen: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """One questionnaire that the signed-in patient is asked. wording: where there is a licence."""

    subject: Subject
    asked: Asked
    instrument: Instrument
    wording: Wording | None

    @property
    def place(self) -> dict[str, Any]:
        """Where it is, for addresses."""
        return {"instrument": self.instrument.slug, "timepoint": self.asked.ask.timepoint}

    @property
    def bound(self) -> str:
        """To what a draft belongs: moved elsewhere it opens no more."""
        return f"{self.subject.id}|{self.instrument.code}|{self.asked.ask.timepoint}"


def letter_key() -> LetterKey | None:
    """The key of the patient's own letter; None when the letter must be asked for."""
    if proving.prover() is None or g.letter is None or g.proof_key is None:
        return None
    return LetterKey(g.letter, g.proof_key)


def asked_of_me(session: Session) -> list[Asked]:
    """What the hospital asks of the signed-in patient; nothing of who speaks for somebody else."""
    if speaker() != "self":
        return []
    return reporting.asked(session, me(session), local_day(g.now))


def open_now(session: Session, choices: Sequence[StudyChoices]) -> int:
    """How many questionnaires may be filled in now, where the page may say so.

    choices: what the patient chose; who wants no questions is not reminded of any.
    """
    if not wants_questions(choices) or not reporting.may_remind(session, me(session)):
        return 0
    return sum(each.may_answer for each in asked_of_me(session))


def wants_questions(choices: Sequence[StudyChoices]) -> bool:
    """Whether nobody said "no questionnaires", or somebody says yes to them somewhere."""
    states = {item.state for each in choices for item in each.items if item.item == QUESTIONNAIRES}
    return "granted" in states or not states & {"refused", "withdrawn", "objected"}


def sheet(session: Session, slug: str, timepoint: str) -> Sheet:
    """A questionnaire of the signed-in patient that may be filled in now; 404 for any other."""
    found = by_slug(slug)
    for each in asked_of_me(session):
        same = (each.ask.instrument, each.ask.timepoint)
        if found is not None and same == (found.code, timepoint):
            return Sheet(me(session), each, found, wording_of(session, found.code))
    raise NotFound


def wording_of(session: Session, instrument: str) -> Wording | None:
    """The licensed wording in the reader's language, where somebody brought one."""
    row = session.get(PromWording, (instrument, language()))
    return None if row is None else read_wording(row.content)


def draft(session: Session, found: Sheet, key: LetterKey) -> Answers:
    """What was filled in so far; nothing when it is old, or was closed with another letter."""
    sealed = reporting.draft(session, found.subject, found.asked.ask, g.now)
    value = None if sealed is None else open_own(key.key, key.code_id, _DRAFT, found.bound, sealed)
    if value is None:
        return Answers(str(uuid4()))
    return Answers(value["number"], value["given"], tuple(value["seen"]))


def keep(session: Session, found: Sheet, key: LetterKey, answers: Answers) -> None:
    """Keep what was filled in so far, for the patient alone."""
    value: dict[str, Any] = {
        "number": answers.number,
        "given": dict(answers.given),
        "seen": list(answers.seen),
    }
    sealed = seal_own(key.key, key.code_id, _DRAFT, found.bound, value)
    reporting.keep_draft(session, found.subject, found.asked.ask, sealed, g.now)


def throw_away(session: Session, ask: PromAsk) -> None:
    """Forget what was filled in."""
    reporting.forget_draft(session, me(session), ask)


def send(session: Session, found: Sheet, key: LetterKey, answers: Answers) -> PromSealed:
    """Seal the answers to the hospital's key, proved with the letter, and keep the bytes for it.

    404 where the hospital has no program that could take them. ConsentError
    `questionnaire_not_open`.
    """
    subject = found.subject
    node = session.get(SiteNode, subject.site)
    if node is None:
        raise NotFound
    said = Answered(
        id=answers.number,
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        instrument=found.instrument.code,
        version=found.instrument.version,
        timepoint=found.asked.ask.timepoint,
        day=local_day(g.now),
        language=language(),
        letter=key.code_id,
        answers=answers.given,
    )
    return reporting.send(
        session,
        subject,
        found.asked,
        number=answers.number,
        sealed=seal(said.to_bytes(key.key), node.box_pub),
        actor=g.actor,
        now=g.now,
    )


def own_scores(session: Session, key: LetterKey) -> list[list[Any]] | None:
    """The patient's own scores as the hospital sealed them: [day, instrument, time point, scores].

    None when they were sealed with another letter; empty when there are none.
    """
    subject = me(session)
    row = reporting.own(session, subject)
    if row is None:
        return []
    value = open_own(key.key, key.code_id, OWN_SCORES, subject.handle, row.sealed)
    return None if value is None else list(value["scores"])
