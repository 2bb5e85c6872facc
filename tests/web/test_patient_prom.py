"""Questionnaires on the patient's pages: filled in, sealed, taken by the hospital, read by nobody
else. The hospital is the real program's part; only the way there is short."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from patients_door import database_bytes
from questionnaire_reader import LIST, Reader, Token
from sqlalchemy import select

from consent import publishing, reporting
from consent.answered import fingerprint
from consent.letters import Letter, read_code
from consent.models import SnapshotRecord, Subject
from consent.models_reports import PromAsk, PromDraft, PromOwn, PromSealed
from consent.proof import proof_key
from consent.subjects import handle_bytes
from federation.prom.schedule import SHIPPED, windows
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, SigningKey
from federation.protocol.sealing import open_sealed
from federation.runs.site_messages import take_messages
from federation.site.choices.outbox import Outbox
from federation.site.prom.asking import Asking
from federation.site.prom.taking import Answers
from federation.site.store import milliseconds, open_store, transaction
from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies import service as studies
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import SiteNode

from .conftest import SITE, Clock, SignedIn, World

EQ = "/mijn/vragenlijst/eq-5d-5l/T0"
VAS = 73
SAID = re.compile(rb"q1[\"'=:]{1,3} ?2|q30[\"'=:]{1,3} ?7")


class Hospital:
    """The site's database, key and post box, and the way to the hub and back."""

    def __init__(self, factory: SessionFactory, path: Path, world: World, clock: Clock) -> None:
        self.factory, self.clock = factory, clock
        self.box, sign = BoxKey.generate(), SigningKey.generate()
        self.database = open_store(path / "site.sqlite")
        self.outbox = Outbox(self.database, sign, site=SITE, network="oncozon")
        self.answers = Answers(self.database, self.outbox, self.box, site=SITE, network="oncozon")
        with unit_of_work(factory, SYSTEM) as session:
            studies.enrol_node(
                session,
                institution=SITE,
                sign_pub=sign.public,
                box_pub=self.box.public,
                engine="embedded",
                actor=SYSTEM,
                now=clock.now,
            )
            subject = session.get_one(Subject, world.patients["mine"])
            self.handle = handle_bytes(subject.handle)
        code = read_code(world.codes["mine"])
        assert code is not None
        self.code: Letter = code
        self.write_letter(code)

    def write_letter(self, code: Letter) -> None:
        key = proof_key(code.code_id, code.secret)
        with transaction(self.database):
            self.database.execute(
                "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
                " VALUES (?, ?, 'self', 'self', ?, ?)",
                (code.code_id, self.handle, key, milliseconds(self.clock.now)),
            )

    def ask(self) -> None:
        asking = Asking(self.database, self.outbox, "Nel")
        with transaction(self.database):
            wanted = windows(SHIPPED["standard"], self.clock.now.date())
            asking.ask(self.handle, "P1", wanted, self.clock.now)
        self.tell()

    def tell(self) -> None:
        """Its messages to the hub, as an acknowledgement brings them."""
        with unit_of_work(self.factory, SYSTEM) as session:
            node = session.get_one(SiteNode, SITE)
            found = take_messages(session, node, self.outbox.waiting(), self.clock.now)
            assert set(found) <= {"taken", "again"}, found

    def list(self) -> dict[str, Any]:
        """The next consent list, made, taken and confirmed; the claims that it had."""
        sent: list[dict[str, Any]] = []

        def sign(_site: str, claims: dict[str, Any]) -> bytes:
            sent.append(claims)
            return repr(claims).encode()

        with unit_of_work(self.factory, SYSTEM) as session:
            publishing.publish_snapshots(session, sign, [SITE], now=self.clock.now)
        assert sent, "no list was due"
        with transaction(self.database):
            self.answers.take(sent[-1], self.clock.now)
        with unit_of_work(self.factory, SYSTEM) as session:
            publishing.store_ack(
                session,
                site=SITE,
                seq=sent[-1]["seq"],
                status="applied",
                code=None,
                applied_at=self.clock.now,
                now=self.clock.now,
            )
        self.tell()
        return sent[-1]


@pytest.fixture
def hospital(
    factory: SessionFactory, tmp_path: Path, world: World, clock: Clock
) -> Iterator[Hospital]:
    made = Hospital(factory, tmp_path, world, clock)
    with closing(made.database):
        yield made


@pytest.fixture
def reader(signed_in: SignedIn, form_token: Token) -> Reader:
    return Reader(signed_in("mine"), form_token)


ANSWERS = {f"q{n}": "7" if n > 28 else "2" for n in range(1, 31)}


def test_from_the_question_to_the_chart(
    hospital: Hospital,
    reader: Reader,
    world: World,
    factory: SessionFactory,
    clock: Clock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "Uw ziekenhuis vraagt u nu niets" in reader.get("/mijn/vragenlijsten").text
    assert "vragenlijst" not in reader.get("/mijn/keuzes").text
    hospital.ask()
    assert "vraagt u 2 vragenlijsten in te vullen" in reader.get("/mijn/keuzes").text
    overview = reader.get("/mijn/vragenlijsten").text
    assert overview.count("kunt u nu invullen") == 2
    assert "na 12 maanden" in overview.lower()
    # Who came in another way than with the letter is asked for its code, once.
    for path in (LIST, f"{LIST}/1", f"{LIST}/nakijken"):
        asked = reader.get(path)
        assert asked.status_code == 303
        assert asked.location == "/mijn/vragenlijsten/brief?next=qlq-c30/T0"
    assert reader.post(f"{LIST}/1", q1="1").location.startswith("/mijn/vragenlijsten/brief")
    assert "één keer" in reader.get(asked.location).text
    assert "één keer" in reader.get("/mijn/mijn-scores").text
    to = "/mijn/vragenlijsten/brief"
    assert reader.post(to, letter=" ").status_code == 422
    assert reader.post(to, letter=world.codes["theirs"]).status_code == 401
    done = reader.post(to, letter=world.codes["mine"], next="qlq-c30/T0")
    assert done.location == LIST
    assert (
        reader.post(to, letter=world.codes["mine"], next="scores").location == "/mijn/mijn-scores"
    )
    for odd in ("", "//evil.example", "https://evil.example/x", "a/b/c", "x"):
        onward = reader.post(to, letter=world.codes["mine"], next=odd).location
        assert onward.startswith("/mijn/vragenlijsten") or onward.startswith("/mijn/vragenlijst/")

    before = looks(factory)
    start = reader.get(LIST).text
    assert reader.get("/mijn/mijn-scores").status_code == 200
    assert looks(factory) == before + 2  # each look is a line, without what was seen
    assert "Pak de papieren lijst" in start
    assert "Catharina" in start
    page = reader.get(f"{LIST}/1").text
    assert "Vraag 5" in page
    assert "checked" not in page
    # Nothing but a whole number of the list is an answer; skipped is none.
    onward = reader.post(f"{LIST}/1", **{**ANSWERS, "q2": "skip", "q3": ""})
    assert onward.location == f"{LIST}/2"
    assert re.findall(r'value="(\d)" checked', reader.get(f"{LIST}/1").text) == ["2"] * 3
    for wrong in ("5", "0", "2.0", "x" * 90, "²"):
        assert reader.post(f"{LIST}/1", q1=wrong).status_code == 422
    assert reader.get(f"{LIST}/nakijken").location == f"{LIST}/2"
    kept = reader.post(f"{LIST}/2", q6="3", language="en")
    assert kept.location == f"{LIST}/2"
    assert "Question 6" in reader.get(f"{LIST}/2").text
    reader.post(f"{LIST}/2", q6="3", language="nl")

    # The hub's own secret opens no draft, and nothing of it lies in the database.
    with factory() as session:
        draft = session.scalars(select(PromDraft)).one()
        assert b"q6" not in draft.sealed
    check = reader.fill_in(**{**ANSWERS, "q2": "skip"}).text
    assert "U sloeg 1 vraag over" in check
    assert "Question" not in check
    sent = reader.post(f"{LIST}/nakijken")
    assert sent.location == f"{LIST}/verstuurd"
    assert "op slot" in reader.get(sent.location).text
    assert reader.post(f"{LIST}/nakijken").location == sent.location  # pressed twice
    assert reader.get(f"{LIST}/1").status_code == 404
    with factory() as session:
        row = session.scalars(select(PromSealed)).one()
        blob, digest = str(row.sealed), row.sha256
        assert digest == fingerprint(blob)
        assert session.scalars(select(PromDraft)).all() == []
    inside = open_sealed(blob, hospital.box)
    assert len(SAID.findall(inside)) == 2  # what the scan looks for, and would find
    with pytest.raises(ProtocolError, match="UNKNOWN_KEY"):
        open_sealed(blob, BoxKey.generate())

    # A scan of everything that the hub keeps: database, a backup of it, the log, the audit log.
    backup = tmp_path / "backup.sqlite"
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as database:
        database.execute("VACUUM INTO ?", (str(backup),))
    for kept_bytes in (database_bytes(tmp_path), backup.read_bytes(), caplog.text.encode()):
        assert not SAID.search(kept_bytes)
        assert inside not in kept_bytes
    with factory() as session:
        lines = session.scalars(select(AuditLine).where(AuditLine.action == "prom.sent")).all()
        assert [set(line.facts) for line in lines] == [{"instrument", "timepoint", "sha256"}]

    # The next list that says nothing new carries it; when it has arrived, the bytes are gone.
    first = hospital.list()
    claims = first if "prom" in first else hospital.list()
    assert claims["prom"] == [[row.id, blob]]
    with factory() as session:
        assert session.get_one(PromSealed, row.id).sealed is None
        assert session.get_one(PromSealed, row.id).code is None
        bodies = session.scalars(select(SnapshotRecord.body)).all()
        assert all(body is None or blob.encode() not in body for body in bodies)
        assert any(body is not None for body in bodies)
        assert reporting.waiting(session, SITE) == []
    assert blob.encode() not in _dumped(tmp_path / "hub.sqlite")
    assert "Uw ziekenhuis heeft het." in reader.get("/mijn/vragenlijsten").text
    assert "heeft uw antwoorden sinds" in reader.get(sent.location).text

    # The chart: sealed by the hospital for the patient alone, in words, picture and table.
    chart = reader.get("/mijn/mijn-scores").text
    assert "Uw laatste score is 67 van 100" in chart
    assert "onder de 83" in chart
    assert "Praat hierover met uw verpleegkundige" in chart
    assert "nog niet nagekeken" in chart
    assert chart.count('class="draw-phone"') == 5
    assert "vóór de behandeling" in chart
    with factory() as session:
        own = session.scalars(select(PromOwn)).one()
        assert b"qlq" not in own.sealed
    clock.now += timedelta(minutes=10)
    assert "prom" not in hospital.list()


def looks(factory: SessionFactory) -> int:
    with factory() as session:
        asked = select(AuditLine.about).where(AuditLine.action == "consent.read")
        return len(session.scalars(asked).all())


def _dumped(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump()).encode()


def test_what_belongs_to_others_and_what_is_not_asked(
    hospital: Hospital,
    reader: Reader,
    world: World,
    factory: SessionFactory,
    signed_in: SignedIn,
    form_token: Token,
    clock: Clock,
) -> None:
    hospital.ask()
    reader.post("/mijn/vragenlijsten/brief", letter=world.codes["mine"])
    other = Reader(signed_in("theirs"), form_token)
    other.post("/mijn/vragenlijsten/brief", letter=world.codes["theirs"])
    for path in (LIST, f"{LIST}/1", f"{LIST}/nakijken", f"{LIST}/verstuurd"):
        assert other.get(path).status_code == 404
    assert "Uw ziekenhuis vraagt u nu niets" in other.get("/mijn/vragenlijsten").text
    assert other.post(f"{LIST}/1", q1="1").status_code == 404
    assert other.post(f"{LIST}/nakijken").status_code == 404
    for path in (
        "/mijn/vragenlijst/QLQ-C30/T0",
        "/mijn/vragenlijst/sf-36/T0",
        "/mijn/vragenlijst/qlq-c30/12m",  # later
        "/mijn/vragenlijst/qlq-c30/36m",  # never
        f"{LIST}/0",
        f"{LIST}/8",
        f"{LIST}/verstuurd",
    ):
        assert reader.get(path).status_code == 404, path
    # Somebody else's chart, moved to this patient's place: it does not open.
    with unit_of_work(factory, SYSTEM) as session:
        subject = session.get_one(Subject, world.patients["mine"])
        session.add(
            PromOwn(
                subject_id=subject.id,
                letter=hospital.code.code_id,
                sealed=b"x" * 90,
                made_at=clock.now,
            )
        )
        studies_announce(session)
    assert "met een andere brief dan deze" in reader.get("/mijn/mijn-scores").text

    # The EQ-5D with a number to type; everything skipped cannot be sent; thrown away is away.
    assert reader.post(f"{EQ}/1").location == f"{EQ}/2"
    typed = reader.post(f"{EQ}/2", **{"q-vas": "173"})
    assert typed.status_code == 422
    assert "van 0 tot en met 100" in typed.text
    assert 'value="173"' in typed.text
    assert reader.post(f"{EQ}/2").location == f"{EQ}/nakijken"
    assert reader.post(f"{EQ}/nakijken").status_code == 422
    assert reader.post(f"{EQ}/2", **{"q-vas": str(VAS)}, back="check").location == f"{EQ}/nakijken"
    assert f"<strong>{VAS}</strong>" in reader.get(f"{EQ}/nakijken").text
    assert reader.post(f"{EQ}/weg").location == "/mijn/vragenlijsten"
    assert f'value="{VAS}"' not in reader.get(f"{EQ}/2").text
    reader.post(f"{EQ}/1", mo="2")
    reader.post(f"{EQ}/2")
    # Days pass: a draft is kept for seven, and after the last day nothing can be sent.
    clock.now += timedelta(days=15)
    late = Reader(signed_in("mine"), form_token)
    late.post("/mijn/vragenlijsten/brief", letter=world.codes["mine"])
    assert late.post(f"{EQ}/nakijken").location == f"{EQ}/verstuurd"
    assert late.get(f"{EQ}/verstuurd").status_code == 404
    assert "De tijd is voorbij." in late.get("/mijn/vragenlijsten").text
    with unit_of_work(factory, SYSTEM) as session:
        reporting.forget_old(session, clock.now)
        assert session.scalars(select(PromDraft)).all() == []
        assert session.scalars(select(PromSealed)).all() == []
        assert len(session.scalars(select(PromAsk)).all()) == 10


def studies_announce(session: Any) -> None:
    announce(session, actor=SYSTEM, action="prom.test", about=f"institution:{SITE}")


def test_what_the_hospital_cannot_read_is_sent_again(
    hospital: Hospital, reader: Reader, world: World, factory: SessionFactory
) -> None:
    hospital.ask()
    reader.post("/mijn/vragenlijsten/brief", letter=world.codes["mine"])
    reader.fill_in(**ANSWERS)
    reader.post(f"{LIST}/nakijken")
    with factory() as session:
        number = session.scalars(select(PromSealed.id)).one()
    with transaction(hospital.database):
        hospital.outbox.add(
            "prom_taken", {"taken": [[number, "unreadable"], ["x", None]]}, hospital.clock.now
        )
    hospital.tell()
    assert "graag opnieuw sturen" in reader.get("/mijn/vragenlijsten").text
    assert "kon niet lezen" in reader.get(f"{LIST}/verstuurd").text
    reader.fill_in(**ANSWERS)
    reader.post(f"{LIST}/nakijken")
    assert "op slot" in reader.get(f"{LIST}/verstuurd").text
    # Asked no more: what was sent stays in the list, what was not is gone; no reminder either.
    asking = Asking(hospital.database, hospital.outbox, "Nel")
    with transaction(hospital.database):
        asking.end(hospital.handle, hospital.clock.now)
        hospital.outbox.add(
            "contact_stop", {"handle": world_handle(factory, world)}, hospital.clock.now
        )
    hospital.tell()
    page = reader.get("/mijn/vragenlijsten").text
    assert page.count("<section") == 1  # sent, and nothing that is asked
    assert "in te vullen." not in reader.get("/mijn/keuzes").text


def world_handle(factory: SessionFactory, world: World) -> str:
    with factory() as session:
        return session.get_one(Subject, world.patients["mine"]).handle
