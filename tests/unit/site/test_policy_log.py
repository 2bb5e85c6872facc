"""Which policy held when: lines of the site's own chain, written at its start."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from policies import decided

from federation.disclosure.policy import Policy
from federation.site import audit
from federation.site.steward.policy_log import note_policy
from federation.site.store import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOOSER = decided(replace(Policy.strict(), t_cell=7, max_dims=4), NOW)


def test_a_policy_is_written_down_when_it_changes_and_not_at_each_start(tmp_path: Path) -> None:
    database = open_store(tmp_path / "site.sqlite")
    noted = [note_policy(database, policy, NOW) for policy in (Policy.strict(), LOOSER, LOOSER)]
    noted.append(note_policy(database, Policy.strict(), NOW))
    assert noted == [True, True, False, True]
    lines = [
        (event, json.loads(facts))
        for event, facts in database.execute("SELECT event, facts FROM audit ORDER BY seq")
    ]
    names = {"names": "A. Jansen; B. de Vries", "until": "2027-09-18"}
    assert lines == [
        ("POLICY", {"sha256": Policy.strict().sha256}),
        ("POLICY", {"sha256": LOOSER.sha256}),
        ("LOOSENED", {"key": "t_cell", **names}),
        ("LOOSENED", {"key": "max_dims", **names}),
        ("POLICY", {"sha256": Policy.strict().sha256}),
    ]
    assert audit.first_break(database) is None


@pytest.mark.parametrize("names", ["A\nB", "x" * 301])
def test_names_are_one_printable_line(tmp_path: Path, names: str) -> None:
    database = open_store(tmp_path / "site.sqlite")
    with pytest.raises(ValueError, match="audit fact"):
        audit.record(database, "LOOSENED", {"key": "t_cell", "names": names}, NOW)
    with pytest.raises(ValueError, match="audit fact"):
        audit.record(database, "LOOSENED", {"key": "t cell"}, NOW)
