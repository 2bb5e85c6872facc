"""The hospital's data as typed NumPy columns in memory, read once per version of the data."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from consent.collecting import without_collecting
from consent.finding import count_different
from federation.query.codebook import Codebook
from federation.query.units import PATIENT
from federation.site.choices.pseudonyms import HANDLE_BYTES, HandleMaker, Handles
from federation.site.choices.record_days import date_units
from federation.site.data.convert import Tally, Values, VariableReader, readers
from federation.site.data.joins import chain
from federation.site.data.judged import judge_rows, judge_units
from federation.site.data.mapping import Mapped
from federation.site.data.meanings import text_of
from federation.site.data.plausibility import Findings
from federation.site.data.source_options import OWN
from federation.site.data.sources import Block, Source, open_source
from federation.site.data.units import Times, UnitRows, patient_keys, read_units
from federation.site.data.values import Places
from federation.site.errors import DataError, SetupError

_ATTEMPTS = 2


@dataclass(frozen=True)
class Table:
    """All rows of one unit of the hospital, one column per mapped variable.

    version: changes when data, mapping or codebook change. handles: of each row's patient. keyed:
    bool (n,), False where that patient is not known; such a row belongs to nobody who could have
    consented. people: None where a row is a patient, else (n,) the number of each row's patient in
    the table `patients`, -1 for none. repeated: rows whose number came before, which must not be
    counted twice. findings: what the plausibility rules say; None for a codebook without rules.
    times: of a date its day where this hospital has it (UnitRows.times).
    """

    version: str
    codebook: Codebook
    n: int
    columns: Mapping[str, Values]
    handles: Handles
    keyed: NDArray[np.bool_]
    repeated: int
    tallies: Mapping[str, Tally]
    people: Places | None = None
    patients: "Table | None" = field(default=None, repr=False)
    units: Mapping[str, UnitRows] = field(default_factory=dict, repr=False)
    findings: Findings | None = None
    times: Mapping[str, Times] = field(default_factory=dict, repr=False)

    @property
    def plausible(self) -> NDArray[np.bool_]:
        """Rows that break no plausibility rule of severity E, bool (n,)."""
        return np.ones(self.n, np.bool_) if self.findings is None else self.findings.plausible

    @property
    def countable(self) -> NDArray[np.bool_]:
        """Rows that may be counted if their patient consents, bool (n,)."""
        return self.keyed & self.plausible


class DataStore:
    """One data source with its mapping, read again only when something has changed."""

    def __init__(self, mapped: Mapped, handles: HandleMaker) -> None:
        self.mapped = mapped
        self._handles = handles
        self._sources = _sources(mapped)
        self._version = ""
        self._tables: dict[str, Table] = {}

    def table(self, codebook: Codebook) -> Table:
        """The rows as `codebook` describes them. Raises DataError."""
        version = self._version_now(codebook)
        if self._version != version:
            self._tables.clear()  # not two readings in memory at once
            self._version = ""
        elif codebook.unit in self._tables:
            return self._tables[codebook.unit]
        elif self._tables:
            units = next(iter(self._tables.values())).units
            return self._keep(unit_table(codebook, units, self._handles, version))
        for _ in range(_ATTEMPTS):
            with without_collecting():
                table = read_table(codebook, self.mapped, self._handles, version)
            before, version = version, self._version_now(codebook)
            if version == before:
                self._version = version
                return self._keep(table)
        # Half an old file and half a new one is no data of this hospital.
        raise DataError("SOURCE_CHANGED")

    def _keep(self, table: Table) -> Table:
        self._tables[table.codebook.unit] = table
        return table

    def _version_now(self, codebook: Codebook) -> str:
        return data_version(self.mapped, codebook, self._sources)


def data_version(mapped: Mapped, codebook: Codebook, sources: Sequence[Source] = ()) -> str:
    """A text that changes when data, mapping or codebook do. `sources`: those of the mapping, which
    may remember what they found before. Raises DataError."""
    parts = [source.version() for source in sources or _sources(mapped)]
    parts.append(codebook.sha256)
    digest = hashlib.sha256(mapped.text)
    digest.update("\0".join(parts).encode())
    return digest.hexdigest()


def _sources(mapped: Mapped) -> list[Source]:
    """What a version is asked of: each file, or the database as a whole; and the patients' own
    answers where the mapping reads them."""
    options = mapped.source
    names = [OWN] if any(table.table == OWN for table in mapped.tables.values()) else []
    if options.files:
        return [open_source(options.only(name)) for name in [*options.files, *names]]
    return [open_source(options), *(open_source(options.only(name)) for name in names)]


def read_table(
    codebook: Codebook,
    mapped: Mapped,
    handles: HandleMaker,
    version: str = "",
    *,
    watch: bool = False,
) -> Table:
    """Read everything the mapping names. `watch` keeps raw texts without a meaning, for
    `site check`. Raises DataError."""
    if mapped.tables:
        try:
            plan = mapped.plan(codebook)
        except SetupError:
            raise DataError("MAPPING_FORM", "tables") from None
        units = read_units(plan, codebook, mapped.source, watch=watch)
        units = judge_units(codebook, units, mapped.source.decimal)
        units = date_units(codebook, units)
        return unit_table(codebook, units, handles, version)
    if codebook.unit != codebook.whole.unit:
        raise DataError("UNIT_NOT_MAPPED", codebook.unit)
    return _rows_as_they_are(codebook, mapped, handles, version, watch=watch)


def unit_table(
    codebook: Codebook, units: Mapping[str, UnitRows], handles: HandleMaker, version: str
) -> Table:
    """The rows of the unit of `codebook`, with what the units above say of them."""
    if codebook.unit not in units:
        raise DataError("UNIT_NOT_MAPPED", codebook.unit)
    rows = units[codebook.unit]
    patients = None
    if rows.parents is not None:
        highest = next(iter(units))
        patients = unit_table(codebook.at(highest), units, handles, version)
    columns, tallies, times = dict(rows.columns), dict(rows.tallies), dict(rows.times)
    repeated = rows.repeated
    places: Places = np.arange(rows.n)
    above = rows
    while above.parents is not None:
        places = chain(places, above.parents)
        above = units[str(codebook.units[above.unit])]
        repeated += above.repeated
        columns |= {name: _taken(values, places) for name, values in above.columns.items()}
        times |= {name: _taken(values, places) for name, values in above.times.items()}
        tallies |= above.tallies
    if patients is None:
        owners, keyed = handles.handles(above.keys.list()), above.keys.known
    else:
        owners = np.append(patients.handles, np.zeros(1, f"S{HANDLE_BYTES}"))[places]
        keyed = np.append(patients.keyed, False)[places]
    made = Table(
        version=version if patients is None else f"{version}:{rows.unit}",
        codebook=codebook,
        n=rows.n,
        columns={name: columns[name] for name in codebook.variables if name in columns},
        handles=owners,
        keyed=keyed,
        repeated=repeated,
        tallies=tallies,
        people=None if patients is None else places,
        patients=patients,
        units={name: replace(each, items={}) for name, each in units.items()},
        findings=rows.findings,
        times=times,
    )
    return made if patients is not None or codebook.unit == PATIENT else _with_people(made)


def _with_people(table: Table) -> Table:
    """A table of which each row belongs to the patient of its handle, who may have more."""
    kept, people = np.unique(table.handles[table.keyed], return_inverse=True)
    places = np.full(table.n, -1, np.int64)
    places[table.keyed] = people
    patients = replace(
        table,
        version=f"{table.version}:{PATIENT}",
        n=len(kept),
        columns={},
        handles=kept,
        keyed=np.ones(len(kept), np.bool_),
        tallies={},
        findings=None,
        times={},
    )
    return replace(table, repeated=0, people=places, patients=replace(patients, repeated=0))


def _taken(values: Values, places: Places) -> Values:
    missing = -1 if values.dtype == np.int16 else np.nan
    return np.append(values, np.array([missing], values.dtype))[places]


def _rows_as_they_are(
    codebook: Codebook, mapped: Mapped, handles: HandleMaker, version: str, *, watch: bool
) -> Table:
    """Version 1: each row of the data is a row of the codebook."""
    source: Source = open_source(mapped.source)
    found = readers(codebook, mapped, watch=watch)
    names = mapped.columns()
    place = {name: number for number, name in enumerate(names)}
    parts: dict[str, list[Values]] = {name: [] for name in found}
    days: dict[str, list[Times]] = {}
    made: list[Handles] = []
    keyed: list[NDArray[np.bool_]] = []
    n = 0
    for block in source.blocks(names):
        count = len(block[0]) if block else 0
        for name, reader in found.items():
            raw = [block[place[column]] for column in reader.mapped.columns]
            parts[name].append(reader.read(raw))
            when = reader.times(raw)
            if when is not None:
                days.setdefault(name, []).append(when)
        ids = _local_ids(mapped, block, n, count)
        made.append(handles.handles(ids))
        keyed.append(np.fromiter(map(bool, ids), np.bool_, count))
        n += count
    all_handles = _joined(made, np.zeros(0, "S20"))
    all_keyed = _joined(keyed, np.zeros(0, np.bool_))
    columns = {name: _joined(blocks, _empty(found[name])) for name, blocks in parts.items()}
    per_patient = codebook.unit == PATIENT
    repeated = 0
    if per_patient:
        repeated = int(np.count_nonzero(all_keyed)) - count_different(all_handles[all_keyed])
    table = Table(
        version=version,
        codebook=codebook,
        n=n,
        columns=columns,
        handles=all_handles,
        keyed=all_keyed,
        repeated=repeated,
        tallies={name: reader.tally for name, reader in found.items()},
        findings=judge_rows(codebook, columns, all_handles, all_keyed),
        times={name: np.concatenate(blocks) for name, blocks in days.items()},
    )
    return table if per_patient else _with_people(table)


def local_ids(mapped: Mapped) -> Iterator[list[str]]:
    """The local numbers in the data, block by block; "" where there is none. Raises DataError."""
    if mapped.tables:
        # With several tables there is one of patients; a lone table holds them itself.
        highest = mapped.tables.get(PATIENT, next(iter(mapped.tables.values())))
        yield patient_keys(highest, mapped.source)
        return
    first = 0
    columns = mapped.columns() if mapped.key is None else (mapped.key,)
    for block in open_source(mapped.source).blocks(columns):
        count = len(block[0])
        yield _local_ids(mapped, block, first, count)
        first += count


def _local_ids(mapped: Mapped, block: Block, first: int, count: int) -> list[str]:
    """The local numbers of one block; without a key column the number of the row, from 1."""
    if mapped.key is None:
        return [f"row {number}" for number in range(first + 1, first + count + 1)]
    null = mapped.source.null
    texts = map(text_of, block[0])
    return ["" if text in null else text for text in texts]


def _joined(blocks: list[Values], empty: Values) -> Values:
    return np.concatenate(blocks) if blocks else empty


def _empty(reader: VariableReader) -> Values:
    coded = reader.variable.type in ("category", "boolean")
    return np.zeros(0, np.int16 if coded else np.float64)
