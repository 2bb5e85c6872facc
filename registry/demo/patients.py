"""The demo's patients: the real GBSG trial, divided over the ten hospitals.

The data are the 686 women of the German Breast Cancer Study Group's trial 2 (Schumacher
et al. 1994), with calendar dates, as `lymph_node` in the lifelines package (MIT licence).
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path

# Patients per hospital, largest first: together 686, unequal on purpose.
SIZES: Mapping[str, int] = {
    "maastricht-umc": 100,
    "catharina": 92,
    "zuyderland": 84,
    "maxima-mc": 78,
    "viecuri": 70,
    "elkerliek": 64,
    "st-anna": 58,
    "laurentius": 52,
    "sjg-weert": 46,
    "maastro": 42,
}


@dataclass(frozen=True)
class Patient:
    """One woman of the trial. `number` is her number in the published file."""

    number: int
    diagnosed: date
    last_seen: date  # recurrence, or last visit without one
    relapse: bool
    died_or_censored: date
    death: bool
    age: int
    postmenopausal: bool
    hormone: bool
    tumour_mm: int
    grade: int
    nodes: int
    pgr: int
    er: int

    @property
    def rfs_days(self) -> int:
        """Days from diagnosis to recurrence or last visit."""
        return (self.last_seen - self.diagnosed).days

    @property
    def survival_days(self) -> int:
        """Days from diagnosis to death or last contact."""
        return (self.died_or_censored - self.diagnosed).days


def load_patients() -> list[Patient]:
    """The 686 patients in the order of the published file."""
    # The file lies in the package; importing lifelines for it would take two seconds.
    spec = find_spec("lifelines")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lifelines, which brings the demo's patients, is not installed")
    text = Path(spec.origin).with_name("datasets").joinpath("lymph_node.csv").read_text("utf-8")
    return [_patient(row) for row in csv.DictReader(io.StringIO(text))]


def _patient(row: Mapping[str, str]) -> Patient:
    return Patient(
        number=int(row["id"]),
        diagnosed=_date(row["diagdateb"]),
        last_seen=_date(row["recdate"]),
        relapse=row["censrec"] == "1",
        died_or_censored=_date(row["deathdate"]),
        death=row["censdead"] == "1",
        age=int(row["age"]),
        postmenopausal=row["menopause"] == "2",
        hormone=row["hormone"] == "2",
        tumour_mm=int(row["size"]),
        grade=int(row["grade"]),
        nodes=int(row["nodes"]),
        pgr=int(row["prog_recp"]),
        er=int(row["estrg_recp"]),
    )


def _date(text: str) -> date:
    return datetime.strptime(text, "%d-%m-%Y").date()  # noqa: DTZ007  a calendar day has no zone


def divide(patients: list[Patient]) -> dict[str, list[Patient]]:
    """The patients of each hospital, by a fixed rule.

    They are put in the order of the SHA-256 of their number and dealt out by `SIZES`, so
    that the division is the same on every machine and says nothing about the patient.
    """
    order = sorted(patients, key=lambda p: hashlib.sha256(b"demo-%d" % p.number).digest())
    division: dict[str, list[Patient]] = {}
    start = 0
    for slug, size in SIZES.items():
        division[slug] = order[start : start + size]
        start += size
    if start != len(patients):
        raise ValueError(f"the sizes add up to {start}, the file holds {len(patients)} patients")
    return division


def local_number(slug: str, patient: Patient) -> str:
    """The number under which the hospital's own files know the patient."""
    return f"{slug[:3].upper()}{20_000 + patient.number * 7:05d}"
