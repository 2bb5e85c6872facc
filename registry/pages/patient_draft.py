"""The form of one study for the signed-in patient: its text, its pages, the answers so far."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from consent import service as consent
from consent.errors import ConsentError
from consent.models import ConsentEvent, Subject, TextVersion
from consent.rule import ANY
from consent.texts import to_ask_again
from registry.accounts import proving
from registry.app import hub
from registry.forms import answers as drafts
from registry.forms import sections as asked
from registry.forms.answers import Answers, Place
from registry.forms.sections import Section
from registry.pages.patient_person import me
from registry.translate import language
from studies.models import Study

ANSWER_OF = {
    "granted": asked.YES,
    "refused": asked.NO,
    "withdrawn": asked.NO,
    "objected": asked.NO,
    "deferred": asked.LATER,
}


@dataclass(frozen=True)
class Form:
    """The form of one study in the reader's language: its text and the answers so far."""

    study: Study
    version: TextVersion
    words: Mapping[str, Any]
    items: tuple[str, ...]
    pages: tuple[Section, ...]
    answers: Answers

    @property
    def missing(self) -> tuple[str, ...]:
        """What still needs an answer."""
        return asked.missing(self.items, self.answers.given)

    @property
    def next_page(self) -> int | None:
        """The first page with a question that needs an answer; None when all have one."""
        return next(
            (n for n, page in enumerate(self.pages, 1) if set(page.items) & set(self.missing)), None
        )

    def page(self, number: int) -> Section:
        """A page by its number from 1; 404 for any other."""
        if not 1 <= number <= len(self.pages):
            raise NotFound
        return self.pages[number - 1]

    def page_of(self, item: str) -> int:
        """The number of the page that asks `item`; 404 for an item of another text."""
        for number, page in enumerate(self.pages, 1):
            if item in page.items:
                return number
        raise NotFound


def speaker() -> str:
    """Who speaks: "self", or the representative whose letter was used."""
    return proving.circumstances("").party


def form_of(session: Session, slug: str) -> Form:
    """The form for a study this patient was asked about; 404 for any other."""
    subject = me(session)
    study = study_of(session, subject, slug)
    try:
        version = consent.text_for(session, slug, g.now)
    except ConsentError:
        raise NotFound from None
    items = tuple(version.content["items"])
    return Form(
        study,
        version,
        version.content[language()],
        items,
        asked.sections(items),
        drafts.get(session, place_of(subject, slug), version.id, g.now),
    )


def study_of(session: Session, subject: Subject, slug: str) -> Study:
    """A study this patient was asked about or said something about; 404 for any other."""
    mine = {each.study.slug: each.study for each in consent.choices(session, subject, g.now)}
    if slug not in mine:
        raise NotFound
    return mine[slug]


def place_of(subject: Subject, slug: str) -> Place:
    """Where this speaker's draft about a study is kept."""
    return Place(subject.id, speaker(), slug, hub().settings.secret_key)


def keep(session: Session, form: Form, answers: Answers) -> None:
    """Store the answers so far. They are never counted."""
    drafts.keep(session, place_of(me(session), form.study.slug), answers, g.now)


def recorded_answers(session: Session, form: Form) -> dict[str, str]:
    """What this speaker has recorded about the study, as answers to the text that is in force now.

    Left out, and so asked: what was never answered, and what means more in this text than in the
    one that was agreed to.
    """
    subject = me(session)
    events = session.scalars(
        select(ConsentEvent)
        .where(
            ConsentEvent.subject_id == subject.id,
            ConsentEvent.party == speaker(),
            ConsentEvent.study.in_((form.study.slug, ANY)),
        )
        .order_by(ConsentEvent.leaf)
    ).all()
    given: dict[str, str] = {}
    for item in form.items:
        last = next((each for each in reversed(events) if each.item in (item, ANY)), None)
        if last is not None and not _means_more(session, last, form.version):
            given[item] = ANSWER_OF[last.kind]
    # What was not asked, because of a "no" to something else, is asked when that is allowed.
    return {
        item: answer
        for item, answer in given.items()
        if answer != asked.LATER or asked.closed_by(item, given) is None
    }


def _means_more(session: Session, last: ConsentEvent, now: TextVersion) -> bool:
    """Whether a yes was given on a text that asked for less than the one in force."""
    if last.kind != "granted" or last.text_version in (None, now.id):
        return False
    old = session.get_one(TextVersion, last.text_version)
    return last.item in to_ask_again(session, old, now, g.now)


def page_sha256(form: Form, said: Mapping[str, str]) -> str:
    """Fingerprint of what the check page showed: language, text, questions and answers."""
    questions = form.words["questions"]
    shown = [
        language(),
        form.version.id,
        *([questions[i]["legend"], form.words["answers"][said[i]]] for i in form.items),
    ]
    return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()
