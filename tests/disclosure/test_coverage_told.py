"""What a hospital tells of its data with an acknowledgement, and when it tells nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hospitals import STUDY, Net, patients

from federation.query.coverage import LEVELS, read_coverages
from federation.site.steward.sent import COVERAGE, Register, decoded

SITE = "h0"


def told(net: Net, site: str = SITE) -> dict[str, Any]:
    """The acknowledgement of the next snapshot at one site."""
    net.seq += 1
    ack = net.claims(site, net.snapshot(site))
    assert ack["status"] == "applied", ack
    return ack


def first(net: Net, site: str = SITE) -> dict[str, Any]:
    """The first acknowledgement that a site ever gave: `Net` made it."""
    database = net.programs[site]._database
    (message,) = Register(database).messages()[-1:]
    assert message.body is not None
    assert message.intact
    assert message.kind == COVERAGE
    return dict(decoded(message.body)["claims"]["coverage"])


def test_the_first_acknowledgement_tells_what_is_filled(build: Any) -> None:
    rows = {f"h{n}": patients(f"h{n}", 120, n) for n in range(3)}
    for place, row in enumerate(rows[SITE]):
        row["HDR_STAGE"] = row["HDR_STAGE"] if place % 3 == 0 else ""  # a third
        row["HDR_CA125"] = row["HDR_CA125"] if place < 9 else ""  # nine patients
        row["HDR_HIST"] = row["HDR_HIST"] if place < 80 else "x"  # two thirds have a meaning
    net = build(rows)
    coverage = first(net)[STUDY]
    assert coverage["variables"] == {
        "age": "over_90",
        "sex": "over_90",
        "stage": "under_50",
        "hist": "50_to_90",
        "trt": "over_90",
        "ca125": "none",
        "fu_days": "over_90",
        "death": "over_90",
        "diagnosed": "over_90",
    }
    assert coverage["codebook_sha256"] == net.codebook.sha256
    assert coverage["as_of"] == net.now.date().isoformat()
    assert coverage["rules"] == {}
    assert set(first(net, "h1")[STUDY]["variables"].values()) == {"over_90"}


def test_it_is_not_told_again_the_same_day_and_once_a_day_after_that(net: Net) -> None:
    before = first(net)
    assert "coverage" not in told(net)
    net.now += timedelta(days=0.9)
    assert "coverage" not in told(net)
    net.now += timedelta(days=0.2)
    assert told(net)["coverage"] == before
    assert "coverage" not in told(net)


def test_withdrawals_change_nothing_before_the_month_is_over(build: Any) -> None:
    """Else two versions would lie one patient apart."""
    net = build({f"h{n}": patients(f"h{n}", 30, n) for n in range(3)})
    before = first(net)[STUDY]
    net.withdrawn |= {row["HDR_PATIENT_NO"] for row in net.rows[SITE][5:]}  # five are left
    net.now += timedelta(days=29)
    assert told(net)["coverage"] == {STUDY: before}
    net.now += timedelta(days=2)
    assert told(net)["coverage"] == {}


def test_a_hospital_that_begins_with_few_tells_again_when_there_are_many_more(build: Any) -> None:
    net = build({f"h{n}": patients(f"h{n}", 120, n) for n in range(3)})
    everybody = {row["HDR_PATIENT_NO"] for row in net.rows[SITE]}
    some = sorted(everybody)
    net.withdrawn = set(some[12:])  # twelve agree
    net.now += timedelta(days=31)
    assert STUDY in told(net)["coverage"]
    days = {}
    for agree in (13, 23, 24, 47, 48, 48):
        net.withdrawn = set(some[agree:])
        net.now += timedelta(minutes=10)
        days[agree] = "coverage" in told(net)
    assert days == {13: False, 23: False, 24: True, 47: False, 48: False}
    net.withdrawn = set(some[5:])  # nobody learns that some went
    net.now += timedelta(minutes=10)
    assert "coverage" not in told(net)


def test_a_hospital_that_had_too_few_tells_as_soon_as_there_are_enough(build: Any) -> None:
    net = build({f"h{n}": patients(f"h{n}", 40, n) for n in range(3)})
    some = sorted(row["HDR_PATIENT_NO"] for row in net.rows[SITE])
    net.withdrawn = set(some[2:])
    net.now += timedelta(days=31)
    assert told(net)["coverage"] == {}
    net.withdrawn = set(some[15:])
    net.now += timedelta(minutes=10)
    assert STUDY in told(net)["coverage"]


def test_only_those_who_consent_are_counted(build: Any) -> None:
    rows = {f"h{n}": patients(f"h{n}", 60, n) for n in range(3)}
    for row in rows[SITE][:30]:
        row["HDR_STAGE"] = ""
    net = build(rows)
    assert first(net)[STUDY]["variables"]["stage"] == "50_to_90"
    net.withdrawn |= {row["HDR_PATIENT_NO"] for row in rows[SITE][:30]}
    net.now += timedelta(days=31)
    assert told(net)["coverage"][STUDY]["variables"]["stage"] == "over_90"


@pytest.mark.parametrize(("count", "expected"), [(9, set()), (10, {STUDY})])
def test_a_hospital_with_too_few_patients_tells_nothing(
    build: Any, count: int, expected: set[str]
) -> None:
    net = build(
        {"h0": patients("h0", count, 0), **{f"h{n}": patients(f"h{n}", 40, n) for n in (1, 2)}}
    )
    assert set(first(net)) == expected


def test_a_stopped_hospital_takes_consent_and_tells_nothing(net: Net) -> None:
    net.now += timedelta(days=2)
    (net.folder / SITE / "STOP").touch()
    assert "coverage" not in told(net)
    (net.folder / SITE / "STOP").unlink()
    assert "coverage" in told(net)


def test_data_that_cannot_be_read_do_not_keep_consent_out(net: Net) -> None:
    net.now += timedelta(days=31)
    net.seq += 1
    message = net.snapshot(SITE)
    data = net.folder / SITE / "data.csv"
    data.rename(data.with_suffix(".gone"))
    ack = net.claims(SITE, message)
    assert (ack["status"], "coverage" in ack) == ("applied", False)
    data.with_suffix(".gone").rename(data)
    assert "coverage" in told(net)


def test_another_mapping_is_told_at_once(net: Net) -> None:
    mapping = net.folder / SITE / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("  stage: {column: HDR_STAGE}\n", ""))
    net.start(SITE)
    coverage = told(net)["coverage"][STUDY]
    assert coverage["variables"]["stage"] == "absent"
    assert coverage["variables"]["age"] == "over_90"


def test_a_variable_that_is_closed_in_a_study_is_absent(build: Any) -> None:
    net = build(study={"variables": ["age", "sex"]})
    variables = first(net)[STUDY]["variables"]
    assert {name for name, level in variables.items() if level != "absent"} == {"age", "sex"}


def test_a_hospital_may_decide_to_tell_nothing(build: Any) -> None:
    net = build(study={"coverage": "none"})
    assert first(net) == {}


def test_nothing_but_words_of_the_list_and_rounded_counts_can_leave(net: Net) -> None:
    for site in net.directories:
        for coverage in read_coverages(first(net, site)).values():
            assert set(coverage.variables.values()) <= set(LEVELS)
            assert coverage.variables.keys() == net.codebook.variables.keys()
    program = net.programs[SITE]
    for wrong in ({STUDY: {"n": 120}}, {STUDY: {**first(net)[STUDY], "rules": {"r": 7}}}):
        with pytest.raises(ValueError, match="not"):
            program._replies.acknowledgement(1, None, net.now, net.now, wrong)


def test_a_damaged_note_of_what_was_told_does_not_keep_consent_out(net: Net) -> None:
    database = net.programs[SITE]._database
    for damage in ("{", '{"told": {"onco": {"n": 120}}, "granted": {"onco": 120}}', "[]"):
        database.execute("UPDATE coverage SET content = ?, sent_at = NULL", (damage,))
        assert "coverage" not in told(net)
