"""The patients' door: the letter, its six digits, one limiter, twenty minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import g
from flask.testing import FlaskClient
from patients_door import (
    DIGITS,
    CountedArgon2,
    Inviting,
    cookie,
    database_bytes,
    error_of,
)
from sqlalchemy import select

from consent import letters
from consent.letters import Letter
from consent.models import Invitation
from registry.accounts import attempts, proving
from registry.accounts.errors import AccountError
from registry.accounts.models import AccountAttempt, AccountSession
from registry.app import HubApp
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

pytestmark = pytest.mark.usefixtures("argon2")

Post = Callable[..., Any]
FormToken = Callable[[FlaskClient], str]


def enter(post: Post, made: Letter, client: FlaskClient | None = None) -> None:
    assert post("/mijn", client, code=made.printed).location.startswith("/mijn/cijfers")
    assert post("/mijn/cijfers", client, digits=DIGITS).location == "/mijn/keuzes"


def test_nobody_is_signed_in_by_the_letter_before_its_digits(
    browser: FlaskClient, post: Post, invite: Inviting, factory: SessionFactory
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
    post: Post, invite: Inviting, factory: SessionFactory
) -> None:
    assert post("/mijn", code=invite(digits=None).printed).location == "/mijn/keuzes"
    with factory() as session:
        assert session.scalars(select(AccountSession)).one().level == "letter"


def test_the_session_is_of_the_representative_whose_letter_it_is(
    post: Post, invite: Inviting, factory: SessionFactory
) -> None:
    own = invite(digits=None)
    parent = invite(digits=None, party="p-moeder", role="parent")
    post("/mijn", code=parent.printed)
    with factory() as session:
        assert session.scalars(select(AccountSession)).one().party == "p-moeder"
        kept = session.get_one(Invitation, own.code_id)
        assert kept.replaced_at is None  # a letter to a parent leaves the patient's own alone


def test_every_wrong_letter_gets_the_same_answer_after_the_same_work(
    app: HubApp, post: Post, invite: Inviting, clock: Any, argon2: CountedArgon2
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
        argon2.runs.clear()
        response = post("/mijn", app.test_client(), code=typed)
        answers[name] = (response.status_code, error_of(response), len(argon2.runs))
    assert set(answers.values()) == {answers["wrong"]}, answers
    assert answers["wrong"][0] == 401
    assert answers["wrong"][2] == 1


def test_every_wrong_set_of_digits_gets_the_same_answer_after_the_same_work(
    app: HubApp, post: Post, invite: Inviting, clock: Any, argon2: CountedArgon2
) -> None:
    def try_digits(made: Letter, typed: str, between: Callable[[], object] = int) -> Any:
        client = app.test_client()
        assert post("/mijn", client, code=made.printed).status_code == 303
        between()
        argon2.runs.clear()
        response = post("/mijn/cijfers", client, digits=typed)
        return response.status_code, error_of(response), len(argon2.runs)

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
    app: HubApp, post: Post, invite: Inviting, clock: Any, argon2: CountedArgon2
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
    argon2.runs.clear()
    assert post("/mijn/cijfers", client, digits=DIGITS).status_code == 401
    assert len(argon2.runs) == 1
    enter(post, invite(), app.test_client())  # a new letter has new digits


def test_ten_thousand_guesses_meet_the_limit_and_leave_others_alone(
    app: HubApp,
    post: Post,
    invite: Inviting,
    factory: SessionFactory,
    clock: Any,
    argon2: CountedArgon2,
) -> None:
    made = invite()
    statuses = [
        post("/mijn", app.test_client(), code=made.code_id + "0" * 16).status_code
        for _ in range(60)
    ]
    assert statuses[:30] == [401] * 30
    assert statuses[30:] == [429] * 30
    assert len(argon2.runs) == 30  # who is locked out costs the hub nothing
    with unit_of_work(factory, SYSTEM) as session:
        for number in range(10_000):
            address = proving_address(app, f"10.{number % 250}.{number % 7}.1", clock)
            keys = (attempts.address_key(address), attempts.overall_key())
            try:
                attempts.check(session, keys, clock.now)
            except AccountError:
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


def test_signing_in_gives_a_new_session_and_ends_the_old_one(
    app: HubApp, browser: FlaskClient, post: Post, invite: Inviting
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
    app: HubApp, post: Post, invite: Inviting, form_token: FormToken
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
    browser: FlaskClient, post: Post, invite: Inviting, clock: Any
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


def test_more_time_leads_nowhere_else(post: Post, invite: Inviting) -> None:
    enter(post, invite())
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert post("/mijn/meer-tijd", next=elsewhere).location == "/mijn/keuzes"
        assert post("/mijn", code="x", next=elsewhere).status_code == 401


def test_tries_of_a_session_are_limited(
    app: HubApp, post: Post, invite: Inviting, factory: SessionFactory, clock: Any
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
