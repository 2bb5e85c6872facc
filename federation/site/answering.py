"""What a reply to one step holds: votes, sums of those who count, or the hospital's own answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from federation.disclosure.looking import COHORT, LOOK, Votes, doubts
from federation.methods.base import Rows, Step, Sums
from federation.methods.labels import set_labels
from federation.methods.own import has_pooled_part, is_own, is_ready, weighs
from federation.query.refusals import Refused
from federation.site.alone import hidden_alone, own_answer
from federation.site.checks import Question
from federation.site.replies import CountedBy, Replies
from federation.site.selection import Counted, Selection
from federation.site.step_message import StepMessage


@dataclass(frozen=True)
class Prepared:
    """The rows of a run, kept between its steps. Valid for one state of consent (Consenting.state)
    and version of the data. head: of the log of choices, as the consent list told it."""

    consent: tuple[int, int]
    version: str
    selection: Selection
    counted: Counted
    head: tuple[int, str] | None

    @property
    def rows(self) -> int:
        """How many rows it holds, or knows the place of."""
        return len(self.selection.places) + len(self.selection.outside)


class Answering:
    """Works out the answer to one step and has it written as a signed reply."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def reply(
        self,
        question: Question,
        asked: StepMessage,
        step: Step,
        prepared: Prepared,
        votes: Votes,
        doubted: frozenset[str] | None,
        now: datetime,
    ) -> bytes:
        """The signed reply. `votes`: what this hospital says, or said, in the look of this run.
        `doubted`: sets it does not recognise, said with the first sums after the look; else None.

        Raises Refused as the method, the gate and the allow-list do.
        """
        ask, study = question.ask, question.study
        counted_by = CountedBy(study.slug, study.requires, prepared.consent[0], prepared.head)
        if is_own(step) and ask.query.output == "by_site":
            answer = self._alone(question, step, prepared, votes)
            return self._replies.own(asked, ask, study, answer, counted_by=counted_by, now=now)
        sums = votes.sums() if step.name == LOOK else _sums(question, step, prepared, votes)
        if doubted is not None:
            labels = (*set_labels(question.method, ask), COHORT)
            sums = {**sums, **doubts(labels, doubted)}
        return self._replies.answer(
            asked,
            ask,
            sums,
            _standing_behind(question, prepared, votes, step),
            plain=step.labelled or (ask.query.output == "by_site" and not ask.strict),
            counted_by=counted_by,
            now=now,
        )

    def _alone(
        self, question: Question, step: Step, prepared: Prepared, votes: Votes
    ) -> dict[str, object]:
        method, ask, counted = question.method, question.ask, prepared.counted
        if ask.strict and (not counted.contributes or counted.n < ask.terms.t_cell):
            raise Refused("SMALL_GROUP")
        hide: frozenset[str] = frozenset()
        if ask.strict:
            hide = hidden_alone(method, ask, votes)
        return own_answer(method, ask, step, prepared.selection.rows, hide)


def adds(question: Question, prepared: Prepared, votes: Votes) -> bool:
    """Whether this hospital's patients are in what is added up over the hospitals. Said in the
    look, so that each knows before a sum leaves it how many others stand behind it."""
    method, ask = question.method, question.ask
    if not prepared.counted.contributes:
        return False
    if ask.query.output != "by_site":
        return True
    return has_pooled_part(method) and weighs(method, ask, _own_rows(question, prepared, votes))


def _standing_behind(question: Question, prepared: Prepared, votes: Votes, step: Step) -> Counted:
    """Who answers, in the look and when all say that they are ready; else whom this hospital adds
    to the sums of all."""
    counted = prepared.counted
    answers = step.name == LOOK or is_ready(step)
    if answers or not question.ask.strict or adds(question, prepared, votes):
        return counted
    return replace(counted, contributes=False)


def _own_rows(question: Question, prepared: Prepared, votes: Votes) -> Rows:
    """The rows, with what this hospital's own answer must hide."""
    hide = hidden_alone(question.method, question.ask, votes)
    return replace(prepared.selection.rows, held_back=hide)


def _sums(question: Question, step: Step, prepared: Prepared, votes: Votes) -> Sums:
    """The sums of the patients who count; of nobody when they are too few here."""
    if is_ready(step):
        return {"ready": np.array([1])}
    rows: Rows = prepared.selection.rows
    if not prepared.counted.contributes:
        rows = rows.select(np.zeros(rows.n, np.bool_))
    elif question.ask.strict and question.ask.query.output == "by_site":
        rows = _own_rows(question, prepared, votes)
    with np.errstate(all="ignore"):
        return question.method.site(question.ask, step, rows)
