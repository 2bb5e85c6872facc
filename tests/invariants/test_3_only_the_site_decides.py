"""Invariant 3: only the site decides what it releases; nothing from outside can loosen its
policy; a missing or unknown policy key stops the site.
"""

import subprocess
import sys

import pytest
import yaml

from federation.disclosure.policy import Policy, PolicyError, load_policy
from federation.query.terms import Terms

COUNT = {"kind": "count", "by": ["stage"]}
KEYS = sorted(yaml.safe_load(Policy.strict().to_yaml()))


def loosened(key):
    """The strict terms with one threshold below the site's own."""
    wanted = Terms.strict().to_dict()
    wanted[key] = {
        "t_cell": 5,
        "t_cohort_site": 5,
        "t_complement": 5,
        "min_sites": 2,
        "time_grid_days": 1,
        "max_dims": 4,
        "max_cells": 500,
    }[key]
    return Terms.from_dict(wanted)


@pytest.mark.parametrize(
    "key",
    [
        "t_cell",
        "t_cohort_site",
        "t_complement",
        "min_sites",
        "time_grid_days",
        "max_dims",
        "max_cells",
    ],
)
def test_a_hub_that_lowers_a_threshold_gets_nothing(hospitals, key):
    net = hospitals()
    outcome = net.ask(COUNT, plan={"terms": loosened(key)})
    assert outcome.status == "refused"
    assert all(net.ledger(slug) == 0 for slug in net.directories)


def test_a_hub_that_switches_protection_off_gets_nothing(hospitals):
    net = hospitals()
    outcome = net.ask(COUNT, plan={"terms": Terms.open_data()})
    assert outcome.status == "refused"
    assert all(net.ledger(slug) == 0 for slug in net.directories)


def test_the_same_question_under_the_sites_own_terms_is_answered(hospitals):
    assert hospitals().ask(COUNT).status == "complete"


@pytest.mark.parametrize("key", KEYS)
def test_a_policy_without_a_key_is_no_policy(key):
    policy = yaml.safe_load(Policy.strict().to_yaml())
    del policy[key]
    with pytest.raises(PolicyError, match=key):
        load_policy(yaml.safe_dump(policy).encode())


def test_a_policy_with_an_unknown_key_is_no_policy():
    policy = {**yaml.safe_load(Policy.strict().to_yaml()), "t_cel": 10}
    with pytest.raises(PolicyError, match="t_cel"):
        load_policy(yaml.safe_dump(policy).encode())


@pytest.mark.parametrize("change", ["missing", "unknown", "below the floor", "no file"])
def test_the_program_stops_with_a_sentence(hospitals, change):
    net = hospitals()
    net.close()
    path = net.folder / "h0" / "policy.yaml"
    policy = yaml.safe_load(path.read_text())
    named = "t_cell"
    if change == "missing":
        del policy["t_cell"]
    elif change == "unknown":
        policy["t_cel"] = named = "t_cel"
    elif change == "below the floor":
        policy["t_cell"] = 3
    path.write_text(yaml.safe_dump(policy))
    if change == "no file":
        path.unlink()
        named = "policy.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "federation.site.process", str(net.folder / "h0")],
        input=b"",
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert named in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
