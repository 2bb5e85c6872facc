"""Whether a question may be answered anew, given everything this site answered before."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta

from federation.disclosure.auditor import Auditor, Bitmap, Judgement
from federation.disclosure.looking import Agreement, Recognises
from federation.disclosure.policy import Budget
from federation.disclosure.rosters import gives_away
from federation.methods.labels import set_labels
from federation.query.refusals import Refused
from federation.site.checks import Question
from federation.site.history.ledger import SiteLedger
from federation.site.history.marking import Marking
from federation.site.history.recognising import Recognising
from federation.site.journal import Journal, RunState
from federation.site.selection import Counted, judged
from federation.site.step_message import StepMessage

BUDGET_DAYS = timedelta(days=30)


@dataclass(frozen=True)
class Decision:
    """charge: the ledger gets an entry. replay: point to this earlier run instead of answering.
    judgement: what the auditor says of the sets; None when there is nothing new to judge."""

    charge: bool
    replay: RunState | None = None
    judgement: Judgement | None = None


ANSWER_FREE = Decision(charge=False)


class History:
    """The rules W3 and H1 to H6 of disclosure.md over this site's journal and ledger."""

    def __init__(
        self,
        journal: Journal,
        ledger: SiteLedger,
        marking: Marking,
        recognising: Recognising,
        budget: Budget,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._marking = marking
        self._budget = budget
        self._recognising = recognising
        self._agreed = ("", Agreement(frozenset(), 0))
        self._auditor: Auditor | None = None
        self._t = -1
        self._last_entry = 0
        self._entries: dict[Bitmap, list[int]] = {}  # the answers that described a set

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
        """Answer and charge, answer without a charge, or replay. Raises Refused ROSTER, BUDGET,
        and SMALL_GROUP when an unfinished question is asked again about other patients. The
        judgement is the caller's to act on. Nothing is written here."""
        if not question.ask.strict:
            return ANSWER_FREE
        earlier = self._latest(question)
        same_sets = earlier is not None and earlier.sets_sha256 == counted.sets_sha256
        again = earlier is not None and asked.again and _recent(earlier, question, now)
        if again and not same_sets:
            raise Refused("SMALL_GROUP")
        auditor = self._up_to_date(question.ask.terms.diff.t_diff)
        if not counted.contributes:
            sets = len(set_labels(question.method, question.ask)) + 1
            return Decision(charge=False, judgement=auditor.judge_nobody(sets))
        self._check_roster(question, asked, counted, auditor)
        if again:
            return ANSWER_FREE
        judgement = judged(auditor, counted, question.ask.terms.t_complement)
        self._check_budget(asked, now)
        return Decision(charge=True, judgement=judgement)

    @property
    def entries(self) -> int:
        """The last answer in the ledger that was looked at."""
        return self._last_entry

    def budget_from(self, requester: str, now: datetime) -> datetime | None:
        """When this researcher may ask something new again; None when that is now (H6)."""
        most = self._budget.new_sets_per_researcher_30d
        charged = self._ledger.charged_to(requester, now - BUDGET_DAYS)
        return None if len(charged) < most else charged[-most] + BUDGET_DAYS

    def recognises(self, question: Question, run: str, *, whole: bool = False) -> Recognises:
        """Which sets of this run earlier answers make up at all hospitals alike. `whole`: sets of
        the patients of all hospitals, also of one that gives no answer by_site."""
        method, ask = question.method, question.ask
        return lambda marks: self._recognising.recognises(run, method, ask, marks, whole=whole)

    def note(self, run: str, agreement: Agreement) -> None:
        """Hold what the hospitals know the sets of this run by until sums leave."""
        self._agreed = (run, agreement)

    def doubted(self, run: str) -> frozenset[str]:
        """The cells of this run that this hospital does not recognise."""
        agreed_run, agreement = self._agreed
        return agreement.doubted if agreed_run == run else frozenset()

    def keep_marks(self, run: str) -> None:
        """Keep them, in the transaction in which the sums become an answer."""
        agreed_run, agreement = self._agreed
        if agreed_run == run:
            self._marking.keep(run, agreement.marks)
            apart = {
                label: mark
                for label, mark in agreement.whole.items()
                if agreement.marks.get(label) != mark
            }
            self._marking.keep(run, apart, whole=True)

    def _check_budget(self, asked: StepMessage, now: datetime) -> None:
        again = self.budget_from(asked.requester, now)
        if again is not None:
            # By day: the moment itself is that of another question.
            raise Refused("BUDGET", again_from=(again + timedelta(days=1)).date())

    def _up_to_date(self, t: int) -> Auditor:
        """The auditor with every answer in the ledger; made anew for another threshold."""
        if self._auditor is None or self._t != t:
            # Nobody outside may know on which columns a set is looked at first.
            self._auditor = Auditor(t, int.from_bytes(os.urandom(16), "big"))
            self._t, self._last_entry, self._entries = t, 0, {}
        answers = list(self._ledger.since(self._last_entry))
        if not answers:
            return self._auditor
        if len(answers) == 1:
            self._auditor.add(answers[0].sets)
        else:
            self._auditor.load(answered.sets for answered in answers)
        for answered in answers:
            self._last_entry = answered.entry
            for _, bitmap in answered.sets:
                self._entries.setdefault(bitmap, []).append(answered.entry)
        return self._auditor

    def _latest(self, question: Question) -> RunState | None:
        return self._journal.latest(question.ask.query.question_sha256, question.study.slug)

    def _check_roster(
        self, question: Question, asked: StepMessage, counted: Counted, auditor: Auditor
    ) -> None:
        """The same patients asked of other hospitals would give away the hospitals that differ."""
        roster, few = frozenset(asked.roster), question.ask.terms.min_sites
        looked: set[frozenset[int]] = set()  # the sets of one answer were mostly asked together
        for _, bitmap in counted.charged:
            found = auditor.near(bitmap) if bitmap else []
            entries = frozenset(entry for near in found for entry in self._entries[near])
            if entries in looked:
                continue
            looked.add(entries)
            if gives_away(roster, self._ledger.rosters(entries), few) is not None:
                raise Refused("ROSTER")


def _recent(earlier: RunState, question: Question, now: datetime) -> bool:
    days = question.ask.terms.diff.replay_days
    return now - earlier.started_at < timedelta(days=days)
