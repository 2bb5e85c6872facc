"""What oncomin/1 derives for indicators: who counts a tumour, months, intervals, what is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.query.builtin import builtin_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import read_table
from federation.site.data.mapping import read_mapping

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
FILES = {
    "p": (
        "id,birth,status,last,own\n"
        "p1,1950,alive,2024-06-01,H1\n"
        "p2,1940,dead,2024-03-31,H1\n"
        "p3,1940,alive,2024-03-31,H1\n"
        "p4,1944,dead,2024-12-20,H1\n"
    ),
    "t": (
        "id,pid,inc,ref,visit,mdo,held,vsite,dsite\n"
        "t1,p1,2024-02-01,2024-01-01,2024-01-15,2024-02-05,1,,H1\n"
        "t2,p2,2024-02-01,2024-01-01,2024-01-29,,0,H2,H2\n"
        "t3,p3,2024-02-01,,2024-01-15,2024-03-02,1,H1,\n"
        "t4,p4,2024-02,,,,,H1,H2\n"
    ),
    "r": (
        "id,tid,kind,start,site,intent,urgency\n"
        "r1,t1,surgery,2024-03-01,H1,curative,elective\n"
        "r2,t1,chemotherapy,2024-02-20,H2,curative,elective\n"
        "r3,t2,surgery,2024-03-01,,palliative,emergency\n"
        "r4,t3,surgery,2024-03-01,H2,curative,elective\n"
        "r5,t3,none,2024-04-01,,,\n"
    ),
    "o": "id,tid,cci,los,again\no1,t1,8.7,5,0\no2,t2,20.9,14,1\no3,t3,,2,1\no4,t4,,,0\n",
}
DATED = ("inc", "ref", "visit", "mdo", "start", "last")
TABLES = """
version: 2
codebook: oncomin/1
tables:
  patient: {from: p, key: id, birth_year: birth, vital_status: status, vital_date: last%(own)s}
  tumour: {from: t, key: id, parent: pid, incidence_date: inc, referral_date: ref,
    first_visit_date: visit, mdo_date: mdo, mdo_held: held%(sites)s}
  treatment: {from: r, key: id, parent: tid, treatment_kind: kind, treatment_start: start,
    treatment_intent: intent, urgency: urgency%(site)s}
  outcome: {from: o, key: id, parent: tid, cci: cci, los: los, readmission30: again}
"""
HERE = {
    "own": ", institution: own",
    "sites": ", first_visit_site: vsite, diagnosis_site: dsite",
    "site": ", treatment_site: site",
}


def read(folder: Path, unit: str, **changes: str) -> dict[str, list[Any]]:
    """Every variable of the unit as labels, numbers and None."""
    text = TABLES % {**HERE, **changes}
    for name in DATED:
        for end in (",", "}", "\n"):
            formatted = f'{{column: {name}, format: ["%Y-%m-%d", "%Y-%m"]}}'
            text = text.replace(f": {name}{end}", f": {formatted}{end}")
    for name, content in FILES.items():
        (folder / f"{name}.csv").write_text(content)
    source = {"kind": "csv", "files": {name: f"{name}.csv" for name in FILES}}
    mapped = read_mapping(text.encode(), source, folder, "m.yaml")
    table = read_table(BOOK.at(unit), mapped, HandleMaker(b"k" * 32, "net", "s"))
    found = {}
    for name, values in table.columns.items():
        labels = BOOK.variables[name].group_labels or ()
        if values.dtype == np.int16:
            found[name] = [None if code < 0 else labels[code] for code in values]
        else:
            found[name] = [None if np.isnan(each) else each for each in values.tolist()]
    return found


def test_who_counts_a_tumour_and_when(tmp_path: Path) -> None:
    found = read(tmp_path, "tumour")
    yes, no = "true", "false"
    assert found["first_seen_here"] == [yes, no, yes, yes]  # not filled in is one's own
    assert found["diagnosed_here"] == [yes, no, yes, no]
    assert found["treated_here"] == [no, yes, no, no]  # t4 has no treatment
    assert found["operated_here"] == [yes, yes, no, no]
    assert found["first_treatment_kind"] == ["chemotherapy", "surgery", "surgery", None]
    february, march = 2024 * 12 + 1, 2024 * 12 + 2
    assert found["incidence_month"] == [february] * 4  # of t4 only the month is known
    assert found["first_treatment_month"] == [february, march, march, None]
    assert found["surgery_month"] == [march, march, march, None]
    assert found["surgery_year"] == [2024.0, 2024.0, 2024.0, None]
    assert found["visit_to_mdo_days"] == [21.0, None, 47.0, None]
    assert found["mdo_to_treatment_days"] == [15.0, None, None, None]  # t3 was discussed after it
    assert found["visit_to_treatment_days"] == [36.0, 32.0, 46.0, None]
    assert found["discussed_first"] == [yes, no, no, None]
    assert found["emergency_surgery"] == [no, yes, no, no]
    assert found["curative_surgery"] == [yes, no, yes, no]


def test_alive_at_a_contact_within_the_month_is_not_survived(tmp_path: Path) -> None:
    found = read(tmp_path, "tumour")
    # p1 was followed for 92 days, p2 died after 30, p3 was seen alive after 30 and never since
    assert found["died_within_30_days"] == ["false", "true", None, None]
    assert found["died_within_90_days"] == ["false", "true", None, None]
    outcome = read(tmp_path, "outcome")
    assert outcome["cci_over_20"] == ["false", "true", None, None]
    assert outcome["prolonged_stay"] == ["false", "true", "false", None]
    assert outcome["prolonged_or_readmitted"] == ["false", "true", "true", None]


@pytest.mark.parametrize("lacking", ["own", "all"])
def test_without_institutions_every_tumour_is_ones_own(tmp_path: Path, lacking: str) -> None:
    changes = {"own": ""} if lacking == "own" else dict.fromkeys(HERE, "")
    found = read(tmp_path, "tumour", **changes)
    assert found["first_seen_here"] == found["diagnosed_here"] == ["true"] * 4
    assert found["treated_here"] == found["operated_here"] == ["true", "true", "true", "false"]
