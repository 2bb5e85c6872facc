"""What the hospitals have of `oncomin/1` on disk: three shapes, none like the codebook.

Each shape says per table how the hospital calls it, its columns and its codes; from that both the
file and its mapping are made, so that they cannot disagree.
"""

import csv
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from registry.demo.oncology.proms import SCORES
from registry.demo.oncology.records import Records

CODEBOOK = "oncomin/1"
MAPPING = "mapping-oncomin.yaml"
_KEYS = {"number": "key", "patient": "parent", "tumour": "parent"}
_YES = {True: "ja", False: "nee"}
_ONE = {True: "1", False: "0"}

Codes = Mapping[Any, str]


@dataclass(frozen=True)
class Local:
    """A column of a hospital: its name and, where it has them, the hospital's codes."""

    name: str
    codes: Codes | None = None


@dataclass(frozen=True)
class Shape:
    """One way of keeping the data. tables: per unit of the codebook the local name of the table and
    its columns by item; an item that is not there is not recorded. day: how days are written."""

    title: str
    tables: Mapping[str, tuple[str, Mapping[str, Local]]]
    day: str
    write: Callable[[Path, "Shape", Records], None]
    source: Callable[["Shape"], dict[str, Any]]

    def rows(self, records: Records, unit: str) -> tuple[list[str], list[Sequence[Any]]]:
        """The header and the rows of one table, as the hospital writes them."""
        _, columns = self.tables[unit]
        given = records.tables[unit]
        made = [
            [self._written(value, local) for value in given[item]]
            for item, local in columns.items()
        ]
        return [local.name for local in columns.values()], list(zip(*made, strict=True))

    def _written(self, value: Any, local: Local) -> Any:
        if value is None:
            return None
        if local.codes is not None:
            return local.codes[value]
        if isinstance(value, date):
            return value.strftime(self.day)
        return value

    def mapping(self) -> bytes:
        """The mapping file from this shape to the codebook."""
        tables = {unit: self._mapped(unit) for unit in self.tables}
        made = {"version": 2, "codebook": CODEBOOK, "tables": tables}
        text = yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=100)
        return f"# {self.title}\n{text}".encode()

    def _mapped(self, unit: str) -> dict[str, Any]:
        name, columns = self.tables[unit]
        made: dict[str, Any] = {"from": name}
        for item, local in columns.items():
            if item in _KEYS:
                made[_KEYS[item]] = local.name
            elif local.codes is not None:
                pairs = {code: value for value, code in local.codes.items()}
                made[item] = {"column": local.name, "map": pairs}
            elif item.endswith("_date") or item in ("treatment_start", "treatment_end"):
                made[item] = {"column": local.name, "format": self.day}
            else:
                made[item] = local.name
        if unit == "tumour":
            # Every meeting's date is in these files: a tumour without one was not discussed.
            made["mdo_complete"] = {"value": "yes"}
        return made


def _write_csv(folder: Path, shape: Shape, records: Records) -> None:
    for unit, (name, _) in shape.tables.items():
        header, rows = shape.rows(records, unit)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, delimiter=";")
            out.writerow(header)
            out.writerows(rows)


def _write_sqlite(folder: Path, shape: Shape, records: Records) -> None:
    import pandas as pd

    with closing(sqlite3.connect(folder / "oncologie.sqlite")) as database, database:
        for unit, (name, _) in shape.tables.items():
            header, rows = shape.rows(records, unit)
            made = pd.DataFrame(rows, columns=header, dtype=object)
            made.to_sql(name, database, index=False)


def _write_parquet(folder: Path, shape: Shape, records: Records) -> None:
    import duckdb
    import pandas as pd

    with duckdb.connect() as memory:
        for unit, (name, _) in shape.tables.items():
            header, rows = shape.rows(records, unit)
            frame = pd.DataFrame(rows, columns=header, dtype=object)
            memory.from_df(frame).write_parquet(str(folder / f"{name}.parquet"))


def _files(kind: str, shape: Shape, **more: Any) -> dict[str, Any]:
    names = [name for name, _ in shape.tables.values()]
    return {"kind": kind, "files": {name: f"{name}.{kind}" for name in names}, **more}


def _same(*names: str) -> dict[str, Local]:
    return {name: Local(name) for name in names}


_DUTCH: Mapping[str, tuple[str, Mapping[str, Local]]] = {
    "patient": (
        "patienten",
        {
            "number": Local("patientnummer"),
            "sex": Local("geslacht", {"male": "M", "female": "V"}),
            "birth_date": Local("geboortedatum"),
            "vital_status": Local("status", {"alive": "leeft", "dead": "overleden"}),
            "vital_date": Local("laatste contact"),
        },
    ),
    "tumour": (
        "tumoren",
        {
            "number": Local("tumornummer"),
            "patient": Local("patientnummer"),
            "incidence_date": Local("incidentiedatum"),
            "topography_code": Local("topografie"),
            "morphology": Local("morfologie"),
            "behaviour": Local("gedrag"),
            "laterality": Local("zijde", {"left": "links", "right": "rechts", "none": "nvt"}),
            "grade": Local("graad"),
            "basis": Local("basis diagnose"),
            "tnm_edition": Local("tnm-editie"),
            "cm": Local("cM"),
            "pn": Local("pN"),
            "stage_clinical": Local("cStadium"),
            "stage_pathological": Local("pStadium"),
            "tumour_size": Local("diameter mm"),
            "nodes_examined": Local("klieren onderzocht"),
            "nodes_positive": Local("klieren positief"),
            "er": Local("ER", {"positive": "pos", "negative": "neg"}),
            "her2": Local("HER2", {"positive": "pos", "negative": "neg"}),
            "asa": Local("ASA"),
            "charlson": Local("Charlson"),
            "who_ps": Local("WHO"),
            "referral_date": Local("verwijsdatum"),
            "first_visit_date": Local("eerste bezoek"),
            "mdo_date": Local("datum MDO"),
            "in_trial": Local("studie", _YES),
            "prehabilitation": Local("prehabilitatie", _YES),
            "first_seen_here": Local("eerste bezoek hier", _YES),
            "diagnosed_here": Local("diagnose hier", _YES),
            "treated_here": Local("behandeld hier", _YES),
        },
    ),
    "treatment": (
        "behandelingen",
        {
            "tumour": Local("tumornummer"),
            "treatment_kind": Local(
                "soort",
                {
                    "surgery": "operatie",
                    "radiotherapy": "bestraling",
                    "chemotherapy": "chemo",
                    "hormonal": "hormonaal",
                    "targeted": "doelgericht",
                    "immunotherapy": "immuun",
                    "surveillance": "afwachten",
                    "none": "geen",
                },
            ),
            "treatment_intent": Local(
                "doel", {"curative": "curatief", "palliative": "palliatief", "unknown": "onbekend"}
            ),
            "urgency": Local(
                "urgentie", {"elective": "electief", "urgent": "urgent", "emergency": "spoed"}
            ),
            "treatment_start": Local("begin"),
            "treatment_end": Local("einde"),
            "treated_elsewhere": Local("elders", _YES),
        },
    ),
    "outcome": (
        "uitkomsten",
        {
            "tumour": Local("tumornummer"),
            "complication": Local("clavien-dindo"),
            "cci": Local("CCI"),
            "reintervention30": Local("heringreep", _YES),
            "readmission30": Local("heropname", _YES),
            "los": Local("ligduur"),
            "margin": Local("snijvlak"),
            "crm": Local("CRM mm"),
            "died_in_admission": Local("overleden in opname", _YES),
            "unplanned_stoma": Local("ongepland stoma", _YES),
            "recurrence_kind": Local(
                "recidief",
                {"none": "geen", "local": "lokaal", "regional": "regionaal", "distant": "afstand"},
            ),
            "recurrence_date": Local("datum recidief"),
        },
    ),
    "prom": (
        "vragenlijsten",
        {
            "patient": Local("patientnummer"),
            "prom_instrument": Local("lijst", {"QLQ-C30": "C30", "EQ-5D-5L": "EQ5D"}),
            "prom_timepoint": Local("moment", {"T0": "0", "3m": "3", "12m": "12"}),
            "prom_date": Local("datum"),
            "prom_due": Local("verwacht", _YES),
            "prom_completed": Local("ingevuld", _YES),
            **_same(*SCORES, "eq5d_index", "eq_vas"),
        },
    ),
}


def _renamed(
    tables: Mapping[str, tuple[str, Mapping[str, Local]]],
    names: Mapping[str, str],
    name_of: Callable[[str], str],
    codes: Callable[[Codes], Codes],
) -> dict[str, tuple[str, dict[str, Local]]]:
    """The same tables with other names and codes, as another hospital has them."""
    return {
        unit: (
            names[unit],
            {
                item: Local(name_of(item), None if local.codes is None else codes(local.codes))
                for item, local in columns.items()
            },
        )
        for unit, (_, columns) in tables.items()
    }


def _english(codes: Codes) -> Codes:
    """1 and 0 for truth, and the codebook's own words otherwise."""
    return _ONE if True in codes else {value: str(value) for value in codes}


def _numbered(codes: Codes) -> Codes:
    """A code list without meaning, as a supplier's database has them."""
    return _ONE if True in codes else {value: f"{n:02d}" for n, value in enumerate(codes, start=1)}


_ENGLISH = _renamed(
    _DUTCH,
    {
        "patient": "persons", "tumour": "tumours", "treatment": "treatments",
        "outcome": "outcomes", "prom": "questionnaires",
    },
    lambda item: {"number": "id", "patient": "person_id", "tumour": "tumour_id"}.get(item, item),
    _english,
)  # fmt: skip
_SUPPLIER = _renamed(
    _DUTCH,
    {
        "patient": "PAT", "tumour": "TUM", "treatment": "BEH", "outcome": "UIT", "prom": "VRL",
    },
    lambda item: {"number": "NR", "patient": "PAT_NR", "tumour": "TUM_NR"}.get(item, item.upper()),
    _numbered,
)  # fmt: skip

SHAPES: tuple[Shape, ...] = (
    Shape(
        "Tables of a supplier's SQLite file, with its own code lists.",
        _SUPPLIER,
        "%Y-%m-%d",
        _write_sqlite,
        lambda shape: {
            "kind": "sqlite",
            "path": "oncologie.sqlite",
            "tables": [name for name, _ in shape.tables.values()],
        },
    ),
    Shape(
        "Five CSV files with Dutch headers, semicolons and days as dd-mm-yyyy.",
        _DUTCH,
        "%d-%m-%Y",
        _write_csv,
        lambda shape: _files("csv", shape, delimiter=";"),
    ),
    Shape(
        "Five Parquet files with English headers.",
        _ENGLISH,
        "%Y-%m-%d",
        _write_parquet,
        lambda shape: _files("parquet", shape),
    ),
)


def shape_of(place: int) -> Shape:
    """The shape of the hospital at this place in the list: they take turns."""
    return SHAPES[place % len(SHAPES)]


def write_files(folder: Path, place: int, records: Records) -> dict[str, Any]:
    """Write one hospital's files and mapping into `folder`; give the source for its site.toml."""
    shape = shape_of(place)
    shape.write(folder, shape, records)
    (folder / MAPPING).write_bytes(shape.mapping())
    return shape.source(shape)
