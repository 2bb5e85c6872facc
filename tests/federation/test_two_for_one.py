"""One tumour in the records of two hospitals: counted twice by any, once by role, and found.

After-care of a transplant is the same: the hospital that transplanted treated, the other one has
the patient, too (domain.md F32, F33).
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sharing_hospitals import STUDY, Sharing, local, person

from federation.disclosure.policy import Policy
from federation.methods.registry import parse
from federation.query.builtin import builtin_codebook
from federation.runs.counted_once import Found, counted_once
from federation.runs.direct import drive
from federation.runs.driver import Driver, RunPlan

# weert finds the tumours of 0 to 29; maastricht treats 12 of those, and finds and treats its own;
# veldhoven has 3 patients of maastricht in after-care, who were treated there only
PATIENTS = {
    "weert": range(30),
    "maastricht": [*range(18, 30), *range(100, 120)],
    "veldhoven": [*range(100, 103), *range(200, 220)],
}
TUMOURS, SHARED = 30 + 20 + 20, 12 + 3
TABLES = {
    "patients": ("number", "born", "sex", "name", "initials", "own"),
    "tumours": ("tumour", "number", "incidence", "diagnosis_site"),
    "treatments": ("treatment", "tumour", "kind", "start", "site"),
}


def found_at(number: int) -> str:
    return "weert" if number < 100 else "maastricht" if number < 200 else "veldhoven"


def treated_at(number: int) -> str:
    return "maastricht" if 18 <= number < 30 else found_at(number)


class Records(Sharing):
    """Hospitals with patients, tumours and treatments; each has all of a shared patient."""

    codebook = builtin_codebook("oncomin/1")
    mapping = b"""
version: 2
codebook: oncomin/1
tables:
  patient: {from: patients, key: number, institution: own}
  tumour: {from: tumours, key: tumour, parent: number, diagnosis_site: diagnosis_site,
    incidence_date: {column: incidence, format: "%Y-%m-%d"}}
  treatment: {from: treatments, key: treatment, parent: tumour, treatment_kind: kind,
    treatment_start: {column: start, format: "%Y-%m-%d"}, treatment_site: site}
"""
    match_yaml = (
        "key: number\ntable: patients\n"
        'birth_date: {column: born, format: "%d-%m-%Y"}\n'
        "sex: {column: sex, map: {M: m, V: f}}\n"
        "birth_name: {column: name}\ninitials: {column: initials}\n"
    )
    source: ClassVar[dict[str, Any]] = {
        "kind": "csv",
        "files": {name: f"{name}.csv" for name in TABLES},
    }

    def write(self, slug: str) -> None:
        for name, header in TABLES.items():
            with (self.folder / slug / f"{name}.csv").open("w", newline="") as file:
                out = csv.DictWriter(file, header, extrasaction="ignore")
                out.writeheader()
                for number in self.patients[slug]:
                    out.writerow(self._row(slug, number))

    def _row(self, slug: str, number: int) -> dict[str, str]:
        key = local(slug, number)
        return {
            **person(number),
            **{"number": key, "own": slug, "tumour": f"t{key}", "treatment": f"r{key}"},
            **{"incidence": "2024-02-01", "diagnosis_site": found_at(number)},
            **{"kind": "surgery", "start": "2024-03-01", "site": treated_at(number)},
        }

    def tumours(self, cohort: dict[str, Any]) -> int:
        """How many tumours all hospitals count together."""
        asked = {"version": 1, "study": STUDY, "codebook": "oncomin/1", "unit": "tumour"}
        query = parse(
            {**asked, "cohort": cohort, "analysis": {"kind": "count", "by": []}}, self.codebook
        )
        plan = RunPlan(
            run_id=str(uuid.uuid4()),
            query=query,
            codebook=self.codebook.at("tumour"),
            roster={slug: site.identity for slug, site in self.directories.items()},
            terms=Policy.open_data().terms(),
            min_snapshots=dict.fromkeys(self.directories, self.seq),
            approval={"by": "committee", "at": "2026", "query_sha256": query.sha256},
        )
        outcome = drive(Driver(plan, self.hub), self.engine, seconds=30, clock=lambda: self.now)
        return int(outcome.envelope["result"]["total"])


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    policies = dict.fromkeys(PATIENTS, Policy.open_data())
    made = Records(tmp_path, PATIENTS, policies=policies, in_process=True)
    yield made
    made.close()


def test_a_tumour_found_here_and_treated_there_counts_once_by_role(records: Records) -> None:
    here = {
        name: {"var": f"{name}_here", "op": "=", "value": True} for name in ("diagnosed", "treated")
    }
    assert records.tumours({}) == TUMOURS + SHARED
    assert records.tumours(here["diagnosed"]) == TUMOURS
    assert records.tumours(here["treated"]) == TUMOURS
    assert records.tumours({"all": list(here.values())}) == TUMOURS - 12

    terms = Policy.open_data().terms()
    outcome = records.match(records.plan(terms=terms))
    assert outcome.envelope == {"pairs": SHARED}
    # what the page says of a total that names no role
    match = Found("done", outcome.envelope["pairs"], as_of="2026-11-23")
    said = counted_once(hospitals=3, roles=["any"], match=match, linked=None, threshold=10)
    assert (said["state"], records.tumours({}) - said["count"]) == ("matched", TUMOURS)
