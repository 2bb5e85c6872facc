"""The mapping of consent.md 3.10, row by row, in R4 and R5, and what a naive reader makes of it."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir_reading import believed, check, states

from consent import fhir, fhir_r4, fhir_r5
from consent.fhir_codes import Surroundings
from consent.fhir_model import Asked, Patient, Spoken
from consent.items import ITEMS
from consent.rule import ANY, Choice, Scope

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STUDY, OTHER = "hormone", "colon"
TEXT = "ab" * 32
ITEMS_ASKED = ("use.record", "use.network", "share.company")
AROUND = Surroundings(
    base="https://hub.example/",
    network="net",
    network_name="Oncologienetwerk",
    site="catharina",
    site_name="Catharina",
    handle="aGFuZGxl",
    receipts={"r1": "cd" * 32},
    titles={STUDY: "Hormones"},
)
WRITERS: dict[str, Any] = {"r4": fhir_r4, "r5": fhir_r5}
BOTH = pytest.mark.parametrize("version", ["r4", "r5"])


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def spoken(
    receipt: str,
    kind: str,
    item: str,
    hours: float,
    *,
    study: str = STUDY,
    until: datetime | None = None,
    complete: bool = True,
    party: str = "self",
    role: str = "self",
    channel: str = "portal",
    marks: tuple[tuple[str, str, datetime], ...] = (),
) -> Spoken:
    category = ITEMS[item].category if item in ITEMS else ANY
    choice = Choice(
        kind="grant" if kind == "granted" else "denial",
        scope=Scope("net", "catharina", item, study, category),
        effective_at=at(hours),
        recorded_at=at(hours),
        until=until,
        complete=complete and not any(mark[0] == "invalidated" for mark in marks),
        party=party,
    )
    text = TEXT if kind in ("granted", "refused", "deferred") else None
    return Spoken(receipt, kind, choice, role, text, "nl", channel, marks)


def act(
    receipt: str, hours: float, study: str = STUDY, *, rest: str, **answers: str
) -> list[Spoken]:
    return [
        spoken(receipt, answers.get(item.replace(".", "_"), rest), item, hours, study=study)
        for item in ITEMS_ASKED
    ]


def told(said: list[Spoken], version: str, hours: float = 100, **more: Any) -> list[dict[str, Any]]:
    """All Consents of a patient who said this, each checked; acts first, then the computed one."""
    asked = {STUDY: Asked(TEXT, ITEMS_ASKED)}
    patient = Patient("k" * 36, "net", "catharina", said, asked, **more)
    made = [
        WRITERS[version].consent(one, AROUND, at(hours))
        for one in fhir.consents(patient, at(hours))
    ]
    for resource in made:
        check(resource, version)
    counts = {(study, item) for study in (STUDY, OTHER) for item in ITEMS}
    permitted = {pair for pair in counts if patient.permits(*pair, at(hours))}
    # What it permits is what the rule permits, and the computed resources alone say so too.
    assert believed(made, version) == permitted
    computed = [one for one in made if one["meta"]["tag"][0]["code"] == "computed"]
    assert believed(computed, version) == permitted
    return made


def permitted(resource: dict[str, Any], version: str) -> set[str]:
    return {item for _study, item in believed([resource], version)}


YES_TO_TWO = act("r1", 0, rest="granted", share_company="refused")


@BOTH
def test_any_item_granted_is_active_with_only_these(version: str) -> None:
    first, computed = told(YES_TO_TWO, version)
    assert (first["id"], first["status"], computed["status"]) == ("r1", "active", "active")
    assert permitted(first, version) == {"use.record", "use.network"}
    assert states(first) == {
        "use.record": "granted",
        "use.network": "granted",
        "share.company": "refused",
    }
    assert states(computed) == states(first)


@BOTH
def test_everything_refused(version: str) -> None:
    first, computed = told(act("r1", 0, rest="refused"), version)
    assert first["status"] == ("rejected" if version == "r4" else "active")
    assert computed["status"] == "active"
    assert believed([first, computed], version) == set()
    assert version == "r4" or ("provision" not in first and first["decision"] == "deny")


@BOTH
@pytest.mark.parametrize("scope", [(STUDY, ANY), (ANY, ANY)])
def test_withdrawn_is_inactive_and_a_new_active_deny(version: str, scope: tuple[str, str]) -> None:
    study, item = scope
    stop = spoken("r2", "withdrawn", item, 1, study=study)
    first, second, computed = told([*YES_TO_TWO, stop], version)
    assert [one["status"] for one in (first, second, computed)] == ["inactive", "active", "active"]
    assert states(first)["use.record"] == "withdrawn"
    assert states(computed)["use.record"] == "withdrawn"
    assert states(second) == {"*": "withdrawn"}
    # Who reads periods but no status learns the end, too.
    inner = first["provision"]["provision"] if version == "r4" else first["provision"]
    assert {one["period"]["end"] for one in inner} == {"2026-03-01T10:00:00.000Z"}


@BOTH
def test_one_item_withdrawn_leaves_the_others(version: str) -> None:
    stop = spoken("r2", "withdrawn", "use.network", 1)
    first, second, computed = told([*YES_TO_TWO, stop], version)
    assert (first["status"], permitted(first, version)) == ("active", {"use.record"})
    assert states(first)["use.network"] == "withdrawn"
    # An active deny beside an active permit of the same study would contradict it.
    assert second["status"] == "inactive"
    assert states(second) == {"use.network": "withdrawn"}
    assert permitted(computed, version) == {"use.record"}


@BOTH
def test_expired(version: str) -> None:
    yes = [spoken("r1", "granted", item, 0, until=at(2)) for item in ITEMS_ASKED]
    first, computed = told(yes, version, hours=1)
    inner = first["provision"]["provision"] if version == "r4" else first["provision"]
    assert inner[0]["period"] == {
        "start": "2026-03-01T09:00:00.000Z",
        "end": "2026-03-01T11:00:00.000Z",
    }
    first, computed = told(yes, version, hours=2)
    assert [one["status"] for one in (first, computed)] == ["inactive", "active"]
    assert set(states(first).values()) == set(states(computed).values()) == {"expired"}


@BOTH
def test_superseded_on_one_day_keeps_the_order_of_the_acts(version: str) -> None:
    later = act("r2", 3, rest="granted")
    first, second, _computed = told([*YES_TO_TWO, *later], version)
    assert [one["status"] for one in (first, second)] == ["inactive", "active"]
    assert states(first)["use.record"] == "superseded"
    if version == "r5":
        assert first["date"] == second["date"] == "2026-03-01"
        assert first["period"]["start"] < second["period"]["start"]
    else:
        assert first["dateTime"] < second["dateTime"]
    (earlier_text, later_text) = (
        WRITERS[version].provenance(one, AROUND, jws=None)["recorded"]
        for one in fhir.consents(Patient("k", "net", "catharina", [*YES_TO_TWO, *later]), at(9))[:2]
    )
    assert earlier_text < later_text


@BOTH
def test_two_acts_on_one_day_yes_then_no(version: str) -> None:
    made = told([*YES_TO_TWO, *act("r2", 3, rest="refused")], version)
    assert [one["status"] for one in made[:2]] == [
        "inactive",
        "rejected" if version == "r4" else "active",
    ]
    assert believed(made, version) == set()
    # And the other way round: the later yes opens, the earlier no is over.
    made = told([*act("r1", 0, rest="refused"), *act("r2", 3, rest="granted")], version)
    assert [one["status"] for one in made[:2]] == ["inactive", "active"]


@BOTH
@pytest.mark.parametrize(
    ("reason", "status"), [("wrong_person", "entered-in-error"), ("pressure", "inactive")]
)
def test_invalidated(version: str, reason: str, status: str) -> None:
    mark = (("invalidated", reason, at(5)),)
    yes = [spoken("r1", "granted", item, 0, marks=mark) for item in ITEMS_ASKED]
    first, computed = told(yes, version)
    assert [one["status"] for one in (first, computed)] == [status, "active"]
    assert set(states(first).values()) == {"invalidated"}
    # It never counted: there is no provision to misread, in the past neither.
    assert "provision" not in (first["provision"] if version == "r4" else first)


@BOTH
def test_asked_and_not_answered(version: str) -> None:
    waiting = "proposed" if version == "r4" else "draft"
    (computed,) = told([], version)
    assert computed["status"] == waiting
    assert set(states(computed).values()) == {"invited"}
    later, computed = told(act("r1", 0, rest="deferred"), version)
    assert [later["status"], computed["status"]] == [waiting, waiting]


@BOTH
def test_doubt_closes_without_a_word_of_the_patient(version: str) -> None:
    yes = [spoken("r1", "granted", item, 0, complete=False) for item in ITEMS_ASKED]
    first, computed = told(yes, version)
    assert [one["status"] for one in (first, computed)] == ["inactive", "active"]
    assert set(states(computed).values()) == {"suspended"}


@BOTH
def test_a_closed_parent_closes_its_children(version: str) -> None:
    _first, second, _computed = told(
        [*YES_TO_TWO, spoken("r2", "withdrawn", "use.record", 1)], version
    )
    assert second["status"] == "active"  # nothing of the study is left, so the deny stands


@BOTH
def test_paper_is_verified_or_awaited(version: str) -> None:
    yes = [
        spoken("r1", "granted", item, 0, channel="paper", complete=False) for item in ITEMS_ASKED
    ]
    first, _computed = told(yes, version)
    assert first["verification"][0]["verified"] is False
    checked = (("confirmed", "second_checker", at(2)),)
    yes = [spoken("r1", "granted", item, 0, channel="paper", marks=checked) for item in ITEMS_ASKED]
    first, _computed = told(yes, version)
    date = first["verification"][0]["verificationDate"]
    assert date == ("2026-03-01T11:00:00.000Z" if version == "r4" else ["2026-03-01T11:00:00.000Z"])
    assert first["verification"][0]["verified"] is True


@BOTH
def test_both_parents_are_named_and_both_are_needed(version: str) -> None:
    needs = frozenset({"p-1", "p-2"})
    mother = [spoken("r1", "granted", item, 0, party="p-1", role="parent") for item in ITEMS_ASKED]
    first, computed = told(mother, version, needs=needs)
    assert [one["status"] for one in (first, computed)] == ["inactive", "active"]
    assert set(states(first).values()) == {"suspended"}
    father = [spoken("r2", "granted", item, 4, party="p-2", role="parent") for item in ITEMS_ASKED]
    first, second, computed = told([*mother, *father], version, needs=needs)
    assert [one["status"] for one in (first, second)] == ["active", "active"]
    speakers = computed["performer" if version == "r4" else "grantor"]
    assert [one["identifier"]["value"] for one in speakers] == ["p-1", "p-2"]
    assert {one["type"] for one in speakers} == {"RelatedPerson"}
    # It holds from the second yes on.
    inner = computed["provision"]["provision"] if version == "r4" else computed["provision"]
    assert inner[0]["period"]["start"] == "2026-03-01T13:00:00.000Z"


def test_one_parent_sees_what_counts_but_not_what_the_other_answered() -> None:
    mother = [spoken("r1", "granted", item, 0, party="p-1", role="parent") for item in ITEMS_ASKED]
    father = [spoken("r2", "refused", item, 1, party="p-2", role="parent") for item in ITEMS_ASKED]
    patient = Patient("k", "net", "catharina", [*mother, *father], needs=frozenset({"p-1", "p-2"}))
    first, computed = fhir.consents(patient, at(2), party="p-1")
    assert (first.id, computed.computed) == ("r1", True)
    assert "refused" not in {item.state for item in (*first.items, *computed.items)}
    assert not any(item.permits for item in computed.items)
    assert {party for one in (first, computed) for party, _role in one.by} == {"p-1"}


@BOTH
@pytest.mark.parametrize("study", [STUDY, ANY])
def test_nothing_new_closes_until_it_is_allowed_again(version: str, study: str) -> None:
    stop = spoken("r2", "withdrawn", "collect.new", 1, study=study)
    made = told([*YES_TO_TWO, stop], version)
    assert believed(made, version) == set()
    assert [one["status"] for one in made] == ["inactive", "active", "active"]
    again = spoken("r3", "granted", "collect.new", 2)
    made = told([*YES_TO_TWO, stop, again], version)
    assert believed(made, version) == {(STUDY, "use.record"), (STUDY, "use.network")}


@BOTH
def test_two_studies_do_not_touch(version: str) -> None:
    made = told(
        [
            *YES_TO_TWO,
            *act("r2", 1, study=OTHER, rest="granted"),
            spoken("r3", "withdrawn", ANY, 2),
        ],
        version,
    )
    assert {study for study, _item in believed(made, version)} == {OTHER}
    everything = spoken("r4", "withdrawn", ANY, 3, study=ANY)
    made = told([*YES_TO_TWO, *act("r2", 1, study=OTHER, rest="granted"), everything], version)
    assert believed(made, version) == set()
    again = act("r5", 4, rest="granted")
    made = told(
        [*YES_TO_TWO, *act("r2", 1, study=OTHER, rest="granted"), everything, *again], version
    )
    assert {study for study, _item in believed(made, version)} == {STUDY}
    # The general stop is over for one study: the computed denies say what is left of it.
    assert [one["status"] for one in made if one["id"] == "r4"] == ["inactive"]


@BOTH
def test_older_data_are_in_only_when_that_was_granted(version: str) -> None:
    yes = [*YES_TO_TWO, spoken("r1", "refused", "use.past", 0)]
    first, computed = told(yes, version)
    for resource in (first, computed):
        inner = resource["provision"]["provision"] if version == "r4" else resource["provision"]
        assert {one["dataPeriod"]["start"] for one in inner} == {"2026-03-01T09:00:00.000Z"}
    yes = [*YES_TO_TWO, spoken("r1", "granted", "use.past", 0)]
    first, _computed = told(yes, version)
    assert "dataPeriod" not in str(first)


@BOTH
def test_the_other_rows_of_the_table(version: str) -> None:
    first, computed = told(YES_TO_TWO, version)
    assert first["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:r1"}]
    person = first["patient" if version == "r4" else "subject"]
    assert person == {
        "type": "Patient",
        "identifier": {"system": "urn:oncokring:handle:net:catharina", "value": "aGFuZGxl"},
    }
    kinds = str(first["category"]) + str(first.get("scope"))
    assert "59284-0" in kinds
    assert "'research'" in kinds
    words = f"https://hub.example/api/v1/texts/{TEXT}"
    hashes = [e["valueString"] for e in first["extension"] if e["url"].endswith("receipt-sha256")]
    assert hashes == ["cd" * 32]
    if version == "r4":
        assert first["policy"] == [{"uri": words}]
        assert first["policyRule"]["coding"][0]["code"] == "A9-2-a"
        assert first["organization"][0]["identifier"]["value"] == "catharina"
        assert first["provision"]["type"] == "deny"
        permit = first["provision"]["provision"][0]
        assert permit["type"] == "permit"
    else:
        assert first["policyBasis"] == {"url": words}
        assert first["regulatoryBasis"][0]["coding"][0]["code"] == "A9-2-a"
        assert first["grantee"] == first["controller"]
        assert first["manager"][0]["identifier"]["value"] == "net"
        assert first["decision"] == "deny"
        permit = first["provision"][0]
    assert [one["code"] for one in permit["purpose"]] == [
        "HRESCH",
        *ITEMS["use.record"].duo_granted,
    ]
    extension = permit["actor"][0]["extension"][0]["valueReference"]
    assert extension == {
        "type": "ResearchStudy",
        "identifier": {"system": "urn:oncokring:study", "value": STUDY},
    }
    assert [one["meta"]["tag"][0]["code"] for one in (first, computed)] == [
        "historical",
        "computed",
    ]
    assert len(computed["id"]) <= 64


@BOTH
def test_provenance_carries_the_receipts_signature(version: str) -> None:
    patient = Patient("k", "net", "catharina", YES_TO_TWO)
    made = WRITERS[version].provenance(
        fhir.consents(patient, at(1))[0], AROUND, jws="head.body.sign"
    )
    check(made, version)
    assert made["target"] == [{"reference": "Consent/r1"}]
    assert made["recorded"] == "2026-03-01T09:00:00.000Z"
    (signature,) = made["signature"]
    assert b64decode(signature["data"]) == b"head.body.sign"
    assert signature["sigFormat"] == "application/jose"


def test_nothing_identifies_the_patient_but_the_handle() -> None:
    made = str([told(YES_TO_TWO, version) for version in ("r4", "r5")])
    for word in ("birthDate", "'name'", "telecom", "address", "Patient/"):
        assert word not in made
