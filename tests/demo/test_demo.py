"""`oncokring demo` as a newcomer runs it."""

import json
import subprocess
import sys

import pytest


def run_demo(*arguments, cwd):
    code = "import sys; from registry.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    # Fewer of the invented patients than a visitor gets: enough for the rule on waiting times.
    folder = tmp_path_factory.mktemp("demo")
    return run_demo("--once", "--json", "--patients", "6000", cwd=folder)


@pytest.fixture(scope="module")
def report(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_number_agrees_with_the_pooled_answer(report):
    assert [q["name"] for q in report["queries"]] == ["count", "describe", "survival", "cox"]
    for query in report["queries"]:
        assert query["max_abs_diff"] <= 1e-8, query["name"]
        assert query["result"]["status"] == "complete"
        assert query["result"]["sites"]["answered"] == 10
    assert report["agrees"] is True


def test_the_network_is_the_real_one(report):
    assert (report["sites"], report["patients"]) == (10, 686)
    assert report["consenting"] == report["shares"]["yes"]
    assert sum(report["shares"].values()) == 686
    assert set(report["shares"]) == {"yes", "no", "no answer", "withdrew"}
    for query in report["queries"]:
        assert query["result"]["result"]["n"] == report["consenting"]


def test_both_halves_of_the_promise_hold(report):
    withdrawal = report["withdrawal"]
    assert withdrawal["holds"] is True
    assert withdrawal["new_question"]["max_abs_diff"] <= 1e-8
    assert withdrawal["difference_if_still_counted"] > 1e-6
    again = withdrawal["same_question"]
    first = report["queries"][0]["result"]
    assert again["replayed"]
    assert again["same_result"]
    assert again["released_at"] == first["provenance"]["released_at"]


def test_the_pooled_answer_is_not_a_copy(report):
    """The pooled side has numbers that the release rounds or hides."""
    cox = next(q for q in report["queries"] if q["name"] == "cox")
    ours = cox["result"]["result"]["terms"][0]["estimate"]
    pooled = cox["pooled"]["terms"][0]["estimate"]
    assert ours != pooled
    assert ours == pytest.approx(pooled, rel=1e-5)


def test_progress_goes_to_the_error_stream_only(done):
    assert "Asking" in done.stderr
    json.loads(done.stdout)


def test_a_directory_that_the_demo_did_not_make_is_left_alone(tmp_path):
    kept = tmp_path / "mine" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    done = run_demo("--once", "--directory", str(kept.parent), cwd=tmp_path)
    assert done.returncode == 2
    assert "--directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert kept.read_text() == "years of work"


def test_without_a_vantage6_server_it_says_so_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("ONCOKRING_VANTAGE6_SERVER_PYTHON", str(tmp_path / "nothing"))
    done = run_demo("--once", "--engine", "vantage6", cwd=tmp_path)
    assert done.returncode == 1
    assert "dev.py" in done.stderr
    assert "Creating" not in done.stderr


def test_the_round_finds_the_one_hospital_and_the_action_is_measured(report):
    found = report["round"]
    assert found["signals"] == ["viecuri"]
    assert found["pooled_ratio"] >= 2
    assert found["compared"] >= 8, "numbers laid beside pandas on the pooled rows"
    assert (found["median"], found["others"][1]) == ([28, 28], 14)
    assert "28" in found["headline"]["nl"]
    assert found["max_abs_diff"] <= 1e-5
    assert found["indicators"]["access_time"] == "shown"
    assert "VieCuri" in found["headline"]["nl"]
    action = found["action"]
    assert (action["site"], action["state"]) == ("viecuri", "closed")
    assert action["before"]["signal"] is True
    assert action["after"]["signal"] is False
    assert found["address"] == f"/rounds/{found['id']}"
    assert found["next"], "the round after it is approved"
    assert found["holds"] is True


def test_a_year_shows_outcomes_that_a_quarter_has_too_few_patients_for(report):
    year = report["round"]["year"]
    assert year["compared"] >= 8, "numbers of outcomes laid beside pandas on the pooled rows"
    assert list(year["indicators"]) == [
        "mdo_before_treatment",
        "severe_complications",
        "textbook_outcome_colon",
        "mortality_30",
    ]
    assert year["indicators"]["mdo_before_treatment"] == "shown"
    assert all(said["nl"] and said["en"] for said in year["headlines"].values())
