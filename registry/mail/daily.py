"""What the daily mail says: how much waits, what is new, and where to look. Nothing of patients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from babel.dates import format_date

from studies.models_inbox import Notice
from studies.reminders import Reminder

DAILY = "daily"
#: Lines of one mail; the inbox has them all.
MOST = 25

_WORDS = {
    "nl": {
        "subject": "Oncokring: {n} nieuw, {all} wacht",
        "open": "Goedemorgen,\n\nEr wacht in totaal {all} op u. Nieuw sinds de vorige mail: {n}.",
        "news": "Aankondigingen",
        "more": "… en nog {n}. Alles staat op:",
        "all": "Alles staat op:",
        "why": "U krijgt deze mail hooguit één keer per dag, alleen als er iets nieuws is. Op de "
        "pagina Mail zet u hem uit. Antwoorden op deze mail worden niet gelezen.",
    },
    "en": {
        "subject": "Oncokring: {n} new, {all} waiting",
        "open": "Good morning,\n\n{all} things wait for you. New since the last mail: {n}.",
        "news": "Announcements",
        "more": "… and {n} more. All of it is on:",
        "all": "All of it is on:",
        "why": "You get this mail at most once a day, and only when there is something new. Turn "
        "it off on the page Mail. Nobody reads answers to this mail.",
    },
}


def write(
    found: Sequence[Reminder],
    news: Sequence[Notice],
    fresh: Collection[str],
    language: str,
    page: str,
) -> tuple[str, str]:
    """(subject, body) in plain text. `fresh`: the keys that were not told before; `page`: where the
    reader finds all of it."""
    words = _WORDS[language]
    new = [each for each in found if each.key in fresh]
    titles = [each.title(language) for each in news if f"notice:{each.id}" in fresh]
    counts = {"n": len(new) + len(titles), "all": len(found) + len(news)}
    lines = [words["open"].format(**counts), ""]
    if titles:
        lines += [words["news"], *(f"- {title}" for title in titles), ""]
    study = None
    for each in sorted(new[:MOST], key=lambda one: (one.study, not one.late, one.day)):
        if each.study != study:
            study = each.study
            lines += [each.title[language == "nl"]]
        lines += [f"- {each.words(language, _day(each.day, language))}"]
    left = len(new) - MOST
    lines += ["", words["more"].format(n=left) if left > 0 else words["all"]]
    lines += [page, "", words["why"]]
    return words["subject"].format(**counts), "\n".join(lines) + "\n"


def _day(day: date, language: str) -> str:
    return str(format_date(day, "d MMMM y", locale="nl" if language == "nl" else "en_GB"))
