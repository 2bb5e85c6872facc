"""The patients' door: letter, six digits, one limiter, and a proof key only the browser holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import g
from flask.testing import FlaskClient
from sqlalchemy import select

from consent import letters
from consent import service as consent
from consent.letters import Letter
from consent.models import Invitation, Subject
from consent.proof import Statement, proof_key
from registry import audit
from registry.accounts import attempts, proving
from registry.accounts.models import AccountAttempt, AccountSession
from registry.accounts.proving import COOKIE, HALF_WAY
from registry.app import HubApp, create_app
from registry.database import SessionFactory
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

STUDY, SITE = "hormone-therapy", "catharina"
DIGITS = "604117"
FormToken = Callable[[FlaskClient], str]
Invite = Callable[..., Letter]


@pytest.fixture(autouse=True)
def argon2(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Argon2id, quick; and the list of its runs: work is counted, seconds are not."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    runs: list[str] = []

    class Counted:
        hash = staticmethod(quick.hash)

        @staticmethod
        def verify(stored: str, text: str) -> bool:
            runs.append(stored)
            return quick.verify(stored, text)

    monkeypatch.setattr(letters, "_HASHER", Counted)
    return runs


@pytest.fixture
def invite(factory: SessionFactory, clock: Any) -> Invite:
    def make(
        handle: bytes = b"patient-of-the-tests", *, digits: str | None = DIGITS, **more: Any
    ) -> Letter:
        made = letters.new_letter()
        with unit_of_work(factory, SYSTEM) as session:
            second = (
                None
                if digits is None
                else letters.second_verifier(made.code_id, made.secret, digits)
            )
            consent.invite(
                session,
                site=SITE,
                handle=handle,
                code_id=made.code_id,
                verifier=letters.verifier(made.code_id, made.secret),
                second_verifier=second,
                studies=[STUDY],
                language="nl",
                actor=SYSTEM,
                now=clock.now,
                **more,
            )
        return made

    return make


Post = Callable[..., Any]


@pytest.fixture
def post(browser: FlaskClient, form_token: FormToken) -> Iterator[Post]:
    def send(path: str, client: FlaskClient | None = None, **form: str) -> Any:
        into = client or browser
        return into.post(path, data={**form, "csrf_token": form_token(into)})

    return send


def sentence(response: Any) -> str:
    found = re.search(r'-error">(.*?)</p>', response.get_data(as_text=True), re.DOTALL)
    return found[1] if found else ""


def cookie(client: FlaskClient, name: str) -> str | None:
    found = client.get_cookie(name)
    return None if found is None else found.value


def enter(post: Post, made: Letter, client: FlaskClient | None = None) -> None:
    assert post("/mijn", client, code=made.printed).location.startswith("/mijn/cijfers")
    assert post("/mijn/cijfers", client, digits=DIGITS).location == "/mijn/keuzes"


def test_nobody_is_signed_in_by_the_letter_before_its_digits(
    browser: FlaskClient, post: Post, invite: Invite, factory: SessionFactory
) -> None:
    made = invite()
    response = post("/mijn", code=made.printed)
    assert response.location == "/mijn/cijfers"
    assert cookie(browser, "oncokring") is None
    assert browser.get("/mijn/inloggen").status_code == 303
    with factory() as session:
        assert session.scalars(select(AccountSession)).all() == []
    assert post("/mijn/cijfers", digits="604 117").status_code == 303
    assert browser.get("/mijn/inloggen").status_code == 200
    with factory() as session:
        row = session.scalars(select(AccountSession)).one()
        assert (row.level, row.party) == ("letter+second", "self")


def test_a_letter_without_digits_opens_alone_at_a_lower_level(
    post: Post, invite: Invite, factory: SessionFactory
) -> None:
    assert post("/mijn", code=invite(digits=None).printed).location == "/mijn/keuzes"
    with factory() as session:
        assert session.scalars(select(AccountSession)).one().level == "letter"


def test_the_session_is_of_the_representative_whose_letter_it_is(
    post: Post, invite: Invite, factory: SessionFactory
) -> None:
    own = invite(digits=None)
    parent = invite(digits=None, party="p-moeder", role="parent")
    post("/mijn", code=parent.printed)
    with factory() as session:
        assert session.scalars(select(AccountSession)).one().party == "p-moeder"
        kept = session.get_one(Invitation, own.code_id)
        assert kept.replaced_at is None  # a letter to a parent leaves the patient's own alone


def test_every_wrong_letter_gets_the_same_answer_after_the_same_work(
    app: HubApp, post: Post, invite: Invite, clock: Any, argon2: list[str]
) -> None:
    expired = invite(b"expired-patient-0001", valid_for=timedelta(days=1))
    clock.now += timedelta(days=2)
    replaced = invite(b"replaced-patient-001")
    invite(b"replaced-patient-001")
    resting = invite(b"resting-patient-0001")
    for _ in range(5):
        post("/mijn", app.test_client(), code=f"{resting.code_id}{'0' * 16}")
    right = invite()
    tries = {
        "wrong": right.code_id + "0" * 16,
        "unknown": letters.new_letter().printed,
        "unreadable": "no code at all",
        "expired": expired.printed,
        "replaced": replaced.printed,
        "resting": resting.printed,
    }
    answers = {}
    for name, typed in tries.items():
        argon2.clear()
        response = post("/mijn", app.test_client(), code=typed)
        answers[name] = (response.status_code, sentence(response), len(argon2))
    assert set(answers.values()) == {answers["wrong"]}, answers
    assert answers["wrong"][0] == 401
    assert answers["wrong"][2] == 1


def test_every_wrong_set_of_digits_gets_the_same_answer_after_the_same_work(
    app: HubApp, post: Post, invite: Invite, clock: Any, argon2: list[str]
) -> None:
    def try_digits(made: Letter, typed: str, between: Callable[[], object] = int) -> Any:
        client = app.test_client()
        assert post("/mijn", client, code=made.printed).status_code == 303
        between()
        argon2.clear()
        response = post("/mijn/cijfers", client, digits=typed)
        return response.status_code, sentence(response), len(argon2)

    normal, other, third = (invite(name.encode().ljust(20, b"0")) for name in ("a", "b", "c"))
    answers = {
        "wrong": try_digits(normal, "000000"),
        "unreadable": try_digits(normal, "abc"),
        "replaced": try_digits(other, DIGITS, lambda: invite(b"b".ljust(20, b"0"))),
    }
    for _ in range(4):
        try_digits(third, "111111")
    answers["resting"] = try_digits(third, DIGITS, lambda: post_wrong(app, post, third))
    assert set(answers.values()) == {answers["wrong"]}, answers
    assert answers["wrong"][2] == 1


def post_wrong(app: HubApp, post: Post, made: Letter) -> None:
    """A fifth wrong try of this letter, from another browser, while one is half way."""
    assert post("/mijn", app.test_client(), code=made.code_id + "0" * 16).status_code == 401


def test_twenty_wrong_digits_end_them_for_good_and_a_right_letter_does_not_help(
    app: HubApp, post: Post, invite: Invite, clock: Any, argon2: list[str]
) -> None:
    made = invite()
    for number in range(20):
        clock.now += timedelta(hours=2)  # past every rest
        client = app.test_client()
        assert post("/mijn", client, code=made.printed).status_code == 303
        assert post("/mijn/cijfers", client, digits=f"{number:06}").status_code == 401
    clock.now += timedelta(days=3)
    client = app.test_client()
    post("/mijn", client, code=made.printed)
    argon2.clear()
    assert post("/mijn/cijfers", client, digits=DIGITS).status_code == 401
    assert len(argon2) == 1
    enter(post, invite(), app.test_client())  # a new letter has new digits


def test_ten_thousand_guesses_meet_the_limit_and_leave_others_alone(
    app: HubApp, post: Post, invite: Invite, factory: SessionFactory, clock: Any, argon2: list[str]
) -> None:
    made = invite()
    statuses = [
        post("/mijn", app.test_client(), code=made.code_id + "0" * 16).status_code
        for _ in range(60)
    ]
    assert statuses[:30] == [401] * 30
    assert statuses[30:] == [429] * 30
    assert len(argon2) == 30  # who is locked out costs the hub nothing
    with unit_of_work(factory, SYSTEM) as session:
        for number in range(10_000):
            address = proving_address(app, f"10.{number % 250}.{number % 7}.1", clock)
            keys = (attempts.address_key(address), attempts.overall_key())
            try:
                attempts.check(session, keys, clock.now)
            except attempts.AccountError:
                continue
            attempts.count(session, keys, clock.now)
        row = session.get_one(AccountAttempt, attempts.overall_key())
        assert row.failures == 600  # of 10,000 guesses in one moment, from 1,750 addresses
    clock.now += timedelta(hours=1, seconds=11)  # the letter rests longest
    enter(post, made, app.test_client())


def proving_address(app: HubApp, remote: str, clock: Any) -> str:
    with app.test_request_context(environ_base={"REMOTE_ADDR": remote}):
        g.now = clock.now
        return proving.address()


def test_no_address_is_kept_and_tomorrow_its_hash_is_another(
    app: HubApp, post: Post, clock: Any, factory: SessionFactory, tmp_path: Path
) -> None:
    first = proving_address(app, "192.0.2.77", clock)
    assert proving_address(app, "192.0.2.77", clock) == first
    assert proving_address(app, "2001:db8::1", clock) == proving_address(
        app, "2001:db8::ffff", clock
    )
    assert proving_address(app, "2001:db8::1", clock) != proving_address(
        app, "2001:db8:1::1", clock
    )
    with app.test_client() as client:
        post("/mijn", client, code="ABC123" + "0" * 16)
    clock.now += timedelta(days=1)
    assert proving_address(app, "192.0.2.77", clock) != first
    with factory() as session:
        attempts.sweep(session, clock.now + timedelta(minutes=1))
        session.commit()
        assert session.scalars(select(AccountAttempt)).all() == []
    assert b"127.0.0.1" not in database_bytes(tmp_path)


def database_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("hub.sqlite*")))


def test_the_proof_key_is_in_the_browser_only(
    browser: FlaskClient,
    post: Post,
    invite: Invite,
    factory: SessionFactory,
    tmp_path: Path,
) -> None:
    made = invite()
    enter(post, made)
    key = proof_key(made.code_id, made.secret)
    sealed = cookie(browser, COOKIE)
    assert sealed is not None
    assert made.code_id not in sealed
    assert key.hex() not in sealed
    kept = database_bytes(tmp_path)
    for secret in (key, key.hex().encode(), made.secret.encode(), DIGITS.encode()):
        assert secret not in kept
    with factory() as session:
        lines = repr([(line.action, line.about, line.facts) for line in audit.lines(session)])
    assert made.secret not in lines
    assert made.code_id not in lines
    with browser:
        browser.get("/mijn/inloggen")
        assert (g.proof_key, g.letter) == (key, made.code_id)


def test_the_proof_cookie_is_strict_http_only_and_bound_to_the_host(
    settings: Settings, factory: SessionFactory, clock: Any, invite: Invite
) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, address="https://hub.example"), factory=factory, clock=clock)
    here = "https://hub.example"
    client = app.test_client()
    page = client.get("/mijn", base_url=here).get_data(as_text=True)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    form = {"code": invite(digits=None).printed, "csrf_token": token}
    response = client.post("/mijn", data=form, base_url=here)
    assert response.status_code == 303
    lines = response.headers.getlist("Set-Cookie")
    made = next(line for line in lines if line.startswith(f"__Host-{COOKIE}="))
    for flag in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in made
    assert "Domain" not in made  # a subdomain can neither read nor plant it
    planted = app.test_client()
    planted.set_cookie(COOKIE, "planted", domain="hub.example")
    planted.set_cookie("oncokring", "planted", domain="hub.example")
    answer = planted.get("/mijn/inloggen", base_url="https://hub.example")
    assert answer.location.startswith("/mijn?next=")  # only the names with __Host- are read


def test_a_proof_cookie_of_one_patient_proves_nothing_in_the_session_of_another(
    app: HubApp, post: Post, invite: Invite
) -> None:
    one, other = app.test_client(), app.test_client()
    enter(post, invite(b"first-patient-000001"), one)
    enter(post, invite(b"other-patient-000001"), other)
    stolen = cookie(one, COOKIE)
    assert stolen is not None
    other.set_cookie(COOKIE, stolen)
    with other:
        assert other.get("/mijn/inloggen").status_code == 200
        assert g.proof_key is None
    for broken in (stolen[:-2], stolen[:-1] + ("A" if stolen[-1] != "A" else "B"), "", "x" * 3500):
        one.set_cookie(COOKIE, broken)
        with one:
            one.get("/mijn/inloggen")
            assert g.proof_key is None


def test_a_half_way_cookie_is_good_for_ten_minutes_and_signs_nobody_in(
    app: HubApp, browser: FlaskClient, post: Post, invite: Invite, clock: Any
) -> None:
    made = invite()
    post("/mijn", code=made.printed)
    half = cookie(browser, HALF_WAY)
    assert half is not None
    thief = app.test_client()
    thief.set_cookie(COOKIE, half)  # as if it were a proof
    with thief:
        assert thief.get("/mijn/inloggen").status_code == 303
    clock.now += timedelta(minutes=10, seconds=1)
    late = post("/mijn/cijfers", digits=DIGITS)
    assert late.status_code == 401
    assert cookie(browser, "oncokring") is None
    assert browser.get("/mijn/cijfers").location == "/mijn"


def test_signing_in_gives_a_new_session_and_ends_the_old_one(
    app: HubApp, browser: FlaskClient, post: Post, invite: Invite
) -> None:
    browser.set_cookie("oncokring", "a-session-id-that-an-attacker-chose")
    made = invite()
    enter(post, made)
    first = cookie(browser, "oncokring")
    assert first is not None
    assert first != "a-session-id-that-an-attacker-chose"
    enter(post, made)
    old = app.test_client()
    old.set_cookie("oncokring", first)
    assert old.get("/mijn/inloggen").status_code == 303


def test_forms_of_the_door_need_a_token_and_come_from_here(
    app: HubApp, post: Post, invite: Invite, form_token: FormToken
) -> None:
    client = app.test_client()
    enter(post, invite(), client)
    for path in ("/mijn/meer-tijd", "/mijn/inloggen/opties", "/mijn/koppelen/code", "/mijn"):
        assert client.post(path).status_code == 400, path
        elsewhere = client.post(
            path,
            data={"csrf_token": form_token(client)},
            headers={"Sec-Fetch-Site": "same-site"},  # a subdomain of a neighbour
        )
        assert elsewhere.status_code == 403, path


def test_twenty_minutes_and_more_time_at_least_ten_times(
    browser: FlaskClient, post: Post, invite: Invite, clock: Any
) -> None:
    enter(post, invite())
    for _ in range(12):
        clock.now += timedelta(minutes=19)
        response = post("/mijn/meer-tijd", next="/mijn/inloggen")
        assert response.location == "/mijn/inloggen"
    page = browser.get("/mijn/inloggen").get_data(as_text=True)
    ends = clock.now + timedelta(minutes=20)
    assert f'data-ends="{int(ends.timestamp())}"' in page
    clock.now += timedelta(minutes=15)  # the page that is opened now already says the new time
    page = browser.get("/mijn/inloggen").get_data(as_text=True)
    assert f'data-ends="{int((clock.now + timedelta(minutes=20)).timestamp())}"' in page
    clock.now += timedelta(minutes=20, seconds=1)
    assert browser.get("/mijn/inloggen").location.startswith("/mijn?")


def test_more_time_leads_nowhere_else(post: Post, invite: Invite) -> None:
    enter(post, invite())
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert post("/mijn/meer-tijd", next=elsewhere).location == "/mijn/keuzes"
        assert post("/mijn", code="x", next=elsewhere).status_code == 401


def test_signing_out_takes_the_proof_along(
    browser: FlaskClient, post: Post, invite: Invite
) -> None:
    enter(post, invite())
    response = post("/sign-out")
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert cookie(browser, COOKIE) is None
    assert cookie(browser, "oncokring") is None
    assert browser.get("/mijn").headers["Cache-Control"] == "no-store"


def statement(subject: Subject) -> Statement:
    from datetime import UTC, datetime

    at = datetime(2026, 3, 2, tzinfo=UTC)
    who = (subject.network, subject.site, subject.handle, "self")
    return Statement(*who, STUDY, "t" * 64, ("use.record",), at, "0" * 32)


def test_a_yes_is_proved_from_the_cookie_or_from_the_letter_typed_again(
    app: HubApp, post: Post, invite: Invite, factory: SessionFactory, clock: Any
) -> None:
    made, other = invite(), invite(b"other-patient-000001", digits=None)
    client = app.test_client()
    enter(post, made, client)
    with factory() as session:
        said = statement(
            session.scalars(
                select(Subject).join(Invitation).where(Invitation.code_id == made.code_id)
            ).one()
        )
    right = said.mac(proof_key(made.code_id, made.secret)).hex()
    with in_session(app, client, factory, clock):
        prove = proving.prover()
        assert prove is not None
        assert prove(said) == {"kind": "letter", "by": made.code_id, "mac": right}
    client.delete_cookie(COOKIE)
    with in_session(app, client, factory, clock):
        assert proving.prover() is None
        again = proving.prover_of_letter(made.printed)(said)
        assert again == {"kind": "letter", "by": made.code_id, "mac": right}
        for wrong in (other.printed, made.code_id + "0" * 16, "", letters.new_letter().printed):
            with pytest.raises(consent_error()) as failure:
                proving.prover_of_letter(wrong)
            assert failure.value.code == "code_invalid"


def test_a_replaced_letter_proves_nothing_any_more(
    app: HubApp, post: Post, invite: Invite, factory: SessionFactory, clock: Any
) -> None:
    client = app.test_client()
    enter(post, invite(), client)
    invite()
    with in_session(app, client, factory, clock):
        assert g.proof_key is not None
        assert proving.prover() is None


def test_tries_of_a_session_are_limited(
    app: HubApp, post: Post, invite: Invite, factory: SessionFactory, clock: Any
) -> None:
    client = app.test_client()
    made = invite()
    enter(post, made, client)
    statuses = [
        post("/mijn/inloggen/brief", client, letter="ABC123" + "0" * 16).status_code
        for _ in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2
    assert post("/mijn/inloggen/brief", client, letter=made.printed).status_code == 429
    clock.now += timedelta(minutes=16)
    assert post("/mijn/inloggen/brief", client, letter=made.printed).status_code == 303


def consent_error() -> type[Exception]:
    from consent.errors import ConsentError

    return ConsentError


def in_session(app: HubApp, client: FlaskClient, factory: SessionFactory, clock: Any) -> Any:
    """A request of this browser, with a session as in a POST view."""
    from contextlib import contextmanager

    from registry.accounts import visitor
    from registry.transaction import request_unit

    @contextmanager
    def opened() -> Iterator[None]:
        sent = "; ".join(
            f"{name}={value}"
            for name in ("oncokring", COOKIE)
            if (value := cookie(client, name)) is not None
        )
        with app.test_request_context("/mijn/x", method="GET", headers={"Cookie": sent}):
            app.preprocess_request()
            g.factory, g.now = factory, clock.now
            visitor.load(app.extensions["oncokring"].settings)
            with request_unit(factory):
                yield

    return opened()
