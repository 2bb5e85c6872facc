"""The network office at the command line: members, parts, offices, groups, seats and expertise."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from migrations.run import upgrade
from registry import audit
from registry.cli import cli
from registry.commands.network_office import moment
from registry.database import SessionFactory, engine_of, open_database
from registry.transaction import unit_of_work
from studies.actor import Actor
from studies.models import Membership
from studies.network import groups
from studies.network.expertise import expertise_map
from studies.network.joining import find_subnetwork
from studies.network.models import Office, Professional, SubnetworkMember
from studies.reading import list_institutions
from studies.seeds.oncozon import ONCOZON
from studies.service import load_network

TODAY = "2026-11-23"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionFactory]:
    """A migrated hub with the small OncoZON that the commands find by the environment."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    monkeypatch.setenv("ONCOKRING_DATABASE", url)
    # The day that counts when none is typed, the same whenever this runs.
    monkeypatch.setattr("registry.commands.network_office.now", lambda: on(f"{TODAY}T10:00"))
    upgrade(url)
    factory = open_database(url)
    actor = Actor(kind="system", id="test", roles=frozenset({"administrator"}), name="test")
    with unit_of_work(factory, actor) as session:
        load_network(session, ONCOZON, actor, now=datetime.now(UTC))
    yield factory
    engine_of(factory).dispose()


def done(*arguments: str) -> dict[str, Any]:
    """The JSON of a command that succeeds; its words go to stderr."""
    result = CliRunner(mix_stderr=False).invoke(cli, ["network", *arguments, "--json"])
    assert result.exit_code == 0, (arguments, result.stderr)
    assert result.stderr.strip().endswith("."), arguments
    row: dict[str, Any] = json.loads(result.stdout)
    return row


def refused(*arguments: str) -> str:
    """The words of a command that is refused with exit code 2 and prints no data."""
    result = CliRunner(mix_stderr=False).invoke(cli, ["network", *arguments])
    assert (result.exit_code, result.stdout) == (2, ""), (arguments, result.output)
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def on(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def test_today_begins_when_it_begins_here(monkeypatch: pytest.MonkeyPatch) -> None:
    # 00:30 on the 24th here: that day counts from now, others from their beginning.
    monkeypatch.setattr("registry.commands.network_office.now", lambda: on("2026-11-23T23:30"))
    typed = datetime.fromisoformat  # as click reads a day
    assert moment(None) == moment(typed("2026-11-24")) == on("2026-11-23T23:30")
    assert moment(typed("2026-11-23")) == on("2026-11-23")
    assert moment(typed("2026-11-25")) == on("2026-11-25")


def test_the_network_office_does_its_work_from_the_command_line(hub: SessionFactory) -> None:
    # Parts: an institution in two of them, with a role and a period.
    for part in ("north", "south"):
        added = done("part", "add", "oncozon", part, "--name", "A  part", "--since", "2020-01-01")
        assert added["name"] == "A part"
    assert "already in use" in refused("part", "add", "oncozon", "north", "--name", "Again")
    assert "short name" in refused("part", "add", "oncozon", "North!", "--name", "North")
    assert "1 to 200" in refused("part", "add", "oncozon", "west", "--name", " ")
    assert "not one of" in refused("part", "join", "oncozon", "north", "viecuri", "--role", "x")
    member = done(
        "part", "join", "oncozon", "north", "viecuri", "--role", "lead", "--since", "2021-01-01"
    )
    assert (member["role"], member["since"]) == ("lead", "2021-01-01")
    done("part", "join", "oncozon", "south", "viecuri", "--since", "2021-01-01")
    assert "already in use" in refused("part", "join", "oncozon", "south", "viecuri")
    early = ("part", "join", "oncozon", "south", "viecuri", "--since")
    assert "from 2021-01-01 on" in refused(*early, "2020-06-01")
    assert "began on 2020-01-01" in refused(*early, "2019-06-01")
    assert "nothing with this name" in refused("part", "join", "oncozon", "east", "viecuri")
    assert "not in the network" in refused("part", "join", "oncozon", "south", "nobody")
    done("part", "leave", "oncozon", "south", "viecuri", "--on", "2022-01-01")
    assert "not in the network" in refused("part", "leave", "oncozon", "south", "viecuri")

    # Members: leaving ends the parts too; the past stays as it was.
    assert "not in the network" in refused("leave", "oncozon", "nobody")
    gone = done("leave", "oncozon", "viecuri", "--on", "2023-01-01")
    assert gone == {"network": "oncozon", "institution": "viecuri", "until": "2023-01-01"}
    with hub() as session:
        north = find_subnetwork(session, "oncozon", "north")
        assert north is not None
        time = session.scalars(
            select(SubnetworkMember).where(SubnetworkMember.subnetwork_id == north.id)
        ).one()
        assert time.until == on("2023-01-01")
    assert "nothing with this name" in refused("join", "oncozon", "nobody")
    assert "from 2016-07-01 on" in refused("join", "oncozon", "viecuri", "--since", "2015-01-01")
    assert done("join", "oncozon", "viecuri")["since"] == TODAY
    assert "already in use" in refused("join", "oncozon", "viecuri")
    with hub() as session:
        for day, there in (("2022-06-01", True), ("2024-06-01", False), (TODAY, True)):
            members = [each.slug for each in list_institutions(session, "oncozon", on(day))]
            assert ("viecuri" in members) is there, day
        assert session.scalar(select(func.count()).select_from(Membership)) == 11

    # Offices: a board is a hospital's, nobody is added by a slip of the keyboard.
    assert "NETWORK/INSTITUTION" in refused("office", "oncozon", "board", "Tom van Verzonnen")
    assert "--new" in refused("office", "oncozon/catharina", "board", "Tom van Verzinnen")
    for where in ("nowhere/catharina", "oncozon/nowhere"):
        assert "nothing with this name" in refused("office", where, "board", "Tom van Verzonnen")
    board = ("office", "oncozon/catharina", "board", "Tom van Verzonnen")
    assert "the dates" in refused(*board, "--since", "2024-01-01", "--until", "2023-01-01")
    held = done(*board, "--since", "2024-01-01")
    assert (held["network"], held["institution"]) == (None, "catharina")
    assert "holds this office" in refused(*board)
    assert "from 2024-01-01 on" in refused(*board, "--since", "2023-01-01")
    done(*board, "--since", "2023-01-01", "--until", "2024-01-01")
    done("office", "oncozon", "client_council", "Nieuw Bedacht", "--new")
    with hub() as session:
        kinds = sorted(session.scalars(select(Office.kind)))
        assert kinds == ["board", "board", "client_council"]
    off = ("leave-office", "oncozon/catharina", "board", "Tom van Verzonnen")
    assert "holds no office" in refused(*off, "--on", "2022-06-01")
    assert done(*off, "--on", "2025-01-01")["until"] == "2025-01-01"
    assert "holds no office" in refused(*off)

    # Groups: made once, described anew in part.
    assert "--name-nl" in refused("group", "oncozon", "sarcoma2", "--tumour", "C49")
    names = ("--name-nl", "Sarcomen", "--name-en", "Sarcoma")
    new = ("group", "oncozon", "sarcoma2", *names, "--discipline", "pathology")
    assert "ICD-10" in refused(*new, "--tumour", "K35")
    made = done(*new, "--tumour", "C49", "--tumour", "c40-c41", "--since", "2024-01-01")
    assert made["group"] == "oncozon.sarcoma2"
    assert (made["tumours"], made["disciplines"]) == (["C40-C41", "C49"], ["pathology"])
    assert "there already" in refused(*new)
    assert "--tumour or --discipline" in refused("group", "oncozon", "sarcoma2")
    again = done("group", "oncozon", "sarcoma2", "--tumour", "C48")
    assert (again["tumours"], again["disciplines"]) == (["C48"], ["pathology"])

    # Called otherwise: the days before keep the name.
    said = ("rename", "oncozon", "sarcoma2", "--name-nl", "Bot", "--name-en", "Bone")
    assert "Look at the dates" in refused(*said, "--since", "2023-06-01")
    assert done(*said, "--since", "2024-03-01")["name_nl"] == "Bot"
    with hub() as session:
        found = groups.find_group(session, "oncozon.sarcoma2")
        assert found is not None
        assert (found.name("nl", on("2024-02-01")), found.name("nl")) == ("Sarcomen", "Bot")

    # Seats: one chair at a time, and a person who is known is not made again.
    at = ("seat", "oncozon", "sarcoma2")
    sits = ("--discipline", "pathology", "--institution", "st-anna", "--since", "2024-02-01")
    first = done(*at, "Karim Bijvoorbeeld", *sits, "--role", "chair")
    assert "this seat then already, as chair" in refused(*at, first["person_id"], *sits)
    assert "not in the network" in refused(
        *at, "Karim Bijvoorbeeld", "--discipline", "radiology", "--institution", "nobody"
    )
    assert "nothing with this name" in refused("seat", "oncozon", "none", "Anja Denkbeeld", *sits)
    second = ("Anja Denkbeeld", "--discipline", "surgical_oncology", "--role", "chair")
    assert "from 2024-02-01 on" in refused(*at, *second, "--since", "2024-01-15")
    result = CliRunner(mix_stderr=False).invoke(cli, ["network", *at, *second])
    assert "Karim Bijvoorbeeld is chair no more." in result.stderr
    assert result.stdout.split("\t")[:2] == ["oncozon.sarcoma2", "Anja Denkbeeld"]
    done(*at, "Anja Denkbeeld", "--discipline", "radiology", "--since", "2024-03-01")
    done(*at, "Anja Denkbeeld", "--new", "--discipline", "patient", "--role", "patient")
    assert "2 people are called" in refused(*at, "Anja Denkbeeld", *sits)
    off = ("unseat", "oncozon", "sarcoma2")
    assert "3 seats" in refused(*off, "Anja Denkbeeld")
    ended = done(*off, "Anja Denkbeeld", "--discipline", "radiology", "--on", "2024-04-01")
    assert (ended["until"], ended["institution"]) == ("2024-04-01", None)
    assert "no such seat" in refused(*off, "Karim Bijvoorbeeld")
    with hub() as session:
        group = groups.find_group(session, "oncozon.sarcoma2")
        assert group is not None
        then, today = groups.chair(group, on("2024-06-01")), groups.chair(group, on(TODAY))
        assert then is not None
        assert today is not None
        assert (then.person.name, today.person.name) == ("Karim Bijvoorbeeld", "Anja Denkbeeld")
        named = select(func.count()).where(Professional.name == "Anja Denkbeeld")
        assert session.scalar(named) == 2

    # Expertise: declared, ended, declared for a closed period.
    line = ("expertise", "oncozon", "catharina", "c22", "hyperthermia")
    assert "nothing with this name" in refused(*line, "--until", "2025-01-01")
    assert done(*line, "--since", "2024-01-01", "--source", "Plan")["tumour"] == "C22"
    assert "already in use" in refused(*line)
    assert "from 2024-01-01 on" in refused(*line, "--since", "2023-01-01")
    assert "ICD-10" in refused("expertise", "oncozon", "catharina", "x", "hyperthermia")
    assert "--source" in refused(*line, "--until", "2025-01-01", "--source", "Plan")
    assert done(*line, "--until", "2025-01-01")["until"] == "2025-01-01"
    done(*line, "--since", "2022-01-01", "--until", "2023-01-01")
    with hub() as session:
        for day, there in (("2022-06-01", 1), ("2023-06-01", 0), ("2024-06-01", 1), (TODAY, 0)):
            found = [
                each
                for each in expertise_map(session, "oncozon", on(day))
                if (each.tumour, each.treatment) == ("C22", "hyperthermia")
            ]
            assert len(found) == there, day

        # Each deed is in the audit log under who typed it; what was refused left nothing.
        lines = [each for each in audit.lines(session) if each.actor_id.startswith("cli:")]
    counted = {action: 0 for action in {each.action for each in lines}}
    for each in lines:
        counted[each.action] += 1
    assert counted == {
        "network.subnetwork_added": 2,
        "network.subnetwork_joined": 2,
        "network.subnetwork_left": 1,
        "network.left": 1,
        "network.joined": 1,
        "network.person_added": 2,
        "network.office_taken": 1,
        "institution.office_taken": 2,
        "institution.office_left": 1,
        "group.added": 1,
        "group.described": 1,
        "group.renamed": 1,
        "group.seat_taken": 4,
        "group.seat_left": 1,
        "expertise.declared": 2,
        "expertise.ended": 1,
    }
