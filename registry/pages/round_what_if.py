"""What if one hospital's patients went to another: the volumes of a round beside their norm.

Worked out from the shown numbers only (domain.md F49). It says nothing of travel, of beds, or of
how patients would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.pages.round_labels import Places
from registry.pages.round_words import Row, measure, target_level, title, years_of
from registry.pages.tidy import Cell, Head, Table
from registry.translate import number
from registry.translate import translate as _


@dataclass(frozen=True)
class WhatIf:
    """The form's choices and what was chosen; the table once both are chosen and shown."""

    options: list[tuple[str, str]]
    chosen: Mapping[str, str]
    table: Table | None = None
    errors: dict[str, str] = field(default_factory=dict)


def what_if(
    indicator: Row, places: Places, period: Mapping[str, str], asked: Mapping[str, str]
) -> WhatIf | None:
    """`asked`: `from_site` and `to_site` by letter. None where the indicator is no volume, or where
    fewer than two hospitals show theirs."""
    if measure(indicator) != "volume" or indicator["status"] != "shown":
        return None
    shown = {
        places.letter(str(row["site"])): row
        for row in places.ordered(indicator["rows"])
        if row.get("n") is not None
    }
    if len(shown) < 2:
        return None
    options = [(letter, places.label(str(row["site"]))) for letter, row in shown.items()]
    chosen = {name: asked.get(name, "") for name in ("from_site", "to_site")}
    if not any(chosen.values()):
        return WhatIf(options, chosen)
    errors = {}
    if chosen["from_site"] not in shown:
        errors["from_site"] = _("Choose a hospital")
    if chosen["to_site"] not in shown or chosen["to_site"] == chosen["from_site"]:
        errors["to_site"] = _("Choose another hospital")
    if errors:
        return WhatIf(options, chosen, errors=errors)
    return WhatIf(options, chosen, _table(indicator, places, shown, chosen, years_of(period)))


def _table(
    indicator: Row,
    places: Places,
    shown: Mapping[str, Row],
    chosen: Mapping[str, str],
    years: float,
) -> Table:
    norm = target_level(indicator)
    heads = [
        Head(_("Hospital"), "hospital", numeric=False),
        Head(_("A year, as it is"), "now"),
        Head(_("A year, if they went there"), "then"),
    ]
    if norm is not None:
        words = _("Norm: at least %(n)s a year", n=number(norm))
        heads.append(Head(words, "norm", numeric=False))
    moved = int(shown[chosen["from_site"]]["n"])
    rows = []
    for letter, row in shown.items():
        now = int(row["n"])
        then = now + {chosen["from_site"]: -moved, chosen["to_site"]: moved}.get(letter, 0)
        cells = [
            Cell(places.label(str(row["site"])), str(row["site"]), numeric=False),
            Cell(number(now / years), now / years),
            Cell(number(then / years), then / years),
        ]
        if norm is not None:
            cells.append(_reached(now / years, then / years, norm))
        rows.append(tuple(cells))
    caption = _("%(name)s: what if", name=title(indicator))
    return Table(caption, tuple(heads), tuple(rows))


def _reached(now: float, then: float, norm: float) -> Cell:
    if then == 0:
        return Cell(_("none any more"), "none", numeric=False)
    words = {
        (True, True): _("reached, as it is now"),
        (False, True): _("reached then, not now"),
        (True, False): _("not reached then, now it is"),
        (False, False): _("not reached"),
    }[now >= norm, then >= norm]
    return Cell(words, str(then >= norm).lower(), numeric=False)
