"""What the desk in the browser does: the same functions as the commands, for one person.

The hospital's directory is opened for each act, so that a changed setting or key counts at once.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from consent.parties import SELF, Speaker
from federation.site import audit
from federation.site.choices.parties import person
from federation.site.desk.doing import Desk, opened
from federation.site.desk.forms import Invitation
from federation.site.desk.letter_pdf import letter_html, letter_pdf, read_sender
from federation.site.desk.letters import Letter
from federation.site.desk.paper import Form
from federation.site.desk.words import FormText, texts_here
from federation.site.errors import SetupError
from federation.site.settings import SiteSettings, read_settings
from federation.site.steward.deciding import check_name
from federation.site.store import moment

NEWEST: Final = 50
_DAY_BEGINS: Final = timedelta(hours=2)


@dataclass(frozen=True)
class FormHere:
    """A form as it stands in this hospital's books."""

    form: str
    handle: bytes
    study: str
    party: str
    text: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    later: tuple[str, ...]
    signed_on: datetime
    entered_by: str
    entered_at: datetime
    confirmed_by: str
    ended_by: str
    ended_why: str

    @property
    def waits(self) -> bool:
        """Whether its yes waits for a second person."""
        return bool(self.yes) and not self.confirmed_by and not self.ended_why


@dataclass(frozen=True)
class MadeLetter:
    """A letter that was made: what is told apart from it, and the file to print."""

    letter: Letter
    number: str
    file: bytes
    is_pdf: bool

    @property
    def name(self) -> str:
        """Of the file; it says nothing of a patient or an illness."""
        return f"brief-{self.letter.code_id}.{'pdf' if self.is_pdf else 'html'}"


class Acts:
    """What `by` does at the site in `path`. SetupError when `by` is no name."""

    def __init__(self, path: Path, by: str) -> None:
        self.path = path
        self.by = check_name(by)
        self.settings: SiteSettings = read_settings(path)

    @property
    def studies(self) -> tuple[str, ...]:
        """The studies that this hospital agreed to."""
        return tuple(sorted(self.settings.studies))

    def note(self, event: str, account: str, now: datetime) -> None:
        """Write down that the desk was opened or closed, by which account of this machine."""
        with self._desk(now) as desk, desk.act():
            audit.record(desk.database, event, {"names": self.by, "by": account}, now)

    def speakers(
        self, number: str, now: datetime, *, any_number: bool = False
    ) -> tuple[Speaker, ...]:
        """Who may speak for this patient beside the patient. SetupError for a number that is not
        in the data; raises DataError."""
        with self._desk(now) as desk:
            handle = desk.handle(number, any_number=any_number)
            return person(desk.database, handle).speakers

    def texts(self, now: datetime) -> dict[str, FormText]:
        """The texts that came with the consent list in use, by number."""
        with self._desk(now) as desk:
            return texts_here(desk.database)

    def handle(self, number: str, now: datetime) -> bytes:
        """The handle of a number that was looked up before."""
        with self._desk(now) as desk:
            return desk.directory.handles.handle(number)

    def enter(self, form: Form, now: datetime) -> str:
        """Write a form down; its number. Every no in it works at once."""
        with self._desk(now) as desk:
            if form.study in self.settings.studies:
                desk.check_study(form.study)
            with desk.act():
                return desk.paper.enter(form, now)

    def confirm(self, form: str, number: str, now: datetime) -> None:
        """Confirm a yes, by the second person, who read the patient's number from the form.

        SetupError `number_differs` when it is of another patient than was entered, and as
        `Paper.confirm`.
        """
        with self._desk(now) as desk:
            found = _form(desk.database, form)
            if desk.directory.handles.handle(number) != found.handle:
                raise SetupError("this is not the number that was entered.", "number_differs")
            with desk.act():
                desk.paper.confirm(form, now)

    def end(self, form: str, reason: str, now: datetime) -> None:
        """Say that the yes on a form should not count."""
        with self._desk(now) as desk, desk.act():
            desk.paper.end(form, reason, now)

    def forms(self) -> list[FormHere]:
        """The newest forms, and all that wait, newest first."""
        with self._desk(datetime.now(UTC)) as desk:
            found = list(_forms(desk.database))
        return [each for at, each in enumerate(found) if at < NEWEST or each.waits]

    def form(self, number: str) -> FormHere:
        """One form. SetupError `form_unknown`."""
        with self._desk(datetime.now(UTC)) as desk:
            return _form(desk.database, number)

    def letter(self, asked: Invitation, now: datetime) -> MadeLetter:
        """Make a letter; an earlier one to the same person about this patient ends."""
        sender = read_sender(self.path, self.settings.name)
        with self._desk(now) as desk:
            prepared = desk.letters.prepare(
                desk.directory.handles.handle(asked.number),
                asked.studies,
                now,
                language=asked.language,
                party=asked.party,
                second=asked.second,
                valid_for=timedelta(days=asked.days),
            )
            # Drawn before it is written down, as a letter that cannot be printed was never made.
            html = letter_html(prepared.letter, sender)
            pdf = letter_pdf(html)
            with desk.act():
                letter = desk.letters.keep(prepared, now)
        file = html.encode("utf-8") if pdf is None else pdf
        return MadeLetter(letter, asked.number, file, pdf is not None)

    @contextmanager
    def _desk(self, now: datetime) -> Iterator[Desk]:
        with opened(self.path, self.by, now) as desk:
            yield desk


def parties(speakers: Sequence[Speaker]) -> tuple[str, ...]:
    """Who may have signed: the patient, and whoever spoke for the patient at any time."""
    return (SELF, *(each.party for each in speakers))


def addressed(asked: Invitation, party: str) -> Invitation:
    """The same letter, to this person."""
    return replace(asked, party=party)


_ALL: Final = (
    "SELECT form, handle, study, party, text_version, yes, no, later, signed_at, entered_by,"
    " entered_at, coalesce(confirmed_by, ''), coalesce(ended_by, ''), coalesce(ended_why, '')"
    " FROM paper_act"
)
_NEWEST_FIRST: Final = _ALL + " ORDER BY entered_at DESC, form"
_ONE: Final = _ALL + " WHERE form = ?"


def _forms(database: sqlite3.Connection) -> Iterator[FormHere]:
    return map(_read, database.execute(_NEWEST_FIRST))


def _form(database: sqlite3.Connection, number: str) -> FormHere:
    row = database.execute(_ONE, (number,)).fetchone()
    if row is None:
        raise SetupError("there is no form with this number.", "form_unknown")
    return _read(row)


def _read(row: tuple[Any, ...]) -> FormHere:
    form, handle, study, party, text, yes, no, later, signed_at, entered_by, entered_at = row[:11]
    return FormHere(
        form=form,
        handle=handle,
        study=study,
        party=party,
        text=text,
        yes=tuple(json.loads(yes)),
        no=tuple(json.loads(no)),
        later=tuple(json.loads(later)),
        signed_on=moment(signed_at) + _DAY_BEGINS,
        entered_by=entered_by,
        entered_at=moment(entered_at),
        confirmed_by=row[11],
        ended_by=row[12],
        ended_why=row[13],
    )
