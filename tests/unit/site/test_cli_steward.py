"""The commands of a data steward, as they are typed."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from federation.site.choices.handles import list_handles
from federation.site.cli import site as commands
from federation.site.directory import SiteDirectory
from federation.site.journal import Journal
from federation.site.stopping import STOP_FILE
from federation.site.store import open_store, transaction

SHA = "ab" * 32
BY = ("--by", "Anna de Vries")


def run(*arguments, **more):
    return CliRunner(mix_stderr=False).invoke(commands, [str(a) for a in arguments], **more)


def last_line(path):
    database = sqlite3.connect(path / "site.sqlite")
    try:
        event, facts = database.execute(
            "SELECT event, facts FROM audit ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return event, json.loads(facts)
    finally:
        database.close()


@pytest.mark.parametrize(
    "typed",
    [
        ("sent",),
        ("page",),
        ("approve",),
        ("policy",),
        ("refuse", SHA, *BY, "--reason", "why"),
        ("pause", *BY, "--reason", "why"),
        ("resume", *BY),
        ("erase", "--number", "P1", "--yes", *BY),
    ],
    ids=lambda typed: typed[0],
)
def test_a_directory_that_is_none_is_a_sentence(tmp_path, typed):
    found = run(typed[0], tmp_path / "none", *typed[1:])

    assert found.exit_code == 2
    assert found.stdout == ""
    assert "site.toml is missing" in found.stderr
    assert str(tmp_path) not in found.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "typed",
    [
        ("refuse", SHA, "--reason", "why"),
        ("refuse", SHA, *BY),
        ("pause", *BY),
        ("pause", "--reason", "why"),
        ("resume",),
        ("erase", "--number", "P1", "--yes"),
        ("sent", "--last", "0"),
        ("sent", "--bytes", "run", "x"),
        ("sent", "--lang", "fr"),
    ],
)
def test_something_is_left_out_or_wrong(site, typed):
    assert run(typed[0], site.path, *typed[1:]).exit_code == 2
    assert not (site.path / STOP_FILE).exists()


def test_nothing_waits(site):
    assert run("approve", site.path).stdout == "Er wacht geen vraag op goedkeuring.\n"
    assert run("approve", site.path, "--lang", "en").stdout == "No query waits for approval.\n"
    assert json.loads(run("approve", site.path, "--json").stdout) == []


def test_approving_what_does_not_wait(site):
    for typed in ((SHA,), (SHA, *BY), (SHA, "--by", "x")):
        found = run("approve", site.path, *typed)
        assert (found.exit_code, found.stdout) == (2, "")


def test_a_query_that_cannot_be_put_into_words_is_shown_all_the_same(site):
    """From an older version, or with a codebook that is gone: title, purpose and the hash."""
    database = open_store(site.database)
    query = {"title": "Titel", "purpose": "Doel", "analysis": {"kind": "hologram"}}
    with transaction(database):
        Journal(database).asked(SHA, "onco", query, datetime.now(UTC))
    database.close()

    shown = run("approve", site.path).stdout
    for said in ("Titel", "Onderzoek onco. Doel", SHA, "De vraag is hier niet bewaard"):
        assert said in shown
    assert run("approve", site.path, SHA, *BY).exit_code == 0


def test_data_go_to_stdout_and_words_to_stderr(site):
    found = run("refuse", site.path, SHA, *BY, "--reason", "why not")

    assert json.loads(found.stdout) == {"refused": SHA, "asked_before": False}
    assert "not asked here yet" in found.stderr


def slots_of(site):
    """Give every patient of the data a slot, as a first question would."""
    database = open_store(site.database)
    handles = [handle.tobytes() for handle in list_handles(site).reshape(-1, 1)]
    with transaction(database):
        database.executemany("INSERT INTO slot VALUES (?, ?)", list(enumerate(handles)))
    database.close()


def without(site, number):
    file = site.path / "data.csv"
    kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{number},")]
    file.write_text("\n".join(kept) + "\n")


def linked(site, number):
    database = sqlite3.connect(site.database)
    try:
        handle = SiteDirectory.load(site.path).handles.handle(number)
        return database.execute("SELECT count(*) FROM slot WHERE handle = ?", (handle,)).fetchone()[
            0
        ]
    finally:
        database.close()


def test_a_patient_is_erased_after_the_data_were(site):
    slots_of(site)
    assert linked(site, "P7") == 1
    early = run("erase", site.path, "--number", "P7", "--yes", *BY)
    assert early.exit_code == 2
    assert "still hold this number" in early.stderr

    without(site, "P7")
    done = run("erase", site.path, *BY, input=" P7 \ny\n")
    assert done.exit_code == 0, done.stderr
    assert linked(site, "P7") == 0
    assert last_line(site.path) == ("ERASED", {"names": "Anna de Vries"})
    again = run("erase", site.path, "--number", "P7", "--yes", *BY)
    assert again.exit_code == 2
    assert "no patient with this number" in again.stderr
    assert json.loads(done.stdout[done.stdout.index("{") :]) == {"erased": True}
    assert "P7" not in again.stderr + early.stderr


def test_erasing_asks_first(site):
    slots_of(site)
    without(site, "P7")
    found = run("erase", site.path, "--number", "P7", *BY, input="n\n")

    assert found.exit_code == 1
    assert linked(site, "P7") == 1


def test_data_that_cannot_be_read_erase_nobody(site):
    slots_of(site)
    (site.path / "data.csv").write_text("nr,age\nP1\n")
    found = run("erase", site.path, "--number", "P7", "--yes", *BY)

    assert found.exit_code == 1
    assert linked(site, "P7") == 1
    assert "Traceback" not in found.stderr


def test_status_shows_a_pause(site):
    run("pause", site.path, *BY, "--reason", "New data are read in")
    found = json.loads(run("status", site.path, "--json").stdout)
    assert found["stopped"] is True
    assert found["paused"]["by"] == "Anna de Vries"
    assert "Anna de Vries" in " ".join(run("status", site.path).stdout.split())

    (site.path / STOP_FILE).unlink()
    (site.path / STOP_FILE).touch()
    found = json.loads(run("status", site.path, "--json").stdout)
    assert (found["stopped"], found["paused"]) == (True, {"by": "", "at": "", "reason": ""})


def test_a_port_for_the_page_that_is_taken(site):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = run("page", site.path, "--port", str(taken.getsockname()[1]))
    assert found.exit_code == 2
    assert "--port" in found.stderr
