"""A hospital's decision to be looser: it holds for its days, at the start and in a running site."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hospitals import START
from policies import decided

from federation.disclosure.policy import Policy
from federation.site.errors import SetupError

COUNT = {"kind": "count", "by": ["stage"]}
LOOSER = replace(Policy.strict(), t_cell=7)


@pytest.fixture
def looser(build: Any) -> Any:
    """Five hospitals that decided, for 100 days, to show groups of seven."""
    return build(policy=decided(LOOSER, START, days=100))


def test_a_decision_holds_until_its_last_day_and_then_the_site_refuses(looser: Any) -> None:
    first = looser.ask(COUNT)
    looser.wait(days=100)
    last_day = looser.ask({"kind": "count", "by": ["trt"]})
    looser.wait(days=1)
    after = looser.ask({"kind": "count", "by": ["hist"]})
    assert (first.status, last_day.status) == ("complete", "complete")
    assert (after.status, after.code) == ("refused", "STUDY_NOT_OPEN")
    assert after.envelope["sites"]["refused"] == sorted(looser.directories)
    event, facts = looser.audit("h0")[-1]
    assert (event, json.loads(facts)["reason"]) == ("STEP", "POLICY_ENDED")


def test_it_does_not_start_after_its_last_day_and_says_which_key(looser: Any) -> None:
    looser.wait(days=101)
    with pytest.raises(SetupError, match=r"policy\.yaml: The decision to loosen 't_cell' ended on"):
        looser.start("h0")


def test_the_chain_of_the_log_says_who_decided(looser: Any) -> None:
    lines = [(event, json.loads(facts)) for event, facts in looser.audit("h0")]
    assert lines[0] == ("POLICY", {"sha256": looser.policy.sha256})
    assert lines[1] == (
        "LOOSENED",
        {"key": "t_cell", "names": "A. Jansen; B. de Vries", "until": "2027-03-02"},
    )


@pytest.mark.parametrize("case", ["missing", "ended", "one name", "below the floor"])
def test_a_real_process_ends_with_a_sentence_and_answers_nothing(net: Any, case: str) -> None:
    text = {
        "missing": LOOSER.to_yaml(),
        "ended": decided(LOOSER, datetime(2024, 1, 1, tzinfo=UTC)).to_yaml(),
        "one name": decided(LOOSER).to_yaml().replace("B. de Vries", "A. Jansen"),
        "below the floor": decided(replace(LOOSER, t_cell=4)).to_yaml(),
    }[case]
    net.programs["h0"].close()
    (net.folder / "h0" / "policy.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "federation.site.process", str(net.folder / "h0")],
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"SETUP policy.yaml: ")
    assert b"'t_cell'" in done.stderr or b"'loosened.t_cell.by'" in done.stderr
