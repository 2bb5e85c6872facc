"""The order in which a hospital checks a question, and the one place from which answers leave.

size and shape, signature, addressed to this site, in time; not paused or turned down by the
hospital's own people; not seen before; study agreed here and query approved; thresholds, roster,
variables and kind; consent snapshot fresh; cohort AND consent; the history auditor's votes; the
method's guards; sums; masks; journal; signature. The first failure stops and becomes a signed
refusal with a public code (architecture.md, step 4).

Under protection step 0 is a look (federation.disclosure.looking): only votes leave, and no sum
before this site has added up the votes of all. In the last step of a question by_site the hospital
answers alone (federation.site.alone).

Result, ledger entry, journal and audit line are one local transaction, committed before a byte is
returned. The same step of the same run gets the journaled bytes; it is never computed again.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from federation.disclosure.looking import LOOK, Votes
from federation.disclosure.policy import PolicyError
from federation.methods.base import Step
from federation.methods.own import first_own_step
from federation.protocol.errors import ProtocolError
from federation.query.refusals import Refused
from federation.site.alone import Kept, OwnReleases
from federation.site.answering import Answering, Prepared
from federation.site.checks import Question, Questions, check_approval
from federation.site.choices.consenting import Consenting
from federation.site.choices.uses import Uses
from federation.site.data.columns import DataStore
from federation.site.directory import SiteDirectory
from federation.site.errors import DataError
from federation.site.faults import point
from federation.site.history.history import History
from federation.site.history.ledger import SiteLedger
from federation.site.history.marking import Marking
from federation.site.history.recognising import Recognising
from federation.site.history.slots import Slots
from federation.site.history.withholding import Withholding
from federation.site.journal import Journal, RunState
from federation.site.judging import Judged, Judging
from federation.site.leaving import Leaving
from federation.site.replaying import agreed, next_step
from federation.site.replies import Replies
from federation.site.selection import count_sets, select
from federation.site.step_message import StepMessage, read_step
from federation.site.store import transaction

# Refusals that are an answer in themselves: asked again, the same bytes. The others may pass
# (a newer snapshot, an approval, repaired data) or are about a message we do not trust.
_FINAL = frozenset(
    "SMALL_GROUP MODEL_TOO_RICH MODEL_UNSTABLE INSTITUTION_HIDDEN NOT_IN_CATALOGUE TOO_FINE"
    " BUDGET".split()
)
# Runs of which the selected rows are kept from step to step: in a night of rounds many go on side
# by side. The rows of all of them together (and those outside, by place) bound the memory; the last
# two are kept whatever they hold.
_RUNS_IN_MEMORY = 64
_ROWS_IN_MEMORY = 400_000


@dataclass(frozen=True)
class Outgoing:
    """Signed bytes for the hub. code: OK, REPLAY or the public refusal code."""

    body: bytes
    code: str


class Pipeline:
    """Answers step messages. `answer` never raises and never returns anything unsigned."""

    def __init__(
        self, directory: SiteDirectory, database: sqlite3.Connection, consenting: Consenting
    ) -> None:
        self._directory = directory
        self._database = database
        self._consenting = consenting
        self._questions = Questions(directory)
        self._journal = Journal(database)
        self._leaving = Leaving(database, self._journal, directory.peers)
        self._ledger = SiteLedger(database)
        self._marking = Marking(database)
        seen, budget = Recognising(database, self._marking), directory.policy.budget
        self._history = History(self._journal, self._ledger, self._marking, seen, budget)
        self._slots = Slots(database)
        self._replies = Replies(directory)
        self._answering = Answering(self._replies)
        self._own = OwnReleases(database)
        self._judging = Judging(
            self._journal,
            self._history,
            self._marking,
            self._own,
            directory.policy.budget.rank_max_share_of_n,
        )
        self._withholding = Withholding(database, self._slots)
        self._uses = Uses(directory, database)
        self._stores = {
            name: DataStore(mapped, directory.handles)
            for name, mapped in directory.mappings.items()
        }
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()

    @property
    def stores(self) -> Mapping[str, DataStore]:
        """The hospital's data by mapping, as questions read them."""
        return self._stores

    def answer(self, data: bytes, now: datetime) -> Outgoing:
        """The signed reply to one message."""
        asked: StepMessage | None = None
        question: Question | None = None
        try:
            settings = self._directory.settings
            asked = read_step(data, slug=settings.slug, hub_public=settings.hub_public, now=now)
            point("N1")
            self._check_decided(asked)
            kept = self._journaled(asked)
            if kept is not None:
                return kept
            self._directory.policy.check(now)
            question = self._questions.read(asked)
            return self._work(question, asked, now)
        except Refused as error:
            refused, reason = error, ""
        except PolicyError:
            # The hospital's decision to be looser has ended: it has to decide again first.
            refused, reason = Refused("STUDY_NOT_OPEN"), "POLICY_ENDED"
        except ProtocolError as error:
            refused, reason = Refused("PROTOCOL"), error.code
        except DataError as error:
            refused, reason = Refused("DATA_MISMATCH"), error.code
        except Exception as error:
            # Only the name of the class: the text of an exception may hold data.
            refused, reason = Refused("INTERNAL_REFUSED"), type(error).__name__
        return self._refuse(asked, question, refused, reason, now)

    def _check_decided(self, asked: StepMessage) -> None:
        """What the hospital's own people decided comes first: then not even the bytes of an
        earlier answer are sent again."""
        if self._directory.stopped:
            raise Refused("PAUSED")
        if self._journal.refused_here(asked.query_sha256):
            raise Refused("QUERY_NOT_APPROVED")

    def _journaled(self, asked: StepMessage) -> Outgoing | None:
        """The bytes already sent for this step. ProtocolError when the step, or the number of
        the message, was used for something else."""
        seen = self._journal.message_of(asked.jti)
        if seen is not None and seen != asked.message_sha256:
            raise ProtocolError("REPLAYED_NUMBER")
        kept = self._journal.reply(asked.run, asked.step)
        if kept is None:
            return None
        if kept.content_sha256 != asked.content_sha256:
            raise ProtocolError("STEP_CONFLICT")
        return Outgoing(kept.reply, kept.code)

    def _work(self, question: Question, asked: StepMessage, now: datetime) -> Outgoing:
        self._check_approval(question, asked, now)
        self._questions.check(question, asked)
        state = self._state(asked)
        max_age = timedelta(minutes=self._directory.policy.consent_max_age_min)
        self._consenting.check(asked.min_snapshot, now, max_age)
        if state is None:
            self._check_withheld(question, asked, now)
            earlier = self._history.replay(question, asked, now)
            if earlier is not None:
                return self._replay(question, asked, earlier, now)
        prepared = self._prepare(question, asked)
        point("N3")
        step = self._step(question, asked, state)
        found = self._judging.judge(question, asked, state, prepared, now)
        if found.decision.replay is not None:
            return self._replay(question, asked, found.decision.replay, now)
        said = found.votes if state is None or state.votes is None else state.votes
        doubted: frozenset[str] | None = None
        if state is not None and state.step.name == LOOK:
            doubted = self._history.doubted(asked.run)
        prepared = replace(prepared, counted=found.counted)
        reply = self._answering.reply(question, asked, step, prepared, said, doubted, now)
        point("N4")
        self._commit(question, asked, state, step, prepared, found, said, reply, now)
        point("N5")
        return Outgoing(reply, "OK")

    def _check_withheld(self, question: Question, asked: StepMessage, now: datetime) -> None:
        if question.ask.strict and self._directory.policy.after_withdrawal == "withhold":
            selection, slug = self._prepare(question, asked).selection, question.study.slug
            self._withholding.check(slug, selection, question.ask.terms.diff.t_diff, now)

    def _check_approval(self, question: Question, asked: StepMessage, now: datetime) -> None:
        here = self._journal.approved_here(asked.query_sha256)
        try:
            check_approval(question.study, asked, here)
        except Refused:
            if asked.approval.get("query_sha256") == asked.query_sha256:
                # Only this hospital's own approval is missing: show the query to its people.
                with transaction(self._database):
                    self._journal.asked(
                        asked.query_sha256, question.study.slug, question.ask.query.to_dict(), now
                    )
            raise

    def _state(self, asked: StepMessage) -> RunState | None:
        """Where this site is in the run; None before step 0. ProtocolError for a step out of
        turn, Refused ROSTER when the hospitals changed since the last step."""
        state = self._journal.run(asked.run)
        if state is None:
            if asked.step != 0:
                raise ProtocolError("STEP_OUT_OF_TURN")
            if asked.previous:
                raise ProtocolError("PREVIOUS")
            return None
        if state.roster != tuple(sorted(asked.roster)):
            raise Refused("ROSTER")
        if asked.step != state.number + 1 or asked.run_sha256 != state.run_sha256:
            raise ProtocolError("STEP_OUT_OF_TURN")
        return state

    def _prepare(self, question: Question, asked: StepMessage) -> Prepared:
        """The rows and sets of this run: as they were, unless consent or data changed."""
        store, state = self._stores[question.study.mapping], self._consenting.state
        known = self._prepared.get(asked.run)
        version = store.table(question.ask.codebook).version
        if known is not None and (known.consent, known.version) == (state, version):
            return known
        selection = select(question, store, self._consenting)
        counted = count_sets(question, selection, self._slots)
        prepared = Prepared(state, version, selection, counted, self._consenting.head)
        self._prepared.pop(asked.run, None)
        self._prepared[asked.run] = prepared
        _forget_oldest(self._prepared)
        return prepared

    def _step(self, question: Question, asked: StepMessage, state: RunState | None) -> Step:
        """What is asked now, by this site's own arithmetic; ProtocolError when the hub says
        something else."""
        method, ask = question.method, question.ask
        by_site = ask.query.output == "by_site"
        # Beside its own steps a look; with output by_site those of being ready and of answering.
        if asked.step >= method.bounded_rounds + int(ask.strict) + 2 * int(by_site):
            raise ProtocolError("TOO_MANY_STEPS")
        if state is None:
            first = method.start(ask)  # which may refuse, before anything is said
            step = Step(LOOK) if ask.strict else first
        else:
            own = self._journal.reply(asked.run, state.number)
            if own is None:
                raise ProtocolError("STEP_OUT_OF_TURN")
            if state.step.name == LOOK:
                seen = self._history.recognises(question, asked.run)
                whole = self._history.recognises(question, asked.run, whole=True)
                agreement = agreed(method, ask, asked, own.reply, seen, whole)
                self._history.note(asked.run, agreement)
                if state.votes is not None:
                    share = self._directory.policy.budget.rank_max_share_of_n
                    agreement.check_rank(state.votes.rank, share)
                step = method.start(ask)
                if by_site:
                    step = first_own_step(method, ask, model=agreement.model)
            else:
                step = next_step(method, ask, state.step, asked, own.reply)
        if step.name != asked.step_name or (step.labelled and ask.strict):
            raise ProtocolError("WRONG_STEP")
        return step

    def _commit(
        self,
        question: Question,
        asked: StepMessage,
        state: RunState | None,
        step: Step,
        prepared: Prepared,
        found: Judged,
        said: Votes,
        reply: bytes,
        now: datetime,
    ) -> None:
        looked, counted = step.name == LOOK, found.counted
        first = state is not None and state.step.name == LOOK
        by_site = question.ask.query.output == "by_site"
        kept = Kept()
        if by_site and first and (found.decision.charge or not counted.contributes):
            rows = prepared.selection.rows
            kept = self._own.keeps(question.method, question.ask, rows, said, counted)
        with transaction(self._database):
            self._consenting.check_still(self._prepared[asked.run].consent, now)
            if first:
                self._history.keep_marks(asked.run)
            kept.write(self._database, asked.run)
            if found.decision.charge and not looked:
                self._ledger.record(
                    question.ask.query.question_sha256,
                    counted.charged,
                    run=asked.run,
                    study=question.study.slug,
                    now=now,
                    requester=asked.requester,
                    roster=asked.roster,
                )
            self._journal.keep_run(
                RunState(
                    run=asked.run,
                    study=question.study.slug,
                    question_sha256=question.ask.query.question_sha256,
                    run_sha256=asked.run_sha256,
                    roster=tuple(sorted(asked.roster)),
                    sets_sha256=counted.sets_sha256,
                    analysis_sha256=counted.analysis_sha256,
                    contributes=counted.contributes,
                    number=asked.step,
                    step=step,
                    snapshot=self._consenting.seq,
                    started_at=now if state is None else state.started_at,
                    votes=found.votes if state is None else state.votes,
                    answered=not looked,
                    by_site=by_site,
                )
            )
            if not looked:
                self._uses.note(question, asked, self._prepared[asked.run], now)
            self._leaving.keep(
                question,
                asked,
                "OK",
                reply,
                now,
                snapshot=self._consenting.seq,
                patients=counted.n,
                inside=self._replies.inside(reply),
            )

    def _replay(
        self, question: Question, asked: StepMessage, earlier: RunState, now: datetime
    ) -> Outgoing:
        seq = self._consenting.seq
        reply = self._replies.replay(asked, earlier, snapshot=seq, now=now)
        with transaction(self._database):
            self._leaving.keep(question, asked, "REPLAY", reply, now, snapshot=seq)
        return Outgoing(reply, "REPLAY")

    def _refuse(
        self,
        asked: StepMessage | None,
        question: Question | None,
        refused: Refused,
        reason: str,
        now: datetime,
    ) -> Outgoing:
        """A signed refusal. When it cannot be written down it says nothing of patients: it is
        INTERNAL_REFUSED, whatever the reason was."""
        seq, code = self._consenting.seq, refused.code
        reply = self._replies.refusal(asked, refused, snapshot=seq, now=now)
        try:
            with transaction(self._database):
                if asked is not None and code in _FINAL:
                    self._leaving.keep(
                        question, asked, code, reply, now, snapshot=seq, reason=reason
                    )
                else:
                    self._leaving.note(
                        question, asked, code, reply, now, snapshot=seq, reason=reason
                    )
        except sqlite3.Error:
            code = "INTERNAL_REFUSED"
            reply = self._replies.refusal(asked, Refused(code), snapshot=seq, now=now)
        return Outgoing(reply, code)


def _forget_oldest(kept: OrderedDict[str, Prepared]) -> None:
    rows = sum(each.rows for each in kept.values())
    while len(kept) > _RUNS_IN_MEMORY or (len(kept) > 2 and rows > _ROWS_IN_MEMORY):
        _, oldest = kept.popitem(last=False)
        rows -= oldest.rows
