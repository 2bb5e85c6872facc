"""``oncokring consent route``: two people, a reason and an end; off at first, and nobody counts."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from server_desk import STUDY, Desk

from consent import no_consent
from consent import service as consent
from consent.errors import ConsentError
from consent.grounds import state_of
from consent.list_due import Shared, columns_of
from registry.database import open_database
from registry.transaction import reading, unit_of_work
from studies.actor import SYSTEM, Actor
from studies.models import Network, Study

NEXT_YEAR = f"{datetime.now(UTC).year + 1}-05-31"
WHY = ("--reason", "Asking is not possible.", "--reference", "METC-26-001", "--until", NEXT_YEAR)


class RouteDesk(Desk):
    """With what the command about routes needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = f"sqlite:///{folder / 'hub.sqlite'}"
        self.used: dict[str, int] = {}

    def route(self, *words: str, by: str) -> Result:
        """As somebody with an account; a one-time code is good once, so the next one is used."""
        used = self.used[by] = self.used.get(by, -1) + 1
        typed = self.sign_in(by, min(used, 1))
        return self.type("consent", "route", *words, "--as", by, typed=typed)

    def rows(self) -> list[dict[str, Any]]:
        listed = self.type("consent", "route", "list", STUDY, "--json")
        found: list[dict[str, Any]] = json.loads(listed.stdout)
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> RouteDesk:
    made = RouteDesk(tmp_path_factory.mktemp("desk"))
    made.open()
    return made


def code(result: Result) -> str:
    return getattr(result.exception, "code", "")


def test_off_at_first_then_two_people_and_nobody_counts(desk: RouteDesk) -> None:
    given = ("propose", STUDY, "--ground", "a", *WHY)
    assert code(desk.route(*given, by="anna")) == "route_not_allowed"
    assert desk.rows() == []
    assert desk.type("consent", "route", "switch", "elsewhere", "on").exit_code == 1
    assert desk.type("consent", "route", "switch", "oncozon", "on").exit_code == 0

    made = desk.route(*given, by="anna")
    number = made.stdout.strip()
    assert made.exit_code == 0, made.stderr
    assert desk.rows()[0]["state"] == "proposed"
    refused = desk.route("decide", number, by="carla")
    assert "in no committee" in refused.stderr
    decided = desk.route("decide", number, by="bas")
    assert (decided.exit_code, decided.stdout.strip()) == (0, "decided"), decided.stderr
    [row] = desk.rows()
    assert (row["asked_by"], row["decided_by"], row["ground"]) == ("anna", "bas", "a")
    assert row["until"].startswith(NEXT_YEAR)
    listed = desk.type("consent", "route", "list", STUDY)
    assert "METC-26-001" in listed.stdout
    assert "Nobody counts without a yes" in listed.stderr

    _nobody_counts(desk)
    assert desk.type("consent", "route", "switch", "oncozon", "off").exit_code == 0
    assert desk.rows()[0]["state"] == "off"
    _nobody_counts(desk)
    assert desk.type("consent", "route", "list", "no-such").exit_code == 1


def _nobody_counts(desk: RouteDesk) -> None:
    """A patient who was never asked, and one who objected, are in no list of choices."""
    moment = datetime.now(UTC)
    with unit_of_work(open_database(desk.database), SYSTEM) as session:
        for _ in range(2):
            consent.add_subject(
                session,
                site="catharina",
                handle=secrets.token_bytes(20),
                network="oncozon",
                now=moment,
            )
        columns = columns_of(session, "catharina", Shared.read(session, "oncozon"))
        state = state_of(session, "catharina", "oncozon", columns, moment, moment)
    assert columns
    assert state.handles == []
    assert state.evidence.acts == []


def test_the_rules_of_a_decision(desk: RouteDesk) -> None:
    moment = datetime.now(UTC)
    one, other = (Actor(kind="user", id=name, name=name) for name in ("one", "other"))
    given: dict[str, Any] = {
        "ground": "b",
        "reason": "Because.",
        "reference": "METC-1",
        "until": moment + timedelta(days=9),
        "actor": one,
        "now": moment,
    }
    with unit_of_work(open_database(desk.database), SYSTEM) as session:
        study, network = session.get_one(Study, STUDY), session.get_one(Network, "oncozon")
        no_consent.switch(session, network, on=True, actor=SYSTEM)
        for wrong in (
            {"ground": "c"},
            {"reason": " "},
            {"reference": ""},
            {"reason": "x" * 3000},
            {"until": moment},
            {"until": moment + timedelta(days=3000)},
        ):
            with pytest.raises(ConsentError, match="route_incomplete"):
                no_consent.propose(session, study, **{**given, **wrong})
        made = no_consent.propose(session, study, **given)
        with pytest.raises(ConsentError, match="two_people_needed"):
            no_consent.decide(session, made, actor=one, now=moment)
        with pytest.raises(ConsentError, match="route_decided"):
            no_consent.decide(session, made, actor=other, now=moment + timedelta(days=10))
        assert no_consent.state_of(session, made, moment + timedelta(days=10)) == "ended"
        no_consent.decide(session, made, actor=other, now=moment)
        with pytest.raises(ConsentError, match="route_decided"):
            no_consent.decide(session, made, actor=other, now=moment)
        no_consent.end(session, made, actor=one, now=moment)
        assert no_consent.state_of(session, made, moment) == "ended"
        with pytest.raises(ConsentError, match="route_decided"):
            no_consent.end(session, made, actor=one, now=moment)
        with pytest.raises(ConsentError, match="route_not_found"):
            no_consent.find(session, "0" * 36)
        later = no_consent.propose(session, study, **given)
        no_consent.switch(session, network, on=False, actor=SYSTEM)
        with pytest.raises(ConsentError, match="route_not_allowed"):
            no_consent.decide(session, later, actor=other, now=moment)
    with reading(open_database(desk.database)) as session:
        assert len(no_consent.decisions(session, STUDY)) >= 2
