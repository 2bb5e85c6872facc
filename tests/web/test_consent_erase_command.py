"""``oncokring consent erase`` and what ``oncokring audit verify`` says of alarms, as typed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from consent.alarms import acknowledge, raise_alarm
from consent.models import ConsentEvent, SnapshotRecord
from consent.models_trust import Erasure
from consent.publishing import publish_snapshots
from registry.cli import cli
from registry.commands import consent_erase
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import account_later, announce
from studies.models import Participation, Study

STUDY = "hormone-therapy"
PASSWORD = "een lange zin voor de test"


@pytest.fixture
def typed(tmp_path: Path, factory: SessionFactory) -> Any:
    environ = {
        "ONCOKRING_DATA": str(tmp_path),
        "ONCOKRING_SECRET_KEY": "k" * 40,
        "ONCOKRING_DATABASE": "",
    }

    def run(line: str, given: str = "") -> Result:
        return CliRunner(mix_stderr=False).invoke(cli, line.split(), env=environ, input=given)

    return run


@pytest.fixture
def over(factory: SessionFactory, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study ended ten years ago, and evidence of devices is kept for ten years."""
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, STUDY)
        study.state, study.consent = "closed", {"retention": "device"}
        session.execute(
            update(Participation)
            .where(Participation.study == STUDY)
            .values(state="closed", since=clock.now)
        )
        for action in ("study.closed", "participation.closed"):
            announce(session, actor=SYSTEM, action=action, about=f"study:{STUDY}")
    later = clock.now + timedelta(days=3653)
    monkeypatch.setattr(consent_erase, "now", lambda: later)


def answers(world: Any, *names: str) -> str:
    return "".join(
        f"{PASSWORD}\n{pyotp.TOTP(world.totp[name]).at(consent_erase.now())}\n" for name in names
    )


def test_two_people_erase_what_is_due(
    typed: Any, over: None, world: Any, factory: SessionFactory
) -> None:
    told = typed(f"consent erase {STUDY}")
    assert told.exit_code == 0, told.exception
    assert "class device" in told.stdout
    assert "due: 3 leaves; kept: 0" in told.stdout
    one = typed(f"consent erase {STUDY} --by auditor", answers(world, "auditor"))
    assert getattr(one.exception, "code", "") == "two_people_needed"
    wrong = typed(
        f"consent erase {STUDY} --by auditor --by researcher",
        answers(world, "auditor", "researcher"),
    )
    assert wrong.exit_code != 0
    with factory() as session:
        assert session.scalar(select(func.count()).select_from(Erasure)) == 0


def test_erasing_is_written_down(
    typed: Any, over: None, world: Any, factory: SessionFactory
) -> None:
    done = typed(
        f"consent erase {STUDY} --by auditor --by administrator",
        answers(world, "auditor", "administrator"),
    )
    assert done.exit_code == 0, done.exception
    assert "erased: 3 leaves" in done.stdout
    with factory() as session:
        left = select(func.count()).select_from(ConsentEvent).where(ConsentEvent.study == STUDY)
        assert session.scalar(left) == 0
        by = session.scalars(select(Erasure)).first().by
        assert by == sorted((world.accounts["auditor"], world.accounts["administrator"]))
    assert typed("audit verify").exit_code == 0
    assert "due: 0 leaves" in typed(f"consent erase {STUDY}").stdout


def test_an_alarm_that_nobody_saw_fails_the_check(
    typed: Any, factory: SessionFactory, clock: Any
) -> None:
    assert typed("audit verify").exit_code == 0
    with unit_of_work(factory, SYSTEM) as session:
        alarm = raise_alarm(session, "oncozon", "two_histories", {"size": 3}, clock.now)
    found = typed("audit verify")
    assert found.exit_code == 1
    assert 'oncozon two_histories {"size": 3}' in found.stderr
    with unit_of_work(factory, SYSTEM) as session:
        acknowledge(session, alarm.id, actor=SYSTEM, now=clock.now)
    assert typed("audit verify").exit_code == 0


def test_lists_that_are_not_those_of_the_log_fail_the_check(
    typed: Any, factory: SessionFactory, clock: Any
) -> None:
    for minutes in (0, 5, 10, 60):
        with unit_of_work(factory, SYSTEM) as session:
            at = clock.now.replace(minute=0) + timedelta(hours=1, minutes=minutes)
            publish_snapshots(session, lambda _site, _claims: b"list", ["catharina"], now=at)
    assert typed("audit verify").exit_code == 0
    with factory() as session:
        quiet = session.scalars(select(SnapshotRecord).order_by(SnapshotRecord.seq)).all()[-2]
        quiet.log_root = "0" * 64
        account_later(session, "consent_snapshot")
        session.commit()
    found = typed("audit verify")
    assert found.exit_code == 1
    assert "lists before number" in found.stderr
    assert "catharina" in found.stderr
