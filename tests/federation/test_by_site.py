"""Results per hospital through the worker: complete, partial, and refused under protection."""

from datetime import timedelta
from typing import Any

import pytest

from federation.runs.errors import RunError


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
