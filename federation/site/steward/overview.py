"""What a data steward can look at: everything that left, what waits, the policy, the state.

Reads site.toml, policy.yaml and the local database, the last one read-only; never a key and never
a patient's data. So it can look while the site program runs.
"""

import shlex
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from federation.disclosure.policy import MAX_BYTES, Policy, PolicyError, load_policy
from federation.methods.base import Ask
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.terms import Terms
from federation.query.words import question_words, threshold_words
from federation.site.directory import DATABASE_FILE, POLICY_FILE
from federation.site.errors import SetupError
from federation.site.journal import Journal
from federation.site.settings import SiteSettings, read_settings
from federation.site.steward.sent import Asked, Item, Register, Sent
from federation.site.steward.sent_words import TEXTS, Contents, contents, what_left
from federation.site.store import open_read_only, open_store


@dataclass(frozen=True)
class Question:
    """A query in words. `words` is empty when it is not kept here or cannot be read any more."""

    study: str
    title: str
    purpose: str
    kind: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One message that left: the register's row, what its bytes hold, and that in words."""

    sent: Sent
    contents: Contents
    words: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        sent = self.sent
        return {
            "line": sent.line,
            "at": iso(sent.at),
            "to": "hub",
            "kind": sent.kind,
            "code": sent.code,
            "reason_here": sent.reason or None,
            "run": sent.run or None,
            "step": sent.step if sent.run else None,
            "step_name": sent.step_name or None,
            "query_sha256": sent.query_sha256 or None,
            "bytes": None if sent.body is None else len(sent.body),
            "sha256": sent.sha256 or None,
            "as_sent": sent.intact,
            "snapshot": sent.snapshot,
            "policy_sha256": self.contents.policy_sha256 or None,
            "patients_here": sent.patients,
            "contents": self.contents.to_dict(),
            "words": list(self.words),
        }


@dataclass(frozen=True)
class Run:
    """All messages of one run, oldest first, with what was asked and under which thresholds."""

    run: str
    query_sha256: str
    question: Question
    requester: str
    roster: tuple[str, ...]
    thresholds: tuple[str, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Waiting:
    """A query that waits for this hospital's own approval, and the commands that decide."""

    query_sha256: str
    asked_at: datetime
    query: Mapping[str, Any]
    question: Question
    approve: str
    refuse: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "query_sha256": self.query_sha256,
            "asked_at": iso(self.asked_at),
            **question_dict(self.question),
            "query": dict(self.query),
            "approve": self.approve,
            "refuse": self.refuse,
        }


class Overview:
    """A site's directory, for looking only. SetupError when it is not as it must be."""

    def __init__(self, path: Path, lang: str = "nl") -> None:
        self.path = path
        self.lang = lang
        self.settings: SiteSettings = read_settings(path)
        self.policy: Policy = _read_policy(path)
        # A database that is not there yet, or is of an older version, is made ready once.
        open_store(path / DATABASE_FILE).close()

    def speaking(self, lang: str) -> "Overview":
        """The same overview in another language."""
        made = object.__new__(Overview)
        made.path, made.lang = self.path, lang
        made.settings, made.policy = self.settings, self.policy
        return made

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection, closed at the end."""
        database = open_read_only(self.path / DATABASE_FILE)
        try:
            yield database
        finally:
            database.close()

    def items(self, first: int = 0, most: int = 1_000_000) -> list[tuple[Item, Question]]:
        """Runs and single messages, newest first, each with its question."""
        with self.database() as database:
            register = Register(database)
            return [
                (item, self._question(register.asked(item.run, item.query_sha256)))
                for item in register.items(first=first, most=most)
            ]

    def counts(self) -> dict[str, int]:
        """How many messages of each kind left."""
        with self.database() as database:
            return Register(database).counts()

    def messages(self, *, lists: bool = False, last: int = 1_000_000) -> list[Message]:
        """Messages, newest first; with `lists` also those about consent lists."""
        with self.database() as database:
            found = Register(database).messages(lists=lists, last=last)
        return [self._message(sent) for sent in found]

    def message(self, line: int) -> Message | None:
        """One message, by its line in the audit log."""
        with self.database() as database:
            sent = Register(database).message(line)
        return None if sent is None else self._message(sent)

    def run(self, run: str) -> Run | None:
        """One run in detail; None when nothing of it left."""
        with self.database() as database:
            register = Register(database)
            found = register.messages(run=run)
            if not run or not found:
                return None
            query_sha256 = found[0].query_sha256
            asked = register.asked(run, query_sha256)
        return Run(
            run=run,
            query_sha256=query_sha256,
            question=self._question(asked),
            requester=asked.requester,
            roster=asked.roster,
            thresholds=tuple(self._thresholds(asked)),
            messages=tuple(self._messages(reversed(found))),
        )

    def question(self, run: str, query_sha256: str) -> Question:
        """What was asked, in words."""
        with self.database() as database:
            return self._question(Register(database).asked(run, query_sha256))

    def waiting(self) -> list[Waiting]:
        """What waits for this hospital's own approval, oldest first."""
        with self.database() as database:
            register, journal = Register(database), Journal(database)
            return [
                Waiting(
                    sha256,
                    at,
                    query,
                    self._asked_question(register, sha256, study, query),
                    *self._commands(sha256),
                )
                for sha256, study, query, at in journal.waiting()
            ]

    def decided(self) -> list[tuple[str, str, str, str, datetime, Question]]:
        """What people of this hospital decided: hash, what, by whom, why, when, the question."""
        with self.database() as database:
            register = Register(database)
            return [
                (*row, self._question(register.asked("", row[0])))
                for row in Journal(database).decided()
            ]

    def _asked_question(
        self, register: Register, sha256: str, study: str, query: Mapping[str, Any]
    ) -> Question:
        found = self._question(register.asked("", sha256))
        if found.words:
            return found
        title, purpose = query.get("title"), query.get("purpose")
        return replace(found, study=study, title=str(title or ""), purpose=str(purpose or ""))

    def _commands(self, sha256: str) -> tuple[str, str]:
        here = shlex.quote(str(self.path))
        who, why = ("naam", "reden") if self.lang == "nl" else ("name", "reason")
        return (
            f'oncokring site approve {here} {sha256} --by "{who}"',
            f'oncokring site refuse {here} {sha256} --by "{who}" --reason "{why}"',
        )

    def _message(self, sent: Sent, brief: bool = False) -> Message:
        found = contents(sent)
        return Message(sent, found, tuple(what_left(sent, found, self.lang, brief=brief)))

    def _messages(self, found: Iterable[Sent]) -> Iterator[Message]:
        """The messages of a run, oldest first; what a mask does is said once."""
        masked = False
        for sent in found:
            message = self._message(sent, brief=masked)
            masked |= message.contents.form == "masked"
            yield message

    def _question(self, asked: Asked) -> Question:
        query = asked.query
        if query.get("match"):
            say = TEXTS["nl" if self.lang == "nl" else "en"]
            title, words = say["match_title"], (say["match_words"],)
            return Question(asked.study, title, purpose="", kind="match", words=words)
        analysis = query.get("analysis")
        return Question(
            study=asked.study,
            title=str(query.get("title", "")),
            purpose=str(query.get("purpose", "")),
            kind=str(analysis.get("kind", "")) if isinstance(analysis, Mapping) else "",
            words=tuple(self._words(asked)),
        )

    def _words(self, asked: Asked) -> list[str]:
        if not asked.query or not asked.codebook:
            return []
        try:
            book = Codebook.from_dict(dict(asked.codebook))
            query = parse(dict(asked.query), book)
            terms = self._terms(asked)
            ask = Ask(query=query, codebook=book.at(query.unit), terms=terms)
            words = KINDS[query.kind].words(ask, self.lang)
        except (QueryError, KeyError):
            return []
        # Title, purpose and thresholds are shown apart.
        untitled = replace(query, title="", purpose="")
        return question_words(untitled, ask.codebook, terms, words, self.lang)

    def _terms(self, asked: Asked) -> Terms:
        try:
            return Terms.from_dict(dict(asked.terms))
        except ValueError:  # not kept, or of another version
            return self.policy.terms()

    def _thresholds(self, asked: Asked) -> list[str]:
        return threshold_words(self._terms(asked), self.lang) if asked.terms else []


def _read_policy(path: Path) -> Policy:
    """The policy as it stands in the file, also when a decision in it has ended: a person who looks
    must see that, while the site program refuses."""
    try:
        with (path / POLICY_FILE).open("rb") as file:
            return load_policy(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise SetupError("policy.yaml is missing or cannot be read; put it in place.") from error
    except PolicyError as error:
        raise SetupError(f"policy.yaml: {error}") from error


def question_dict(question: Question) -> dict[str, Any]:
    return {
        "study": question.study or None,
        "title": question.title or None,
        "purpose": question.purpose or None,
        "analysis": question.kind or None,
        "question": list(question.words),
    }


def no_words(lang: str) -> str:
    """What to say in place of a question that is not kept."""
    return TEXTS["nl" if lang == "nl" else "en"]["unknown_question"]


def iso(at: datetime) -> str:
    """A moment as JSON has it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
