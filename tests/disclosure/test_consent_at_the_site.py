"""No row of a patient who does not consent is ever computed on, and a site that cannot know counts
nobody."""

from datetime import timedelta

import numpy as np
import pytest

COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
MEAN = {"kind": "describe", "variables": ["ca125"]}


@pytest.fixture
def seen_by_methods(monkeypatch):
    """Every value of ca125 that any statistics function got to see."""
    from federation.methods.registry import KINDS

    values = []

    def spying(real):
        def call(self, ask, *rest):
            for rows in rest:
                for column in getattr(rows, "columns", {}).values():
                    values.extend(column.values.tolist())
            return real(self, ask, *rest)

        return call

    for method in KINDS.values():
        for half in ("site", "sets"):
            monkeypatch.setattr(type(method), half, spying(getattr(type(method), half)))
    return values


def test_a_withdrawn_patient_is_not_counted(net):
    gone = [row["HDR_PATIENT_NO"] for row in net.rows["h0"][:20]]
    net.withdrawn.update(gone)
    net.publish()

    n = net.ask(COUNT).envelope["result"]["n"]

    assert n == sum(len(rows) for rows in net.rows.values()) - 20


def test_the_statistics_never_see_a_withdrawn_patient(build, five, seen_by_methods):
    for place in range(20):
        five["h1"][place]["HDR_CA125"] = "77777.25"
    net = build(five)
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in five["h1"][:20])
    net.publish()

    assert net.ask(MEAN).status == "complete"
    assert len(seen_by_methods) > 0
    assert 77777.25 not in seen_by_methods


def test_the_spy_sees_those_who_consent(build, five, seen_by_methods):
    five["h1"][0]["HDR_CA125"] = "77777.25"
    build(five).ask(MEAN)

    assert 77777.25 in seen_by_methods


def test_a_patient_unknown_to_the_snapshot_is_not_counted(net):
    """New rows in the data before the hub knows the patient."""
    extra = [{**row, "HDR_PATIENT_NO": f"new-{n}"} for n, row in enumerate(net.rows["h0"])]
    with (net.folder / "h0" / "data.csv").open("a", newline="") as file:
        for row in extra:
            file.write(",".join(row.values()) + "\r\n")

    assert net.ask(COUNT).envelope["result"]["n"] == sum(len(r) for r in net.rows.values())


def test_a_row_without_a_patient_number_is_not_counted(build, five):
    for row in five["h0"][:15]:
        row["HDR_PATIENT_NO"] = ""
    net = build(five)

    assert net.ask(COUNT).envelope["result"]["n"] == sum(len(r) for r in five.values()) - 15


def test_a_site_without_a_snapshot_refuses(net):
    database = net.programs["h0"]._database
    database.execute("DELETE FROM snapshot")
    net.start("h0")

    outcome = net.ask(COUNT)

    assert outcome.code == "CONSENT_UNAVAILABLE"


def test_a_stale_snapshot_refuses_at_the_minute(net):
    net.now += timedelta(minutes=15)
    assert net.ask(COUNT).status == "complete"

    net.now += timedelta(seconds=1)
    assert net.ask(MEAN).code == "CONSENT_UNAVAILABLE"


def test_an_older_snapshot_than_the_question_demands_refuses(net):
    query = net.query(COUNT)
    plan = net.plan(query, min_snapshots=dict.fromkeys(net.programs, net.seq + 1))

    assert net.drive(net.driver(plan)).code == "CONSENT_UNAVAILABLE"


def test_after_the_refusal_the_newer_snapshot_is_taken_and_the_same_step_answered(net):
    """A refusal that can pass is not journaled: the site is asked again after the snapshot."""
    driver = net.driver(
        net.plan(net.query(COUNT), min_snapshots=dict.fromkeys(net.programs, net.seq + 1))
    )
    message = driver.messages(net.now)["h0"]
    assert net.claims("h0", message)["code"] == "CONSENT_UNAVAILABLE"

    net.publish()

    assert net.claims("h0", message)["status"] == "ok"


def test_a_snapshot_for_another_site_or_network_is_refused(net):
    net.seq += 1
    foreign = net.snapshot("h1")
    assert net.claims("h0", foreign)["status"] == "refused"

    other = net.snapshot("h0", network="elsewhere")
    ack = net.claims("h0", other)
    assert (ack["status"], ack["code"], ack["seq"]) == ("refused", "snapshot_other_site", net.seq)


def test_an_older_snapshot_is_refused_and_changes_nothing(net):
    old = net.snapshot("h0")
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in net.rows["h0"][:20])
    net.publish()

    ack = net.claims("h0", old)

    assert (ack["status"], ack["code"]) == ("refused", "snapshot_rollback")
    assert net.ask(COUNT).envelope["result"]["n"] == sum(len(r) for r in net.rows.values()) - 20


def test_two_states_under_one_number_are_a_lie(net):
    net.withdrawn.add(net.rows["h0"][0]["HDR_PATIENT_NO"])

    assert net.claims("h0", net.snapshot("h0"))["code"] == "snapshot_rollback"


def test_the_same_snapshot_again_is_acknowledged_again(net):
    message = net.snapshot("h0")
    assert net.claims("h0", message)["status"] == "applied"
    assert net.claims("h0", message)["status"] == "applied"


def test_a_snapshot_signed_by_someone_else_is_refused(net):
    from federation.protocol.keys import SigningKey

    net.seq += 1
    real, net.hub = net.hub, SigningKey.generate()
    forged = net.snapshot("h0")
    net.hub = real

    assert net.claims("h0", forged)["status"] == "refused"


def test_the_snapshot_survives_a_restart(net):
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in net.rows["h0"][:20])
    net.publish()
    net.start("h0")

    assert net.ask(COUNT).envelope["result"]["n"] == sum(len(r) for r in net.rows.values()) - 20


def test_a_withdrawal_during_a_run_ends_the_run(net):
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"

    net.withdrawn.add(net.rows["h3"][0]["HDR_PATIENT_NO"])
    net.publish("h3")
    outcome = net.drive(driver)

    assert (outcome.status, outcome.code) == ("refused", "CONSENT_UNAVAILABLE")


def test_a_choice_that_concerns_nobody_in_the_run_does_not_end_it(net):
    young = {"var": "age", "op": "<", "value": 60}
    driver = net.driver(net.plan(net.query(COX, cohort=young)))
    assert net.round(driver) == "step"

    old = next(row for row in net.rows["h3"] if int(row["HDR_AGE"]) >= 60)
    net.withdrawn.add(old["HDR_PATIENT_NO"])
    net.publish("h3")

    assert net.drive(driver).status == "complete"


def test_corrected_data_during_a_run_end_the_run(net):
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"

    path = net.folder / "h3" / "data.csv"
    path.write_text(path.read_text().replace(net.rows["h3"][0]["HDR_CA125"], "1.00", 1))

    assert net.drive(driver).code == "CONSENT_UNAVAILABLE"


def test_consent_for_one_study_is_not_consent_for_another(build):
    net = build(studies=["onco", "other"])
    claims_of_study = net.studies
    net.studies = ["onco"]
    net.publish()
    net.studies = claims_of_study

    assert net.ask(COUNT).status == "complete"
    assert net.ask(MEAN, study="other").code == "SMALL_GROUP"


def test_the_mask_is_in_the_order_of_the_rows(net):
    """Rows, handles and bits are sorted differently; one slip and the wrong ones are counted."""
    chosen = [row for row in net.rows["h2"] if row["HDR_STAGE"] == "III"]
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in chosen)
    net.publish()

    program = net.programs["h2"]
    store = program._pipeline._stores["mapping.yaml"]
    table = store.table(net.codebook)
    mask = program._consenting.mask(table, "onco", ["use.record", "use.network"])

    stages = np.array([row["HDR_STAGE"] for row in net.rows["h2"]])
    assert np.array_equal(mask, stages != "III")
