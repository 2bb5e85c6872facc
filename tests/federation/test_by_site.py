"""Results per hospital through the worker: complete, partial, and refused under protection."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.disclosure.policy import Policy
from federation.protocol.keys import BoxKey, key_id
from federation.protocol.sealing import open_result
from federation.runs.errors import RunError
from studies.actor import SYSTEM
from studies.service import choose_delivery, note_node, tighten_terms

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
KEY = BoxKey.generate()


def test_each_hospital_has_its_own_result_beside_the_pooled_one(
    open_bench: Any, questions: Any
) -> None:
    run = open_bench.finish(open_bench.hub.approved({**questions.COX, "output": "by_site"}))

    answer = run.outcome
    assert (run.state, answer["status"], answer["protection"]) == ("complete", "complete", "none")
    assert answer["result"]["n"] == 180
    own = answer["by_site"]
    assert {site: own[site]["n"] for site in own} == dict.fromkeys(open_bench.hub.sites, 60)
    # Each is a fit of its own: a pooled fit read per hospital would give one estimate to all.
    assert len({own[site]["terms"][0]["estimate"] for site in own}) == 3


def test_what_one_hospital_gets_is_what_it_gets_when_asked_alone(
    open_bench: Any, questions: Any
) -> None:
    together = open_bench.finish(
        open_bench.hub.approved({**questions.QUESTION, "output": "by_site"})
    )
    alone = open_bench.finish(
        open_bench.hub.approved({**questions.QUESTION, "sites": ["elkerliek"]})
    )

    assert together.outcome["by_site"]["elkerliek"] == alone.outcome["result"]


def test_a_hospital_that_falls_silent_after_the_pooled_result_makes_it_partial(
    open_bench: Any, questions: Any
) -> None:
    open_bench.worker = open_bench.new_worker(deadline=timedelta(seconds=8))
    run_id = open_bench.hub.approved({**questions.COUNT, "output": "by_site"})
    open_bench.work(
        lambda: open_bench.rows("SELECT count(*) FROM run_site WHERE attempts > 0") == [(3,)]
    )
    open_bench.carrier.dropped = {"elkerliek"}

    run = open_bench.finish(run_id)

    assert (run.state, run.outcome["status"]) == ("partial", "partial")
    assert run.outcome["result"]["n"] == 180
    assert run.outcome["sites"]["silent"] == ["elkerliek"]
    assert run.outcome["by_site"]["elkerliek"]["status"] == "insufficient"
    assert run.outcome["by_site"]["catharina"]["n"] == 60


def test_a_protected_study_does_not_take_such_a_question(bench: Any, questions: Any) -> None:
    with pytest.raises(RunError) as caught:
        bench.hub.approved({**questions.COUNT, "output": "by_site"})
    assert caught.value.code == "OUTPUT_NOT_ALLOWED"


Built = Callable[..., Any]


@pytest.fixture
def agreed_bench(tmp_path: Path, questions: Any, bench: Any) -> Iterator[Built]:
    """Make a hub whose three hospitals agreed to results of their own; under protection."""
    made: list[Any] = []

    def make(policy: Policy = WITH_FORM, **agreed: str) -> Any:
        folder = tmp_path / f"agreed{len(made)}"
        folder.mkdir()
        questions.build(folder, policy=policy, agreed=agreed)
        made.append(type(bench)(folder))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_sealed_results_pass_through_the_hub_unread(agreed_bench: Built, questions: Any) -> None:
    """Everything that the hub keeps is searched for the numbers; then the study opens them."""
    made = agreed_bench(by_site="sealed", result_key=KEY.public)
    run = made.finish(made.hub.approved({**questions.COUNT, "output": "by_site"}))

    answer = run.outcome
    assert (run.state, run.delivery, answer["result"]) == ("complete", "sealed", {})
    nodes = dict(made.rows("SELECT institution, sign_pub FROM site_node"))
    for site, own in answer["by_site"].items():
        claims = open_result(
            own["sealed"],
            KEY,
            site=site,
            study=questions.STUDY,
            query_sha256=answer["query_sha256"],
            signer={key_id(nodes[site]): nodes[site]}.get,
        )
        assert claims["released"]["result"]["n"] == 60
        cells = claims["released"]["result"]["cells"]
        assert sum(cell["n"] for cell in cells) == 60
    kept = made.rows("SELECT outcome FROM run WHERE outcome IS NOT NULL")
    assert all('"n":60' not in text for (text,) in kept)


def test_a_benchmark_keeps_each_hospitals_own_result_at_the_hub(
    agreed_bench: Built, questions: Any
) -> None:
    made = agreed_bench(by_site="hub")
    run = made.finish(made.hub.approved({**questions.COX, "output": "by_site"}))

    own = run.outcome["by_site"]
    assert {site: own[site]["n"] for site in own} == dict.fromkeys(made.hub.sites, 60)
    assert len({own[site]["terms"][0]["estimate"] for site in own}) == 3
    again = made.finish(made.hub.approved({**questions.COX, "output": "by_site"}))
    assert again.outcome["replayed"]
    assert again.outcome["by_site"] == own


def test_a_hospital_that_falls_silent_leaves_the_others_results(
    agreed_bench: Built, questions: Any
) -> None:
    made = agreed_bench(by_site="hub")
    made.worker = made.new_worker(deadline=timedelta(seconds=12))

    said = 0

    def silenced(replies: list[Any]) -> list[Any]:
        nonlocal said
        said += sum(reply.site == "elkerliek" for reply in replies)
        if said >= 2:  # it looked, and was ready: silent before that, nobody answers
            made.carrier.dropped = {"elkerliek"}  # it is asked nothing more
        return replies

    made.carrier.bend = silenced
    run = made.finish(made.hub.approved({**questions.COUNT, "output": "by_site"}))

    assert (run.state, run.outcome["sites"]["silent"]) == ("partial", ["elkerliek"])
    assert run.outcome["by_site"]["elkerliek"]["status"] == "insufficient"
    assert run.outcome["by_site"]["catharina"]["n"] == 60


def test_the_study_says_sealed_and_a_hospital_says_hub(agreed_bench: Built, questions: Any) -> None:
    """Nothing is taken that is not sealed, whatever a hospital sends."""
    made = agreed_bench(by_site="hub")
    with made.hub.factory() as session:
        study = session.get_one(questions.Study, questions.STUDY)
        choose_delivery(session, study, "sealed", result_key=KEY.public, actor=SYSTEM)
        session.commit()
    made.worker = made.new_worker(deadline=timedelta(seconds=6))
    run = made.finish(made.hub.approved({**questions.COUNT, "output": "by_site"}))

    assert run.state == "insufficient"
    assert "by_site" not in run.outcome
    assert made.rows("SELECT DISTINCT code FROM run_site") == [("BAD_REPLY",)]


def test_a_board_that_did_not_sign_ends_it_before_anybody_is_asked(
    agreed_bench: Built, questions: Any
) -> None:
    made = agreed_bench(by_site="hub")
    with made.hub.factory() as session:
        node = session.get_one(questions.SiteNode, "elkerliek")
        note_node(
            session,
            node,
            terms=node.terms,
            policy_sha256="0" * 64,
            software="",
            actor=SYSTEM,
            now=datetime.now(UTC),
        )
        session.commit()
    with pytest.raises(RunError) as caught:
        made.hub.approved({**questions.COUNT, "output": "by_site"})
    assert caught.value.code == "NO_FORM"


def test_a_studys_own_terms_are_stricter_than_the_hospitals(bench: Any, questions: Any) -> None:
    with bench.hub.factory() as session:
        study = session.get_one(questions.Study, questions.STUDY)
        tighten_terms(session, study, {"t_cell": 100, "min_sites": 1}, actor=SYSTEM)
        session.commit()
    run = bench.finish(bench.hub.approved(questions.COUNT))
    policy = run.outcome["provenance"]["policy"]
    assert (policy["t_cell"], policy["min_sites"]) == (100, 3)
    shown = [cell["n"] for cell in run.outcome["result"]["cells"]]
    assert shown == [None, None]
