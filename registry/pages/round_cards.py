"""One indicator of a round as its page, the whole round and the paper show it: in one place, so
that all three say the same."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from federation.indicators.definition import Indicator
from federation.query.builtin import builtin_codebook
from federation.query.errors import QueryError
from registry.pages.figure import Figure
from registry.pages.indicator_words import definition_lines
from registry.pages.round_figures import figure_of
from registry.pages.round_reading import Reading
from registry.pages.round_tables import difference_table, table_of
from registry.pages.round_words import (
    Row,
    anchor,
    beside,
    headline,
    interval_text,
    measure,
    own_language,
    own_words,
    target_source,
    target_text,
    title,
    value_text,
    why_text,
    years_of,
)
from registry.pages.tidy import Table
from registry.translate import language, number
from registry.translate import translate as _

#: The white rim of letters over lines. What makes the PDF would draw it over the letters.
_RIM = ' stroke="#fff" stroke-width="4" paint-order="stroke" stroke-linejoin="round"'


@dataclass(frozen=True)
class Card:
    """What is shown of an indicator; `facts` are the small numbers above its picture."""

    id: str
    anchor: str
    title: str
    lay: str
    headline: str
    beside: list[str]
    own: list[str]
    facts: list[tuple[str, str, str]]
    figure: Figure | None
    tables: list[Table]
    definition: list[tuple[str, str]]
    warnings: list[str]
    shown: bool

    @property
    def drawing(self) -> Markup:
        """The wide picture alone, for paper."""
        if self.figure is None:
            return Markup("")
        wide = str(self.figure.drawings).split("</svg>")[0] + "</svg>"
        # Our own drawing, which escapes every word itself (canvas.py).
        return Markup(wide.replace(_RIM, ""))  # noqa: S704


def cards_of(found: Reading) -> list[Card]:
    """Every indicator of the released round."""
    return [card_of(found, each) for each in found.view["indicators"]]


def card_of(found: Reading, indicator: Row) -> Card:
    """One indicator, as the reader of this request may see it."""
    shown = indicator["status"] == "shown"
    lay = found.lay
    tables = []
    if shown and not lay:
        apart = difference_table(indicator, found.level_name)
        per_hospital = bool(indicator["rows"]) and measure(indicator) != "difference"
        tables = [table_of(indicator, found.places, found.level_name)] if per_hospital else []
        tables += [apart] if apart else []
    return Card(
        id=str(indicator["id"]),
        anchor=anchor(indicator),
        title=title(indicator),
        lay=own_language(indicator["definition"].get("lay")),
        headline=headline(indicator),
        beside=[] if lay or not shown else beside(indicator, found.places),
        own=[] if lay or not shown else own_words(indicator, found.places),
        facts=_named(found, _lay_facts(indicator) if lay else _facts(indicator)) if shown else [],
        figure=None if lay else _figure(found, indicator),
        tables=tables,
        definition=_definition(found, indicator),
        warnings=[str(each) for each in indicator.get("warnings") or ()],
        shown=shown,
    )


def _figure(found: Reading, indicator: Row) -> Figure | None:
    years = years_of(found.view["round"]["period"])
    return figure_of(indicator, found.places, found.level_name, years)


def _facts(indicator: Row) -> list[tuple[str, str, str]]:
    """Name, value, small print."""
    together = indicator["network"]
    found = []
    if together.get("value") is not None and measure(indicator) != "volume":
        name = _("Median of all together") if measure(indicator) == "time" else _("All together")
        found.append((name, value_text(indicator, together), interval_text(indicator, together)))
    target = target_text(indicator)
    if target:
        found.append((_("Target"), target, target_source(indicator)))
    found.append((_("Patients"), _count(together.get("n")), ""))
    found.append((_("Missing"), _count(together.get("missing")), _missing(together)))
    found.append((_("Excluded"), _count(together.get("excluded")), ""))
    found.append((_("Hospitals in"), number(together["hospitals_in"]), ""))
    return found


def _named(found: Reading, facts: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """A level that the group agreed on names it by its key; people know it by its name."""
    name = found.group.name(language())
    return [(what, value, small.replace(found.group.key, name)) for what, value, small in facts]


def _lay_facts(indicator: Row) -> list[tuple[str, str, str]]:
    """What somebody needs who reads no statistics: the agreed level, how many people, where."""
    found = []
    target = target_text(indicator)
    if target:
        found.append((_("What was agreed"), target, target_source(indicator)))
    found.append((_("People"), _count(indicator["network"].get("n")), ""))
    found.append((_("Hospitals"), number(indicator["network"]["hospitals_in"]), ""))
    return found


def _count(n: int | None) -> str:
    return _("not shown") if n is None else number(n)


def _missing(together: Row) -> str:
    n, missing = together.get("n"), together.get("missing")
    if n is None or missing is None or not n + missing:
        return ""
    return number(100 * missing / (n + missing), 1) + "%"


def _definition(found: Reading, indicator: Row) -> list[tuple[str, str]]:
    """Where the number comes from: the locked definition in words, as the indicator's own page."""
    given = indicator["definition"]
    head = (_("Definition"), f"{indicator['id']}, " + _("version %(n)s", n=indicator["version"]))
    made = [head, *_lines(found, indicator), (_("Source"), str(given.get("source") or ""))]
    if indicator["code"]:
        made.append((_("Why there is no result"), why_text(indicator["code"])))
    return [(name, text) for name, text in made if text]


def _lines(found: Reading, indicator: Row) -> list[tuple[str, str]]:
    book = None if found.lay else builtin_codebook(str(indicator["definition"]["codebook"]))
    try:
        if book is not None:
            read = Indicator.from_dict(indicator["definition"], book)
            return [(line.label, line.text) for line in definition_lines(read, language())]
    except QueryError:
        pass  # written for a codebook of before: what is said below needs none
    return _short_lines(indicator["definition"])


def _short_lines(given: Row) -> list[tuple[str, str]]:
    better = {
        "lower": _("lower is better"),
        "higher": _("higher is better"),
        "neither": _("neither is better"),
    }
    return [
        (_("Which way"), better.get(str(given.get("better")), "")),
        (_("Counted by"), _role(str(given.get("role")))),
        (
            _("Left out"),
            "; ".join(own_language(each.get("text")) for each in given.get("exclusions") or ()),
        ),
        (_("Adjusted for"), str(given.get("case_mix") or _("nothing"))),
    ]


def _role(role: str) -> str:
    return {
        "first_visit": _("the hospital of the first visit"),
        "diagnosis": _("the hospital of the diagnosis"),
        "treatment": _("the hospital of the treatment"),
        "surgery": _("the hospital that operated"),
        "any": _("every hospital that saw the patient"),
    }.get(role, role)
