"""The notice of a yes as a letter of one page and as plain text: that there was one, and whom to
call when it is not right.

Not which study, which subject or which illness: it may be read by others at home. In Dutch and in
English on one page, since the hospital does not know in which language somebody answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Final

from consent.parties import SELF
from federation.site.choices.notices import Owed
from federation.site.desk.letter_pdf import STYLE, Sender, in_words

LANGUAGES: Final = ("nl", "en")
_DAY_BEGINS: Final = timedelta(hours=2)  # before the UTC day, at most

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "title": "Wij kregen een ja",
            "hello": "Beste meneer of mevrouw,",
            "self": "Op {date} kregen wij een ja van u. Het gaat over onderzoek met uw gegevens.",
            "other": "Op {date} kregen wij een ja van u. U beslist mee voor iemand anders. Het "
            "gaat over onderzoek met de gegevens van deze persoon.",
            "right": "Klopt dit? Dan hoeft u niets te doen.",
            "wrong": "Klopt dit niet? Bel {phone} en noem nummer {number}. Wij stoppen het dan "
            "meteen.",
            "from": "Tot {counts} tellen de gegevens nog niet mee.",
            "free": "U mag altijd stoppen. U hoeft niet te zeggen waarom. Dat kan op {address} of "
            "door ons te bellen.",
            "bye": "Met vriendelijke groet,",
        },
        "en": {
            "title": "We received a yes",
            "hello": "Dear sir or madam,",
            "self": "On {date} we received a yes from you. It is about research with your data.",
            "other": "On {date} we received a yes from you. You help to decide for somebody else. "
            "It is about research with the data of this person.",
            "right": "Is this right? Then you do not have to do anything.",
            "wrong": "Is this not right? Call {phone} and give number {number}. We will stop it at "
            "once.",
            "from": "Until {counts} the data do not count yet.",
            "free": "You can always stop. You do not have to say why. Go to {address} or call us.",
            "bye": "Kind regards,",
        },
    }
)
_PARTS: Final = ("hello", "about", "from", "right", "wrong", "free")


@dataclass(frozen=True)
class Notice:
    """A notice as it is written. counts: the day from which the yes counts, where that is later."""

    owed: Owed
    sender: Sender
    counts: date | None = None


def counting_from(days: int | None, now: datetime) -> date | None:
    """The day from which a yes counts that is told now; None: it counts already."""
    return (now + _DAY_BEGINS + timedelta(days=days + 1)).date() if days else None


def notice_html(notice: Notice) -> str:
    """The letter as one HTML page that holds all it needs."""
    parts = []
    for at, language in enumerate(LANGUAGES):
        said = sentences(notice, language)
        heading = f"h{1 + min(at, 1)}"
        parts.append(
            f'<section lang="{language}"><{heading}>{escape(said["title"])}</{heading}>'
            + "".join(f"<p>{escape(said[part])}</p>" for part in _PARTS if part in said)
            + f"<p>{escape(said['bye'])}<br>{escape(notice.sender.sender)}</p></section>"
        )
    return (
        '<!doctype html><html lang="nl"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(TEXTS['nl']['title'])}</title><style>{STYLE}</style></head><body><main>"
        f"{'<hr>'.join(parts)}</main></body></html>\n"
    )


def notice_text(notice: Notice) -> str:
    """The same as plain text, for the hospital's own messages."""
    blocks = []
    for language in LANGUAGES:
        said = sentences(notice, language)
        blocks.append("\n\n".join(said[part] for part in _PARTS if part in said))
        blocks[-1] += f"\n\n{said['bye']}\n{notice.sender.sender}"
    return "\n\n---\n\n".join(blocks) + "\n"


def sentences(notice: Notice, language: str) -> dict[str, str]:
    """Every sentence of the notice in one language, by name."""
    owed, sender, say = notice.owed, notice.sender, TEXTS[language]
    filled = {
        "date": in_words((owed.said_at + _DAY_BEGINS).date(), language),
        "phone": sender.phone,
        "number": str(owed.numbers[0]),
        "address": sender.address.removeprefix("https://").rstrip("/"),
        "counts": "" if notice.counts is None else in_words(notice.counts, language),
    }
    about = say["self" if owed.party == SELF else "other"]
    said = {name: text.format(**filled) for name, text in {**say, "about": about}.items()}
    if notice.counts is None:
        del said["from"]
    return said
