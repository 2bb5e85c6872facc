"""What a finding is in one sentence, in both languages: what stands out, and never a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from federation.indicators.definition import Indicator
from federation.rounds.answers import pair
from federation.rounds.attention import above, below, past, side, within_of
from federation.rounds.days import close_enough
from federation.rounds.snapshot import Network, Row, Words

#: Outside the 99.8% limits.
OUTER: Final = 998
_LANGUAGES: Final = ("en", "nl")
LOOK: Final = {
    "en": "A reason to look closer, not a verdict.",
    "nl": "Een reden om beter te kijken, geen oordeel.",
}
_INSIDE: Final = {
    "en": "All hospitals are inside expected variation.",
    "nl": "Alle ziekenhuizen liggen binnen de verwachte variatie.",
}
_SOME_INSIDE: Final = {
    "en": "The hospitals that are shown ({k} of {n}) are inside expected variation.",
    "nl": "De getoonde ziekenhuizen ({k} van {n}) liggen binnen de verwachte variatie.",
}
_SHOWN: Final = {
    "en": "{k} of {n} hospitals are shown.",
    "nl": "{k} van de {n} ziekenhuizen zijn getoond.",
}
_NOT_TWICE: Final = {
    "en": "At no hospital is the median at least twice that of all others together.",
    "nl": "Bij geen ziekenhuis is de mediaan minstens twee keer die van alle anderen samen.",
}
_SOME_NOT_TWICE: Final = {
    "en": "At none of the hospitals that were compared ({k} of {n}) is the median at least twice"
    " that of all others together.",
    "nl": "Bij geen van de vergeleken ziekenhuizen ({k} van {n}) is de mediaan minstens twee keer"
    " die van alle anderen samen.",
}
_NOWHERE_FEWER: Final = {
    "en": "Nowhere fewer within {days} days than chance explains.",
    "nl": "Nergens minder binnen {days} dagen dan toeval verklaart.",
}
_WITHIN_BY_CHANCE: Final = {
    "en": "Share within {days} days outside the 95% limits: {k} of {n} hospitals; by chance alone"
    " 1 in 20.",
    "nl": "Deel binnen {days} dagen buiten de 95%-grenzen: {k} van {n} ziekenhuizen; door toeval"
    " alleen 1 op de 20.",
}
_BY_CHANCE: Final = {
    "en": "Outside the 95% limits: {k} of {n} hospitals; by chance alone 1 in 20 lies there.",
    "nl": "Buiten de 95%-grenzen: {k} van {n} ziekenhuizen; door toeval alleen ligt daar 1 op de"
    " 20.",
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
_AGAINST: Final = {"en": " ({days} days against {others})", "nl": " ({days} dagen tegen {others})"}
_LATE: Final = {
    "en": "{site}: one in five waits longer than the norm.",
    "nl": "{site}: één op de vijf wacht langer dan de norm.",
}
_FEW_WITHIN: Final = {
    "en": "{site}: fewer within {days} days than chance explains (outside the 99.8% limits).",
    "nl": "{site}: minder binnen {days} dagen dan toeval verklaart (buiten de 99,8%-grenzen).",
}
_OUTSIDE: Final = {
    None: {
        "en": "{site} lies outside the 99.8% limits{side}.",
        "nl": "{site} ligt buiten de 99,8%-grenzen{side}.",
    },
    True: {
        "en": "{site} lies above the 99.8% limits{side}.",
        "nl": "{site} ligt boven de 99,8%-grenzen{side}.",
    },
    False: {
        "en": "{site} lies below the 99.8% limits{side}.",
        "nl": "{site} ligt onder de 99,8%-grenzen{side}.",
    },
}
_SIDES: Final = {
    "worse": {"en": ": worse than expected", "nl": ": slechter dan verwacht"},
    "better": {"en": ": better than expected", "nl": ": beter dan verwacht"},
}
_COUNTED: Final = {
    "en": "{n} counted in {hospitals} hospitals.",
    "nl": "{n} geteld in {hospitals} ziekenhuizen.",
}
_AMONG: Final = {
    "en": "{name}: between {low} and {high} in {hospitals} hospitals.",
    "nl": "{name}: tussen {low} en {high} in {hospitals} ziekenhuizen.",
}
_NOT_JUDGED: Final = {
    "en": "{name}: between {low} and {high} in {hospitals} hospitals; too little can be shown to"
    " say whether that is chance.",
    "nl": "{name}: tussen {low} en {high} in {hospitals} ziekenhuizen; er is te weinig te tonen om"
    " te zeggen of dat toeval is.",
}
_LAY_SHARE: Final = {
    "en": "This happened in {part} of every 100 people.",
    "nl": "Dit gebeurde bij {part} van elke 100 mensen.",
}
_LAY_TIME: Final = {
    "en": "Half of the people waited {days} days or less.",
    "nl": "De helft van de mensen wachtte {days} dagen of korter.",
}
_LAY_FEWER: Final = {
    "en": "This happened in fewer than {part} of every 100 people.",
    "nl": "Dit gebeurde bij minder dan {part} van elke 100 mensen.",
}
_LAY_MORE: Final = {
    "en": "This happened in more than {part} of every 100 people.",
    "nl": "Dit gebeurde bij meer dan {part} van elke 100 mensen.",
}
_LAY_LONG: Final = {
    "en": "Half of the people waited {days} days or more.",
    "nl": "De helft van de mensen wachtte {days} dagen of langer.",
}
_LAY_AT: Final = {
    "en": "{part} of every 100 people after {when}",
    "nl": "{part} van elke 100 mensen na {when}",
}
_LAY_LATER: Final = {"en": "{part} after {when}", "nl": "{part} na {when}"}
_LAY_YEARS: Final = {
    "en": {1: "{n} year", 2: "{n} years"},
    "nl": {1: "{n} jaar", 2: "{n} jaar"},
}
_LAY_DAYS: Final = {"en": "{n} days", "nl": "{n} dagen"}
_LAY_CHANGE: Final = {
    -1: {
        "en": "On average {points} points lower than at the start.",
        "nl": "Gemiddeld {points} punten lager dan aan het begin.",
    },
    0: {
        "en": "On average about the same as at the start.",
        "nl": "Gemiddeld ongeveer hetzelfde als aan het begin.",
    },
    1: {
        "en": "On average {points} points higher than at the start.",
        "nl": "Gemiddeld {points} punten hoger dan aan het begin.",
    },
}
_LAY_GROUPS: Final = {
    "en": "With it: {part} of every 100 people. Without it: {other} of every 100.",
    "nl": "Met: {part} van elke 100 mensen. Zonder: {other} van elke 100.",
}
_YEAR: Final = 365
_LAY_COUNT: Final = {"en": "{n} people were counted.", "nl": "Er zijn {n} mensen geteld."}


def headline(
    indicator: Indicator,
    rows: Sequence[Row],
    names: Mapping[str, str],
    *,
    norm: float | None = None,
) -> Words:
    """The finding in words; hospitals by name (a view may put letters there). ``norm``: the days
    that the target speaks of."""
    # A verdict stands where the median itself is hidden: the hospital made it.
    shown = [row for row in rows if row.n is not None]
    if not shown:
        return dict(NOTHING)
    return {
        language: _said(indicator, shown, names, norm, len(rows), language)
        for language in _LANGUAGES
    }


def _said(
    indicator: Indicator,
    rows: Sequence[Row],
    names: Mapping[str, str],
    norm: float | None,
    asked: int,
    language: str,
) -> str:
    # By the 99.8% limits: of ten hospitals and twenty indicators ten lie outside 95% by chance.
    limits = [each for each in (_place(row, norm) for row in rows) if each is not None]
    rules = sum(row.signal is not None for row in rows)
    most = max(len(limits), rules)
    given = {"k": len(limits), "n": asked, "days": _number(norm or 0, language)}
    found = _named(indicator, rows, names, norm, language)
    if any(limits):
        words = _BY_CHANCE if indicator.measure != "time" else _WITHIN_BY_CHANCE
        counts = {"k": sum(each > 0 for each in limits), "n": len(limits)}
        found.append(words[language].format(**{**given, **counts}))
    if found:
        if 0 < most < asked:
            found.append(_SHOWN[language].format(k=most, n=asked))
        return " ".join([*found, LOOK[language]])
    if rules or (limits and indicator.measure == "time"):
        return _nothing_stands_out(rules, limits, given, language)
    if limits:
        words = _INSIDE if len(limits) == asked else _SOME_INSIDE
        return words[language].format(**given)
    values = [row.value for row in rows if row.value is not None]
    if indicator.measure in ("share", "survival", "mean") and values:
        write = _number if indicator.measure == "mean" else _percent
        words = _NOT_JUDGED if indicator.measure == "share" else _AMONG
        return words[language].format(
            name=_name(indicator, language),
            low=write(min(values), language),
            high=write(max(values), language),
            hospitals=len(values),
        )
    n = sum(row.n for row in rows if row.n is not None)
    return _COUNTED[language].format(n=n, hospitals=len(rows))


def _nothing_stands_out(
    rules: int, limits: Sequence[int], given: Mapping[str, Any], language: str
) -> str:
    """Of a waiting time: what was looked at, at how many hospitals, and no more than that."""
    asked, said = given["n"], []
    if rules:
        words = _NOT_TWICE if rules == asked else _SOME_NOT_TWICE
        said.append(words[language].format(k=rules, n=asked))
    if limits:
        said.append(_NOWHERE_FEWER[language].format(**given))
        if len(limits) < asked and not rules:
            said.append(_SHOWN[language].format(**given))
    return " ".join(said)


def _named(
    indicator: Indicator,
    rows: Sequence[Row],
    names: Mapping[str, str],
    norm: float | None,
    language: str,
) -> list[str]:
    """What stands out at a hospital, with the side that it is on."""
    found = []
    # Not by name: beside letters that order would tell whose they are.
    for row in sorted(rows, key=lambda each: (-(each.outside or 0), -(each.value or 0.0))):
        site = names.get(row.site, row.site)
        if row.signal:
            found.append(_TWICE[language].format(site=site, days=_so_many(row, language)))
        elif row.outside == OUTER:
            words = "" if indicator.better == "neither" else _SIDES[side(indicator, row)][language]
            found.append(_OUTSIDE[above(row)][language].format(site=site, side=words))
        elif norm is not None and past(row, norm):
            found.append(_LATE[language].format(site=site))
        elif norm is not None and below(row, norm) == OUTER:
            days = _number(norm, language)
            found.append(_FEW_WITHIN[language].format(site=site, days=days))
    return found


def _place(row: Row, norm: float | None) -> int | None:
    """Outside which limits a row lies; of a waiting time, its share within the norm."""
    found = within_of(row, norm)
    return row.outside if found is None else found.get("outside")


def lay_headline(
    indicator: Indicator, network: Network, difference: Mapping[str, Any] | None = None
) -> Words:
    """The number of all hospitals together in plain words, for patients; of a `difference` both
    groups, never one against the other as a ratio."""
    if network.n is None:
        return dict(NOTHING)
    known = [each for each in network.at if each.get("share") is not None]
    if indicator.measure == "survival" and known:
        return {language: _lay_at(known, language) for language in _LANGUAGES}
    if difference is not None and difference.get("n") and difference.get("other_n"):
        shares = {
            "part": round(100 * difference["events"] / difference["n"]),
            "other": round(100 * difference["other_events"] / difference["other_n"]),
        }
        return {language: _LAY_GROUPS[language].format(**shares) for language in _LANGUAGES}
    if indicator.measure == "mean" and indicator.baseline and network.value is not None:
        points = round(network.value)
        side = (points > 0) - (points < 0)
        return {
            language: _LAY_CHANGE[side][language].format(points=abs(points))
            for language in _LANGUAGES
        }
    words: Mapping[str, str] = _LAY_COUNT
    given: dict[str, Any] = {"n": network.n}
    if indicator.measure == "share" and network.value is not None:
        words, given = _lay_share(network.value, network.observed or 0, network.n)
    if indicator.measure == "time" and network.median is not None:
        low, high = network.median
        # The last day of the interval: by then half of the people were certainly seen.
        words = _LAY_TIME if high is not None else _LAY_LONG
        return {
            language: words[language].format(days=_number(high or low or 0, language))
            for language in _LANGUAGES
        }
    return {language: words[language].format(**given) for language in _LANGUAGES}


def _lay_at(known: Sequence[Mapping[str, Any]], language: str) -> str:
    """How many of a hundred, at each moment that is shown: the first in full."""
    told: list[str] = []
    for each in known:
        years, rest = divmod(round(each["days"]), _YEAR)
        when = _LAY_DAYS[language].format(n=round(each["days"]))
        if rest == 0 and years:
            when = _LAY_YEARS[language][min(years, 2)].format(n=years)
        words = _LAY_LATER if told else _LAY_AT
        told.append(words[language].format(part=round(100 * each["share"]), when=when))
    return "; ".join(told) + "."


def _lay_share(value: float, observed: int, n: int) -> tuple[Mapping[str, str], dict[str, Any]]:
    part = round(100 * value)
    if part == 0 and observed > 0:
        return _LAY_FEWER, {"part": "1"}
    if part == 100 and observed < n:
        return _LAY_MORE, {"part": "99"}
    return _LAY_SHARE, {"part": str(part)}


def _name(indicator: Indicator, language: str) -> str:
    return indicator.text.nl if language == "nl" else str(indicator.text)


def _so_many(row: Row, language: str) -> str:
    """How long the median is, where it is shown: the rule is decided without showing it. Beside it
    that of all others together, where that is known as closely."""
    if row.median is None or all(each is None for each in row.median):
        return ""
    days = _days(row.median, language)
    others = close_enough(pair((row.rule or {}).get("others")))
    if others is None or None in others:
        return _SO_MANY_DAYS[language].format(days=days)
    return _AGAINST[language].format(days=days, others=_days(others, language))


def _days(interval: tuple[float | None, float | None] | None, language: str) -> str:
    low, high = interval or (None, None)
    if low is None or high is None or low == high:
        return _number(next((each for each in (low, high) if each is not None), 0), language)
    return f"{_number(low, language)}-{_number(high, language)}"


def _number(value: float, language: str) -> str:
    text = f"{value:.3g}"
    return text.replace(".", ",") if language == "nl" else text


def _percent(value: float, language: str) -> str:
    """With a space before the sign in neither language, as on the pages."""
    return f"{_number(100 * value, language)}%"
