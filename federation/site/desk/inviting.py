"""Making letters for one patient or many: files ready to print, and the digits apart from them."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from federation.site.choices.handles import unknown_numbers
from federation.site.desk.doing import Desk
from federation.site.desk.letter_pdf import Sender, letter_html, letter_pdf, read_sender
from federation.site.desk.letters import Letter
from federation.site.errors import SetupError
from federation.site.files import read_given

MAX_NUMBERS = 100_000
DIGITS_FILE = "second-step.csv"
_REPORT_EVERY = 100


@dataclass(frozen=True)
class Batch:
    """What letters to make. `out`: the folder for them; without it they are only told."""

    numbers: Sequence[str]
    studies: Sequence[str]
    language: str
    party: str
    second: bool
    valid_for: timedelta
    out: Path | None
    address: str | None
    phone: str | None
    any_number: bool


def read_numbers(file: Path) -> list[str]:
    """The local numbers in a file, one per line. SetupError for none, too many, or repeats."""
    try:
        lines = read_given(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SetupError(f"{file.name} is not a text file in UTF-8.") from error
    numbers = [line.strip() for line in lines if line.strip()]
    if not numbers or len(numbers) > MAX_NUMBERS:
        raise SetupError(f"{file.name} holds no number, or more than {MAX_NUMBERS:,}.")
    if len(set(numbers)) != len(numbers):
        raise SetupError(f"{file.name} holds a number twice; each patient gets one letter.")
    return numbers


def run_batch(
    desk: Desk, batch: Batch, now: datetime, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Make all letters, each in a transaction of its own; what was made, without the secrets when
    they stand in files. SetupError before anything is made when a number is not in the data."""
    for study in batch.studies:
        desk.check_study(study)
    numbers = [number.strip() for number in batch.numbers]
    missing = set() if batch.any_number else unknown_numbers(desk.directory, numbers)
    if missing or "" in numbers:
        raise SetupError(
            f"{len(missing) or 1} of the numbers are of no patient in the data; check them, or use "
            "--any-number. No letter was made."
        )
    sender = None
    if batch.out is not None:
        sender = read_sender(
            desk.directory.path,
            desk.directory.settings.name,
            address=batch.address,
            phone=batch.phone,
        )
        make_folder(batch.out)
    made = []
    for at, number in enumerate(numbers, start=1):
        made.append(_make(desk, batch, sender, number, now))
        if len(numbers) > _REPORT_EVERY and (at % _REPORT_EVERY == 0 or at == len(numbers)):
            progress(at, len(numbers))
    return {
        "letters": made,
        "second_step": str(batch.out / DIGITS_FILE) if batch.out and batch.second else None,
    }


def _make(
    desk: Desk, batch: Batch, sender: Sender | None, number: str, now: datetime
) -> dict[str, Any]:
    prepared = desk.letters.prepare(
        desk.directory.handles.handle(number),
        batch.studies,
        now,
        language=batch.language,
        party=batch.party,
        second=batch.second,
        valid_for=batch.valid_for,
    )
    letter, file = prepared.letter, None
    # The file first: a letter that could not be written to its file was never made, and the
    # serving program does not wait while a page is drawn.
    if batch.out is not None and sender is not None:
        file = _write(batch.out, letter, sender)
        if letter.digits:
            _add_digits(batch.out / DIGITS_FILE, number, letter)
    try:
        with desk.act():
            desk.letters.keep(prepared, now)
    except BaseException:
        if file is not None:
            file.unlink(missing_ok=True)
        raise
    if file is None:
        return _told(letter) | {"letter": letter.printed, "digits": letter.digits or None}
    return _told(letter) | {"file": file.name}


def _told(letter: Letter) -> dict[str, Any]:
    return {
        "code_id": letter.code_id,
        "party": letter.party,
        "expires": letter.expires.date().isoformat(),
    }


def _write(folder: Path, letter: Letter, sender: Sender) -> Path:
    html = letter_html(letter, sender)
    pdf = letter_pdf(html)
    file = folder / f"brief-{letter.code_id}.{'html' if pdf is None else 'pdf'}"
    write_private(file, html.encode("utf-8") if pdf is None else pdf)
    return file


def _add_digits(file: Path, number: str, letter: Letter) -> None:
    """One line per letter: who gets which six digits, by another way than the letter."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    if not file.exists():
        writer.writerow(["number", "letter", "party", "digits"])
    writer.writerow([number, letter.code_id, letter.party, letter.digits])
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as out:
        out.write(line.getvalue())


def write_private(file: Path, data: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(data)


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = os.access(folder, os.W_OK)
    except OSError as error:
        raise SetupError(f"the folder {folder.name} cannot be made.") from error
    if not free:
        raise SetupError(f"the folder {folder.name} cannot be written to.")
