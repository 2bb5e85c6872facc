"""This hospital's part in a private match: how many patients do hospitals share (ADR 0039).

Four steps: look, blind, double, count. The checks are those of a question (pipeline.py), and the
policy must say `private_match`. What leaves is a sealed list per hospital, or a number under masks;
reply, state, audit line and register are one transaction, committed before a byte is returned.
"""

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np

from federation.disclosure.gate import check_contribution
from federation.disclosure.policy import PolicyError
from federation.protocol import private_match as match
from federation.protocol.errors import ProtocolError
from federation.protocol.match_steps import BLIND, COUNT, DOUBLE, LEAST_SITES, LOOKING, PAIRS, named
from federation.protocol.messages import TYP_MATCH_REPLY
from federation.protocol.pooling import CONTRIBUTION, take_contribution
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms
from federation.query.units import PATIENT
from federation.site.checks import check_approval, check_roster, check_terms
from federation.site.choices.consenting import Consenting
from federation.site.choices.uses import Uses
from federation.site.data.columns import DataStore
from federation.site.directory import SiteDirectory
from federation.site.errors import DataError
from federation.site.faults import point
from federation.site.journal import Journal
from federation.site.leaving import Leaving
from federation.site.match_message import MatchMessage, read_match
from federation.site.match_runs import MatchRun, MatchRuns
from federation.site.pipeline import Outgoing
from federation.site.replaying import pooled_replies
from federation.site.replies import Replies
from federation.site.settings import StudyHere
from federation.site.store import transaction


class Matching:
    """Answers the messages of private matches. `answer` never raises and never returns anything
    unsigned."""

    def __init__(
        self,
        directory: SiteDirectory,
        database: sqlite3.Connection,
        consenting: Consenting,
        stores: Mapping[str, DataStore],
    ) -> None:
        self._directory = directory
        self._database = database
        self._consenting = consenting
        self._stores = stores
        self._items = directory.match_items
        self._journal = Journal(database)
        self._leaving = Leaving(database, self._journal, directory.peers)
        self._runs = MatchRuns(database, directory.policy.diff.replay_days)
        self._replies = Replies(directory)
        self._uses = Uses(directory, database)

    def answer(self, data: bytes, now: datetime) -> Outgoing:
        """The signed reply to one message."""
        told: MatchMessage | None = None
        try:
            settings = self._directory.settings
            told = read_match(data, slug=settings.slug, hub_public=settings.hub_public, now=now)
            point("N1")
            asked = told.asked
            if self._directory.stopped:
                raise Refused("PAUSED")
            if self._journal.refused_here(asked.query_sha256):
                raise Refused("QUERY_NOT_APPROVED")
            seen = self._journal.message_of(asked.jti)
            if seen is not None and seen != asked.message_sha256:
                raise ProtocolError("REPLAYED_NUMBER")
            kept = self._journal.reply(asked.run, asked.step)
            if kept is not None:
                if kept.content_sha256 != asked.content_sha256:
                    raise ProtocolError("STEP_CONFLICT")
                return Outgoing(kept.reply, kept.code)
            self._directory.policy.check(now)
            return self._work(told, now)
        except Refused as error:
            refused, reason = error, ""
        except PolicyError:
            refused, reason = Refused("STUDY_NOT_OPEN"), "POLICY_ENDED"
        except ProtocolError as error:
            refused, reason = Refused("PROTOCOL"), error.code
        except DataError as error:
            refused, reason = Refused("DATA_MISMATCH"), error.code
        except Exception as error:
            # Only the name of the class: the text of an exception may hold data.
            refused, reason = Refused("INTERNAL_REFUSED"), type(error).__name__
        return self._refuse(told, refused, reason, now)

    def _work(self, told: MatchMessage, now: datetime) -> Outgoing:
        asked = told.asked
        study, terms = self._checked(told)
        run = self._runs.of(asked.run)
        self._runs.check_turn(run, asked)
        max_age = timedelta(minutes=self._directory.policy.consent_max_age_min)
        self._consenting.check(asked.min_snapshot, now, max_age)
        state = self._consenting.state
        self._runs.check_budget(asked.run, study.slug, now)
        if run is None:
            run = MatchRun(asked.run, study.slug, asked.run_sha256, LOOKING, os.urandom(32))
        texts: set[str] = set()
        if asked.step < COUNT:
            texts = self._texts(told, study, terms)
            digest = _digest(run, texts)
            if asked.step > LOOKING and digest != run.digest:
                # Somebody stopped, or data changed, since the first step: begin anew.
                raise Refused("CONSENT_UNAVAILABLE")
            run = run.at(asked.step, digest)
        else:
            run = run.at(COUNT, run.digest)
        point("N3")
        snapshot = self._consenting.seq
        if asked.step in (LOOKING, COUNT):
            sums = _size(texts) if asked.step == LOOKING else self._count(told)
            reply = self._replies.matched(asked, terms, snapshot, now, sums=sums)
        else:
            lists = (self._blind if asked.step == BLIND else self._double)(told, run, terms, texts)
            reply = self._replies.matched(asked, terms, snapshot, now, lists=lists)
        point("N4")
        with self._runs.erasing(run), transaction(self._database):
            self._consenting.check_still(state, now)
            self._runs.keep(run, now)
            if asked.step == DOUBLE:
                self._uses.tell(asked, study.slug, len(texts), snapshot, now)
            self._leaving.keep(
                None,
                asked,
                "OK",
                reply,
                now,
                snapshot=snapshot,
                patients=len(texts) or None,
                study=study,
            )
        point("N5")
        return Outgoing(reply, "OK")

    def _checked(self, told: MatchMessage) -> tuple[StudyHere, Terms]:
        """What is checked before a single patient is looked at, as for a question."""
        asked, directory = told.asked, self._directory
        study = directory.settings.studies.get(told.study)
        if study is None:
            raise Refused("STUDY_NOT_OPEN")
        check_approval(study, asked, self._journal.approved_here(asked.query_sha256))
        if not directory.policy.private_match or self._items is None:
            raise Refused("NO_MATCH")
        try:
            terms = Terms.from_dict(dict(asked.terms))
        except ValueError:
            raise Refused("PROTOCOL") from None
        check_terms(terms, directory.policy)
        check_roster(asked.roster, directory, max(terms.min_sites, LEAST_SITES))
        return study, terms

    def _texts(self, told: MatchMessage, study: StudyHere, terms: Terms) -> set[str]:
        """The texts of the patients who count for the study now; of nobody when they are too few
        here, which looks the same from outside."""
        try:
            book = Codebook.from_dict(dict(told.asked.codebook))
        except QueryError:
            raise Refused("DATA_MISMATCH") from None
        if book.id != study.codebook or book.sha256 != study.codebook_sha256:
            raise Refused("DATA_MISMATCH")
        if PATIENT in book.units:
            book = book.at(PATIENT)
        store = self._stores[study.mapping]
        table = store.table(book)
        if table.repeated:
            raise Refused("DATA_MISMATCH")  # as for a question
        counting = self._consenting.mask(table, study.slug, study.requires)
        wanted = {each.tobytes() for each in table.handles[counting].reshape(-1, 1)}
        if self._items is None:
            return set()
        found = self._items.texts(store.mapped, self._directory.handles, wanted)
        return found if len(found) >= terms.t_cohort_site else set()

    def _blind(
        self, told: MatchMessage, run: MatchRun, terms: Terms, texts: set[str]
    ) -> dict[str, bytes]:
        """For each other hospital the own points times the number of the pair."""
        self._check_look(told, terms)
        points = [match.point_of(text, told.run) for text in sorted(texts)]
        lists = {}
        for peer in self._peers(told):
            pair = [self._directory.slug, peer]
            common = match.made_up(self._shared(told, peer), pair, told.run)
            number = match.number_for(run.kept_secret, peer)
            made = match.filled(match.multiplied([*points, *common], number))
            lists[peer] = self._sealed(told, peer, peer, made)
        return lists

    def _check_look(self, told: MatchMessage, terms: Terms) -> None:
        """This hospital's own sum over who takes part: the hub cannot leave all but two without
        patients. Raises Refused and ProtocolError."""
        asked, own = told.asked, self._directory.slug
        kept = self._journal.reply(asked.run, LOOKING)
        if kept is None:
            raise ProtocolError("STEP_OUT_OF_TURN")
        sums = pooled_replies(asked, kept.reply, own, terms, labelled=False, typ=TYP_MATCH_REPLY)
        sites, n, squares = take_contribution(sums)
        check_contribution(sites, n, squares, terms)
        if sites < LEAST_SITES:
            raise Refused("INSTITUTION_HIDDEN")

    def _double(
        self, told: MatchMessage, run: MatchRun, _: Terms, texts: set[str]
    ) -> dict[str, bytes]:
        """The points of each other hospital times the number of the pair, for the third one."""
        peers = self._peers(told)
        if set(told.lists) != set(peers):
            raise ProtocolError("LISTS")
        lists = {}
        for peer in peers:
            points = self._opened(told, peer, self._directory.slug, told.lists[peer], BLIND)[0]
            made = match.shuffled(match.multiplied(points, match.number_for(run.kept_secret, peer)))
            third = match.third_of([self._directory.slug, peer], told.asked.roster, told.run)
            sent = match.filled_length(len(texts) + self._blur(told, peer))
            lists[peer] = self._sealed(told, third, peer, made, sent)
        return lists

    def _count(self, told: MatchMessage) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """What the pairs share for which this hospital is the third one, blurred; less the common
        made-up patients of the pairs of which it is the first one."""
        own, roster = self._directory.slug, told.asked.roster
        total, used = 0, set()
        for one, other in combinations(sorted(roster), 2):
            if match.third_of([one, other], roster, told.run) == own:
                names = named(one, other), named(other, one)
                if not told.lists.keys() >= set(names):
                    raise ProtocolError("LISTS")
                mine = self._opened(told, one, other, told.lists[names[0]], DOUBLE)
                theirs = self._opened(told, other, one, told.lists[names[1]], DOUBLE)
                if (len(mine[0]), len(theirs[0])) != (theirs[1], mine[1]):
                    raise ProtocolError("BAD_LIST")  # not all that was sent came back
                total += match.in_both(mine[0], theirs[0])
                used |= set(names)
            elif one == own:
                total -= self._blur(told, other)
        if set(told.lists) != used:
            raise ProtocolError("LISTS")
        return {PAIRS: np.array([total], np.int64)}

    def _peers(self, told: MatchMessage) -> list[str]:
        return sorted(set(told.asked.roster) - {self._directory.slug})

    def _shared(self, told: MatchMessage, peer: str) -> bytes:
        """What this hospital and a peer agree on; `check_roster` compared the key with the pin."""
        return self._directory.box.agree(told.asked.roster[peer].box)

    def _blur(self, told: MatchMessage, peer: str) -> int:
        """How many made-up patients this hospital and a peer have in common."""
        return match.how_many(self._shared(told, peer), [self._directory.slug, peer], told.run)

    def _sealed(
        self, told: MatchMessage, receiver: str, partner: str, points: match.Points, sent: int = 0
    ) -> bytes:
        place = _place(told, told.asked.step, self._directory.slug, receiver, partner)
        return match.seal_list(self._shared(told, receiver), place, points, sent)

    def _opened(
        self, told: MatchMessage, sender: str, partner: str, sealed: bytes, step: int
    ) -> tuple[match.Points, int]:
        place = _place(told, step, sender, self._directory.slug, partner)
        return match.open_list(self._shared(told, sender), place, sealed)

    def _refuse(
        self, told: MatchMessage | None, refused: Refused, reason: str, now: datetime
    ) -> Outgoing:
        """A signed refusal. When it cannot be written down it is INTERNAL_REFUSED."""
        seq, code = self._consenting.seq, refused.code
        asked = None if told is None else told.asked
        reply = self._replies.refusal(asked, refused, snapshot=seq, now=now, typ=TYP_MATCH_REPLY)
        try:
            with transaction(self._database):
                self._leaving.note(None, asked, code, reply, now, snapshot=seq, reason=reason)
        except sqlite3.Error:
            other = Refused("INTERNAL_REFUSED")
            reply = self._replies.refusal(asked, other, snapshot=seq, now=now, typ=TYP_MATCH_REPLY)
            code = other.code
        return Outgoing(reply, code)


def _place(told: MatchMessage, step: int, sender: str, receiver: str, partner: str) -> list[str]:
    return [told.asked.run_sha256, str(step), sender, receiver, partner]


def _size(texts: set[str]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    n = len(texts)
    return {CONTRIBUTION: np.array([int(n > 0), n, n * n], np.int64)}


def _digest(run: MatchRun, texts: set[str]) -> bytes:
    return hmac.digest(run.kept_secret, "\n".join(sorted(texts)).encode(), hashlib.sha256)
