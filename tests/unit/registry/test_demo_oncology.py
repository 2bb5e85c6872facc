"""The demo's synthetic patients: the same everywhere, plausible, some known to two hospitals."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from federation.query.codebook import Codebook
from federation.site.data.judged import judge_units
from federation.site.data.mapping import read_mapping
from federation.site.data.units import read_units
from registry.demo.oncology import pooled
from registry.demo.oncology.care import make_care
from registry.demo.oncology.choices import SHARES, Choices
from registry.demo.oncology.files import MAPPING, SHAPES, write_files
from registry.demo.oncology.hospitals import (
    HOSPITALS,
    PATIENTS,
    QUARTER_AFTER,
    QUARTER_OF_TROUBLE,
    SLUGS,
    TROUBLE,
)
from registry.demo.oncology.records import local_number, make_records
from registry.demo.oncology.second_study import Second
from registry.demo.oncology.tumours import make_tumours
from studies.seeds.loading import shipped_codebook
from studies.seeds.oncozon import INSTITUTIONS

SMALL = 2_000
SAME = "28e0642e183252e5ea0fe0936392307da027893bba03de0272b4e3c8b632532b"
PLANTED = {"breast_in_man", "vital_date_missing"}


@pytest.fixture(scope="module")
def second():
    book = Codebook.from_dict(shipped_codebook("oncomin/1"))
    return Second(make_records(), Choices.make(), book)


def test_the_same_patients_on_every_machine():
    found = json.dumps(
        {slug: made.tables for slug, made in make_records(SMALL).items()}, default=str
    )
    assert hashlib.sha256(found.encode()).hexdigest() == SAME


def test_the_hospitals_are_those_of_the_network(second):
    assert set(SLUGS) == {each.slug for each in INSTITUTIONS}
    assert PATIENTS == second.patients == 20_000
    kinds = {each.slug: each.kind for each in INSTITUTIONS}
    seen = sorted(HOSPITALS, key=lambda each: -each.seen)
    assert kinds[seen[0].slug] == "university"
    assert all(kinds[each.slug] in ("top_clinical", "university") for each in seen[:5])
    assert TROUBLE.hospital != seen[0].slug


def test_some_patients_are_known_to_two_hospitals(second):
    known = Counter(p for made in second.records.values() for p in made.persons)
    assert 0.05 < sum(n > 1 for n in known.values()) / PATIENTS < 0.25
    numbers = {
        (place, person): local_number(place, person) for place in (0, 1) for person in range(20_000)
    }
    assert len(set(numbers.values())) == len(numbers), "another number at every hospital"
    for role in ("first_seen_here", "diagnosed_here"):
        counted = sum(sum(made.tables["tumour"][role]) for made in second.records.values())
        assert counted == len(make_tumours()), "exactly one hospital has each role"
    begun = sum(sum(made.tables["tumour"]["treated_here"]) for made in second.records.values())
    treated = int((~np.isnat(make_care(make_tumours()).starts)).any(axis=1).sum())
    assert begun == treated
    twice = [
        len(numbers) - len(set(numbers))
        for made in second.records.values()
        for numbers in [made.tables["tumour"]["patient"]]
    ]
    assert sum(twice) > 400, "some have two tumours"


def test_one_hospital_doubles_for_a_quarter_and_recovers(second):
    rows = pooled.tumour_rows(second)

    def ratio(period):
        return pooled.ratio_of_medians(
            pooled.access_days(rows, *period), TROUBLE.hospital, sorted(SLUGS)
        )

    assert ratio(QUARTER_OF_TROUBLE) == 2.0  # 28 against 14 days: a tie counts
    assert ratio(QUARTER_AFTER) == 1.0
    assert pooled.ratio_of_medians(rows.iloc[:0].assign(days=0.0), TROUBLE.hospital, SLUGS) is None
    for other in set(SLUGS) - {TROUBLE.hospital}:
        days = pooled.access_days(rows, *QUARTER_OF_TROUBLE)
        assert pooled.ratio_of_medians(days, other, sorted(SLUGS)) < 1.5, other


@pytest.mark.parametrize("patients", [3_000, 6_000, 9_000, 12_000])
def test_it_doubles_whatever_the_number_of_patients(patients):
    rows = pooled.tumour_rows(Second.make(patients))
    days, after = (pooled.access_days(rows, *each) for each in (QUARTER_OF_TROUBLE, QUARTER_AFTER))
    assert pooled.ratio_of_medians(days, TROUBLE.hospital, SLUGS) >= 2.0
    assert pooled.ratio_of_medians(after, TROUBLE.hospital, SLUGS) < 2.0
    for other, own in days.groupby("site"):
        if other != TROUBLE.hospital and len(own) >= 10:
            assert pooled.ratio_of_medians(days, other, SLUGS) < 2.0, other


def test_outcomes_lie_in_the_published_ranges(second):
    tumours = make_tumours()
    care = make_care(tumours)
    severe = np.isin(care.grade, ["IIIa", "IIIb", "IVa", "IVb", "V"])
    gone = care.dead & ((care.last_seen - care.starts[:, 0]).astype(int) <= 30)
    for kind, low, high in (("colon", 0.13, 0.24), ("rectum", 0.17, 0.28)):
        cut = tumours.is_kind(kind) & care.operated
        assert low < severe[cut].mean() < high
        assert 0.01 < gone[cut].mean() < 0.06
        assert 0.01 < (care.margin[cut] == "R1").mean() < 0.08
        assert 4 <= np.median(care.stay[cut]) <= 8
    planned = tumours.is_kind("colon", "rectum", "lung") & care.operated & ~tumours.urgent
    assert severe[planned & care.prepared].mean() < severe[planned & ~care.prepared].mean()
    assert (care.team[~np.isnat(care.team)] >= tumours.found[~np.isnat(care.team)]).all()
    shares = Counter(second.choices.answers)
    for answer, share in SHARES.items():
        assert abs(shares[answer] / PATIENTS - share) < 0.01


@pytest.mark.parametrize("place", range(len(SHAPES)))
def test_a_site_reads_each_shape_without_an_error(second, tmp_path, place):
    slug, made = SLUGS[-1 - place], second.records[SLUGS[-1 - place]]
    source = write_files(tmp_path, place, made)
    mapped = read_mapping((tmp_path / MAPPING).read_bytes(), source, tmp_path, MAPPING)
    units = read_units(mapped.plan(second.codebook), second.codebook, mapped.source, watch=True)
    assert {unit: rows.n for unit, rows in units.items()} == {
        unit: len(next(iter(table.values()))) for unit, table in made.tables.items()
    }
    for unit, rows in units.items():
        assert (rows.repeated, rows.orphans, rows.unkeyed) == (0, 0, 0), unit
        for name, tally in rows.tallies.items():
            assert not tally.unmapped, (slug, unit, name)
    for rows in judge_units(second.codebook, units, ".").values():
        assert rows.findings is not None
        for rule in rows.findings.rules.values():
            assert rule.name in PLANTED or not rows.findings.breaking(rule.name).any(), rule.name
