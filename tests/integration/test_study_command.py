"""How a study's answers may leave, chosen by command and written in the audit log."""

import json
from pathlib import Path

import loaded_hub
import pytest
from click.testing import CliRunner, Result

from federation.protocol.keys import BoxKey, key_id
from registry import audit
from registry.cli import cli
from registry.database import engine_of, open_database
from studies.models import Study

STUDY = "hormone-therapy"
KEY = BoxKey.generate().public


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with the network, that the commands find by the environment."""
    url = loaded_hub.copy(tmp_path / "hub.sqlite")
    monkeypatch.setenv("ONCOKRING_DATABASE", url)
    factory = open_database(url)
    yield factory
    engine_of(factory).dispose()


def run(*arguments: str | Path) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, [str(argument) for argument in arguments])


def kept(hub) -> Study:
    with hub() as session:
        return session.get_one(Study, STUDY)


def logged(hub, action: str) -> list[dict]:
    with hub() as session:
        lines = [audit.as_json(line) for line in audit.lines(session)]
    return [line for line in lines if action in json.dumps(line)]


def test_sealed_results_go_to_the_studys_key(hub):
    done = run("study", "by-site", STUDY, "sealed", "--key", KEY)
    assert done.stdout == f"{STUDY}: results per hospital, sealed to key {key_id(KEY)}\n"
    found = kept(hub)
    assert (found.delivery, found.result_key, found.output_by_site) == ("sealed", KEY, True)
    (line,) = logged(hub, "study.delivery_chosen")
    assert KEY in json.dumps(line)
    assert run("study", "by-site", STUDY, "none").stdout == f"{STUDY}: no results per hospital\n"
    found = kept(hub)
    assert (found.delivery, found.result_key, found.output_by_site) == (None, None, False)


def test_a_benchmark_names_its_agreement(hub):
    done = run("study", "by-site", STUDY, "hub", "--benchmark", "board meeting 2026-17")
    assert done.stdout.endswith("kept at the hub (board meeting 2026-17)\n")
    shown = run("study", "show", STUDY).stdout.splitlines()
    assert shown[1] == "amphia\tno form of its board" or "no form" in shown[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sealed",), "public result key"),
        (("sealed", "--key", "A" * 43), "not a key for results"),
        (("sealed", "--key", "short"), "not a key for results"),
        (("hub",), "agreement of the benchmark"),
        (("hub", "--benchmark", "x" * 201), "agreement of the benchmark"),
    ],
)
def test_a_choice_that_lacks_something_changes_nothing(hub, arguments, said):
    done = run("study", "by-site", STUDY, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert kept(hub).delivery is None


def test_a_studys_own_thresholds(hub, tmp_path):
    file = tmp_path / "terms.yaml"
    file.write_text("t_cell: 20\nkm: {min_events: 10}\n")
    assert run("study", "terms", STUDY, "--set", file).stdout == f"{STUDY}: 2 of its own\n"
    assert kept(hub).terms == {"t_cell": 20, "km": {"min_events": 10}}
    assert run("study", "terms", STUDY).stdout == "km:\n  min_events: 10\nt_cell: 20\n"
    assert run("study", "terms", STUDY, "--clear").exit_code == 0
    assert kept(hub).terms is None
    assert run("study", "terms", STUDY).stdout == "none\n"
    assert len(logged(hub, "study.terms_changed")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t_cel: 20\n", "Did you mean 't_cell'"),
        ("t_cell: twenty\n", "must be a number"),
        ("protection: none\n", "keys of policy.yaml"),
        ("[]\n", "keys of policy.yaml"),
        ("a: &a 1\n", "anchors"),
        ("km: 3\n", "km"),
        ("timing_bucket_s: 10\n", "timing_bucket_s"),
    ],
)
def test_thresholds_that_are_none_change_nothing(hub, tmp_path, text, said):
    file = tmp_path / "terms.yaml"
    file.write_text(text)
    done = run("study", "terms", STUDY, "--set", file)
    assert done.exit_code == 2
    assert said in done.stderr
    assert kept(hub).terms is None


def test_a_study_that_is_not_there(hub):
    done = run("study", "show", "no-such-study")
    assert (done.exit_code, "no-such-study" in done.stderr) == (2, True)
    both = run("study", "terms", STUDY, "--set", __file__, "--clear")
    assert (both.exit_code, "either" in both.stderr) == (2, True)
