"""Invariant 5: a result is exact or absent, and names who is in it.

Exact against the pooled answer on the same consenting rows, number by number; absent when one
hospital is silent, however many others have answered.
"""

import uuid

import pytest

from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.runs.direct import drive
from federation.runs.driver import Driver, RunPlan
from registry.demo.comparing import compare, largest_difference
from registry.demo.questions import QUESTIONS
from studies.seeds.loading import shipped_codebook


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_the_answer_equals_the_pooled_one(watched, question):
    result = watched.answers[question.name]["result"]
    pooled = question.pooled(watched.running.network.consenting(), result)
    lines = compare(result, pooled)
    assert len(lines) > 10
    assert largest_difference(lines) <= 1e-8


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_the_answer_names_who_is_in_it(watched, question):
    envelope = watched.answers[question.name]
    sites = set(watched.running.network.sites)
    assert envelope["status"] == "complete"
    assert envelope["sites"] == {"asked": 10, "answered": 10, "refused": [], "silent": []}
    provenance = envelope["provenance"]
    assert set(provenance["snapshots"]) == sites
    assert {entry["site"] for entry in provenance["signatures"]} == sites
    assert provenance["codebook"] == "gbsg/1"
    assert provenance["policy"]["t_cell"] == 10


class OneSilent:
    """An engine that loses everything for one site."""

    def __init__(self, inner, silent):
        self.inner, self.silent = inner, silent

    def send(self, site, message):
        return "lost" if site == self.silent else self.inner.send(site, message)

    def replies(self, timeout):
        return self.inner.replies(min(timeout, 0.2))

    def cancel(self, handle):
        if handle != "lost":
            self.inner.cancel(handle)


def test_a_silent_hospital_means_no_number_at_all(stopped):
    """Nine of ten answer: the masks do not vanish, and nothing is released."""
    network, engine = stopped
    codebook = Codebook.from_dict(shipped_codebook("gbsg"))
    query = parse({**QUESTIONS[0].query, "title": "silence"}, codebook)
    plan = RunPlan(
        run_id=str(uuid.uuid4()),
        query=query,
        codebook=codebook,
        roster={slug: site.identity for slug, site in network.sites.items()},
        terms=Terms.strict(),
        min_snapshots=dict.fromkeys(network.sites, 1),
        approval={"by": "x", "at": "2026-11-22", "query_sha256": query.sha256},
    )
    outcome = drive(Driver(plan, network.hub_key), OneSilent(engine, "viecuri"), seconds=6)
    assert outcome.status == "insufficient"
    assert outcome.envelope.get("result") is None
    assert "viecuri" in outcome.envelope["sites"]["silent"]
