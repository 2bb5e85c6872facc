"""A small network on a real, migrated SQLite file, and browsers signed in as each role.

The network is written once per test session and copied for each test. Two of everything that can
be somebody else's: study, question, patient, receipt.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from patients_door import CountedArgon2, Inviting
from sqlalchemy.orm import Session

from consent import drafts, letters
from consent import service as consent
from consent.proof import letter_prover, proof_key
from federation.runs import service as runs
from migrations import run as migrations
from registry.access import PROFESSIONAL
from registry.accounts import secrets, service
from registry.accounts.models import Account
from registry.accounts.sessions import start
from registry.app import HubApp, create_app
from registry.database import SessionFactory, engine_of, open_database
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.seeds import loading
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

OWN, FOREIGN = HORMONE_THERAPY.slug, "other-study"
SITE, OTHER_SITE = "catharina", "zuyderland"
PASSWORD = "een lange zin voor de test"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CSRF_RAW = "0" * 40
SECRET_KEY = "test-secret-key-that-is-long-enough-0123456789"
SCOPES = {
    "administrator": "network",
    "auditor": "network",
    "coordinator": "study:{study}",
    "researcher": "study:{study}",
    "committee": "study:{study}",
    "board": "site:{site}",
    "steward": "site:{site}",
    "chair": "group:{group}",
    "group": "group:{group}",
    "representative": "group:{group}",
    "observer": "network",
}
MINE = {"study": OWN, "site": SITE, "group": "oncozon.breast"}
THEIRS = {"study": FOREIGN, "site": OTHER_SITE, "group": "oncozon.lung"}
QUERY = {
    "version": 1,
    "title": "How many",
    "purpose": "To see how many people there are.",
    "codebook": "gbsg/1",
    "sites": "all",
    "cohort": {},
    "analysis": {"kind": "count", "by": ["hormone"]},
    "output": "pooled",
}


@dataclass
class Clock:
    """The hub's clock, which tests move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """Ids of what is in the test network."""

    accounts: dict[str, str] = field(default_factory=dict)  # name -> account id
    totp: dict[str, str] = field(default_factory=dict)  # name -> seed
    runs: dict[str, str] = field(default_factory=dict)  # study -> run id
    patients: dict[str, str] = field(default_factory=dict)  # mine, theirs -> subject id
    codes: dict[str, str] = field(default_factory=dict)  # mine, theirs -> letter code
    receipts: dict[str, str] = field(default_factory=dict)  # mine, theirs -> receipt id
    drafts: dict[str, str] = field(default_factory=dict)  # study -> draft of a text


@pytest.fixture(scope="session")
def _written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    path = tmp_path_factory.mktemp("web") / "hub.sqlite"
    url = f"sqlite:///{path}"
    migrations.upgrade(url)
    factory = open_database(url, clock=lambda: NOW)
    world = World()
    with unit_of_work(factory, SYSTEM) as session:
        other = replace(HORMONE_THERAPY, slug=FOREIGN, sites={OTHER_SITE: "open"})
        loading.load_network(
            session, replace(ONCOZON, studies=(HORMONE_THERAPY, other)), SYSTEM, now=NOW
        )
        session.flush()
        for study in (OWN, FOREIGN):
            consent.publish_text(
                session,
                study=study,
                content=HORMONE_THERAPY.text,
                approved_by=HORMONE_THERAPY.text_approved_by,
                actor=SYSTEM,
                now=NOW - timedelta(days=1),
            )
            draft = drafts.start(session, study=study, actor=SYSTEM, now=NOW)
            world.drafts[study] = draft.id
        _add_accounts(session, world)
        _add_patients(session, world)
        _add_runs(session, world)
    engine_of(factory).dispose()
    return path, world


def _add_accounts(session: Session, world: World) -> None:
    hashed = secrets.hash_password(PASSWORD)
    for role in sorted(PROFESSIONAL):
        for name, own in ((role, MINE), (f"{role}2", THEIRS)):
            scope = SCOPES[role].format_map(own)
            seed = secrets.new_totp_secret()
            account = Account(
                name=name,
                display_name=f"Test {name}",
                password_hash=hashed,  # one hash for all: argon2 takes its time
                totp_secret=seed,
                created_at=NOW,
            )
            session.add(account)
            session.flush()
            service.grant_role(session, account, role=role, scope=scope, by=SYSTEM, now=NOW)
            world.accounts[name], world.totp[name] = account.id, seed


def _add_patients(session: Session, world: World) -> None:
    for name, site, study in (("mine", SITE, OWN), ("theirs", OTHER_SITE, FOREIGN)):
        letter = letters.new_letter()
        handle = name.encode().ljust(20, b"\0")
        consent.invite(
            session,
            site=site,
            handle=handle,
            code_id=letter.code_id,
            verifier=letters.verifier(letter.code_id, letter.secret),
            studies=[study],
            language="nl",
            actor=SYSTEM,
            now=NOW,
        )
        found = consent.sign_in_with_code(session, letter.printed, now=NOW)
        assert found.subject is not None
        receipt = consent.record(
            session,
            subject=found.subject,
            study=study,
            answers=dict.fromkeys(consent.text_for(session, study, NOW).content["items"], "yes"),
            text_version=consent.text_for(session, study, NOW).id,
            language="nl",
            form_key=f"first-form-{name}",
            actor=consent.patient(found.subject),
            now=NOW,
            circumstances=consent.Circumstances(
                prove=letter_prover(letter.code_id, proof_key(letter.code_id, letter.secret))
            ),
        )
        world.patients[name], world.codes[name] = found.subject.id, letter.printed
        world.receipts[name] = receipt.id


def _add_runs(session: Session, world: World) -> None:
    for study, name in ((OWN, "researcher"), (FOREIGN, "researcher2")):
        account = session.get_one(Account, world.accounts[name])
        run = runs.submit(
            session,
            query={**QUERY, "study": study},
            study=study,
            by=service.actor_of(account, NOW),
            now=NOW,
        )
        world.runs[study] = run.id


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(_written: tuple[Path, World]) -> World:
    return _written[1]


@pytest.fixture
def factory(_written: tuple[Path, World], tmp_path: Path, clock: Clock) -> Iterator[SessionFactory]:
    path = tmp_path / "hub.sqlite"
    for end in ("", "-wal", "-shm"):
        if (old := Path(f"{_written[0]}{end}")).exists():
            shutil.copy(old, f"{path}{end}")
    made = open_database(f"sqlite:///{path}", clock)
    yield made
    engine_of(made).dispose()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        secret_key=SECRET_KEY, data=tmp_path, database_url=f"sqlite:///{tmp_path / 'hub.sqlite'}"
    )


@pytest.fixture
def app(settings: Settings, factory: SessionFactory, clock: Clock) -> HubApp:
    made = create_app(settings, factory=factory, clock=clock)
    made.testing = False  # the error pages are part of what is tested
    return made


@pytest.fixture
def browser(app: HubApp) -> FlaskClient:
    """A browser that nobody has signed in to."""
    return app.test_client()


SignedIn = Callable[..., FlaskClient]


@pytest.fixture
def signed_in(app: HubApp, factory: SessionFactory, world: World, clock: Clock) -> SignedIn:
    """``signed_in("researcher")`` or ``signed_in("mine")``: a browser with that session."""

    def make(name: str, *, fresh: bool = True) -> FlaskClient:
        proved = clock.now if fresh else clock.now - timedelta(minutes=20)
        with factory() as session:
            is_patient = name in world.patients
            session_id = start(
                session,
                now=proved,
                account_id=None if is_patient else world.accounts[name],
                subject_id=world.patients[name] if is_patient else None,
            )
            session.commit()
        client = app.test_client()
        client.set_cookie("oncokring", session_id)
        return client

    return make


@pytest.fixture
def form_token() -> Callable[[FlaskClient], str]:
    """A valid form token for a browser, as a page of ours would have given it."""

    def make(client: FlaskClient) -> str:
        with client.session_transaction() as cookie:
            cookie["csrf_token"] = CSRF_RAW
        return str(URLSafeTimedSerializer(SECRET_KEY, salt="wtf-csrf-token").dumps(CSRF_RAW))

    return make


def actor_named(factory: SessionFactory, world: World, name: str, now: datetime) -> Actor:
    """The account as an actor, for calling services directly."""
    with factory() as session:
        return service.actor_of(session.get_one(Account, world.accounts[name]), now)


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> CountedArgon2:
    """Quick hashing of letters' codes, and how often it was done."""
    counted = CountedArgon2()
    monkeypatch.setattr(letters, "_HASHER", counted)
    return counted


@pytest.fixture
def invite(argon2: CountedArgon2, factory: SessionFactory, clock: Clock) -> Inviting:
    return Inviting(factory, clock)


@pytest.fixture
def post(browser: FlaskClient, form_token: Callable[[FlaskClient], str]) -> Callable[..., object]:
    """``post(path, field="value")``: a form of ours, from `browser` or the client given."""

    def send(path: str, client: FlaskClient | None = None, **form: str) -> object:
        into = client or browser
        return into.post(path, data={**form, "csrf_token": form_token(into)})

    return send
