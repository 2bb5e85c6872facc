"""From a place and what was typed to a page or an act of the desk."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from consent.parties import SELF, Speaker
from federation.site.desk.acts import Acts, MadeLetter, addressed, parties
from federation.site.desk.checking import CheckPages
from federation.site.desk.counted import CountedRoutes
from federation.site.desk.forms import (
    Errors,
    Head,
    read_answers,
    read_head,
    read_invitation,
    read_party,
    read_stop,
)
from federation.site.desk.forms import read_number as read_patient
from federation.site.desk.gate import Gate
from federation.site.desk.letters_pages import LetterPages
from federation.site.desk.notices_routes import NoticeRoutes
from federation.site.desk.paper import REASONS, Form
from federation.site.desk.paper_pages import PaperPages, StopPages
from federation.site.desk.places import Asked, Place
from federation.site.desk.prom_routes import PromRoutes
from federation.site.desk.words import FormText, any_text, read_number
from federation.site.errors import DataError, SetupError
from federation.site.steward.html import Html

Page = TypeVar("Page")
_FIELD_OF: Final[Mapping[str, str]] = {
    "number_unknown": "number",
    "number_differs": "number",
    "party_unknown": "party",
    "not_begun": "party",
    "yes_not_needed": "party",
    "signed_when": "signed_on",
    "text_number": "text",
    "study_unknown": "study",
}
"""Code of a SetupError -> the field that it is about; any other is about the whole form."""


class Routes:
    """The pages and acts of one desk in one language."""

    def __init__(self, acts: Acts, gate: Gate, base: str, lang: str) -> None:
        self._acts = acts
        self._gate = gate
        made = (acts.settings.name, acts.by, base, lang)
        self._paper = PaperPages(*made)
        self._stop = StopPages(*made)
        self._letters = LetterPages(*made)
        self._check = CheckPages(*made)
        self._prom = PromRoutes(acts, gate, base, lang)
        self._notices = NoticeRoutes(acts, gate, base, lang)
        self._counted = CountedRoutes(acts, gate, base, lang)

    def get(self, place: str) -> Html | None:
        """A page that changes nothing; None when there is none."""
        studies = self._acts.studies
        match place.split("/"):
            case [""] | ["start"]:
                return self._check.start(self._gate.new_form(), self._acts.forms())
            case ["paper"]:
                return self._paper.head(self._gate.new_form(), studies, {}, {}, "")
            case ["stop"]:
                return self._stop.stop(self._gate.new_form(), studies, (), {}, {}, "")
            case ["letter"]:
                return self._letters.letter(self._gate.new_form(), studies, (), {}, (), {}, "")
            case ["check"]:
                return self._check.check(self._acts.forms())
            case ["questionnaires", *rest]:
                return self._prom.get("/".join(rest), datetime.now(UTC))
            case ["notices", *rest]:
                return self._notices.get("/".join(rest), datetime.now(UTC))
            case ["counted"]:
                return self._counted.get()
            case ["form", number]:
                return self._form(number, {}, {})
            case ["done", number]:
                return self._form(number, {}, {}, done=True)
        return None

    def post(self, place: str, asked: Asked, key: str) -> Html | Place | None:
        """What a form leads to: the same page with its mistakes, the next one, or an act."""
        match place.split("/"):
            case ["paper"]:
                return self._paper_head(asked, key, place)
            case ["paper", "again"]:
                return self._paper.head(key, self._acts.studies, asked.typed, {}, place)
            case ["paper", "change"]:
                return self._paper_answers(asked, key, place, again=True)
            case ["paper", "answers"]:
                return self._paper_answers(asked, key, place)
            case ["paper", "record"]:
                return self._paper_record(asked, key)
            case ["stop"] | ["stop", "record"] | ["stop", "change"]:
                return self._stop_act(asked, key, place)
            case ["letter"] | ["letter", "record"] | ["letter", "change"]:
                return self._letter_act(asked, key, place)
            case ["questionnaires", *rest]:
                return self._prom.post("/".join(rest), asked, key)
            case ["notices", *rest]:
                return self._notices.post("/".join(rest), asked, key)
            case ["counted"]:
                return self._counted.post(asked, key)
            case ["form", number, "confirm"]:
                return self._confirm(number, asked, key, place)
            case ["form", number, "end"]:
                return self._end(number, asked, key, place)
        return None

    def letter_made(self, name: str, letter: MadeLetter | None) -> Html:
        """What to do with a letter that was made."""
        return self._letters.made(name, letter)

    def _paper_head(self, asked: Asked, key: str, place: str) -> Html:
        _, text, speakers, errors = self._read_head(asked)
        if errors or text is None:
            return self._paper.head(key, self._acts.studies, asked.typed, errors, place)
        return self._paper.answers(key, text, speakers, asked.typed, {}, place)

    def _paper_answers(self, asked: Asked, key: str, place: str, *, again: bool = False) -> Html:
        head, text, speakers, errors = self._read_head(asked)
        if errors or text is None:
            return self._paper.head(key, self._acts.studies, asked.typed, errors, "paper")
        answers = read_answers(asked.typed, text, errors)
        party = read_party(asked.typed, parties(speakers), errors)
        if again or errors:
            return self._paper.answers(
                key, text, speakers, asked.typed, {} if again else errors, place
            )
        return self._paper.review(key, head, text, answers, party, speakers, asked.typed)

    def _paper_record(self, asked: Asked, key: str) -> Html | Place:
        head, text, speakers, errors = self._read_head(asked)
        if errors or text is None:
            return self._paper.head(key, self._acts.studies, asked.typed, errors, "paper")
        answers = read_answers(asked.typed, text, errors)
        party = read_party(asked.typed, parties(speakers), errors)
        if errors:
            return self._paper.answers(key, text, speakers, asked.typed, errors, "paper/answers")

        def act() -> str:
            form = Form(
                handle=self._acts.handle(head.number, asked.now),
                study=head.study,
                answers=answers,
                signed_on=head.signed_on,
                text_version=head.text,
                language=head.language,
                party=party,
            )
            return f"done/{self._acts.enter(form, asked.now)}"

        return self._do(
            key,
            act,
            lambda found: self._paper.head(key, self._acts.studies, asked.typed, found, "paper"),
        )

    def _read_head(self, asked: Asked) -> tuple[Head, FormText | None, tuple[Speaker, ...], Errors]:
        errors: Errors = {}
        known = self._acts.texts(asked.now)
        number = read_number(asked.typed.get("text", ""), known)
        head = read_head(asked.typed, self._acts.studies, number, asked.now, errors)
        text = None
        if number is not None:
            text = known.get(number) or any_text(number, head.study)
            if head.study and text.study != head.study:
                errors["text"] = "error.text_study"
        return head, text, self._speakers(head.number, asked, errors), errors

    def _stop_act(self, asked: Asked, key: str, place: str) -> Html | Place:
        errors: Errors = {}
        stop = read_stop(asked.typed, self._acts.studies, asked.now, errors)
        speakers = self._speakers(stop.number, asked, errors)
        if "number" not in errors:
            party = read_party(asked.typed, parties(speakers), errors)
            stop = replace(stop, party=party or SELF)

        def page(found: Errors) -> Html:
            return self._stop.stop(key, self._acts.studies, speakers, asked.typed, found, "stop")

        if errors or place == "stop/change":
            return page({} if place == "stop/change" else errors)
        if place == "stop":
            return self._stop.review(key, stop, speakers, asked.typed)

        def act() -> str:
            handle = self._acts.handle(stop.number, asked.now)
            return f"done/{self._acts.enter(stop.form(handle), asked.now)}"

        return self._do(key, act, page)

    def _letter_act(self, asked: Asked, key: str, place: str) -> Html | Place:
        errors: Errors = {}
        chosen = list(asked.all.get("study", ()))
        letter = read_invitation(asked.typed, chosen, self._acts.studies, errors)
        speakers = self._speakers(letter.number, asked, errors)
        if "number" not in errors:
            letter = addressed(letter, read_party(asked.typed, parties(speakers), errors) or SELF)

        def page(found: Errors) -> Html:
            return self._letters.letter(
                key, self._acts.studies, speakers, asked.typed, chosen, found, "letter"
            )

        if errors or place == "letter/change":
            return page({} if place == "letter/change" else errors)
        if place == "letter":
            return self._letters.review(key, letter, speakers, asked.typed)
        made: list[MadeLetter] = []

        def act() -> str:
            made.append(self._acts.letter(letter, asked.now))
            return f"letter/{secrets.token_urlsafe(12)}"

        found = self._do(key, act, page)
        if isinstance(found, Place) and made:
            return Place(found.where, found.where.partition("/")[2], made[0])
        return found

    def _form(
        self, number: str, typed: Mapping[str, str], errors: Errors, *, done: bool = False
    ) -> Html | None:
        try:
            form = self._acts.form(number)
        except SetupError as error:
            if error.code == "form_unknown":
                return None
            raise
        key = self._gate.new_form()
        posted = f"form/{number}/confirm" if errors and "reason" not in errors else ""
        return self._check.form(key, form, typed, errors, done=done, posted=posted)

    def _confirm(self, number: str, asked: Asked, key: str, place: str) -> Html | Place | None:
        errors: Errors = {}
        patient = read_patient(asked.typed, errors)
        if asked.typed.get("same") != "yes":
            errors["same"] = "error.same"
        if errors:
            return self._form(number, asked.typed, errors)

        def act() -> str:
            self._acts.confirm(number, patient, asked.now)
            return f"form/{number}"

        return self._do(key, act, lambda found: self._form(number, asked.typed, found))

    def _end(self, number: str, asked: Asked, key: str, place: str) -> Html | Place | None:
        reason = asked.typed.get("reason", "")
        if reason not in REASONS:
            return self._form(number, asked.typed, {"reason": "error.reason"})

        def act() -> str:
            self._acts.end(number, reason, asked.now)
            return f"form/{number}"

        return self._do(key, act, lambda found: self._form(number, asked.typed, found))

    def _speakers(self, number: str, asked: Asked, errors: Errors) -> tuple[Speaker, ...]:
        """Who may speak for the patient with this number; an error when there is no such number
        and nobody said to go on."""
        if "number" in errors:
            return ()
        try:
            any_number = asked.typed.get("any") == "yes"
            return self._acts.speakers(number, asked.now, any_number=any_number)
        except DataError:
            errors["number"] = "error.data"
        except SetupError as error:
            if error.code != "number_unknown":
                raise
            errors["number"] = "error.number_unknown"
        return ()

    def _do(
        self, key: str, act: Callable[[], str], again: Callable[[Errors], Page]
    ) -> Place | Page:
        """The act, once for this form; its mistakes on the page where they can be mended."""
        try:
            return Place(self._gate.once(key, act))
        except DataError:
            return again({"": "error.data"})
        except SetupError as error:
            field = _FIELD_OF.get(error.code, "")
            return again({field: f"error.{error.code}" if error.code else error.sentence})
