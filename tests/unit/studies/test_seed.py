"""The seed of OncoZON: its real names, its size, and a codebook that fits the public data."""

import csv
from datetime import datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook, load_codebook
from studies.seeds.loading import shipped_codebook
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON
from studies.states import INSTITUTION_KINDS, PARTICIPATION_STATES

TEN = {
    "Catharina Ziekenhuis",
    "Elkerliek Ziekenhuis",
    "Laurentius Ziekenhuis",
    "Maastricht UMC+",
    "Máxima Medisch Centrum",
    "SJG Weert",
    "St. Anna Ziekenhuis",
    "VieCuri Medisch Centrum",
    "Zuyderland",
    "MAASTRO clinic",
}


def test_the_ten_institutions_by_name_and_kind() -> None:
    assert {institution.name for institution in ONCOZON.institutions} == TEN
    kinds = [institution.kind for institution in ONCOZON.institutions]
    assert {kind: kinds.count(kind) for kind in INSTITUTION_KINDS} == {
        "university": 1,
        "top_clinical": 4,
        "general": 4,
        "radiotherapy": 1,
    }
    assert [i.name for i in ONCOZON.institutions if i.kind == "radiotherapy"] == ["MAASTRO clinic"]


def test_sixteen_groups_with_a_chair_each_and_only_invented_people() -> None:
    assert len({group.slug for group in ONCOZON.groups}) == 16
    slugs = {institution.slug for institution in ONCOZON.institutions}
    for group in ONCOZON.groups:
        assert [person.role for person in group.members].count("chair") == 1
        for person in group.members:
            assert person.invented
            assert person.institution is None or person.institution in slugs


def test_each_institution_has_someone_in_the_breast_cancer_group() -> None:
    breast = next(group for group in ONCOZON.groups if group.slug == HORMONE_THERAPY.group)
    places = {person.institution for person in breast.members} - {None}
    assert places == {institution.slug for institution in ONCOZON.institutions}


def test_the_study_names_only_what_the_seed_has() -> None:
    slugs = {institution.slug for institution in ONCOZON.institutions}
    assert set(HORMONE_THERAPY.sites) == slugs
    assert set(HORMONE_THERAPY.sites.values()) <= set(PARTICIPATION_STATES)
    assert HORMONE_THERAPY.lead in slugs
    assert len(set(HORMONE_THERAPY.text_approved_by)) == 2


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    return load_codebook(files("studies").joinpath("seeds/gbsg.yaml").read_bytes())


def test_the_stored_codebook_is_the_shipped_file(codebook: Codebook) -> None:
    assert Codebook.from_dict(shipped_codebook("gbsg")) == codebook
    assert codebook.id == "gbsg/1"


def test_every_variable_has_both_languages(codebook: Codebook) -> None:
    for variable in codebook.variables.values():
        assert variable.label.text("en") != variable.label.text("nl")


def lymph_node_rows() -> list[dict[str, str]]:
    import lifelines

    path = Path(lifelines.__file__).parent / "datasets" / "lymph_node.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_public_patient_lies_inside_the_codebook(codebook: Codebook) -> None:
    rows = lymph_node_rows()
    assert len(rows) == 686
    columns = {
        "age": "age",
        "tumour_size": "size",
        "nodes": "nodes",
        "pgr": "prog_recp",
        "er": "estrg_recp",
        "rfs_days": "rectime",
        "survival_days": "survtime",
    }
    for name, column in columns.items():
        variable = codebook.variables[name]
        assert variable.min is not None
        assert variable.max is not None
        values = [float(row[column]) for row in rows]
        assert variable.min <= min(values)
        assert max(values) <= variable.max
        edges = variable.edges
        assert edges is not None
        for low, high in pairwise(edges):
            inside = [value for value in values if low <= value < high]
            # A bin in which the open ends of the range have nobody is fine, a gap inside is not.
            assert inside or high <= min(values) or low > max(values), (name, low, high)
    grades = {level.code for level in codebook.variables["grade"].levels}
    assert {row["grade"] for row in rows} == grades
    for row in rows:
        datetime.strptime(row["diagdateb"], "%d-%m-%Y")  # noqa: DTZ007 - a date, no moment


def test_the_codes_of_the_public_file_mean_what_the_codebook_says() -> None:
    """The same patients stand in gbsg2 with words: 1 is pre or no, 2 is post or yes."""
    from lifelines.datasets import load_gbsg2

    words = load_gbsg2()
    rows = lymph_node_rows()
    for column, word, ones in (("menopause", "menostat", "Pre"), ("hormone", "horTh", "no")):
        assert sum(row[column] == "1" for row in rows) == int((words[word] == ones).sum())
        assert {row[column] for row in rows} == {"1", "2"}
    together = sum(row["menopause"] == "2" and row["hormone"] == "2" for row in rows)
    assert together == int(((words.menostat == "Post") & (words.horTh == "yes")).sum())


def test_a_seed_may_name_the_built_in_codebook() -> None:
    assert Codebook.from_dict(shipped_codebook("oncomin/1")) == builtin_codebook("oncomin/1")
