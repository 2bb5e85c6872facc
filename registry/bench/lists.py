"""How long the list of a large hospital takes: the first, the next after one choice, a new date.

`python -m registry.bench.lists [patients] [sqlite|postgresql]`; 50,000 patients without arguments,
each with an answer to every item of the form, one in ten changed or withdrew later. The choices are
written straight into the tables, without proof that a hospital would take, and the log's leaves are
left out: only the reading, judging, packing and signing are measured.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from consent import service as consent
from consent.encoding import b64
from consent.grounds import state_of
from consent.items import ITEMS
from consent.kept import Kept
from consent.models import ConsentEvent, LogHead, Receipt, Subject
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SNAPSHOT, sign
from federation.runs.driver import HUB
from migrations.run import upgrade
from registry.bench.load import database_of
from registry.database import SessionFactory, engine_of, open_database
from registry.transaction import reading, unit_of_work
from studies import service as studies
from studies.actor import SYSTEM
from studies.base import new_id
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

SITE, NETWORK, STUDY = "catharina", ONCOZON.slug, HORMONE_THERAPY.slug
AT_ONCE = 1_000
_CHANGED = 0.1
_ITEMS = tuple(item for item in ITEMS if not item.startswith("object."))[:24]


def fill(factory: SessionFactory, patients: int, now: datetime) -> None:
    """A hospital with so many patients who all chose."""
    chance = random.Random(20_261_123)  # noqa: S311  the same each time
    with unit_of_work(factory, SYSTEM) as session:
        study = replace(HORMONE_THERAPY, requires=_ITEMS)
        network = replace(ONCOZON, studies=(study,))
        studies.load_network(session, network, SYSTEM, now=now)
        text = consent.publish_text(
            session,
            study=STUDY,
            content=HORMONE_THERAPY.text,
            approved_by=HORMONE_THERAPY.text_approved_by,
            actor=SYSTEM,
            now=now,
        ).id
        session.add(LogHead(network=NETWORK, size=0, root="0" * 64, frontier=[], at=now))
    leaf = 0
    for start in range(0, patients, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, patients))
        subjects = [_subject(number, now) for number in numbers]
        acts = [
            act
            for subject in subjects
            for act in _acts(subject["id"], text, now, chance.random() < _CHANGED, chance)
        ]
        events = [event for _, said in acts for event in said]
        for place, event in enumerate(events, leaf):
            event["leaf"] = place
        leaf += len(events)
        with unit_of_work(factory, SYSTEM) as session:
            for table, rows in (
                (Subject, subjects),
                (Receipt, [receipt for receipt, _ in acts]),
                (ConsentEvent, events),
            ):
                session.execute(insert(table), rows)
            session.get_one(LogHead, NETWORK).size = leaf
            consent_said(session)


def consent_said(session: Session) -> None:
    """The audit wants a word about each change of these tables."""
    from studies.events import announce

    announce(session, actor=SYSTEM, action="consent.recorded", about="bench")


def _subject(number: int, now: datetime) -> dict[str, Any]:
    handle = b64(number.to_bytes(20, "big"))
    return {"id": new_id(), "site": SITE, "handle": handle, "network": NETWORK, "created_at": now}


def _acts(
    subject: str, text: str, now: datetime, changed: bool, chance: random.Random
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    answers = {item: chance.choices(("yes", "no", "later"), (90, 8, 2))[0] for item in _ITEMS}
    yield _act(subject, text, now - timedelta(days=30), answers)
    if changed:
        yield _act(subject, text, now - timedelta(days=3), dict.fromkeys(_ITEMS, "no"))


def _act(
    subject: str, text: str, at: datetime, answers: dict[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kinds = {"yes": "granted", "no": "refused", "later": "deferred"}
    receipt = new_id()
    yes = sorted(item for item, answer in answers.items() if answer == "yes")
    proof = {"kind": "letter", "by": "ABC123", "mac": "00" * 16, "act": "00" * 16, "yes": yes}
    evidence = {"answers": list(map(list, answers.items())), "page_sha256": "0" * 64}
    made = {
        "id": receipt,
        "subject_id": subject,
        "network": NETWORK,
        "act": "record",
        "study": STUDY,
        "form_key": receipt,
        "form_sha256": "0" * 64,
        "language": "nl",
        "recorded_at": at,
        "first_leaf": 0,
        "leaves": len(answers),
        "tree_size": 0,
        "tree_root": "0" * 64,
    }
    events = [
        {
            "id": new_id(),
            "subject_id": subject,
            "receipt_id": receipt,
            "kind": kinds[answer],
            "network": NETWORK,
            "site": SITE,
            "item": item,
            "study": STUDY,
            "category": ITEMS[item].category,
            "effective_at": at,
            "recorded_at": at,
            "complete": True,
            "text_version": text,
            "language": "nl",
            "actor_kind": "patient",
            "actor_id": subject,
            "actor_role": "self",
            "login_level": "letter",
            "channel": "portal",
            "evidence": evidence,
            "party": "self",
            "proof": proof if answer == "yes" else None,
            "salt": bytes(16),
        }
        for item, answer in answers.items()
    ]
    return made, events


def measure(
    factory: SessionFactory, now: datetime, *, slowly: bool
) -> Iterator[tuple[str, list[float]]]:
    """What was done, its seconds, and those of computing."""
    kept, key = Kept(), SigningKey.generate()
    columns = tuple((STUDY, item) for item in _ITEMS)

    def make(moment: datetime) -> None:
        with reading(factory) as session:
            prepared = consent.prepare_snapshot(
                session, SITE, now=moment, refresh=timedelta(minutes=5), kept=kept
            )
        if prepared is None:
            return
        body = sign(
            TYP_SNAPSHOT,
            prepared.claims,
            key,
            issuer=HUB,
            audience=SITE,
            now=moment,
            lifetime=timedelta(minutes=60),
        )
        with unit_of_work(factory, SYSTEM) as session:
            consent.store_snapshot(session, prepared, body)

    if slowly:
        with reading(factory) as session, _timed() as timed:
            state_of(session, SITE, NETWORK, columns, now, now + timedelta(hours=1))
        yield "judging everybody by the rule, one by one", timed
    with _timed() as timed:
        make(now)
    yield "the first list: read, judged, packed, signed, stored", timed
    with _timed() as timed:
        make(now + timedelta(seconds=2))
    yield "looking again, nothing new", timed
    with unit_of_work(factory, SYSTEM) as session:
        subject = session.query(Subject).filter_by(handle=b64((7).to_bytes(20, "big"))).one()
        consent.withdraw(
            session,
            subject=subject,
            study=STUDY,
            language="nl",
            form_key="bench",
            actor=consent.patient(subject),
            now=now + timedelta(seconds=3),
        )
    with _timed() as timed:
        make(now + timedelta(seconds=4))
    yield "the next list, one patient withdrew", timed
    with _timed() as timed:
        make(now + timedelta(minutes=6))
    yield "the same list with a new date", timed


class _timed:
    def __enter__(self) -> list[float]:
        self._seconds: list[float] = []
        self._began, self._worked = time.perf_counter(), time.process_time()
        return self._seconds

    def __exit__(self, *_: object) -> None:
        now, worked = time.perf_counter(), time.process_time()
        self._seconds += [now - self._began, worked - self._worked]


def main(patients: int = 50_000, kind: str = "sqlite", *, slowly: bool = False) -> None:
    """Fill a database and print what each step takes."""
    now = datetime.now(UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory(prefix="oncokring-lists-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with database_of(kind, folder) as url:
            upgrade(url)
            factory = open_database(url)
            fill(factory, patients, now)
            for what, seconds in measure(factory, now, slowly=slowly):
                passed, worked = seconds
                print(f"{passed:8.2f} s, {worked:.2f} s of computing: {what}", flush=True)
            engine_of(factory).dispose()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{most:8.0f} MB at most")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 50_000,
        sys.argv[2] if len(sys.argv) > 2 else "sqlite",
        slowly="--slowly" in sys.argv,
    )
