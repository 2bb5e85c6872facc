"""What this hospital tells of its data before anybody asks: how much is filled, roughly.

Worked out once a month, and anew when twice as many have said yes, or when mapping, codebook,
requirements, rules or thresholds change; over the patients who consent at that moment. Not with
each change of consent or data, so that no two versions lie a few patients apart (disclosure.md 4.7,
W8). It goes inside the acknowledgement of a consent snapshot: when it is new, and once a day for a
hub that may have missed it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.snapshot import Snapshot
from federation.protocol.encoding import canonical
from federation.query.codebook import Codebook
from federation.query.coverage import (
    ABSENT,
    Coverage,
    CoverageError,
    level_of,
    read_coverages,
    rounded,
)
from federation.query.rules import shipped_rules
from federation.site.choices.record_days import rows_that_count
from federation.site.data.columns import DataStore, Table
from federation.site.directory import SiteDirectory, kept_codebook
from federation.site.settings import StudyHere
from federation.site.store import milliseconds, moment

RENEW = timedelta(days=30)
REPEAT = timedelta(days=1)
LEAST_THRESHOLD = 5
"""As a policy's floor: also a hospital without protection tells nothing about fewer patients."""
MAX_BYTES = 100_000

_FORM = "1"  # another form or rounding is worked out anew


class Telling:
    """The coverage of one site. `stores`: the hospital's data by mapping."""

    def __init__(
        self,
        directory: SiteDirectory,
        database: sqlite3.Connection,
        stores: Mapping[str, DataStore],
    ) -> None:
        self._directory = directory
        self._database = database
        self._stores = stores
        terms = directory.policy.terms()
        self._threshold = max(terms.t_cohort_site, terms.t_cell, LEAST_THRESHOLD)

    def due(self, snapshot: Snapshot, now: datetime) -> dict[str, Any] | None:
        """What goes with this acknowledgement, by study; None when nothing has to be told now, the
        hospital has stopped, or its data cannot be read. Never raises."""
        if self._directory.stopped:
            return None
        try:
            return self._due(snapshot, now)
        except Exception:
            # Whatever is wrong with data or mapping, consent has to be taken all the same.
            return None

    def told(self, now: datetime) -> None:
        """Note that it leaves; inside the transaction of the acknowledgement."""
        self._database.execute("UPDATE coverage SET sent_at = ?", (milliseconds(now),))

    def _due(self, snapshot: Snapshot, now: datetime) -> dict[str, Any] | None:
        studies = {
            slug: (study, book)
            for slug, study in self._directory.settings.studies.items()
            if study.coverage == "tell"
            and (book := kept_codebook(self._directory.path, study)) is not None
        }
        basis = self._basis(studies)
        granted = {slug: _granted(snapshot, study) for slug, (study, _) in studies.items()}
        row = self._database.execute("SELECT basis, content, at, sent_at FROM coverage").fetchone()
        if row is not None and row[0] == basis and now - moment(row[2]) < RENEW:
            kept: dict[str, Any] = json.loads(row[1])
            if not self._many_more(granted, kept["granted"]):
                read_coverages(kept["told"])
                recently = row[3] is not None and now - moment(row[3]) < REPEAT
                return None if recently else dict(kept["told"])
        told = self._content(studies, snapshot, now)
        self._database.execute(
            "INSERT INTO coverage (one, basis, content, at, sent_at) VALUES (1, ?, ?, ?, NULL)"
            " ON CONFLICT (one) DO UPDATE SET basis = excluded.basis, content = excluded.content,"
            " at = excluded.at, sent_at = NULL",
            (basis, json.dumps({"told": told, "granted": granted}), milliseconds(now)),
        )
        return told

    def _many_more(self, granted: Mapping[str, int], before: Mapping[str, int]) -> bool:
        """Whether in some study twice as many say yes as when coverage was worked out, and so many
        more that the two sets lie a group apart."""
        return any(
            n >= 2 * before.get(slug, 0) and n - before.get(slug, 0) >= self._threshold
            for slug, n in granted.items()
        )

    def _basis(self, studies: Mapping[str, tuple[StudyHere, Codebook]]) -> str:
        digest = hashlib.sha256(f"{_FORM} {self._threshold}".encode())
        for slug, (study, book) in sorted(studies.items()):
            rules = shipped_rules(book)
            parts = [slug, book.sha256, *study.requires, *sorted(study.variables or ("*",))]
            digest.update("\0".join(parts).encode())
            digest.update(self._directory.mappings[study.mapping].text)
            digest.update(b"" if rules is None else rules.text)
        return digest.hexdigest()

    def _content(
        self,
        studies: Mapping[str, tuple[StudyHere, Codebook]],
        snapshot: Snapshot,
        now: datetime,
    ) -> dict[str, Any]:
        """Coverage of every study that has enough patients, read back by its own reader."""
        content = {}
        for slug, (study, book) in studies.items():
            found = self._of_study(study, book, snapshot, now)
            if found is not None:
                content[slug] = found.to_dict()
        read_coverages(content)
        if len(canonical(content)) > MAX_BYTES:
            raise CoverageError("too long")
        return content

    def _of_study(
        self, study: StudyHere, book: Codebook, snapshot: Snapshot, now: datetime
    ) -> Coverage | None:
        store = self._stores[study.mapping]
        variables = dict.fromkeys(book.variables, ABSENT)
        rules: dict[str, int | None] = {}
        enough = False
        for unit in book.units:
            view = book.at(unit)
            if not any(book.variables[n].per == unit for n in store.mapped.answers(view)):
                continue
            table = store.table(view)
            consenting = rows_that_count(snapshot, table, study.slug, study.requires)
            consenting = consenting & table.keyed
            people = _people(table)
            enough |= _different(people, consenting) >= self._threshold
            for name, values in table.columns.items():
                allowed = study.variables is None or name in study.variables
                if book.variables[name].per == unit and allowed:
                    variables[name] = self._level(values, consenting & table.plausible, people)
            self._add_rules(rules, table, consenting, people)
        return Coverage(book.sha256, now.date(), variables, rules) if enough else None

    def _level(
        self, values: NDArray[Any], counted: NDArray[np.bool_], people: NDArray[np.int64]
    ) -> str:
        known = values >= 0 if values.dtype.kind == "i" else ~np.isnan(values)
        filled = counted & known
        return level_of(
            int(np.count_nonzero(filled)),
            int(np.count_nonzero(counted)),
            _different(people, filled),
            self._threshold,
        )

    def _add_rules(
        self,
        rules: dict[str, int | None],
        table: Table,
        consenting: NDArray[np.bool_],
        people: NDArray[np.int64],
    ) -> None:
        """Rules in the first unit that can hold them."""
        if table.findings is None:
            return
        for rule in table.findings.rules.values():
            if rule.name not in rules:
                rows = table.findings.breaking(rule.name) & consenting
                n, patients = int(np.count_nonzero(rows)), _different(people, rows)
                others = _different(people, consenting) - patients
                rules[rule.name] = rounded(n, patients, others, self._threshold)


def _granted(snapshot: Snapshot, study: StudyHere) -> int:
    """How many patients of the snapshot say yes to the study, without reading any data."""
    return int(np.count_nonzero(snapshot.permits(snapshot.handles, study.slug, study.requires)))


def _people(table: Table) -> NDArray[np.int64]:
    """A number per row, the same for rows of the same patient."""
    return np.arange(table.n) if table.people is None else table.people


def _different(people: NDArray[np.int64], rows: NDArray[np.bool_]) -> int:
    """How many patients these rows are of; all rows of nobody (-1) together are of one."""
    seen = np.zeros(int(people.max(initial=-1)) + 2, np.bool_)
    seen[people[rows]] = True
    return int(np.count_nonzero(seen))
