"""What people wrote in a definition: a round shows it to everybody and keeps it for good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from federation.indicators.definition import Indicator
from federation.indicators.fields import MAX_LAY
from federation.query.variables import Label
from studies.free_text import one_line


def check_words(indicator: Indicator, now: datetime) -> None:
    """Raises StudiesError `points_at_somebody` or `control_sign` for any text of a definition."""
    for each in _words(indicator):
        one_line(each, MAX_LAY, now)


def _words(indicator: Indicator) -> Iterator[str]:
    labels: tuple[Label, ...] = (indicator.text, indicator.lay)
    for label in (*labels, *(each.text for each in indicator.exclusions)):
        yield str(label)
        yield label.nl
    yield indicator.id
    yield indicator.source
    for target in indicator.targets:
        yield target.set_by
        yield target.source
