"""A released round for national bodies: regions and subnetworks, with what each number means.

One row per indicator and part of the region, and per hospital where the round agreed to names. Each
row says its definition with version and fingerprint, its period, how many hospitals are in, and why
a number is missing; who they are only in a round with names, because in a round with letters "this
hospital was silent" tells whose letter is whose. The whole names the snapshot that it was made
from, so that it can be checked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from federation.query.canonical import sha256_hex
from federation.rounds.errors import RoundError
from federation.rounds.findings import network_of
from federation.rounds.rolling_up import Part, RolledUp, roll_up, shown_parts
from federation.rounds.snapshot import IndicatorFinding, Network, Snapshot, reason

FORMAT: Final = "oncokring.export/1"
_NUMBERS: Final = ("n", "missing", "observed", "value", "low", "high")
COLUMNS: Final = (
    "indicator",
    "version",
    "definition_sha256",
    "measure",
    "name",
    "first",
    "last",
    "level",
    "part",
    "part_name",
    "counted",
    "not_counted",
    "hospitals_in",
    "hospitals_out",
    *_NUMBERS,
    "median_low",
    "median_high",
    "p80_low",
    "p80_high",
    "not_shown",
    "network",
    "round",
    "released_at",
    "snapshot_sha256",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def export(
    snapshot: Snapshot,
    parts: Collection[Part],
    *,
    without: Collection[str] = (),
    hospitals: bool = False,
) -> dict[str, Any]:
    """The round as JSON. `hospitals`: also each hospital; `without`: without these.

    A round that did not agree to names gives the region only; RoundError NO_NAMES for either, or
    where the region does not hold every hospital of the round."""
    about, may = snapshot.round, shown_parts(snapshot, parts)
    if not may or ((hospitals or without) and not snapshot.round.names):
        raise RoundError("NO_NAMES")
    parts = may
    return {
        "export": FORMAT,
        "network": about.network,
        "group": about.group,
        "round": {"id": about.id, "number": about.number, "title": dict(about.title)},
        "period": dict(about.period),
        "released_at": about.released_at,
        "snapshot_sha256": snapshot.sha256,
        "without": sorted(without),
        "definitions": [dict(each.definition) for each in snapshot.indicators],
        "rows": [
            row
            for finding in snapshot.indicators
            for row in _rows(snapshot, finding, parts, without, hospitals)
        ],
    }


def as_csv(exported: Mapping[str, Any], language: str) -> str:
    """The same as CSV: no definitions, but their version and fingerprint on each line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    definitions = {each["id"]: each for each in exported["definitions"]}
    for row in exported["rows"]:
        definition = definitions[row["indicator"]]
        median, p80 = row["median"] or (None, None), row["p80"] or (None, None)
        cells: dict[str, Any] = {
            **{name: row[name] for name in COLUMNS if name in row},
            "measure": definition["measure"],
            "name": definition["text"][language],
            **exported["period"],
            "hospitals_in": " ".join(row["hospitals_in"]),
            "hospitals_out": " ".join(row["hospitals_out"]),
            "median_low": median[0],
            "median_high": median[1],
            "p80_low": p80[0],
            "p80_high": p80[1],
            "not_shown": reason(row["hidden"], language),
            "network": exported["network"],
            "round": exported["round"]["number"],
            "released_at": exported["released_at"],
            "snapshot_sha256": exported["snapshot_sha256"],
        }
        writer.writerow([_safe(cells[name]) for name in COLUMNS])
    return out.getvalue()


def _rows(
    snapshot: Snapshot,
    finding: IndicatorFinding,
    parts: Collection[Part],
    without: Collection[str],
    hospitals: bool,
) -> list[dict[str, Any]]:
    if finding.status == "shown":
        rolled = roll_up(snapshot, finding, parts, without=without)
    else:
        rolled = tuple(_nothing(part, finding) for part in parts)
    named = snapshot.round.names
    made = [_row(finding, each.part.kind, each, named=named) for each in rolled]
    if hospitals:
        measure = str(finding.definition["measure"])
        names = {hospital.site: hospital.name for hospital in snapshot.hospitals}
        for row in finding.rows:
            own = Part("subnetwork", row.site, names[row.site], frozenset({row.site}))
            shown = row.n is not None and row.site not in without
            numbers = network_of(measure, [row] if shown else [])
            if shown and row.hidden is not None:
                numbers = replace(numbers, hidden=row.hidden)
            inside = (row.site,) if shown else ()
            outside = {} if shown else {row.site: row.hidden or "left_out"}
            rolled_up = RolledUp(own, numbers, inside, outside)
            made.append(_row(finding, "hospital", rolled_up, named=True))
    return made


def _nothing(part: Part, finding: IndicatorFinding) -> RolledUp:
    why = finding.code or "not_measured"
    return RolledUp(part, Network(0, hidden=why), (), dict.fromkeys(sorted(part.sites), why))


def _row(finding: IndicatorFinding, level: str, found: RolledUp, *, named: bool) -> dict[str, Any]:
    numbers = found.numbers
    return {
        "indicator": finding.id,
        "version": finding.version,
        "definition_sha256": sha256_hex(finding.definition),
        "level": level,
        "part": found.part.slug,
        "part_name": found.part.name,
        "counted": len(found.inside),
        "not_counted": len(found.outside),
        "hospitals_in": list(found.inside) if named else [],
        "hospitals_out": dict(found.outside) if named else {},
        **{each: getattr(numbers, each) for each in _NUMBERS},
        "median": None if numbers.median is None else list(numbers.median),
        "p80": None if numbers.p80 is None else list(numbers.p80),
        "levels": [dict(each) for each in numbers.levels],
        "hidden": numbers.hidden,
    }


def _safe(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
