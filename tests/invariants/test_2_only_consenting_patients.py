"""Invariant 2: only consenting patients are read by a computation; unknown, unreadable or stale
means no.

Five real hospitals. A spy sits where rows enter the statistics. More on snapshots:
tests/disclosure/test_consent_at_the_site.py; the decision rule: tests/unit/consent.
"""

from contextlib import closing
from datetime import timedelta

import pytest
from hospitals import CODEBOOK, START

from consent.rule import ANY, COLLECT_NEW
from federation.query.codebook import load_codebook
from federation.site.choices.denials import close
from federation.site.store import open_store, transaction

COUNT = {"kind": "count", "by": []}
MEAN = {"kind": "describe", "variables": ["ca125"]}
MARK = 77_777.25  # a value that only patients without a yes have


@pytest.fixture
def rows_seen(monkeypatch):
    """The number of rows and every ca125 that a statistics function got to see."""
    from federation.methods.registry import KINDS

    seen = {"most": 0, "values": set()}

    def spying(real):
        def call(self, ask, *rest):
            for rows in rest:
                columns = getattr(rows, "columns", None)
                if columns is not None:
                    seen["most"] = max(seen["most"], rows.n)
                    if "ca125" in columns:
                        seen["values"] |= set(columns["ca125"].values.tolist())
            return real(self, ask, *rest)

        return call

    for method in KINDS.values():
        for half in ("site", "sets"):
            monkeypatch.setattr(type(method), half, spying(getattr(type(method), half)))
    return seen


def everybody(net):
    return sum(len(rows) for rows in net.rows.values())


def test_who_said_no_is_never_read(hospitals, five, rows_seen):
    for row in five["h1"][:30]:
        row["HDR_CA125"] = str(MARK)
    net = hospitals(five)
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in five["h1"][:30])
    net.publish()
    outcome = net.ask(MEAN)
    assert outcome.envelope["result"]["n"] == everybody(net) - 30
    assert rows_seen["values"]
    assert MARK not in rows_seen["values"]


def test_who_is_unknown_to_the_hub_is_never_read(hospitals, five, rows_seen):
    """A patient who came after the snapshot: in the data, in no list of choices."""
    net = hospitals(five)
    newcomer = {**five["h2"][0], "HDR_PATIENT_NO": "h2-99999", "HDR_CA125": str(MARK)}
    from hospitals import write_csv

    write_csv(net.folder / "h2" / "data.csv", [*five["h2"], newcomer])
    outcome = net.ask(MEAN)
    assert outcome.envelope["result"]["n"] == everybody(net)
    assert MARK not in rows_seen["values"]


@pytest.mark.parametrize("dates", ["", "dates: {patient: {first: diagnosed, last: %s}}\n"])
def test_data_of_a_time_that_a_patient_does_not_allow_are_never_read(
    hospitals, five, rows_seen, dates
):
    """Who wants nothing new counts with records of before; without dates in the codebook, or in the
    record, not at all. 60 said so; of 20 the record reaches into the month in which they did, of 10
    nobody knows from when it is."""
    for place in range(30):
        five["h1"][place]["HDR_CA125"] = str(MARK)
        five["h1"][place]["HDR_LAST"] = f"{START:%d-%m-%Y}"
        if place >= 20:
            five["h1"][place]["HDR_DIAG"] = ""
    for place in range(30, 60):
        five["h1"][place] |= {"HDR_DIAG": "03-04-2019", "HDR_LAST": "08-09-2020"}
    days = CODEBOOK.replace(b"fu_days: {type: duration,", b"fu_days: {type: duration, unit: days,")
    last = "{from: diagnosed, plus: fu_days}"
    head = (dates % last if dates else "").encode()
    net = hospitals(five, codebook=load_codebook(days.replace(b"variables:", head + b"variables:")))
    rows = [row["HDR_PATIENT_NO"] for row in five["h1"]]
    nothing_new(net, "h1", rows[:60], START - timedelta(days=1))
    outcome = net.ask(MEAN)
    assert outcome.envelope["result"]["n"] == everybody(net) - (30 if dates else 60)
    assert MARK not in rows_seen["values"]
    # An earlier "no" of one of them is another state of consent, as a withdrawal is.
    consenting = net.programs["h1"]._consenting
    before = consenting.state
    nothing_new(net, "h1", rows[30:31], START - timedelta(days=9000))
    consenting.check(0, net.now, timedelta(hours=1))
    assert consenting.state != before


def nothing_new(net, site, numbers, at):
    """At the desk of a hospital, while its program runs."""
    here = net.directories[site]
    with closing(open_store(here.database)) as books, transaction(books):
        for number in numbers:
            close(books, here.handles.handle(number), ANY, [COLLECT_NEW], at)


@pytest.mark.parametrize("state", ["stale", "none", "older than demanded"])
def test_without_a_fresh_list_of_choices_nobody_is_read(hospitals, rows_seen, state):
    net = hospitals()
    if state == "stale":
        net.now += timedelta(minutes=16)
    elif state == "none":
        net.programs["h3"]._database.execute("DELETE FROM snapshot")
        net.start("h3")
    else:
        net.seq += 1
    outcome = net.ask(COUNT)
    assert outcome.status == "refused"
    assert outcome.code == "CONSENT_UNAVAILABLE"
    assert outcome.envelope.get("result") is None


def test_a_snapshot_that_does_not_hold_changes_nothing(hospitals):
    """One byte changed: refused, and the withdrawal of the snapshot before stays in force."""
    net = hospitals()
    gone = [row["HDR_PATIENT_NO"] for row in net.rows["h0"][:25]]
    net.withdrawn.update(gone)
    net.publish()
    net.withdrawn.clear()
    net.seq += 1
    wider = bytearray(net.snapshot("h0"))
    wider[len(wider) // 2] ^= 1
    assert net.claims("h0", bytes(wider))["status"] != "applied"
    net.seq -= 1
    assert net.ask(COUNT).envelope["result"]["n"] == everybody(net) - 25
