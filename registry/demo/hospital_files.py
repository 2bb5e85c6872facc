"""What the demo's hospitals have on disk: three local shapes, none like the codebook."""

import csv
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.demo.patients import Patient, local_number

_ROMAN = {1: "I", 2: "II", 3: "III"}


@dataclass(frozen=True)
class Shape:
    """One way in which a hospital keeps its data.

    `write` makes the file in a folder, `source` is the [source] table of site.toml,
    `mapping` the mapping file to the codebook gbsg/1.
    """

    name: str
    write: Callable[[Path, str, Sequence[Patient]], None]
    source: dict[str, Any]
    mapping: str


def _write_dutch_csv(folder: Path, slug: str, patients: Sequence[Patient]) -> None:
    with (folder / "borstkanker.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(
            [
                "Patiëntnummer",
                "Diagnosedatum",
                "Leeftijd",
                "Menopauze",
                "Hormoontherapie",
                "Tumordiameter (mm)",
                "Differentiatiegraad",
                "Positieve klieren",
                "PgR",
                "ER",
                "Datum recidief of controle",
                "Recidief",
                "Datum overlijden of contact",
                "Overleden",
            ]
        )
        for p in patients:
            out.writerow(
                [
                    local_number(slug, p),
                    f"{p.diagnosed:%d-%m-%Y}",
                    p.age,
                    "post" if p.postmenopausal else "pre",
                    "ja" if p.hormone else "nee",
                    p.tumour_mm,
                    _ROMAN[p.grade],
                    p.nodes,
                    p.pgr,
                    p.er,
                    f"{p.last_seen:%d-%m-%Y}",
                    "J" if p.relapse else "N",
                    f"{p.died_or_censored:%d-%m-%Y}",
                    "J" if p.death else "N",
                ]
            )


_DUTCH_MAPPING = """\
# Semicolon CSV with Dutch headers and dates as dd-mm-yyyy.
codebook: gbsg/1
key: Patiëntnummer
variables:
  age: {column: Leeftijd}
  menopause: {column: Menopauze, map: {pre: pre, post: post}}
  hormone: {column: Hormoontherapie, map: {nee: "no", ja: "yes"}}
  tumour_size: {column: "Tumordiameter (mm)"}
  grade: {column: Differentiatiegraad, map: {I: "1", II: "2", III: "3"}}
  nodes: {column: Positieve klieren}
  pgr: {column: PgR}
  er: {column: ER}
  diagnosed: {column: Diagnosedatum, format: "%d-%m-%Y"}
  rfs_days: {days_between: [Diagnosedatum, Datum recidief of controle], format: "%d-%m-%Y"}
  relapse: {column: Recidief, map: {J: true, N: false}}
  survival_days: {days_between: [Diagnosedatum, Datum overlijden of contact], format: "%d-%m-%Y"}
  death: {column: Overleden, map: {J: true, N: false}}
"""


def _write_parquet(folder: Path, slug: str, patients: Sequence[Patient]) -> None:
    import duckdb

    with duckdb.connect() as memory:
        memory.execute(
            "CREATE TABLE breast (mrn VARCHAR, dx_date VARCHAR, relapse_date VARCHAR,"
            " relapsed INTEGER, death_date VARCHAR, deceased INTEGER, age_at_dx INTEGER,"
            " meno_status INTEGER, endocrine INTEGER, size_mm DOUBLE, tumour_grade VARCHAR,"
            " nodes_pos INTEGER, progesterone INTEGER, estrogen INTEGER)"
        )
        memory.executemany(
            "INSERT INTO breast VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    local_number(slug, p),
                    p.diagnosed.isoformat(),
                    p.last_seen.isoformat(),
                    int(p.relapse),
                    p.died_or_censored.isoformat(),
                    int(p.death),
                    p.age,
                    2 if p.postmenopausal else 1,
                    int(p.hormone),
                    p.tumour_mm,
                    f"G{p.grade}",
                    p.nodes,
                    p.pgr,
                    p.er,
                )
                for p in patients
            ],
        )
        target = str(folder / "breast.parquet").replace("'", "''")
        memory.execute(f"COPY breast TO '{target}' (FORMAT parquet)")


_PARQUET_MAPPING = """\
# Parquet with English headers and ISO dates.
codebook: gbsg/1
key: mrn
variables:
  age: {column: age_at_dx}
  menopause: {column: meno_status, map: {"1": pre, "2": post}}
  hormone: {column: endocrine, map: {"0": "no", "1": "yes"}}
  tumour_size: {column: size_mm}
  grade: {column: tumour_grade, map: {G1: "1", G2: "2", G3: "3"}}
  nodes: {column: nodes_pos}
  pgr: {column: progesterone}
  er: {column: estrogen}
  diagnosed: {column: dx_date, format: "%Y-%m-%d"}
  rfs_days: {days_between: [dx_date, relapse_date], format: "%Y-%m-%d"}
  relapse: {column: relapsed, map: {"0": false, "1": true}}
  survival_days: {days_between: [dx_date, death_date], format: "%Y-%m-%d"}
  death: {column: deceased, map: {"0": false, "1": true}}
"""


def _write_sqlite(folder: Path, slug: str, patients: Sequence[Patient]) -> None:
    with sqlite3.connect(folder / "epd.sqlite") as database:
        database.executescript(
            "CREATE TABLE patient"
            " (pid TEXT PRIMARY KEY, meno TEXT, last_contact TEXT, dead INTEGER);"
            "CREATE TABLE tumour (tumour_no INTEGER PRIMARY KEY, pid TEXT REFERENCES patient,"
            " incidence TEXT, age INTEGER, horm TEXT, diameter INTEGER, grade INTEGER,"
            " pos_nodes INTEGER, pgr INTEGER, er INTEGER, recurrence TEXT, recurred TEXT);"
        )
        database.executemany(
            "INSERT INTO patient VALUES (?, ?, ?, ?)",
            [
                (
                    local_number(slug, p),
                    "M+" if p.postmenopausal else "M-",
                    p.died_or_censored.isoformat(),
                    int(p.death),
                )
                for p in patients
            ],
        )
        database.executemany(
            "INSERT INTO tumour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number,
                    local_number(slug, p),
                    p.diagnosed.isoformat(),
                    p.age,
                    "HT" if p.hormone else "-",
                    p.tumour_mm,
                    p.grade,
                    p.nodes,
                    p.pgr,
                    p.er,
                    p.last_seen.isoformat(),
                    "yes" if p.relapse else "no",
                )
                for number, p in enumerate(patients, start=1)
            ],
        )
    database.close()


_SQLITE_MAPPING = """\
# Two tables of a SQLite file, joined on the patient number.
codebook: gbsg/1
key: patient.pid
variables:
  age: {column: tumour.age}
  menopause: {column: patient.meno, map: {"M-": pre, "M+": post}}
  hormone: {column: tumour.horm, map: {"-": "no", HT: "yes"}}
  tumour_size: {column: tumour.diameter}
  grade: {column: tumour.grade}
  nodes: {column: tumour.pos_nodes}
  pgr: {column: tumour.pgr}
  er: {column: tumour.er}
  diagnosed: {column: tumour.incidence, format: "%Y-%m-%d"}
  rfs_days: {days_between: [tumour.incidence, tumour.recurrence], format: "%Y-%m-%d"}
  relapse: {column: tumour.recurred, map: {"yes": true, "no": false}}
  survival_days: {days_between: [tumour.incidence, patient.last_contact], format: "%Y-%m-%d"}
  death: {column: patient.dead, map: {"0": false, "1": true}}
"""

SHAPES: tuple[Shape, ...] = (
    Shape(
        "semicolon CSV, Dutch headers, dd-mm-yyyy",
        _write_dutch_csv,
        {"kind": "csv", "path": "borstkanker.csv", "delimiter": ";", "encoding": "utf-8"},
        _DUTCH_MAPPING,
    ),
    Shape(
        "Parquet, English headers, ISO dates",
        _write_parquet,
        {"kind": "parquet", "path": "breast.parquet"},
        _PARQUET_MAPPING,
    ),
    Shape(
        "SQLite, tables patient and tumour",
        _write_sqlite,
        {
            "kind": "sqlite",
            "path": "epd.sqlite",
            "tables": ["patient", "tumour"],
            "join": {"left": "patient.pid", "right": "tumour.pid"},
        },
        _SQLITE_MAPPING,
    ),
)


def shape_of(position: int) -> Shape:
    """The shape of the hospital at `position` in the list: they take turns."""
    return SHAPES[position % len(SHAPES)]
