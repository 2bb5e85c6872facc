"""Which days a record has: what its codebook says, or what comes with the program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from federation.query.builtin import beside, builtin_codebook
from federation.query.codebook import Codebook
from federation.query.record_dates import RecordDates, read_dates
from federation.query.yaml_data import load_yaml

_NOTHING: Mapping[str, RecordDates] = {}


def dates_of(codebook: Codebook) -> Mapping[str, RecordDates]:
    """Per unit the days of a record. For a built-in codebook that is silent about it they stand in
    a file beside it; its content must be the built-in one, letter by letter."""
    whole = codebook.whole
    return whole.dates or _shipped(whole.id, whole.sha256)


def named_in_dates(codebook: Codebook) -> frozenset[str]:
    """The names of all dates that say of which day a record is."""
    days = [day for each in dates_of(codebook).values() for day in (each.first, each.last) if day]
    return frozenset(day.name for day in days)


@cache
def _shipped(name: str, sha256: str) -> Mapping[str, RecordDates]:
    data, book = beside(name, "dates"), builtin_codebook(name)
    if data is None or book is None or book.sha256 != sha256:
        return _NOTHING
    value = load_yaml(data)
    return read_dates(value["dates"], book.whole.variables, book.units)
