"""The hospital's data as typed NumPy columns in memory, read once per version of the data."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook
from federation.site.convert import Tally, Values, VariableReader, readers, text_of
from federation.site.errors import DataError
from federation.site.mapping import Mapped
from federation.site.pseudonyms import HandleMaker, Handles
from federation.site.sources import Block, Source, open_source

_ATTEMPTS = 2


@dataclass(frozen=True)
class Table:
    """All rows of the hospital, one column per mapped variable.

    version: changes when data, mapping or codebook change. keyed: bool (n,), False where the
    local number is empty; such a row belongs to nobody who could have consented. repeated: how
    many rows have a local number that an earlier row has too.
    """

    version: str
    codebook: Codebook
    n: int
    columns: Mapping[str, Values]
    handles: Handles
    keyed: NDArray[np.bool_]
    repeated: int
    tallies: Mapping[str, Tally]


class DataStore:
    """One data source with its mapping, read again only when something has changed."""

    def __init__(self, mapped: Mapped, handles: HandleMaker) -> None:
        self.mapped = mapped
        self._handles = handles
        self._source = open_source(mapped.source)
        self._table: Table | None = None

    def table(self, codebook: Codebook) -> Table:
        """The rows as `codebook` describes them. Raises DataError."""
        version = self._version(codebook)
        if self._table is not None and self._table.version == version:
            return self._table
        self._table = None  # not two tables in memory at once
        for _ in range(_ATTEMPTS):
            table = read_table(codebook, self.mapped, self._handles, version)
            before, version = version, self._version(codebook)
            if version == before:
                self._table = table
                return table
        # Half an old file and half a new one is no data of this hospital.
        raise DataError("SOURCE_CHANGED")

    def _version(self, codebook: Codebook) -> str:
        parts = [self._source.version(), codebook.sha256]
        digest = hashlib.sha256(self.mapped.text)
        digest.update("\0".join(parts).encode())
        return digest.hexdigest()


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
    source: Source = open_source(mapped.source)
    found = readers(codebook, mapped, watch=watch)
    names = mapped.columns()
    place = {name: number for number, name in enumerate(names)}
    parts: dict[str, list[Values]] = {name: [] for name in found}
    made: list[Handles] = []
    keyed: list[NDArray[np.bool_]] = []
    n = 0
    for block in source.blocks(names):
        count = len(block[0]) if block else 0
        for name, reader in found.items():
            parts[name].append(_read(reader, block, place))
        ids = _local_ids(mapped, block, n, count)
        made.append(handles.handles(ids))
        keyed.append(np.fromiter((local_id != "" for local_id in ids), np.bool_, count))
        n += count
    all_handles = _joined(made, np.zeros(0, "S20"))
    all_keyed = _joined(keyed, np.zeros(0, np.bool_))
    with_key = int(np.count_nonzero(all_keyed))
    return Table(
        version=version,
        codebook=codebook,
        n=n,
        columns={name: _joined(blocks, _empty(found[name])) for name, blocks in parts.items()},
        handles=all_handles,
        keyed=all_keyed,
        repeated=with_key - len(np.unique(all_handles[all_keyed])),
        tallies={name: reader.tally for name, reader in found.items()},
    )


def local_ids(mapped: Mapped) -> Iterator[list[str]]:
    """The local numbers in the data, block by block; "" where there is none. Raises DataError."""
    first = 0
    columns = mapped.columns() if mapped.key is None else (mapped.key,)
    for block in open_source(mapped.source).blocks(columns):
        count = len(block[0])
        yield _local_ids(mapped, block, first, count)
        first += count


def _read(reader: VariableReader, block: Block, place: Mapping[str, int]) -> Values:
    return reader.read([block[place[name]] for name in reader.mapped.columns])


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
