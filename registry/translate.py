"""The two languages of the site: Dutch (first) and English.

Message ids are the English texts. `translations/<language>.po` is read once, when the process
starts; there is no compiled file that could lag behind. Dates and numbers are written the way
the reader's language writes them, and always in Dutch local time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from flask import Flask, Response, g, has_request_context, request

from studies.days import ZONE, local_day

LANGUAGES = ("nl", "en")
COOKIE = "language"
LOCALES = {"nl": "nl_NL", "en": "en_GB"}
OWN_NAMES = {"nl": "Nederlands", "en": "English"}
FOLDER = Path(__file__).parent / "translations"


@cache
def catalogue(language: str) -> NullTranslations:
    """The texts of one language; English is the message ids themselves."""
    path = FOLDER / f"{language}.po"
    if language == "en" or not path.exists():
        return NullTranslations()
    with path.open("rb") as source:
        texts = read_po(source, locale=language, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    return Translations(compiled)


def choose(cookie: str | None, accept: list[str]) -> str:
    """The reader's own choice, else the browser's first language that we have, else Dutch.

    Args:
        cookie: value of the language cookie.
        accept: language tags of Accept-Language, best first.
    """
    if cookie in LANGUAGES:
        return str(cookie)
    for tag in accept:
        base = tag.lower().split("-")[0]
        if base in LANGUAGES:
            return base
    return LANGUAGES[0]


def language() -> str:
    """The language of this request (Dutch outside a request)."""
    if not has_request_context():
        return LANGUAGES[0]
    if "language" not in g:
        accept = [tag for tag, _ in request.accept_languages]
        g.language = choose(request.cookies.get(COOKIE), accept)
    return str(g.language)


def translate(text: str, **values: object) -> str:
    """One text in the language of the request; `%(name)s` is filled from `values`."""
    # gettext answers the empty text with the header of its catalogue.
    found = catalogue(language()).gettext(text) if text else ""
    return found % values if values else found


def translate_count(one: str, many: str, count: int, **values: object) -> str:
    """A text that depends on a count, which is available as `%(count)s`."""
    found = catalogue(language()).ngettext(one, many, count)
    return found % {"count": number(count), **values}


def number(value: float | int | None, digits: int = 0) -> str:
    """A number with exactly `digits` decimals and the reader's own separators."""
    if value is None:
        return "–"
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return str(format_decimal(value, format=pattern, locale=LOCALES[language()])).replace("-", "−")


def percent(share: float | None, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return "–" if share is None else number(100 * share, digits) + "%"


def p_value(p: float | None) -> str:
    """A p-value: two figures from 0.095 up, three below, never "0.000"."""
    if p is None:
        return "–"
    if p < 0.001:
        return "< " + number(0.001, 3)
    return number(p, 2 if p >= 0.095 else 3)


def day(moment: datetime | date | None) -> str:
    """A date in words, for example "22 november 2026"."""
    if moment is None:
        return "–"
    if isinstance(moment, datetime):
        moment = local_day(moment)
    return str(format_date(moment, format="d MMMM y", locale=LOCALES[language()]))


def moment(value: datetime | None) -> str:
    """A date and a clock time, for example "22 november 2026, 14:05"."""
    if value is None:
        return "–"
    pattern = "d MMMM y, HH:mm"
    return str(format_datetime(value, pattern, tzinfo=ZONE, locale=LOCALES[language()]))


def clock(value: datetime | None) -> str:
    """A clock time, for example "14:05"."""
    if value is None:
        return "–"
    return str(format_time(value, "HH:mm", tzinfo=ZONE, locale=LOCALES[language()]))


def remember(response: Response, chosen: str, *, secure: bool) -> Response:
    """Keep the reader's choice for a year. The cookie holds a language and nothing else."""
    response.set_cookie(
        COOKIE, chosen, max_age=365 * 86400, samesite="Lax", httponly=True, secure=secure
    )
    return response


def install(app: Flask) -> None:
    """Give the templates `_()`, `ngettext()` and the filters for numbers and dates."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    texts: Any = app.jinja_env
    texts.install_gettext_callables(
        lambda text: catalogue(language()).gettext(text) if text else "",
        lambda one, many, n: catalogue(language()).ngettext(one, many, n),
        newstyle=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "number": number,
        "percent": percent,
        "p_value": p_value,
        "day": day,
        "moment": moment,
        "clock": clock,
    }
    app.jinja_env.filters.update(filters)
    app.jinja_env.globals.update(
        say=translate, language=language, LANGUAGES=LANGUAGES, OWN_NAMES=OWN_NAMES
    )
    for name in LANGUAGES:  # a broken catalogue stops the start, not a page
        catalogue(name)
