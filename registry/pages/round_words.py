"""The numbers of a round in words: a value with its interval, where it lies, why it is not there.

Hidden is never 0 and never empty: it says that it is hidden, and why. No traffic lights: where a
hospital lies against chance is three words, and outside is a reason to look closer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from babel.dates import format_date

from federation.query.refusals import REFUSALS
from federation.rounds.snapshot import reason
from registry.pages.round_labels import Places
from registry.translate import LOCALES, day, language, number, percent, translate_count
from registry.translate import translate as _

Row = Mapping[str, Any]
Pair = tuple[float, float]
#: A wait that is known to lie between nothing and this many days is not known (the cap of the
#: question, domain.md 3.1).
LONGEST_WAIT = 365
#: Measures whose main number is a share between 0 and 1.
SHARES = frozenset({"share", "survival", "difference"})


def own_language(texts: Mapping[str, str] | str | None) -> str:
    """A text that comes in two languages, in the reader's; English where there is no Dutch."""
    if not isinstance(texts, Mapping):
        return str(texts or "")
    return str(texts.get(language()) or texts.get("en") or "")


def month(text: str) -> str:
    """2025-03 as people write it: March 2025."""
    first = date.fromisoformat(f"{text}-01")
    return str(format_date(first, format="LLLL y", locale=LOCALES[language()]))


def period(found: Mapping[str, str]) -> str:
    """From the first to the last month."""
    if found["first"] == found["last"]:
        return month(found["first"])
    return _("%(low)s to %(high)s", low=month(found["first"]), high=month(found["last"]))


def years_of(found: Mapping[str, str]) -> float:
    """How many years a period of whole months is."""
    (year, month), (last, end) = (
        (int(part) for part in found[name].split("-")) for name in ("first", "last")
    )
    return ((last - year) * 12 + end - month + 1) / 12


def short_period(found: Mapping[str, str]) -> str:
    """The same in the room that a picture has: Jan 2025 – Dec 2025."""
    ends = [
        str(
            format_date(date.fromisoformat(f"{found[end]}-01"), "LLL y", locale=LOCALES[language()])
        )
        for end in ("first", "last")
    ]
    return " – ".join(dict.fromkeys(ends))


def when(text: str | None) -> str:
    """A day of an ISO moment."""
    return day(datetime.fromisoformat(text)) if text else "–"


def measure(indicator: Row) -> str:
    """What kind of number the indicator is."""
    return str(indicator["definition"]["measure"])


def title(indicator: Row) -> str:
    """What the indicator is called."""
    return own_language(indicator["definition"]["text"])


def anchor(indicator: Row) -> str:
    """Its place on the page: the letters and figures of its id."""
    return "i-" + "".join(c if c.isalnum() else "-" for c in str(indicator["id"]))


def as_pair(found: Any) -> Pair | None:
    """Two bounds, None when one is hidden."""
    if not isinstance(found, Sequence) or len(found) != 2 or None in found:
        return None
    return float(found[0]), float(found[1])


def days_between(found: Any) -> str:
    """A number of days that is known to lie between two bounds."""
    pair = as_pair(found)
    if pair is None:
        return _("not shown")
    low, high = pair
    if high >= LONGEST_WAIT:
        if low <= 0:
            return _("not known closely enough")
        return _("%(low)s days or more", low=number(low))
    if low == high:
        return translate_count("%(count)s day", "%(count)s days", round(low))
    return _("%(low)s to %(high)s days", low=number(low), high=number(high))


def within_norm(row: Row, within: int | None) -> Row | None:
    """The share within a norm, from the row's list of norms."""
    return next((w for w in row.get("within") or () if w.get("days") == within), None)


def last_time(row: Row) -> Row | None:
    """The latest agreed moment of a survival curve that has a value."""
    known = [each for each in row.get("at") or () if each.get("share") is not None]
    return known[-1] if known else None


def value_text(indicator: Row, row: Row) -> str:
    """The main number of a row or of the network, without its interval."""
    kind = measure(indicator)
    if kind == "time":
        return days_between(row.get("median"))
    if kind == "volume":
        return number(row["n"]) if row.get("n") is not None else _("not shown")
    found = row.get("value")
    if found is None:
        return _("not shown")
    return percent(found) if kind in SHARES else number(found, 1)


def interval_text(indicator: Row, row: Row) -> str:
    """The 95% interval of the main number; empty for a measure without one."""
    kind = measure(indicator)
    low, high = row.get("low"), row.get("high")
    if kind in ("volume", "mix", "time") or low is None or high is None:
        return ""  # of a time the row holds the bounds of its median
    write = percent if kind in SHARES else lambda value: number(value, 1)
    return _("%(low)s to %(high)s", low=write(low), high=write(high))


def target_text(indicator: Row) -> str:
    """The agreed level with who set it and since when; empty without one."""
    found = indicator.get("target")
    if not found:
        return ""
    low, high = found.get("at_least"), found.get("at_most")
    level = low if low is not None else high
    if level is None:
        return ""
    write = percent if measure(indicator) in (*SHARES, "time") else number
    text = write(level, 0) if float(100 * level).is_integer() or level > 1 else write(level, 1)
    bound = (
        _("at least %(level)s", level=text)
        if low is not None
        else _("at most %(level)s", level=text)
    )
    within = found.get("within")
    if within is not None and measure(indicator) == "time":
        bound = _("%(bound)s within %(days)s days", bound=bound, days=number(within))
    return _("%(level)s a year", level=bound) if measure(indicator) == "volume" else bound


def target_source(indicator: Row) -> str:
    """Who set the level, since when, and whether it was checked against its source."""
    found = indicator.get("target")
    if not found:
        return ""
    since = day(date.fromisoformat(found["since"]))
    text = _("set by %(who)s, since %(day)s", who=found["set_by"], day=since)
    return text if found.get("confirmed") else text + "; " + _("not checked against its source")


def target_level(indicator: Row) -> float | None:
    """The level itself."""
    found = indicator.get("target") or {}
    level = found.get("at_least")
    return level if level is not None else found.get("at_most")


def hidden_short(code: str | None) -> str:
    """Why a hospital has no number here, in a few words for a picture or a cell."""
    known = {
        "small": _("hidden: too few patients"),
        "SMALL_GROUP": _("hidden: too few patients"),
        "INSTITUTION_HIDDEN": _("hidden: too few patients"),
        "derivable": _("hidden: could be worked out"),
        "left": _("stopped taking part"),
        "silent": _("did not answer"),
        "SITE_UNREACHABLE": _("did not answer"),
        "refused": _("did not answer this"),
        "no_data": _("does not record this"),
        "NOT_IN_CATALOGUE": _("does not record this"),
        "DATA_MISMATCH": _("does not record this"),
        "not_measured": _("not measured"),
    }
    return known.get(str(code), _("not shown"))


def hidden_cell(code: str | None) -> str:
    """The same for a cell of a table, where many stand beside each other."""
    return _("too few") if code in ("small", "SMALL_GROUP") else hidden_short(code)


def why_text(code: str | None) -> str:
    """The whole sentence behind a code. What somebody who asks a question could do is left out:
    a reader of a round asks none."""
    if code is not None and code in REFUSALS:
        found = REFUSALS[code]
        return found.text_nl if language() == "nl" else found.text_en
    return reason(code, language())


def state_text(hospital: Row) -> str:
    """A hospital's part in the round."""
    return {
        "in": _("takes part"),
        "left": _("stopped taking part"),
        "silent": _("did not answer"),
        "refused": _("did not answer this"),
        "no_data": _("does not record this"),
    }.get(str(hospital["state"]), str(hospital["state"]))


def shown_rows(indicator: Row) -> list[Row]:
    """The rows of hospitals whose main number is shown."""
    return [row for row in indicator["rows"] if is_shown(indicator, row)]


def is_shown(indicator: Row, row: Row) -> bool:
    """Whether the main number of a row is there; other numbers of it may be without it."""
    kind = measure(indicator)
    if kind == "time":
        return as_pair(row.get("median")) is not None
    if kind == "volume":
        return row.get("n") is not None
    if kind == "mix":
        return any(each.get("share") is not None for each in row.get("levels") or ())
    return row.get("value") is not None


def headline(indicator: Row) -> str:
    """The finding in one sentence; for an indicator without a result, why there is none."""
    if indicator["status"] == "shown":
        return own_language(indicator["headline"])
    return _("There is no result for this indicator.") + " " + why_text(indicator["code"])


def beside(indicator: Row, places: Places) -> list[str]:
    """What belongs with the headline: attention, small hospitals, why nobody is put in order."""
    rows = places.ordered(shown_rows(indicator))
    said = []
    joined = [row for row in rows if row.get("years_combined")]
    for row in joined:
        first, last = row["years_combined"]
        said.append(
            _(
                "%(name)s has few patients; the years %(first)s to %(last)s are taken together.",
                name=places.name(str(row["site"])),
                first=first,
                last=last,
            )
        )
    if any(as_pair(row.get("widened95")) for row in rows):
        said.append(
            _(
                "Hospitals differ more than chance alone gives, so each is held against wider "
                "limits."
            )
        )
    hidden = indicator["network"].get("hidden")
    if hidden:
        said.append(_("All hospitals together:") + " " + why_text(hidden))
    every = [*said, *spread_text(indicator.get("spread"))]
    return [text[:1].upper() + text[1:] for text in every]


def spread_text(spread: Row | None) -> list[str]:
    """Whether hospitals may be put in order, and why not."""
    return [own_language(spread["why"])] if spread and spread.get("why") else []


def own_words(indicator: Row, places: Places) -> list[str]:
    """One sentence on each of the reader's own hospitals, where one number says it."""
    if measure(indicator) in ("mix", "difference"):
        return []
    rows = [row for row in places.ordered(indicator["rows"]) if places.own(str(row["site"]))]
    return [_own(indicator, row, places.name(str(row["site"]))) for row in rows]


def _own(indicator: Row, row: Row, name: str) -> str:
    if is_shown(indicator, row):
        text, interval = value_text(indicator, row), interval_text(indicator, row)
        if interval:
            text = _("%(value)s (95%% interval %(interval)s)", value=text, interval=interval)
    else:
        text = hidden_short(row.get("hidden"))
    rule = signal_text(row)
    return f"{name}: {text}. {rule}".strip()


def signal_text(row: Row) -> str:
    """What the rule of waiting times says of a hospital; nothing where it was not looked at. With
    the median of all others, where the hospital's own is shown beside it."""
    signal = row.get("signal")
    if signal is None:
        return ""
    others = as_pair((row.get("rule") or {}).get("others"))
    if others is not None and as_pair(row.get("median")) is not None:
        days = days_between(others)
        if signal:
            return _(
                "That is at least twice the median of all others together (%(days)s).", days=days
            )
        return _("That is not twice the median of all others together (%(days)s).", days=days)
    if signal:
        return _("The median is at least twice that of all others together.")
    return _("The median is not at least twice that of all others together.")
