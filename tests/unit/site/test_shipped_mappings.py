"""The mappings that come with the program, over the files they were written for."""

from __future__ import annotations

import csv
import random
from importlib.resources import files
from pathlib import Path

import lifelines
import numpy as np
import pytest

from federation.query.builtin import beside, builtin_codebook, find_codebook, names
from federation.query.codebook import Codebook, load_codebook
from federation.query.errors import QueryError
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import Table, read_table
from federation.site.data.derived import derived_of
from federation.site.data.mapping import Mapped, read_mapping

MAPPINGS = files("federation") / "mappings"
DATASETS = Path(lifelines.__file__).parent / "datasets"
HANDLES = HandleMaker(b"k" * 32, "net", "s")
GBSG = load_codebook((files("studies") / "seeds" / "gbsg.yaml").read_bytes())

#: The 46 columns of IKNL's synthetic breast cancer file, in its order.
NKR = (
    "key_nkr key_eid leeft gesl incjr vit_stat vit_stat_int tumsoort diag_basis topo topo_sublok"
    " later morf gedrag diffgrad ct cn cm pt pn pm stadium cstadium pstadium ond_lymf pos_lymf"
    " er_stat pr_stat her2_stat dcis_comp multifoc tum_afm swk swk_uitslag mari mari_uitslag okd"
    " org_chir uitgebr_chir_code dir_reconstr chemo target horm rt meta_rt meta_chir"
).split()


def mapped(name: str, folder: Path, path: str) -> Mapped:
    return read_mapping((MAPPINGS / name).read_bytes(), {"kind": "csv", "path": path}, folder, name)


def oncomin() -> Codebook:
    book = builtin_codebook("oncomin/1")
    assert book is not None
    return book


def column(table: Table, name: str) -> list[object]:
    values = table.columns[name]
    if values.dtype == np.int16:
        labels = table.codebook.variables[name].group_labels or ()
        return [None if code < 0 else labels[code] for code in values.tolist()]
    return [None if np.isnan(v) else v for v in values.tolist()]


def test_all_686_intervals_from_dates_are_the_published_day_counts() -> None:
    table = read_table(GBSG, mapped("gbsg-dates.yaml", DATASETS, "lymph_node.csv"), HANDLES)
    with (DATASETS / "lymph_node.csv").open() as file:
        published = list(csv.DictReader(file))

    assert table.n == len(published) == 686
    assert table.columns["rfs_days"].tolist() == [float(row["rectime"]) for row in published]
    assert table.columns["survival_days"].tolist() == [float(r["survtime"]) for r in published]
    assert set(table.columns) == set(GBSG.variables)
    assert all(t.unmapped == t.missing == t.out_of_range == 0 for t in table.tallies.values())


def test_a_file_of_day_counts_gives_the_same_trial() -> None:
    dates = read_table(GBSG, mapped("gbsg-dates.yaml", DATASETS, "lymph_node.csv"), HANDLES)
    days = read_table(GBSG, mapped("gbsg-days.yaml", DATASETS, "gbsg2.csv"), HANDLES)

    assert set(GBSG.variables) - set(days.columns) == {"survival_days", "death", "diagnosed"}
    for name in days.columns:
        assert sorted(days.columns[name].tolist()) == sorted(dates.columns[name].tolist()), name


@pytest.fixture
def nkr(tmp_path: Path) -> Path:
    """A synthetic file of the NKR's layout: some patients have two tumours, in any order."""
    chance = random.Random(20_261_122)  # noqa: S311  synthetic data
    rows = []
    for n in range(400):
        born = chance.randint(1930, 1980)
        for t in range(2 if n % 7 == 0 else 1):
            year = chance.randint(2003, 2019)
            rows.append(
                dict.fromkeys(NKR, "")
                | {
                    "key_nkr": f"n{n}",
                    "key_eid": f"e{n}{'ab'[t]}",
                    "leeft": year - born,
                    "gesl": 1 if n % 50 == 0 else 2,
                    "incjr": year,
                    "vit_stat": n % 2,
                    "vit_stat_int": chance.randint(0, 5000),
                    "diag_basis": 7,
                    "topo": "C50",
                    "topo_sublok": f"C50{chance.randint(1, 9)}",
                    "later": chance.choice([1, 2, 9]),
                    "morf": chance.choice([8500, 8520, 8010]),
                    "gedrag": 3,
                    "diffgrad": chance.choice("1239"),
                    "ct": chance.choice(["0", "IS", "1", "1A", "1C", "1M", "2", "4D", "X"]),
                    "cn": chance.choice(["0", "1", "3C", "X"]),
                    "cm": chance.choice([0, 1]),
                    "pn": chance.choice(["0", "0I", "1MI", "2A", ""]),
                    "stadium": chance.choice(["0", "1A", "2B", "3C", "4", "X"]),
                    "cstadium": chance.choice(["1A", "4"]),
                    "ond_lymf": chance.randint(0, 30),
                    "pos_lymf": 0,
                    "er_stat": chance.choice([0, 1, 9]),
                    "tum_afm": chance.randint(1, 80),
                    "org_chir": chance.randint(0, 1),
                    "uitgebr_chir_code": "333614",
                    "chemo": chance.randint(0, 1),
                    "horm": chance.randint(0, 1),
                    "target": 0,
                    "rt": chance.randint(0, 1),
                    "meta_rt": 0,
                    "meta_chir": 0,
                }
            )
    chance.shuffle(rows)
    with (tmp_path / "nkr.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, NKR, delimiter=";")
        out.writeheader()
        out.writerows(rows)
    return tmp_path


def nkr_table(folder: Path, unit: str) -> Table:
    return read_table(oncomin().at(unit), mapped("nkr-breast.yaml", folder, "nkr.csv"), HANDLES)


def test_the_nkr_file_has_patients_tumours_and_treatments(nkr: Path) -> None:
    with (nkr / "nkr.csv").open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    patients, tumours, treatments = (nkr_table(nkr, u) for u in ("patient", "tumour", "treatment"))
    given = [
        (row["key_nkr"], kind)
        for row in rows
        for kind, names_ in (
            ("surgery", ("org_chir", "meta_chir")),
            ("radiotherapy", ("rt", "meta_rt")),
            ("chemotherapy", ("chemo",)),
            ("targeted", ("target",)),
            ("hormonal", ("horm",)),
        )
        for name in names_
        if row[name] == "1"
    ]

    assert (len(NKR), patients.n, tumours.n) == (46, 400, 400 + 58)
    assert column(patients, "tumours").count(2) == 58
    assert patients.repeated == tumours.repeated == treatments.repeated == 0
    assert column(treatments, "treatment_kind") == [kind for _, kind in given]
    assert [treatments.handles[i : i + 1].tobytes() for i in range(treatments.n)] == [
        HANDLES.handle(patient) for patient, _ in given
    ]


def test_the_nkr_file_says_of_each_tumour_what_it_says(nkr: Path) -> None:
    with (nkr / "nkr.csv").open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    table = nkr_table(nkr, "tumour")
    stages = {"0": "0", "1A": "I", "2B": "II", "3C": "III", "4": "IV", "X": "X"}

    assert column(table, "incidence_year") == [float(row["incjr"]) for row in rows]
    assert column(table, "age") == [float(row["leeft"]) for row in rows]
    assert column(table, "follow_up_days") == [float(row["vit_stat_int"]) for row in rows]
    assert column(table, "stage_group") == [stages[row["stadium"]] for row in rows]
    assert column(table, "tnm_edition") == [
        "6" if row["incjr"] < "2010" else "7" if row["incjr"] < "2017" else "8" for row in rows
    ]
    assert column(table, "ct") == [
        {"IS": "is", "1M": "1mi", "X": "X"}.get(row["ct"], row["ct"].lower()) for row in rows
    ]
    assert column(table, "dead") == ["true" if row["vit_stat"] == "1" else "false" for row in rows]
    assert column(table, "had_surgery") == [
        "true" if row["org_chir"] == "1" else "false" for row in rows
    ]
    assert column(table, "morphology_group") == [
        "carcinoma" if row["morf"] == "8010" else "adeno" for row in rows
    ]


def test_no_interval_is_made_from_a_year(nkr: Path) -> None:
    """The file has the year of incidence only: what its own ETL made 1 January is no day here."""
    names_ = set(nkr_table(nkr, "treatment").columns)

    assert "follow_up_days" in names_  # as counted by the registry itself
    assert not names_ & {"incidence_to_treatment_days", "incidence_to_start_days"}
    assert "had_immunotherapy" not in names_
    died = nkr_table(nkr, "patient").units["patient"]
    assert died.n == 400


def test_what_the_map_of_t_merges_is_told(nkr: Path) -> None:
    table = read_table(
        oncomin().at("tumour"),
        mapped("nkr-breast.yaml", nkr, "nkr.csv"),
        HANDLES,
        watch=True,
    )

    assert {meant for _, meant in table.tallies["pn"].meant} == {"0"}
    assert all(tally.unmapped == 0 for tally in table.tallies.values())


def test_every_shipped_mapping_says_what_it_leaves_out(nkr: Path) -> None:
    plan = mapped("nkr-breast.yaml", nkr, "nkr.csv").plan(oncomin())
    read = set().union(*(table.columns()[""] for table in plan.tables.values()))
    text = (MAPPINGS / "nkr-breast.yaml").read_text()

    assert read <= set(NKR)
    for name in set(NKR) - read:
        assert name in text.partition("version:")[0], name


def test_the_built_in_codebook_is_found_by_name(tmp_path: Path) -> None:
    assert names() == ("oncomin/1",)
    assert find_codebook("oncomin/1") == oncomin()
    assert builtin_codebook("oncomin/2") is None
    assert builtin_codebook("../seeds/gbsg") is None
    assert beside("gbsg/1", "derived") is None
    assert derived_of("gbsg/1").definitions == ()
    own = tmp_path / "own.yaml"
    own.write_text("codebook: a/1\nvariables: {x: {type: boolean}}\n")
    assert find_codebook(own).id == "a/1"
    with pytest.raises(OSError, match="oncomin"):
        find_codebook("oncomin/9")
    own.write_text("x")
    with pytest.raises(QueryError):
        find_codebook(own)


def test_oncomin_has_its_units_and_labels_in_both_languages() -> None:
    book = oncomin()

    assert dict(book.units) == {
        "patient": None,
        "tumour": "patient",
        "prom": "patient",
        "treatment": "tumour",
        "outcome": "tumour",
    }
    for variable in book.variables.values():
        assert str(variable.label) != variable.name
        assert variable.type != "date" or variable.resolution == "month"  # no day leaves
    assert book.variables["age"].knots == (40, 55, 65, 73, 85)
    assert Codebook.from_dict(book.to_dict()) == book


def test_every_derivation_of_oncomin_can_be_worked_out(tmp_path: Path) -> None:
    """With everything there, the plan takes each one up: names and kinds fit."""
    items = derived_of("oncomin/1").items
    derived = {(unit, name) for unit, name, _ in derived_of("oncomin/1").definitions}
    book = oncomin()
    lines = ["version: 2", "codebook: oncomin/1", "tables:"]
    for unit in ("patient", "tumour", "treatment", "outcome", "prom"):
        lines += [f"  {unit}:", "    key: k" + unit]
        named = {n for n, v in book.variables.items() if v.per == unit} | items[unit]
        for name in sorted(named):
            if (unit, name) not in derived:
                dated = name.endswith(("_date", "_start", "_end"))
                form = '{column: c, format: "%Y-%m-%d"}' if dated else "c"
                lines.append(f"    {name}: {form}")
        if unit != "patient":
            lines.append("    from: f")
            lines.append("    parent: p")
        else:
            lines.append("    from: g")
    source = {"kind": "csv", "files": {"f": "f.csv", "g": "g.csv"}}
    plan = read_mapping("\n".join(lines).encode(), source, tmp_path, "m").plan(book)

    for unit, name in derived:
        if name in book.variables:
            assert name in plan.tables[unit].variables, (unit, name)
    assert {n for u in book.units for n in plan.tables[u].variables} == set(book.variables)
