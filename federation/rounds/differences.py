"""With and without something, such as prehabilitation: always the difference and the ratio.

"40% fewer" may be 30 instead of 50 of a hundred, or 3 instead of 5 (domain.md 3.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from federation.indicators.definition import Indicator
from federation.methods.two_groups import two_groups, words
from federation.rounds.answers import SMALL, Answer, Json, refused, total
from federation.rounds.snapshot import Network

#: Why a hospital has no row of its own: four cells of one hospital are nearly always too small,
#: and with some of them shown those of all together would have to be hidden.
OF_ALL: Final = "not_measured"


def network_of_all(main: Answer, excluded: Answer | None) -> Network:
    """The hospitals of the answer together; how many they took out where each of them says so."""
    own = {} if excluded is None else excluded.own
    parts = [own.get(site) for site in main.sites]
    told = [None if part is None or refused(part) else part.get("n") for part in parts]
    return Network(
        hospitals_in=len(main.sites),
        n=main.pooled.get("n"),
        missing=main.pooled.get("missing"),
        excluded=total(told),
        hidden=None if main.pooled.get("n") is not None else SMALL,
    )


def difference_of(indicator: Indicator, main: Answer) -> Json:
    """The two groups of all hospitals together; hidden when one of the four counts is."""
    return _difference(indicator, main, main.pooled.get("cells") or ())


def differences_by(indicator: Indicator, answer: Answer, variable: str) -> list[Json]:
    """The same for each group of `variable`, of all hospitals together: four counts of one
    hospital and one group are nearly always too small."""
    groups: dict[str, list[Json]] = {}
    for cell in answer.pooled.get("cells") or ():
        groups.setdefault(str(cell["by"][variable]), []).append(cell)
    rows: list[Json] = []
    for level, cells in groups.items():
        found = _difference(indicator, answer, cells)
        shown = found["hidden"] is None
        rows.append(
            {
                "site": None,
                "level": level,
                "n": found["n"] + found["other_n"] if shown else None,
                "observed": None,
                "value": None,
                "hidden": found["hidden"],
                "difference": found,
            }
        )
    return rows


def _difference(indicator: Indicator, main: Answer, of: Iterable[Json]) -> Json:
    assert indicator.numerator is not None  # noqa: S101  a difference always has one
    counted = indicator.numerator.variables()[0]
    exposure = indicator.exposure or ""
    base: dict[str, Any] = {"exposure": exposure, "hospitals_in": len(main.sites)}
    cells = _table(of, exposure, counted)
    if cells is None:
        return {**base, "hidden": SMALL}
    events, other_events = cells[True, True], cells[False, True]
    n, other_n = events + cells[True, False], other_events + cells[False, False]
    found = two_groups(events, n, other_events, other_n)
    if found is None:
        return {**base, "hidden": SMALL}
    return {
        **base,
        "events": events,
        "n": n,
        "other_events": other_events,
        "other_n": other_n,
        "difference": found.difference,
        "difference_interval": list(found.difference_interval),
        "ratio": found.ratio,
        "ratio_interval": None if found.ratio_interval is None else list(found.ratio_interval),
        "words": {"en": words(found, "en"), "nl": words(found, "nl")},
        "hidden": None,
    }


def _table(
    cells: Iterable[Json], exposure: str, counted: str
) -> dict[tuple[bool, bool], int] | None:
    """The four counts by exposure and outcome; None when one of them is not shown."""
    made: dict[tuple[bool, bool], Any] = {
        (_yes(cell["by"][exposure]), _yes(cell["by"][counted])): cell.get("n") for cell in cells
    }
    return made if len(made) == 4 and None not in made.values() else None


def _yes(value: object) -> bool:
    return str(value).lower() in ("true", "yes")
