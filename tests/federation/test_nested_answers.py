"""The hub's worker keeps what it released, and keeps later answers at a distance from it."""

import json
import sqlite3
from dataclasses import replace
from typing import Any

from federation.disclosure.nesting import ReleasedSet
from federation.runs import service
from federation.runs.released import Released


def released(bench: Any) -> list[ReleasedSet]:
    return Released(bench.hub.factory)()


def test_an_answer_leaves_its_sets_for_later_ones(bench: Any, questions: Any) -> None:
    bench.finish(bench.hub.approved(questions.COUNT))

    kept = released(bench)

    whole = next(one for one in kept if not one.levels)
    groups = [one.n for one in kept if one.levels]
    assert whole.n == 180
    assert sum(groups) == 180
    assert whole.sites == set(bench.hub.sites)


def test_an_answer_too_close_to_a_kept_one_is_refused(bench: Any, questions: Any) -> None:
    """As if everybody but three had been counted before, in a question the sites never saw."""
    bench.finish(bench.hub.approved())
    (first, *_) = released(bench)
    wider = replace(first, known=frozenset(), n=first.n + 3)
    database = sqlite3.connect(bench.hub.folder / "hub.sqlite")
    database.execute("UPDATE run SET released_sets = ?", [json.dumps([wider.to_dict()])])
    database.commit()
    database.close()

    run = bench.finish(bench.hub.approved(questions.COUNT))

    assert run.outcome["status"] == "refused"
    assert run.outcome["code"] == "SMALL_GROUP"
    assert "result" not in run.outcome or run.outcome["result"] is None
    with bench.hub.factory() as session:
        held = service.get_run(session, run.id).released_sets
    # What nobody was shown is kept, without its number: later answers may not tell it either.
    assert [one["n"] for one in held] == [None]


def test_sets_are_read_once_and_new_ones_are_seen(bench: Any, questions: Any) -> None:
    memory = Released(bench.hub.factory)
    assert memory() == []
    bench.finish(bench.hub.approved(questions.COUNT))
    first = memory()
    assert first == released(bench)
    assert first[0] is memory()[0]
    database = sqlite3.connect(bench.hub.folder / "hub.sqlite")
    database.execute("UPDATE run SET released_sets = NULL")
    database.commit()
    database.close()
    assert memory() == []
