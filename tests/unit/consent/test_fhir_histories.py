"""Random histories: what a naive reader takes from the export is exactly what the rule permits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir_definitions import faults
from fhir_reading import believed
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import fhir, fhir_r4, fhir_r5
from consent.fhir_codes import Surroundings
from consent.fhir_model import Asked, Patient, Spoken
from consent.items import ITEMS, with_parents
from consent.rule import ANY, Choice, Scope, decide

START = datetime(2026, 3, 1, tzinfo=UTC)
STUDIES = ("x", "y")
CODES = ("use.record", "use.network", "use.past", "dna.tumour", "bio.leftover")
AROUND = Surroundings("https://h/", "net", "Net", "site", "Site", "handle", {}, {})
WRITERS: dict[str, Any] = {"r4": fhir_r4, "r5": fhir_r5}

hours = st.integers(0, 12)


@st.composite
def an_event(draw: Any, receipt: str, party: str, at: int) -> Spoken:
    kind = draw(st.sampled_from(["granted"] * 4 + ["refused", "deferred", "withdrawn", "objected"]))
    closes = kind in ("withdrawn", "objected")
    item = draw(st.sampled_from((*CODES, ANY) if closes else CODES))
    study = draw(st.sampled_from((*STUDIES, ANY) if closes else STUDIES))
    mark = draw(st.sampled_from([None] * 6 + ["wrong_person", "pressure"]))
    marks = () if mark is None else (("invalidated", mark, START),)
    until = draw(st.sampled_from([None, None, None, at + 2, at + 20]))
    effective = draw(st.sampled_from([at, at, at, at - 3, at + 2]))
    broad = item == ANY or item not in ITEMS
    choice = Choice(
        kind="grant" if kind == "granted" else "denial",
        scope=Scope("net", "site", item, study, ANY if broad else ITEMS[item].category),
        effective_at=START + timedelta(hours=effective),
        recorded_at=START + timedelta(hours=at),
        until=None if until is None else START + timedelta(hours=until),
        complete=not marks and draw(st.sampled_from([True] * 5 + [False])),
        party=party,
    )
    return Spoken(receipt, kind, choice, text_version="ab" * 32, marks=marks)


@st.composite
def a_patient(draw: Any) -> Patient:
    spoken: list[Spoken] = []
    moments = sorted(draw(st.lists(hours, max_size=5)))
    for number, at in enumerate(moments):
        party = draw(st.sampled_from(["self", "self", "p-1"]))
        for _ in range(draw(st.integers(1, 4))):
            spoken.append(draw(an_event(f"r{number}", party, at)))
    needs = draw(
        st.sampled_from([{"self"}, {"self"}, {"self", "p-1"}, {"p-1"}, set()]).map(frozenset)
    )
    asked = draw(st.sampled_from([{}, {"x": Asked("ab" * 32, CODES)}]))
    return Patient("k" * 36, "net", "site", spoken, asked, needs)


def rule_says(patient: Patient, now: datetime) -> set[tuple[str, str]]:
    """The rule itself, without anything of the export."""
    choices = [one.choice for one in patient.spoken]
    return {
        (study, item)
        for study in STUDIES
        for item in CODES
        if all(
            decide(
                Scope("net", "site", code, study, ITEMS[code].category),
                choices,
                now,
                needs=patient.needs,
            ).permit
            for code in with_parents([item])
        )
    }


@pytest.mark.parametrize("version", ["r4", "r5"])
@settings(max_examples=60, deadline=None)
@given(patient=a_patient(), hour=st.integers(0, 16))
def test_a_naive_reader_believes_what_the_rule_permits(
    version: str, patient: Patient, hour: int
) -> None:
    now = START + timedelta(hours=hour)
    told = fhir.consents(patient, now)
    made = [WRITERS[version].consent(one, AROUND, now) for one in told]
    permitted = rule_says(patient, now)
    computed = [one for one, its in zip(made, told, strict=True) if its.computed]
    acts = [one for one, its in zip(made, told, strict=True) if not its.computed]
    assert believed(made, version) == permitted
    assert believed(computed, version) == permitted
    # The acts say the same when each yes names its item and study, as the form writes it.
    assert believed(acts, version) == permitted
    assert len({one["id"] for one in made}) == len(made)
    for resource in made:
        assert faults(resource, version) == []


@settings(max_examples=60, deadline=None)
@given(patient=a_patient(), hour=st.integers(0, 16))
def test_no_two_active_resources_contradict_each_other(patient: Patient, hour: int) -> None:
    now = START + timedelta(hours=hour)
    permitted = {study for study, _item in rule_says(patient, now)}
    for one in fhir.consents(patient, now):
        if one.status in ("active", "rejected") and not any(item.permits for item in one.items):
            # A deny that stands: nothing of what it speaks about is permitted.
            assert not permitted if one.study == ANY else one.study not in permitted


@settings(max_examples=60, deadline=None)
@given(patient=a_patient())
def test_after_a_general_stop_nothing_is_left(patient: Patient) -> None:
    now = START + timedelta(hours=30)
    stop = Choice("denial", Scope("net", "site"), now, now)
    patient.spoken = [*patient.spoken, Spoken("stop", "withdrawn", stop)]
    for version, writer in WRITERS.items():
        made = [writer.consent(one, AROUND, now) for one in fhir.consents(patient, now)]
        assert believed(made, version) == set()
