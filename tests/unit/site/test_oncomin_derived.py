"""What oncomin/1 derives for indicators: who counts a tumour, months, intervals, what is open."""

from __future__ import annotations

from collections.abc import Mapping
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
    "o": (
        "id,tid,cci,los,again,margin,back\n"
        "o1,t1,8.7,5,0,R0,2024-05-20\n"
        "o2,t2,20.9,15,1,R1,\n"
        "o3,t3,,14,0,RX,2024-02-20\n"
        "o4,t4,,,0,,\n"
    ),
}
DATED = ("inc", "ref", "visit", "mdo", "start", "last", "back")
TABLES = """
version: 2
codebook: oncomin/1
tables:
  patient: {from: p, key: id, birth_year: birth, vital_status: status, vital_date: last%(own)s}
  tumour: {from: t, key: id, parent: pid, incidence_date: inc, referral_date: ref,
    first_visit_date: visit, mdo_date: mdo%(held)s%(sites)s}
  treatment: {from: r, key: id, parent: tid, treatment_kind: kind, treatment_start: start,
    treatment_intent: intent, urgency: urgency%(site)s}
  outcome: {from: o, key: id, parent: tid, cci: cci, los: los, readmission30: again,
    margin: margin, recurrence_date: back}
"""
HERE = {
    "own": ", institution: own",
    "sites": ", first_visit_site: vsite, diagnosis_site: dsite",
    "site": ", treatment_site: site",
    "held": ", mdo_held: held",
}


def read(
    folder: Path, unit: str, files: Mapping[str, str] = FILES, **changes: str
) -> dict[str, list[Any]]:
    """Every variable of the unit as labels, numbers and None."""
    text = TABLES % {**HERE, **changes}
    for name in DATED:
        for end in (",", "}", "\n"):
            formatted = f'{{column: {name}, format: ["%Y-%m-%d", "%Y-%m"]}}'
            text = text.replace(f": {name}{end}", f": {formatted}{end}")
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    source = {"kind": "csv", "files": {name: f"{name}.csv" for name in files}}
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
    # 14 days exactly: not longer than 14, and not shorter
    assert outcome["prolonged_stay"] == ["false", "true", "false", None]
    assert outcome["prolonged_or_readmitted"] == ["false", "true", "true", None]
    assert outcome["margin_free"] == ["true", "false", None, None]  # RX cannot be assessed
    assert outcome["recurrence_free_days"] == [109.0, 59.0, 19.0, None]
    # from the operation of 1 March; t3 came back before it
    assert outcome["recurrence_free_after_surgery_days"] == [80.0, 30.0, None, None]


AGAIN = (
    "id,tid,kind,start,site,intent,urgency\n"
    "r1,t1,surgery,2024-03-06,H1,curative,emergency\n"  # a leak, written down first
    "r2,t1,surgery,2024-03-01,H1,curative,elective\n"
    "r3,t2,surgery,2024-03-01,H2,palliative,emergency\n"
    "r4,t2,surgery,2024-09-01,H1,curative,elective\n"
    "r5,t3,surgery,2024-03-01,,curative,\n"
    "r6,t4,chemotherapy,2024-03-01,H1,palliative,\n"
)


def test_what_is_said_of_an_operation_is_said_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yes, no = "true", "false"
    found = read(tmp_path, "tumour", {**FILES, "r": AGAIN})
    assert found["emergency_surgery"] == [no, yes, None, no]  # of t3 nobody wrote it down
    assert found["curative_surgery"] == [yes, no, yes, no]
    assert found["operated_here"] == [yes, no, yes, no]
    here = read(tmp_path, "tumour", {**FILES, "r": AGAIN, "p": FILES["p"].replace("H1", "H2")})
    # The death after the operation of t2 is counted by one of the two.
    assert here["operated_here"] == [no, yes, yes, no]
    assert found["died_within_30_days"] == here["died_within_30_days"] == [no, yes, None, None]

    # The mapping says of each treatment whether it was elsewhere, or no day of any.
    flags = AGAIN.replace("H1", "0").replace("H2", "1").replace(",,curative,", ",0,curative,")
    told = read(
        tmp_path,
        "tumour",
        {**FILES, "r": flags},
        own="",
        sites="",
        site=", treated_elsewhere: site",
    )
    assert told["operated_here"] == found["operated_here"]
    monkeypatch.setitem(globals(), "TABLES", TABLES.replace(" treatment_start: start,", ""))
    undated = read(tmp_path, "tumour", {**FILES, "r": AGAIN})
    assert undated["operated_here"] == [yes, yes, yes, no]
    assert not {"emergency_surgery", "curative_surgery", "surgery_month"} & set(undated)


def test_no_meeting_is_no_only_where_the_hospital_says_so(tmp_path: Path) -> None:
    dates = "id,pid,inc,ref,visit,mdo,held,vsite,dsite\n" + "".join(
        f"{tumour},p1,2024-02-01,,,{mdo},{held},,\n"
        for tumour, mdo, held in (
            ("t1", "2024-02-05", ""), ("t2", "", "0"), ("t3", "", ""), ("t4", "2024-02-05", "1"),
        )
    )  # fmt: skip
    yes, no = "true", "false"
    files = {**FILES, "t": dates}
    assert read(tmp_path, "tumour", files)["discussed_first"] == [yes, no, None, None]
    # Dates alone: every known answer would be yes. Such a hospital cannot answer.
    assert "discussed_first" not in read(tmp_path, "tumour", files, held="")
    for said, answers in (("yes", [yes, no, no, None]), ("no", [yes, None, None, None])):
        complete = read(tmp_path, "tumour", files, held=f", mdo_complete: {{value: '{said}'}}")
        assert complete["discussed_first"] == answers


@pytest.mark.parametrize("lacking", ["own", "all"])
def test_without_institutions_every_tumour_is_ones_own(tmp_path: Path, lacking: str) -> None:
    changes = {"own": ""} if lacking == "own" else dict.fromkeys(HERE, "")
    found = read(tmp_path, "tumour", **changes)
    assert found["first_seen_here"] == found["diagnosed_here"] == ["true"] * 4
    assert found["treated_here"] == found["operated_here"] == ["true", "true", "true", "false"]
