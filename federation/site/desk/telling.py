"""Telling people of their yes: letters ready to print, or the hospital's own command, once each.

The command is the hospital's: it gets one message on its standard input and sends it by patient
portal, text message or mail. It says by its exit whether it did. What is begun is written down
before it is begun, so that after a crash nobody is told twice by a program that does not know.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from consent.rule import ANY
from federation.site.choices.handles import numbers_of
from federation.site.choices.notices import MEANWHILE, Owed, Tellings, of, owed
from federation.site.desk.doing import Desk
from federation.site.desk.inviting import make_folder, write_private
from federation.site.desk.letter_pdf import Sender, letter_pdf, read_sender
from federation.site.desk.notice_letter import Notice, counting_from, notice_html, notice_text
from federation.site.desk.paper import NO, Form
from federation.site.errors import SetupError
from federation.site.files import read_small

FILE: Final = "notices.toml"
LIST_FILE: Final = "addresses.csv"
SECONDS: Final = 30
_MOST_SECONDS: Final = 600
_KEYS: Final = ("command", "seconds")


@dataclass(frozen=True)
class Outcome:
    """What came of one round. told: people. unknown: those whose local number was not found."""

    told: int
    failed: int
    unsure: int
    unknown: int
    kept_back: int

    def to_dict(self) -> dict[str, int]:
        return {
            "told": self.told,
            "not_sent": self.failed,
            "unsure": self.unsure,
            "number_unknown": self.unknown,
            "kept_back": self.kept_back,
        }


@dataclass(frozen=True)
class OwnCommand:
    """The hospital's command, from notices.toml: program and arguments; no shell reads them."""

    words: tuple[str, ...]
    seconds: int


def read_command(path: Path) -> OwnCommand:
    """From notices.toml in the site's directory. SetupError when it is missing or wrong."""
    try:
        values: dict[str, Any] = tomllib.loads(read_small(path / FILE).decode("utf-8"))
    except FileNotFoundError as error:
        raise SetupError(
            f'{FILE} is missing; put command = ["/path/to/program"] in it, or make letters.'
        ) from error
    except (OSError, ValueError) as error:
        raise SetupError(f"{FILE} cannot be read; write it as TOML.") from error
    words, seconds = values.get("command"), values.get("seconds", SECONDS)
    if set(values) - set(_KEYS):
        raise SetupError(f"{FILE} holds command and seconds only.")
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise SetupError(f"{FILE}: command is a list: the program with its whole path, arguments.")
    if not Path(words[0]).is_absolute() or not os.access(words[0], os.X_OK):
        raise SetupError(f"{FILE}: the program of command is not there, or may not be run.")
    if type(seconds) is not int or not 1 <= seconds <= _MOST_SECONDS:
        raise SetupError(f"{FILE}: seconds is a whole number, 1 to {_MOST_SECONDS}.")
    return OwnCommand(tuple(words), seconds)


def listed(desk: Desk, further: Collection[str]) -> list[dict[str, Any]]:
    """Everybody who has to be told, with the local number where it is known. Raises DataError."""
    waiting = owed(desk.database)
    numbers = find_numbers(desk, waiting, further)
    return [
        {
            "notice": each.numbers[0],
            "number": numbers.get(each.handle),
            "party": each.party,
            "studies": list(each.studies),
            "letters": list(each.letters),
            "said": each.said_at.isoformat(timespec="minutes"),
            "kept_back": each.kept_back or None,
        }
        for each in waiting
    ]


def write_letters(desk: Desk, folder: Path, further: Collection[str], now: datetime) -> Outcome:
    """Make a letter for everybody who has to be told, and the list of whose each is. Each is told
    in a transaction of its own, when its file is there. Raises DataError, SetupError."""
    sender = read_sender(desk.directory.path, desk.directory.settings.name)
    make_folder(folder)

    def tell(waiting: Owed, number: str) -> bool:
        write_letter(desk, waiting, number, sender, folder, now)
        return True

    return _each(desk, further, tell)


def write_letter(
    desk: Desk, waiting: Owed, number: str, sender: Sender, folder: Path, now: datetime
) -> Path:
    """One letter, and that it was made."""
    counts = counting_from(desk.directory.settings.notice_days, now)
    html = notice_html(Notice(waiting, sender, counts))
    pdf = letter_pdf(html)
    body = html.encode("utf-8") if pdf is None else pdf
    file = _free(folder, f"bericht-{waiting.numbers[0]}", "html" if pdf is None else "pdf")
    # The file first: a letter that could not be written was never made.
    try:
        write_private(file, body)
    except OSError as error:
        raise SetupError("the letter cannot be written; free disk space.") from error
    try:
        with desk.act():
            tellings = Tellings(desk.database, desk.by)
            name = tellings.begin(waiting, "letter", hashlib.sha256(body).hexdigest(), now)
            tellings.done(name, now)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    _add_line(folder / LIST_FILE, number, waiting.party, file.name)
    return file


def write_again(
    desk: Desk, notice: int, folder: Path, further: Collection[str], now: datetime
) -> Path:
    """The letter of a notice once more, as it did not arrive. Raises DataError, SetupError."""
    sender = read_sender(desk.directory.path, desk.directory.settings.name)
    make_folder(folder)
    with desk.act():
        Tellings(desk.database, desk.by).again(notice, now)
    waiting = of(desk.database, notice)
    number = find_numbers(desk, [waiting], further).get(waiting.handle, "")
    return write_letter(desk, waiting, number, sender, folder, now)


def send_all(
    desk: Desk,
    command: OwnCommand,
    further: Collection[str],
    clock: Callable[[], datetime],
) -> Outcome:
    """Run the hospital's command for everybody who has to be told. Raises DataError, SetupError.

    Exit 0: it was sent. Another: it was not, and is tried in the next round. Neither, because it
    took too long or this program ended: nobody knows, and a person has to find out.
    """
    sender = read_sender(desk.directory.path, desk.directory.settings.name)
    unsure = 0

    def tell(waiting: Owed, number: str) -> bool:
        nonlocal unsure
        counts = counting_from(desk.directory.settings.notice_days, clock())
        message = _message(Notice(waiting, sender, counts), number)
        tellings = Tellings(desk.database, desk.by)
        with desk.act():
            name = tellings.begin(waiting, "command", hashlib.sha256(message).hexdigest(), clock())
        code = _run(command, message)
        if code is None:
            unsure += 1
            return False
        with desk.act():
            (tellings.done if code == 0 else tellings.failed)(name, clock())
        return code == 0

    found = _each(desk, further, tell)
    return Outcome(found.told, found.failed - unsure, unsure, found.unknown, found.kept_back)


def not_theirs(desk: Desk, notice: int, now: datetime) -> dict[str, Any]:
    """Somebody says that the yes of this notice was not theirs: stop everything in its studies at
    once, end the letters it could have come from, and write it down. SetupError for no such notice.

    Inside the caller's transaction.
    """
    about = of(desk.database, notice)
    forms = []
    for study in about.studies:
        stop = Form(
            handle=about.handle,
            study=study,
            answers={ANY: NO},
            signed_on=(now + timedelta(hours=2)).date(),
            party=about.party,
            how="phone",
        )
        forms.append(desk.paper.enter(stop, now))
    tellings = Tellings(desk.database, desk.by)
    if any(notice in each.numbers for each in owed(desk.database)):
        tellings.told(notice, "phone", now)
    ended = tellings.wrong(about, now)
    return {"stopped": list(about.studies), "forms": forms, "letters_ended": ended}


def find_numbers(
    desk: Desk, waiting: Collection[Owed], further: Collection[str]
) -> Mapping[bytes, str]:
    """The local numbers behind these people's patients: among the patients in the data, and among
    further numbers, as of patients who were invited before their data came. Raises DataError."""
    wanted = {each.handle for each in waiting}
    found = dict(numbers_of(desk.directory, wanted)) if wanted else {}
    for number in further:
        handle = desk.directory.handles.handle(number)
        if handle in wanted:
            found.setdefault(handle, number)
    return found


def _each(desk: Desk, further: Collection[str], tell: Callable[[Owed, str], bool]) -> Outcome:
    waiting = owed(desk.database)
    ready = [each for each in waiting if not each.kept_back]
    numbers = find_numbers(desk, ready, further)
    told = failed = 0
    for each in ready:
        number = numbers.get(each.handle)
        if number is None:
            continue
        try:
            done = tell(each, number)
        except SetupError as error:
            if error.code != MEANWHILE:
                raise
            continue  # another round of this command was first
        told, failed = told + done, failed + (not done)
    unknown = sum(each.handle not in numbers for each in ready)
    return Outcome(told, failed, 0, unknown, len(waiting) - len(ready))


def _message(notice: Notice, number: str) -> bytes:
    return json.dumps(
        {
            "number": number,
            "party": notice.owed.party,
            "reference": notice.owed.numbers[0],
            "subject": notice.sender.sender,
            "text": notice_text(notice),
        },
        ensure_ascii=False,
    ).encode("utf-8")


def _run(command: OwnCommand, message: bytes) -> int | None:
    """The exit of the command; None when it took too long, or ended by a signal, and so may or may
    not have sent it. What it prints is thrown away: it may hold what nobody else should read."""
    try:
        started = subprocess.Popen(  # noqa: S603  the hospital's own program, no shell
            command.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return os.EX_UNAVAILABLE
    with started:
        try:
            started.communicate(message, timeout=command.seconds)
        except subprocess.TimeoutExpired:
            # With what it started itself, or these would go on to send.
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate()
            return None
    return None if started.returncode < 0 else started.returncode


def _free(folder: Path, name: str, kind: str) -> Path:
    """A file that is not there yet: a letter that is made again does not take the place of one."""
    file, more = folder / f"{name}.{kind}", 1
    while file.exists():
        more += 1
        file = folder / f"{name}-{more}.{kind}"
    return file


def _add_line(file: Path, number: str, party: str, name: str) -> None:
    """One line per letter: whose it is, which stands not in the letter."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    if not file.exists():
        writer.writerow(["number", "party", "file"])
    writer.writerow([number, party, name])
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as out:
        out.write(line.getvalue())
