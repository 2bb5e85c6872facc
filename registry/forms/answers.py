"""A patient's answers while the form is being filled: in the session, never counted.

One draft per study and session. It holds the key that makes sending it twice one act.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import uuid4

from registry.accounts import visitor

_KEY = "answers"


@dataclass(frozen=True)
class Answers:
    """The answers so far: item code -> "yes", "no" or "later"; `text` is what they are about."""

    study: str
    text: str
    key: str
    given: dict[str, str] = field(default_factory=dict)
    receipt: str = ""

    def with_answer(self, item: str, answer: str) -> Answers:
        return replace(self, given={**self.given, item: answer})


def get(study: str, text: str) -> Answers:
    """The draft for this study; a fresh one when there is none or the text has changed."""
    found = visitor.draft().get(_KEY, {}).get(study)
    if isinstance(found, dict) and found.get("text") == text:
        return Answers(
            study, text, found["key"], dict(found.get("given", {})), found.get("receipt", "")
        )
    return Answers(study, text, str(uuid4()))


def keep(answers: Answers) -> None:
    """Store the draft; an answer after a receipt begins a new form with a new key."""
    if answers.receipt and answers.given:
        answers = replace(answers, receipt="", key=str(uuid4()))
    _store(answers)


def recorded(answers: Answers, receipt: str) -> None:
    """Note the receipt and forget the answers: they are in the log now."""
    _store(replace(answers, given={}, receipt=receipt))


def _store(answers: Answers) -> None:
    whole = visitor.draft()
    made = {
        "text": answers.text,
        "key": answers.key,
        "given": answers.given,
        "receipt": answers.receipt,
    }
    visitor.keep_draft({**whole, _KEY: {**whole.get(_KEY, {}), answers.study: made}})
