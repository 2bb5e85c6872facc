"""Whether a question may be answered now, and what this hospital says of it in the look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from federation.disclosure.looking import LOOK, Alone, Votes
from federation.disclosure.marks import Mark
from federation.methods.labels import set_labels
from federation.query.refusals import Refused
from federation.site.alone import OwnReleases
from federation.site.answering import Prepared, adds
from federation.site.checks import Question
from federation.site.history.history import ANSWER_FREE, Decision, History
from federation.site.history.marking import Marking
from federation.site.journal import Journal, RunState
from federation.site.selection import STAYS_OUT, Counted
from federation.site.step_message import StepMessage
from federation.site.voting import votes_of


@dataclass(frozen=True)
class Judged:
    """`counted`: whom this hospital counts, nobody where it stays out. `votes`: what it says now.
    With `decision.replay` the others are not set: an earlier answer stands."""

    decision: Decision
    counted: Counted
    votes: Votes


class Judging:
    """The rules over everything this hospital answered before, pooled and alone."""

    def __init__(
        self,
        journal: Journal,
        history: History,
        marking: Marking,
        own: OwnReleases,
        rank_share: float,
    ) -> None:
        self._journal = journal
        self._history = history
        self._marking = marking
        self._own = own
        self._share = rank_share

    def judge(
        self,
        question: Question,
        asked: StepMessage,
        state: RunState | None,
        prepared: Prepared,
        now: datetime,
    ) -> Judged:
        """The judgement at this step; `state` None in the look itself.

        Raises Refused as `History.decide` and `OwnReleases.hides`; CONSENT_UNAVAILABLE when what is
        counted or said has changed since the look, so that the hub begins anew.
        """
        counted = _counted(prepared.counted, state)
        if not question.ask.strict or not (state is None or state.step.name == LOOK):
            return Judged(ANSWER_FREE, counted, Votes.none(0))
        if asked.again and self._was_silent(question):
            counted = counted.silent
        decision = self._history.decide(question, asked, counted, now)
        if decision.replay is not None:
            return Judged(decision, counted, Votes.none(0))
        hidden: frozenset[str] | None = frozenset()
        if decision.judgement is not None and counted.contributes:
            hidden = self._own.hides(
                question.method, question.ask, decision.judgement, counted, self._share
            )
            if hidden is None and state is not None:
                raise Refused("CONSENT_UNAVAILABLE")  # a new look, at which it stays out
            if hidden is None:
                counted = counted.silent
                decision = self._history.decide(question, asked, counted, now)
        votes = self._votes(question, asked, decision, counted, hidden or frozenset())
        if question.ask.query.output == "by_site":
            mine = adds(question, replace(prepared, counted=counted), votes)
            objects = self._own.objects(question.ask, counted)
            alone = Alone(objects, counted.n if mine else 0, self._whole(counted, len(votes.told)))
            votes = replace(votes, alone=alone)
        if state is not None and (state.votes is None or not state.votes.same(votes)):
            # Another answer left since the look: what all agreed on may no longer hold.
            raise Refused("CONSENT_UNAVAILABLE")
        return Judged(decision, counted, votes)

    def _votes(
        self,
        question: Question,
        asked: StepMessage,
        decision: Decision,
        counted: Counted,
        hidden: frozenset[str],
    ) -> Votes:
        """What this hospital says in the look. Asked again what was charged but never released,
        it says again what it said then: later answers were judged with these sets in sight."""
        judged = decision.judgement
        if judged is None:
            earlier = self._journal.latest(question.ask.query.question_sha256, question.study.slug)
            if asked.again and earlier is not None and earlier.votes is not None:
                return earlier.votes
            return Votes.none(len(set_labels(question.method, question.ask)) + 1)
        parts = self._marking.parts([bitmap for _, bitmap in counted.named])
        return votes_of(question, counted, judged, hidden, parts, self._history.entries)

    def _was_silent(self, question: Question) -> bool:
        """Whether this hospital stayed out of this question when it was asked before: it does so
        again, whatever it answered since."""
        earlier = self._journal.latest(question.ask.query.question_sha256, question.study.slug)
        return earlier is not None and earlier.sets_sha256 == STAYS_OUT.sets_sha256

    def _whole(self, counted: Counted, sets: int) -> tuple[Mark, ...]:
        """This hospital's part of the marks of all hospitals' sets, whether it answers or not."""
        named = counted.named or counted.kept_back[:sets]
        return tuple(self._marking.parts([bitmap for _, bitmap in named]))


def _counted(counted: Counted, state: RunState | None) -> Counted:
    """Whom this run counts here. Raises Refused CONSENT_UNAVAILABLE."""
    if state is None or state.sets_sha256 == counted.sets_sha256:
        return counted
    if state.sets_sha256 == STAYS_OUT.sets_sha256:
        return counted.silent
    # Somebody withdrew, or data changed, between two steps: sums over different patients may not be
    # combined, so the hub has to begin anew.
    raise Refused("CONSENT_UNAVAILABLE")
