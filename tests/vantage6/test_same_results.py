"""The demo's four questions give the same numbers over pipes and over a real vantage6 server.

Five of the ten hospitals, because each costs the suite a second or more; with fewer, the strict
policy refuses the Cox model. All ten: python3 dev.py demo --engine vantage6 --once.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patients_door import CountedArgon2
from vantage6_lab import server

from federation.protocol.keys import SigningKey
from federation.site.directory import SiteDirectory
from migrations.run import upgrade
from registry.accounts import secrets
from registry.database import SessionFactory, engine_of, open_database, utc_now
from registry.demo.network import DemoNetwork, build
from registry.demo.questions import QUESTIONS, Question
from registry.demo.running import RunningDemo
from registry.site_links import SiteLink
from registry.trial.vantage6_network import Vantage6Network
from registry.vantage6.doctor import Doctor, Known

HOSPITALS = 5


def asked_of(question: Question, network: DemoNetwork) -> Question:
    return replace(question, query={**question.query, "sites": sorted(network.sites)})


def copy_of(network: DemoNetwork, folder: Path, factory: SessionFactory) -> DemoNetwork:
    """The same network a second time: same keys, same choices, other directories."""
    sites = {}
    for slug, site in network.sites.items():
        shutil.copytree(site.path, folder / slug)
        sites[slug] = SiteDirectory.load(folder / slug)
    return replace(network, factory=factory, sites=sites)


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Any]]:
    """What each engine answered to each question, and what the pages were told of the sites."""
    server()  # a skip, with its reason, before anything is built
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="oncokring-same-") as name,
    ):
        patch.setattr(secrets, "_hasher", CountedArgon2)  # nobody signs in here
        folder = Path(name)
        (folder / "second").mkdir()
        url = f"sqlite:///{folder / 'hub.sqlite'}"
        upgrade(url)
        factory = open_database(url)
        key = SigningKey.generate()
        first = build(folder / "sites", factory, key, lambda sentence: None, HOSPITALS)
        engine_of(factory).dispose()
        shutil.copy(folder / "hub.sqlite", folder / "second" / "hub.sqlite")
        other = open_database(f"sqlite:///{folder / 'second' / 'hub.sqlite'}")
        second = copy_of(first, folder / "second", other)
        found: dict[str, Any] = {}
        with RunningDemo(first) as running:
            found["embedded"] = {q.name: running.ask(asked_of(q, first))[0] for q in QUESTIONS}
        paths = {slug: site.path for slug, site in second.sites.items()}
        with (
            Vantage6Network(folder / "vantage6", paths, other, server=server()) as nodes,
            RunningDemo(second, make_engine=nodes.engine, engine="vantage6") as running,
        ):
            found["vantage6"] = {q.name: running.ask(asked_of(q, second))[0] for q in QUESTIONS}
            with other() as session:
                found["links"] = {link.institution: link for link in session.query(SiteLink)}
                known = Known.read(session, nodes.settings.url)
                session.expunge_all()
            found["findings"] = list(Doctor(nodes.settings, known, utc_now).findings())
        engine_of(factory).dispose()
        engine_of(other).dispose()
        yield found


@pytest.mark.parametrize("name", [question.name for question in QUESTIONS])
def test_the_result_is_identical(answers: dict[str, Any], name: str) -> None:
    here, there = answers["embedded"][name], answers["vantage6"][name]
    assert here["status"] == there["status"] == "complete"
    assert here["sites"] == there["sites"]
    assert (here["result"], here["hidden"]) == (there["result"], there["hidden"])


def test_the_doctor_finds_nothing_wrong(answers: dict[str, Any]) -> None:
    wrong = [each for each in answers["findings"] if each.state != "good"]
    # Other tests of this process may have hospitals of their own on the same server.
    assert [each for each in wrong if each.code != "OTHER_MEMBER"] == []
    codes = [each.code for each in answers["findings"]]
    assert [codes.count(code) for code in ("SITE_KEY", "NODE", "NODE_RULES")] == [HOSPITALS] * 3


def test_the_pages_are_told_what_the_engine_says(answers: dict[str, Any]) -> None:
    assert len(answers["links"]) == HOSPITALS
    assert {link.engine for link in answers["links"].values()} == {"vantage6"}
