"""FHIR from the real log, on both databases: it permits what the rule in SQL permits."""

from __future__ import annotations

import random
import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest
from fhir_reading import believed, check, states
from sqlalchemy import select

from consent import fhir, fhir_log, fhir_r4, fhir_r5, rule_sql
from consent import service as consent
from consent.acts import Circumstances
from consent.fhir_model import ConsentNow
from consent.items import with_parents
from consent.models import ConsentEvent, Invitation, Receipt, Subject
from consent.periods import Periods
from consent.proof import letter_prover
from consent.reading import request_for
from consent.recording import mark
from studies.actor import SYSTEM, Actor
from studies.seeds.oncozon import HORMONE_THERAPY

STUDY = HORMONE_THERAPY.slug
NOW = datetime.fromisoformat("2026-11-22T09:30:00+00:00")
PROVED = Circumstances(prove=letter_prover("ABC123", b"k" * 32))
WRITERS: dict[str, Any] = {"r4": fhir_r4, "r5": fhir_r5}


def said(hub: Any, subject: Subject, at: datetime, answer: str, **change: str) -> Receipt:
    items = consent.text_for(hub.session, STUDY, at).content["items"]
    answers = {item: change.get(item.replace(".", "_"), answer) for item in items}
    return consent.record(
        hub.session,
        subject=subject,
        study=STUDY,
        answers=answers,
        text_version=consent.text_for(hub.session, STUDY, at).id,
        language="nl",
        form_key=secrets.token_hex(8),
        actor=consent.patient(subject),
        now=at,
        circumstances=PROVED,
    )


def stopped(hub: Any, subject: Subject, at: datetime, level: str, study: str | None) -> Receipt:
    made: Receipt = hub.stop_level(subject, level, at, study)
    return made


def invalidated(hub: Any, receipt: Receipt, reason: str, at: datetime) -> None:
    subject = hub.session.get_one(Subject, receipt.subject_id)
    for event in hub.session.scalars(
        select(ConsentEvent).where(
            ConsentEvent.receipt_id == receipt.id, ConsentEvent.kind == "granted"
        )
    ):
        site = Actor(kind="site", id=subject.site)
        mark(hub.session, event, kind="invalidated", reason=reason, actor=site, now=at)


def told(
    hub: Any, subject: Subject, at: datetime, known_at: datetime | None = None
) -> tuple[ConsentNow, ...]:
    return fhir.consents(fhir_log.patient(hub.session, subject, at, known_at), at)


def exported(hub: Any, subject: Subject, at: datetime, version: str) -> list[dict[str, Any]]:
    around = fhir_log.surroundings(hub.session, subject, "https://hub.example/", {})
    made = [WRITERS[version].consent(one, around, at) for one in told(hub, subject, at)]
    for resource in made:
        check(resource, version)
    return made


def in_sql(hub: Any, subject: Subject, at: datetime, known_at: datetime | None = None) -> set[str]:
    items = consent.text_for(hub.session, STUDY, NOW).content["items"]
    alone = {
        item: subject.id
        in set(
            hub.session.scalars(rule_sql.permitted(request_for(subject, STUDY, item), at, known_at))
        )
        for item in with_parents(items)
    }
    return {item for item in items if all(alone[code] for code in with_parents([item]))}


def permitted(found: tuple[ConsentNow, ...]) -> set[str]:
    return {item.item for one in found if one.computed for item in one.items if item.permits}


def test_over_random_acts_the_export_permits_what_the_rule_in_sql_permits(hub: Any) -> None:
    chance = random.Random(4)  # noqa: S311
    subjects = [hub.subject() for _ in range(6)]
    moments = [NOW + timedelta(hours=number) for number in range(1, 8)]
    for subject in subjects:
        for at in moments:
            what = chance.choice(["yes", "yes", "mixed", "no", "later", "W1", "W3", "wrong", ""])
            if what in ("yes", "no", "later"):
                said(hub, subject, at, what)
            elif what == "mixed":
                said(hub, subject, at, "yes", use_network="no")
            elif what == "wrong":
                invalidated(hub, said(hub, subject, at, "yes"), "pressure", at)
            elif what:
                stopped(hub, subject, at, what, chance.choice([STUDY, None]))
    later = NOW + timedelta(days=2)
    hub.session.flush()
    some = 0
    for subject in subjects:
        for at, known_at in ((later, None), (moments[3], None), (later, moments[2])):
            expected = in_sql(hub, subject, at, known_at)
            assert permitted(told(hub, subject, at, known_at)) == expected
            some += bool(expected)
        for version in WRITERS:
            naive = {
                item for _study, item in believed(exported(hub, subject, later, version), version)
            }
            assert naive == in_sql(hub, subject, later)
    assert 0 < some < 18


@pytest.mark.parametrize("version", ["r4", "r5"])
def test_t30_a_reader_of_the_status_finds_no_permit_after_stop_or_invalidation(
    hub: Any, version: str
) -> None:
    """T30: after withdrawal, after invalidation, and with two acts on one day."""
    subject = hub.subject()
    first = said(hub, subject, NOW, "yes")
    assert believed(exported(hub, subject, NOW, version), version)
    stop = stopped(hub, subject, NOW + timedelta(hours=1), "W3", STUDY)
    found = exported(hub, subject, NOW + timedelta(hours=2), version)
    assert believed(found, version) == set()
    status = {one["id"]: one["status"] for one in found}
    assert (status[first.id], status[stop.id]) == ("inactive", "active")
    again = said(hub, subject, NOW + timedelta(hours=3), "yes")
    found = exported(hub, subject, NOW + timedelta(hours=4), version)
    assert believed(found, version)
    assert {one["id"]: one["status"] for one in found}[stop.id] == "inactive"
    invalidated(hub, again, "wrong_person", NOW + timedelta(hours=5))
    found = exported(hub, subject, NOW + timedelta(hours=6), version)
    assert believed(found, version) == set()
    assert {one["id"]: one["status"] for one in found}[again.id] == "entered-in-error"
    days = {str(one.get("date") or one["dateTime"])[:10] for one in found}
    assert days == {"2026-11-22"}
    acts = fhir.consents(fhir_log.patient(hub.session, subject, NOW), NOW + timedelta(hours=6))[:3]
    around = fhir_log.surroundings(hub.session, subject, "https://hub.example/", {})
    order = [WRITERS[version].provenance(act, around, jws=None)["recorded"] for act in acts]
    assert order == sorted(set(order))


def test_asked_by_letter_and_a_text_that_was_wrong(hub: Any) -> None:
    subject = hub.subject()
    hub.session.add(
        Invitation(
            code_id="ABC123",
            subject_id=subject.id,
            verifier="x",
            studies=[STUDY],
            language="nl",
            created_at=NOW,
            expires_at=NOW + timedelta(days=30),
        )
    )
    hub.session.flush()
    (asked,) = exported(hub, subject, NOW, "r4")
    assert asked["status"] == "proposed"
    assert set(states(asked).values()) == {"invited"}
    said(hub, subject, NOW, "yes")
    text = consent.text_for(hub.session, STUDY, NOW)
    consent.suspend_text(hub.session, text, actor=SYSTEM, now=NOW + timedelta(hours=1))
    first, computed = exported(hub, subject, NOW + timedelta(hours=2), "r4")
    assert [first["status"], computed["status"]] == ["inactive", "active"]
    assert set(states(computed).values()) == {"suspended"}


@pytest.mark.parametrize("version", WRITERS)
def test_a_yes_of_which_only_older_data_count_says_so_and_permits_nothing(
    hub: Any, version: str
) -> None:
    """Hospitals go on counting what is of before; a reader that looks at no date must not."""
    due, stops = hub.subject(), hub.subject()
    said(hub, due, NOW, "yes")
    said(hub, stops, NOW, "yes")
    stopped(hub, stops, NOW + timedelta(days=1), "W2", STUDY)
    *_, computed = exported(hub, stops, NOW + timedelta(days=2), version)
    assert believed([computed], version) == set()
    assert {states(computed)[item] for item in HORMONE_THERAPY.requires} == {"no_new_data"}
    assert until_days(computed) == {(NOW + timedelta(days=1)).date().isoformat()}

    after = NOW + Periods().renewal + timedelta(days=1)
    act, computed = exported(hub, due, after, version)
    assert believed([act, computed], version) == set()
    assert set(states(computed).values()) == set(states(act).values()) == {"due"}
    assert until_days(computed) == {(NOW + Periods().renewal).date().isoformat()}
    said(hub, due, after, "yes")
    *_, computed = exported(hub, due, after + timedelta(hours=1), version)
    assert set(states(computed).values()) == {"granted"}
    assert until_days(computed) == set()


def until_days(resource: dict[str, Any]) -> set[str]:
    """The days until which data count, from the extension of each item."""
    return {
        part["valueDateTime"][:10]
        for extension in resource["extension"]
        for part in extension.get("extension", [])
        if part["url"] == "dataUntil"
    }
