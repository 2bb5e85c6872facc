"""`site check`: how well the hospital's data fit the codebook. For the hospital's own eyes only."""

from dataclasses import dataclass
from typing import Any

from federation.query.codebook import Codebook
from federation.query.errors import shown
from federation.site.data import read_table
from federation.site.directory import SiteDirectory
from federation.site.errors import DataError, one_line
from federation.site.mapping import Mapped

SHOWN_VALUES = 20

# What a data manager is told; the codes alone are all that any other program sees.
SENTENCES = {
    "SOURCE_MISSING": "The data file is not there; check source.path in site.toml.",
    "SOURCE_EMPTY": "The data file is empty.",
    "SOURCE_UNREADABLE": "The data cannot be read; is the file locked, damaged or of another kind?",
    "SOURCE_ENCODING": "The file is not in the encoding that site.toml says; try source.encoding.",
    "SOURCE_LOGIN": "The database cannot be reached; check the address in source.dsn_file (mode"
    " 0600) or source.dsn_env, the account and its password.",
    "SOURCE_TOO_SLOW": "Reading the data takes longer than source.timeout_seconds, or longer than"
    " the database allows; narrow the source or raise the limit.",
    "SOURCE_TOO_LARGE": "The data have more rows than source.max_rows; narrow the source or raise"
    " the limit.",
    "DRIVER_MISSING": "The PostgreSQL driver is not installed; install requirements/site.txt.",
    "TABLES_UNJOINED": "Several tables need source.join, or a mapping that names each table.",
    "SOURCE_CHANGED": "The data changed while they were read; check again.",
    "CSV_RAGGED": "A line has more or fewer fields than the header; check source.delimiter.",
    "CSV_BROKEN": "The file is not valid CSV; check quotes and source.delimiter.",
    "COLUMN_MISSING": "The data have no column '{detail}', which the mapping names.",
    "COLUMN_TWICE": "The column '{detail}' is there twice.",
    "TABLE_MISSING": "The database has no table '{detail}'.",
    "MAPPING_UNKNOWN_VARIABLE": "The mapping names '{detail}', which the codebook does not have.",
    "MAPPING_FORM": "The mapping of '{detail}' has a form that its type cannot have.",
    "MAPPING_LEVEL": "The mapping of '{detail}' leads to a value that is not a level.",
}


def sentence(error: DataError) -> str:
    """What is wrong and what to look at."""
    text = SENTENCES.get(error.code, f"The data cannot be used ({error.code}).")
    return one_line(text.format(detail=shown(error.detail)))


@dataclass(frozen=True)
class VariableReport:
    """One variable: rows with a value, without one, and with one that has no meaning.

    values: raw texts without a meaning and how often each occurs, the commonest first.
    """

    name: str
    filled: int
    missing: int
    unmapped: int
    out_of_range: int
    values: tuple[tuple[str, int], ...]

    def percent(self, rows: int) -> float:
        return 100.0 * self.filled / rows if rows else 0.0


@dataclass(frozen=True)
class DataReport:
    """One mapping against one codebook. repeated: rows whose patient number came before."""

    codebook: str
    mapping: str
    rows: int
    without_key: int
    repeated: int
    not_mapped: tuple[str, ...]
    variables: tuple[VariableReport, ...]

    @property
    def usable(self) -> bool:
        """Whether questions can be answered at all."""
        return self.rows > 0 and self.repeated == 0 and self.rows > self.without_key

    def to_dict(self) -> dict[str, Any]:
        return {
            "codebook": self.codebook,
            "mapping": self.mapping,
            "rows": self.rows,
            "without_key": self.without_key,
            "repeated": self.repeated,
            "usable": self.usable,
            "not_mapped": list(self.not_mapped),
            "variables": [
                {
                    "name": v.name,
                    "filled": v.filled,
                    "filled_percent": round(v.percent(self.rows), 1),
                    "missing": v.missing,
                    "unmapped": v.unmapped,
                    "out_of_range": v.out_of_range,
                    "values": [{"value": value, "n": n} for value, n in v.values],
                }
                for v in self.variables
            ],
        }


def check_data(
    directory: SiteDirectory, codebook: Codebook, mapped: Mapped, mapping: str
) -> DataReport:
    """Read all data once and count what does not fit. Raises DataError."""
    table = read_table(codebook, mapped, directory.handles, watch=True)
    repeated = table.repeated if codebook.unit == "patient" else 0
    reports = []
    for name in codebook.variables:
        tally = table.tallies.get(name)
        if tally is None:
            continue
        lost = tally.missing + tally.unmapped + tally.out_of_range
        reports.append(
            VariableReport(
                name=name,
                filled=table.n - lost,
                missing=tally.missing,
                unmapped=tally.unmapped,
                out_of_range=tally.out_of_range,
                values=tuple(tally.values.most_common(SHOWN_VALUES)),
            )
        )
    return DataReport(
        codebook=codebook.id,
        mapping=mapping,
        rows=table.n,
        without_key=table.n - int(table.keyed.sum()),
        repeated=repeated,
        not_mapped=tuple(n for n in codebook.variables if n not in table.columns),
        variables=tuple(reports),
    )
