"""What a finding is in one sentence, in both languages: what stands out, and never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from federation.indicators.definition import Indicator
from federation.rounds.snapshot import Network, Row, Words

_LANGUAGES: Final = ("en", "nl")
LOOK: Final = {
    "en": "A reason to look closer, not a verdict.",
    "nl": "Een reden om beter te kijken, geen oordeel.",
}
_INSIDE: Final = {
    "en": "All hospitals are inside expected variation.",
    "nl": "Alle ziekenhuizen liggen binnen de verwachte variatie.",
}
#: Where no number is shown.
NOTHING: Final = {
    "en": "There are no numbers to show.",
    "nl": "Er zijn geen getallen om te tonen.",
}
_TWICE: Final = {
    "en": "{site}: the median is at least twice that of all others together{days}.",
    "nl": "{site}: de mediaan is minstens twee keer die van alle anderen samen{days}.",
}
_SO_MANY_DAYS: Final = {"en": " ({days} days)", "nl": " ({days} dagen)"}
_LATE: Final = {
    "en": "{site}: one in five waits longer than the norm.",
    "nl": "{site}: één op de vijf wacht langer dan de norm.",
}
_OUTSIDE: Final = {
    95: {"en": "{site} lies outside the 95% limits.", "nl": "{site} ligt buiten de 95%-grenzen."},
    998: {
        "en": "{site} lies outside the 99.8% limits.",
        "nl": "{site} ligt buiten de 99,8%-grenzen.",
    },
}
_COUNTED: Final = {
    "en": "{n} counted in {hospitals} hospitals.",
    "nl": "{n} geteld in {hospitals} ziekenhuizen.",
}
_AMONG: Final = {
    "en": "{name}: between {low} and {high} in {hospitals} hospitals.",
    "nl": "{name}: tussen {low} en {high} in {hospitals} ziekenhuizen.",
}
_LAY_SHARE: Final = {
    "en": "This happened in {part} of every 100 people.",
    "nl": "Dit gebeurde bij {part} van elke 100 mensen.",
}
_LAY_TIME: Final = {
    "en": "Half of the people waited {days} days or less.",
    "nl": "De helft van de mensen wachtte {days} dagen of korter.",
}
_LAY_COUNT: Final = {"en": "{n} people were counted.", "nl": "Er zijn {n} mensen geteld."}


def headline(indicator: Indicator, rows: Sequence[Row], names: Mapping[str, str]) -> Words:
    """The finding in words; hospitals by name (a view may put letters there)."""
    # A verdict stands where the median itself is hidden: the hospital made it.
    shown = [row for row in rows if row.n is not None]
    if not shown:
        return dict(NOTHING)
    return {language: _said(indicator, shown, names, language) for language in _LANGUAGES}


def _said(
    indicator: Indicator, rows: Sequence[Row], names: Mapping[str, str], language: str
) -> str:
    found = []
    # Not by name: beside letters that order would tell whose they are.
    for row in sorted(rows, key=lambda each: (-(each.outside or 0), -(each.value or 0.0))):
        site = names.get(row.site, row.site)
        if row.signal:
            found.append(_TWICE[language].format(site=site, days=_so_many(row, language)))
        elif row.outside:
            found.append(_OUTSIDE[row.outside][language].format(site=site))
        elif row.attention:
            found.append(_LATE[language].format(site=site))
    if found:
        return " ".join([*found, LOOK[language]])
    if any(row.outside is not None or row.signal is not None for row in rows):
        return _INSIDE[language]
    values = [row.value for row in rows if row.value is not None]
    if indicator.measure in ("survival", "mean") and values:
        return _AMONG[language].format(
            name=_name(indicator, language),
            low=_number(min(values), language),
            high=_number(max(values), language),
            hospitals=len(values),
        )
    n = sum(row.n for row in rows if row.n is not None)
    return _COUNTED[language].format(n=n, hospitals=len(rows))


def lay_headline(indicator: Indicator, network: Network) -> Words:
    """The number of all hospitals together in plain words, for patients."""
    if network.n is None:
        return dict(NOTHING)
    if indicator.measure == "share" and network.value is not None:
        part = max(round(100 * network.value), 1) if network.observed else 0
        return {language: _LAY_SHARE[language].format(part=part) for language in _LANGUAGES}
    if indicator.measure == "time" and network.median is not None:
        return {
            language: _LAY_TIME[language].format(days=_days(network.median, language))
            for language in _LANGUAGES
        }
    return {language: _LAY_COUNT[language].format(n=network.n) for language in _LANGUAGES}


def _name(indicator: Indicator, language: str) -> str:
    return indicator.text.nl if language == "nl" else str(indicator.text)


def _so_many(row: Row, language: str) -> str:
    """How long the median is, where it is shown: the rule is decided without showing it."""
    if row.median is None or all(each is None for each in row.median):
        return ""
    return _SO_MANY_DAYS[language].format(days=_days(row.median, language))


def _days(interval: tuple[float | None, float | None] | None, language: str) -> str:
    low, high = interval or (None, None)
    if low is None or high is None or low == high:
        return _number(next((each for each in (low, high) if each is not None), 0), language)
    return f"{_number(low, language)}-{_number(high, language)}"


def _number(value: float, language: str) -> str:
    text = f"{value:.3g}"
    return text.replace(".", ",") if language == "nl" else text
