"""What people type for others is refused when it could hold a patient or a hidden sign."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from studies.errors import StudiesError
from studies.free_text import EARLIEST, check_day, lines, one_line, points_at_somebody

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "BSN 123456782",
        "patiënt 04711234",
        "(12345678)",
        "geboren 3-4-1951",
        "* 03.04.1951",
        "03/04/51 is niets, 3 4 1951 wel",
        "1951-04-03",
        "sinds 31-12-2014",
    ],
)
def test_a_long_number_and_a_birthday_are_refused(text: str) -> None:
    assert points_at_somebody(text, NOW)
    for read in (one_line, lines):
        with pytest.raises(StudiesError, match="points_at_somebody"):
            read(text, 200, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "NCT01234567 en ISRCTN12345678, PMC12345678",
        "EU CT 2025-501234-12-00; NL12345.078.21",
        "vergadering op 12-03-2027, besloten op 2-3-2026",
        "bel 040 239 91 11; dossier 1234567",
        "2026-03-02T09:00",
        "31-12-2015: van elf jaar her",
        "45-13-1951 is geen dag",
    ],
)
def test_numbers_of_trials_and_days_of_meetings_are_not(text: str) -> None:
    assert one_line(text, 200, NOW) == text


def test_one_line_is_one_line_and_lines_stay_lines() -> None:
    assert (
        one_line("  Nieuw\r\n onderwerp:\tBcc\x1f x\x85y ", 200, NOW) == "Nieuw onderwerp: Bcc x y"
    )
    assert lines("\n Een\r\ntwee\rdrie\t4 \n", 200, NOW) == "Een\ntwee\ndrie\t4"
    for hidden in ("\x00", "\x1b[2J", "\x7f", "\x9b31m", "\ud800"):
        for read in (one_line, lines):
            with pytest.raises(StudiesError, match="control_sign"):
                read(f"a{hidden}b", 200, NOW)
    for read in (one_line, lines):
        for wrong in ("", " \n ", "a" * 201):
            with pytest.raises(StudiesError, match="empty_text"):
                read(wrong, 200, NOW)


def test_a_day_of_another_century_is_a_typing_error() -> None:
    check_day(EARLIEST)
    for wrong in (date(1, 1, 1), date(1989, 12, 31)):
        with pytest.raises(StudiesError, match="too_long_ago"):
            check_day(wrong)
