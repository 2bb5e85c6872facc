"""What patients said on paper, at the desk or by phone, entered by the hospital's own people.

A "no" works here from the moment it is entered. A "yes" needs a signature and a second person who
compared the form with what was entered; the hospital then vouches for it, so that it counts here
without any proof of the hub's.
"""

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from consent.parties import SELF
from consent.proof import act_of
from consent.rule import ANY
from consent.snapshot import CLOCK_SKEW
from federation.protocol.encoding import unb64
from federation.site import audit
from federation.site.choices.denials import close
from federation.site.choices.outbox import Outbox
from federation.site.choices.parties import begun_at, person
from federation.site.choices.pseudonyms import HandleMaker, handle_text
from federation.site.desk.two_people import one_spelling, same_person
from federation.site.errors import SetupError
from federation.site.store import milliseconds, moment

YES, NO, LATER = "yes", "no", "later"
HOW: Final = ("paper", "desk", "phone")
REASONS: Final = ("wrong_person", "wrong_text", "wrong_entry", "under_pressure", "not_able")
_ITEM: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_AHEAD: Final = timedelta(hours=2)  # a Dutch day begins at most two hours before the UTC day


@dataclass(frozen=True)
class Form:
    """What stands on one signed form. `answers`: item code -> yes, no or later; {"*": "no"} stops
    everything in `study`, and with `study` "*" in all studies."""

    handle: bytes
    study: str
    answers: Mapping[str, str]
    signed_on: date
    text_version: str = ""
    language: str = "nl"
    party: str = SELF
    how: str = "paper"
    scan_sha256: str = ""


@dataclass(frozen=True)
class Entered:
    """A form that was entered. `waits`: its yes waits for a second person."""

    form: str
    handle: bytes
    study: str
    party: str
    yes: tuple[str, ...]
    entered_by: str
    entered_at: datetime
    confirmed_by: str | None
    ended_why: str | None

    @property
    def waits(self) -> bool:
        return bool(self.yes) and self.confirmed_by is None and self.ended_why is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "study": self.study,
            "party": self.party,
            "yes": list(self.yes),
            "entered_by": self.entered_by,
            "entered_at": self.entered_at.isoformat(timespec="seconds"),
            "confirmed_by": self.confirmed_by,
            "ended": self.ended_why,
            "waits": self.waits,
        }


@dataclass(frozen=True)
class Vouched:
    """A yes that this hospital vouches for. `at`: the beginning of the day of the signature."""

    handle: bytes
    party: str
    study: str
    text_version: str
    yes: tuple[str, ...]
    at: datetime


def vouched(database: sqlite3.Connection, act: str) -> Vouched | None:
    """The yes behind an act, when a second person confirmed it and nobody ended it since."""
    row = database.execute(
        "SELECT handle, party, study, text_version, yes, signed_at FROM paper_act"
        " WHERE act = ? AND confirmed_at IS NOT NULL AND ended_at IS NULL",
        (act,),
    ).fetchone()
    if row is None:
        return None
    handle, party, study, text_version, yes, signed_at = row
    return Vouched(handle, party, study, text_version, tuple(json.loads(yes)), moment(signed_at))


def entered(database: sqlite3.Connection) -> list[Entered]:
    """All forms, newest first."""
    rows = database.execute(
        "SELECT form, handle, study, party, yes, entered_by, entered_at, confirmed_by, ended_why"
        " FROM paper_act ORDER BY entered_at DESC, form"
    )
    return [_entered(row) for row in rows]


def waiting(database: sqlite3.Connection) -> int:
    """How many forms wait for a second person."""
    return sum(each.waits for each in entered(database))


def scan_hash(file: Path) -> str:
    """SHA-256 of a scan, which itself stays where it is. SetupError when it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise SetupError(f"{file.name} cannot be read.") from error


class Paper:
    """Enters and confirms forms. Call inside one transaction."""

    def __init__(
        self, database: sqlite3.Connection, outbox: Outbox, staff: HandleMaker, by: str
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._staff = staff
        self._by = by

    def enter(self, form: Form, now: datetime) -> str:
        """Write down a form; its number. Every "no" in it works at once. SetupError for a form
        that cannot be right."""
        signed_at = self._check(form, now)
        number = f"paper-{secrets.token_hex(16)}"
        said = {
            answer: sorted(item for item, given in form.answers.items() if given == answer)
            for answer in (YES, NO, LATER)
        }
        self._database.execute(
            "INSERT INTO paper_act (form, act, handle, party, study, text_version, language, yes,"
            " no, later, signed_at, scan_sha256, entered_by, entered_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(number, act_of(f"{number}-yes"), form.handle, form.party, form.study),
                *(form.text_version, form.language),
                *(json.dumps(said[answer]) for answer in (YES, NO, LATER)),
                *(milliseconds(signed_at), form.scan_sha256, self._by, milliseconds(now)),
            ),
        )
        own = form.party == SELF
        said_at = max(now, _list_issued(self._database) or now)
        close(self._database, form.handle, form.study, said[NO], said_at, own=own)
        if said[NO] or said[LATER]:
            answers = {item: NO for item in said[NO]} | {item: LATER for item in said[LATER]}
            self._tell(form, f"{number}-no", answers, signed_at, [self._by], now)
        facts = {"kind": form.how, "study": _plain(form.study), "names": self._by}
        audit.record(self._database, "PAPER_ENTERED", facts, now)
        return number

    def confirm(self, number: str, now: datetime) -> Entered:
        """Say that the form shows what was entered. SetupError when it does not wait, or when the
        same person entered it."""
        found = self._found(number)
        if not found.waits:
            raise SetupError(
                "this form does not wait for a second person; see site paper list.", "not_waiting"
            )
        if same_person(found.entered_by, self._by):
            raise SetupError(
                "another person than the one who entered the form must confirm it.", "same_person"
            )
        if person(self._database, found.handle).died:
            raise SetupError("this patient has died; a yes can no longer be confirmed.", "died")
        self._database.execute(
            "UPDATE paper_act SET confirmed_by = ?, confirmed_at = ? WHERE form = ?",
            (self._by, milliseconds(now), number),
        )
        study, text_version, language, signed_at, scan = self._database.execute(
            "SELECT study, text_version, language, signed_at, scan_sha256 FROM paper_act"
            " WHERE form = ?",
            (number,),
        ).fetchone()
        form = Form(
            handle=found.handle,
            study=study,
            answers={},
            signed_on=date.min,
            text_version=text_version,
            language=language,
            party=found.party,
            scan_sha256=scan,
        )
        yes = {item: YES for item in found.yes}
        checked_by = [found.entered_by, self._by]
        self._tell(form, f"{number}-yes", yes, moment(signed_at), checked_by, now)
        facts = {"study": _plain(study), "names": self._by}
        audit.record(self._database, "PAPER_CONFIRMED", facts, now)
        return self._found(number)

    def end(self, number: str, reason: str, now: datetime) -> None:
        """Say that the yes on this form should never have counted; from now on it does not."""
        found = self._found(number)
        if reason not in REASONS:
            raise SetupError(f"give one of these reasons: {', '.join(REASONS)}.")
        if found.ended_why is not None:
            raise SetupError("this form was ended before; nothing was changed.", "ended_before")
        self._database.execute(
            "UPDATE paper_act SET ended_at = ?, ended_by = ?, ended_why = ? WHERE form = ?",
            (milliseconds(now), self._by, reason, number),
        )
        if found.confirmed_by is not None:
            content = {
                "handle": handle_text(found.handle),
                "act": act_of(f"{number}-yes"),
                "reason_code": reason,
            }
            self._outbox.add("invalidate", content, now)
        facts = {"reason": reason, "names": self._by}
        audit.record(self._database, "PAPER_ENDED", facts, now)

    def _check(self, form: Form, now: datetime) -> datetime:
        answers = form.answers
        if not answers or not set(answers.values()) <= {YES, NO, LATER}:
            raise SetupError("give at least one answer; each is yes, no or later.")
        if form.how not in HOW:
            raise SetupError(f"a choice comes on {', '.join(HOW)}.")
        everything = ANY in answers or form.study == ANY
        if everything and dict(answers) != {ANY: NO}:
            raise SetupError("all studies or all subjects at once can only be stopped.")
        if not everything and not all(map(_ITEM.fullmatch, answers)):
            raise SetupError("a subject is written as on the form, such as use.record.")
        if YES in answers.values():
            self._check_yes(form)
        elif form.text_version and not _SHA256.fullmatch(form.text_version):
            raise SetupError("the number of the text has 64 hexadecimal digits; copy all of it.")
        if form.scan_sha256 and not _SHA256.fullmatch(form.scan_sha256):
            raise SetupError("the hash of the scan has 64 hexadecimal digits.")
        known = {each.party for each in person(self._database, form.handle).speakers}
        if form.party != SELF and form.party not in known:
            raise SetupError(
                "this patient has no representative with this name; see site person.",
                "party_unknown",
            )
        day = datetime(form.signed_on.year, form.signed_on.month, form.signed_on.day, tzinfo=UTC)
        begins = begun_at(self._database).get((form.handle, form.party))
        if begins is not None and day - _AHEAD < moment(begins):
            raise SetupError(
                "the authority of this person had not begun when this was signed; see site person.",
                "not_begun",
            )
        if not datetime(2000, 1, 1, tzinfo=UTC) <= day <= now + _AHEAD:
            raise SetupError(
                "the date of the signature lies in the future or too far back.", "signed_when"
            )
        return day - _AHEAD

    def _check_yes(self, form: Form) -> None:
        if form.how != "paper":
            raise SetupError("a yes needs a signed form; by phone or desk only a no can be given.")
        if not _SHA256.fullmatch(form.text_version):
            raise SetupError(
                "a yes needs the number of the text on the form: 64 hexadecimal digits.",
                "text_number",
            )
        if person(self._database, form.handle).died:
            raise SetupError("this patient has died; a yes can no longer be written down.", "died")

    def _tell(
        self,
        form: Form,
        number: str,
        answers: Mapping[str, str],
        signed_at: datetime,
        checked_by: Sequence[str],
        now: datetime,
    ) -> None:
        role = "self"
        for each in person(self._database, form.handle).speakers:
            if each.party == form.party:
                role = each.role
        content: dict[str, Any] = {
            "handle": handle_text(form.handle),
            "form": number,
            "how": form.how,
            "study": form.study,
            "text_version": form.text_version,
            "answers": dict(sorted(answers.items())),
            "language": form.language,
            "signed_at": milliseconds(signed_at),
            "party": form.party,
            "role": role,
            "scan_sha256": form.scan_sha256,
            "checked_by": [self._staff_code(name) for name in checked_by],
        }
        self._outbox.add("paper", content, now)

    def _staff_code(self, name: str) -> str:
        """A person of the hospital as the hub may know them: the same for the same name."""
        return "s-" + self._staff.handle(f"staff|{one_spelling(name)}")[:8].hex()

    def _found(self, number: str) -> Entered:
        row = self._database.execute(
            "SELECT form, handle, study, party, yes, entered_by, entered_at, confirmed_by,"
            " ended_why FROM paper_act WHERE form = ?",
            (number,),
        ).fetchone()
        if row is None:
            raise SetupError(
                "there is no form with this number; see site paper list.", "form_unknown"
            )
        return _entered(row)


def _list_issued(database: sqlite3.Connection) -> datetime | None:
    """When the consent list in use was made, by the hub's clock; None without a list.

    A clock at the desk that is slow must not make a "no" older than a yes that was said before it.
    Never much later than when it came here: a hub could date its list so that no yes opens again.
    """
    row = database.execute("SELECT message, applied_at FROM snapshot").fetchone()
    if row is None:
        return None
    # It was verified before it was kept. `issued` is in whole seconds, rounded down.
    claims = json.loads(unb64(row[0].split(b".", 2)[1].decode("ascii")))
    return min(moment(row[1]) + CLOCK_SKEW, moment(claims["issued"] * 1000 + 999))


def _entered(row: tuple[Any, ...]) -> Entered:
    form, handle, study, party, yes, entered_by, entered_at, confirmed_by, ended_why = row
    return Entered(
        form=form,
        handle=handle,
        study=study,
        party=party,
        yes=tuple(json.loads(yes)),
        entered_by=entered_by,
        entered_at=moment(entered_at),
        confirmed_by=confirmed_by,
        ended_why=ended_why,
    )


def _plain(study: str) -> str:
    return "" if study == ANY else study
