"""Whether a question may be answered anew, given everything this site answered before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from federation.disclosure.auditor import Auditor, Judgement
from federation.query.refusals import Refused
from federation.site.checks import Question
from federation.site.journal import Journal, RunState
from federation.site.ledger import SiteLedger
from federation.site.selection import Counted
from federation.site.step_message import StepMessage


@dataclass(frozen=True)
class Decision:
    """charge: the ledger gets an entry. replay: point to this earlier run instead of answering.
    judgement: what the auditor says of the sets; None when there is nothing new to judge."""

    charge: bool
    replay: RunState | None = None
    judgement: Judgement | None = None


ANSWER_FREE = Decision(charge=False)


class History:
    """The rules W3 and H1 to H5 of disclosure.md over this site's journal and ledger."""

    def __init__(self, journal: Journal, ledger: SiteLedger) -> None:
        self._journal = journal
        self._ledger = ledger

    def replay(self, question: Question, asked: StepMessage, now: datetime) -> RunState | None:
        """The earlier run whose answer stands, before any row is read: within `replay_days` the
        same question gets the old answer, whether or not anything changed."""
        if not question.ask.strict or asked.again:
            return None
        earlier = self._latest(question)
        return earlier if earlier is not None and _recent(earlier, question, now) else None

    def decide(
        self, question: Question, asked: StepMessage, counted: Counted, now: datetime
    ) -> Decision:
        """Answer and charge, answer without a charge, or replay. Raises Refused ROSTER, and
        SMALL_GROUP when an unfinished question is asked again about other patients. The judgement
        is the caller's to act on. Nothing is written here."""
        if not question.ask.strict:
            return ANSWER_FREE
        earlier = self._latest(question)
        same_sets = earlier is not None and earlier.sets_sha256 == counted.sets_sha256
        if earlier is not None and asked.again and _recent(earlier, question, now):
            if not same_sets:
                raise Refused("SMALL_GROUP")
            self._check_roster(question, asked, counted, now)
            return ANSWER_FREE
        if not counted.contributes:
            return ANSWER_FREE
        self._check_roster(question, asked, counted, now)
        terms = question.ask.terms
        auditor = Auditor(terms.diff.t_diff, terms.t_complement)
        for answered in self._ledger.answered():
            auditor.add(answered.sets)
        judgement = auditor.judge(counted.named, counted.population)
        if judgement.rule and earlier is not None and not asked.again:
            # Changed by a few patients since the old answer: that one stays (W3).
            return Decision(charge=False, replay=earlier)
        return Decision(charge=True, judgement=judgement)

    def _latest(self, question: Question) -> RunState | None:
        return self._journal.latest(question.ask.query.question_sha256, question.study.slug)

    def _check_roster(
        self, question: Question, asked: StepMessage, counted: Counted, now: datetime
    ) -> None:
        """The same patients asked of almost the same hospitals would give away the hospitals
        that differ, by subtraction."""
        if not counted.contributes:
            return
        terms = question.ask.terms
        since = now - timedelta(days=terms.diff.replay_days)
        roster = frozenset(asked.roster)
        for before in self._journal.rosters(counted.analysis_sha256, since):
            if 0 < len(roster ^ before) < terms.min_sites:
                raise Refused("ROSTER")


def _recent(earlier: RunState, question: Question, now: datetime) -> bool:
    days = question.ask.terms.diff.replay_days
    return now - earlier.started_at < timedelta(days=days)
