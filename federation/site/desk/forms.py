"""What a person typed at the desk, as a form; every mistake named by its field. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from consent.parties import SELF
from consent.rule import ANY, COLLECT_NEW
from federation.site.desk.paper import HOW, LATER, NO, YES, Form
from federation.site.desk.words import FormText

Typed = Mapping[str, str]
Errors = dict[str, str]
"""Field -> key of the sentence that says what to do."""

LANGUAGES: Final = ("nl", "en")
DAYS: Final = (30, 90, 180)
STOPS: Final = ("study", "new", "all")
MOST_NUMBER: Final = 60
_DATE: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})")
_AHEAD: Final = timedelta(hours=2)


@dataclass(frozen=True)
class Head:
    """The first page of a paper form."""

    number: str
    study: str
    signed_on: date
    text: str
    language: str


@dataclass(frozen=True)
class Stop:
    """Somebody stops: at the desk, by phone or on paper. `what`: one of STOPS."""

    number: str
    study: str
    what: str
    how: str
    signed_on: date
    party: str

    def form(self, handle: bytes) -> Form:
        """As it is entered."""
        return Form(
            handle=handle,
            study=ANY if self.what == "all" else self.study,
            answers={COLLECT_NEW if self.what == "new" else ANY: NO},
            signed_on=self.signed_on,
            party=self.party,
            how=self.how,
        )


@dataclass(frozen=True)
class Invitation:
    """A letter to make."""

    number: str
    studies: tuple[str, ...]
    language: str
    party: str
    second: bool
    days: int


def read_number(typed: Typed, errors: Errors) -> str:
    """The local number of a patient; it is compared as it is written."""
    number = typed.get("number", "").strip()
    if not number or len(number) > MOST_NUMBER or not number.isprintable():
        errors["number"] = "error.number"
    return number


def read_head(
    typed: Typed, studies: Sequence[str], text: str | None, now: datetime, errors: Errors
) -> Head:
    """`text`: the whole number of the text, None when what was typed is none."""
    number = read_number(typed, errors)
    study = _one_of(typed, "study", studies, errors)
    signed_on = _day(typed, now, errors)
    if text is None:
        errors["text"] = "error.text"
    language = _one_of(typed, "language", LANGUAGES, errors)
    return Head(number, study, signed_on, text or "", language)


def read_answers(typed: Typed, text: FormText, errors: Errors) -> dict[str, str]:
    """Subject -> yes, no or later; what was left open is not there. An error for none at all."""
    answers = {}
    for question in text.questions:
        said = typed.get(f"answer-{question.item}", "")
        if said in (YES, NO, LATER):
            answers[question.item] = said
    if not answers:
        errors[f"answer-{text.questions[0].item}"] = "error.answers"
    return answers


def read_stop(typed: Typed, studies: Sequence[str], now: datetime, errors: Errors) -> Stop:
    """Who stops, with what, how that was said and when. Who spoke is read apart: `read_party`."""
    number = read_number(typed, errors)
    what = _one_of(typed, "what", STOPS, errors)
    study = "" if what == "all" else _one_of(typed, "study", studies, errors)
    how = _one_of(typed, "how", HOW, errors)
    return Stop(number, study, what, how, _day(typed, now, errors), SELF)


def read_party(typed: Typed, parties: Sequence[str], errors: Errors) -> str:
    """Who signed or called. Must be said where somebody else may speak for the patient too: a
    patient's own no is lifted by nobody else, so a parent's must not become one."""
    return _one_of(typed, "party", parties, errors) if len(parties) > 1 else SELF


def read_invitation(
    typed: Typed, chosen: Sequence[str], studies: Sequence[str], errors: Errors
) -> Invitation:
    """A letter about the chosen studies. To whom is read apart: `read_party`."""
    number = read_number(typed, errors)
    if not chosen or not set(chosen) <= set(studies):
        errors["study"] = "error.studies"
    language = _one_of(typed, "language", LANGUAGES, errors)
    second = _one_of(typed, "second", ("yes", "no"), errors)
    days = _one_of(typed, "days", [str(each) for each in DAYS], errors)
    return Invitation(
        number, tuple(sorted(set(chosen))), language, SELF, second != "no", int(days or DAYS[1])
    )


def day_text(day: date) -> str:
    """A day as it is typed here."""
    return f"{day:%d-%m-%Y}"


def _one_of(typed: Typed, field: str, known: Sequence[str], errors: Errors) -> str:
    value = typed.get(field, "")
    if value not in known:
        errors[field] = f"error.{field}"
        return ""
    return value


def _day(typed: Typed, now: datetime, errors: Errors) -> date:
    text = typed.get("signed_on", "").strip()
    found = _DATE.fullmatch(text)
    try:
        if found:
            day = date(int(found[3]), int(found[2]), int(found[1]))
        else:
            day = date.fromisoformat(text)
    except ValueError:
        errors["signed_on"] = "error.signed_on"
        return date.min
    # A Dutch day begins at most two hours before the UTC day.
    if not date(2000, 1, 1) <= day <= (now + _AHEAD).date():
        errors["signed_on"] = "error.signed_when"
    return day
