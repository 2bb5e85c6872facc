"""The printed letter: one page A4 in large type, as PDF, or as HTML where no PDF can be made.

Neither the page nor the square code says what the research is about. The file holds everything:
nothing is loaded from elsewhere when it is opened or printed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from consent.parties import SELF
from federation.site.desk.letters import Letter
from federation.site.errors import SetupError
from federation.site.files import read_small

FILE: Final = "letter.toml"
_KEYS: Final = ("address", "phone", "sender")
_MAX_TEXT: Final = 200

_MONTHS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "nl": tuple(
            "januari februari maart april mei juni juli augustus september oktober november"
            " december".split()
        ),
        "en": tuple(
            "January February March April May June July August September October November"
            " December".split()
        ),
    }
)

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nl": {
            "title": "Uw keuze over onderzoek",
            "hello": "Beste meneer of mevrouw,",
            "self": "{sender} vraagt u iets. Mogen uw gegevens meetellen in onderzoek?",
            "other": "{sender} vraagt u iets. U beslist mee voor iemand anders. Mogen de gegevens "
            "van deze persoon meetellen in onderzoek?",
            "free": "U kiest zelf. Zegt u nee? Dan verandert er niets aan de behandeling. "
            "U mag altijd stoppen. U hoeft niet te zeggen waarom.",
            "how": "Zo kiest u",
            "step_go": "Ga naar {address}. Of richt de camera van uw telefoon op het vierkant.",
            "step_code": "Vul uw code in:",
            "step_digits": "Vul de 6 cijfers in. Die krijgt u apart van ons.",
            "step_choose": "Lees de uitleg. Daarna kiest u.",
            "until": "De code werkt tot {date}. Geef de code aan niemand.",
            "help": "Kiest u liever op papier? Of heeft u een vraag? Bel {phone}.",
            "wrong": "Is deze brief niet voor u? Bel ons dan ook. Gebruik de code niet.",
            "bye": "Met vriendelijke groet,",
            "picture": "Vierkant met het adres en uw code, voor de camera van een telefoon.",
        },
        "en": {
            "title": "Your choice about research",
            "hello": "Dear sir or madam,",
            "self": "{sender} has a question for you. May your data count in research?",
            "other": "{sender} has a question for you. You help to decide for somebody else. May "
            "the data of this person count in research?",
            "free": "You choose. Do you say no? Then nothing changes in the treatment. "
            "You can always stop. You do not have to say why.",
            "how": "How to choose",
            "step_go": "Go to {address}. Or point the camera of your phone at the square.",
            "step_code": "Enter your code:",
            "step_digits": "Enter the 6 digits. You get them from us in another way.",
            "step_choose": "Read the explanation. Then you choose.",
            "until": "The code works until {date}. Give the code to nobody.",
            "help": "Do you prefer paper? Or do you have a question? Call {phone}.",
            "wrong": "Is this letter not for you? Please call us too. Do not use the code.",
            "bye": "Kind regards,",
            "picture": "Square with the address and your code, for the camera of a phone.",
        },
    }
)

STYLE: Final = """
@page { size: A4; margin: 22mm 24mm }
body { font: 13pt/1.5 "Source Sans 3", "Noto Sans", Arial, sans-serif; color: #111; max-width: 40em;
  margin: 0 auto; padding: 1em }
h1 { font-size: 22pt; line-height: 1.2; margin: 0 0 1.2em }
h2 { font-size: 15pt; margin: 1.4em 0 .4em }
p, li { margin: 0 0 .6em }
.code { font: bold 16pt/1.4 "DejaVu Sans Mono", monospace; display: block; margin: .3em 0;
  white-space: nowrap }
svg { display: block; width: 42mm; height: 42mm; margin: .6em 0 }
@media print { body { padding: 0; max-width: none } }
"""


@dataclass(frozen=True)
class Sender:
    """What the hospital prints in each letter: the address of the patients' pages, a telephone
    number and its name."""

    address: str
    phone: str
    sender: str


def read_sender(path: Path, name: str, **given: str | None) -> Sender:
    """From letter.toml in the site's directory; what is given replaces it. SetupError when the
    address or the telephone number is missing, or something is not a line of text."""
    values: dict[str, Any] = {"sender": name}
    try:
        values |= tomllib.loads(read_small(path / FILE).decode("utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise SetupError(f"{FILE} cannot be read; write it as TOML.") from error
    values |= {key: value for key, value in given.items() if value is not None}
    if set(values) - set(_KEYS):
        raise SetupError(f"{FILE} holds address, phone and sender only.")
    for key in _KEYS:
        text = values.get(key)
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_TEXT:
            raise SetupError(f"{FILE}: give {key} as a line of text, or with --{key}.")
        if not text.isprintable():
            raise SetupError(f"{FILE}: {key} has signs that cannot be printed.")
    if not values["address"].startswith("https://") or "#" in values["address"]:
        raise SetupError(f"{FILE}: address begins with https:// and has no #.")
    return Sender(**values)


def letter_html(letter: Letter, sender: Sender) -> str:
    """The letter as one HTML page that holds all it needs."""
    say = TEXTS[letter.language]
    shown = sender.address.removeprefix("https://").rstrip("/")
    steps = [
        escape(say["step_go"].format(address=shown)),
        f'{escape(say["step_code"])}<span class="code">{escape(letter.printed)}</span>',
        *([escape(say["step_digits"])] if letter.digits else []),
        escape(say["step_choose"]),
    ]
    asks = say["self" if letter.party == SELF else "other"].format(sender=sender.sender)
    # The day before, so that what is printed is never later than what holds.
    until = say["until"].format(date=in_words(letter.expires.date(), letter.language))
    listed = "".join(f"<li>{step}</li>" for step in steps)
    return (
        f'<!doctype html><html lang="{letter.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(say['title'])}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(say['title'])}</h1>"
        f"<p>{escape(say['hello'])}</p><p>{escape(asks)}</p><p>{escape(say['free'])}</p>"
        f"<h2>{escape(say['how'])}</h2><ol>{listed}</ol>"
        f"{_square(f'{sender.address}#{letter.printed}', say['picture'])}"
        f"<p>{escape(until)}</p>"
        f"<p>{escape(say['help'].format(phone=sender.phone))}</p><p>{escape(say['wrong'])}</p>"
        f"<p>{escape(say['bye'])}<br>{escape(sender.sender)}</p></main></body></html>\n"
    )


def letter_pdf(html: str) -> bytes | None:
    """The same page as a tagged PDF; None where the extra `pdf` is not installed."""
    try:
        from weasyprint import HTML
    except (ImportError, OSError):
        return None
    made = HTML(string=html, url_fetcher=_nothing).write_pdf(pdf_variant="pdf/ua-1")
    return bytes(made)


def _nothing(url: str, *_: object, **__: object) -> Any:
    raise ValueError("a letter loads nothing from elsewhere")


def _square(content: str, words: str) -> str:
    """A QR code as inline SVG. The code stands behind the # of the address: a browser never sends
    that part to a server. "" where the library is not installed; the letter works without."""
    try:
        import qrcode
    except ImportError:
        return ""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(content)
    matrix = code.get_matrix()
    path = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    )
    size = len(matrix)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" role="img"'
        f' aria-label="{escape(words)}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
    )


def in_words(day: date, language: str) -> str:
    """A day as it is printed in a letter."""
    return f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
