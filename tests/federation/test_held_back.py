"""What the hub refuses after the hospitals answered is remembered as held back: they take it for
answered, so only the hub can keep later answers from telling it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hospitals import Net, patients

from federation.disclosure.nesting import ReleasedSet
from federation.runs.holding_back import HeldBack

COUNT = {"kind": "count"}
OLD = {"var": "age", "op": ">=", "value": 50}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path, {f"h{n}": patients(f"h{n}", 150, n) for n in range(3)})
    yield made
    made.close()


def test_two_parts_do_not_tell_what_was_refused_as_a_whole(net: Net) -> None:
    """Somebody was shown the number of those of 40 and older, three more than those of 50 and
    older; those are refused. Men and women of 50 and older together would say it after all."""
    first = net.ask(COUNT, cohort=OLD)
    (shown,) = first.sets
    wider = replace(shown, ranges={"age": replace(shown.ranges["age"], low=40.0)}, n=shown.n + 3)
    parts = [{"all": [OLD, {"var": "trt", "op": "=", "value": value}]} for value in (True, False)]

    for memory in (True, False):
        net.sets = [wider]
        refused = net.drive(net.driver(net.plan(net.query(COUNT, cohort=OLD), again=True)))
        assert (refused.status, refused.code) == ("refused", "SMALL_GROUP")
        (held,) = refused.sets
        assert held == replace(shown, n=None)
        net.sets += refused.sets if memory else ()
        both = []
        for part in parts:
            again = net.drive(net.driver(net.plan(net.query(COUNT, cohort=part), again=True)))
            net.sets += again.sets
            both.append(again.status)
        assert both == ["complete", "refused" if memory else "complete"], memory


def test_it_says_small_group_and_no_more() -> None:
    held = HeldBack((ReleasedSet(frozenset("a"), frozenset(), {}, {}, frozenset(), None),))
    assert (held.code, held.terms, str(held)) == ("SMALL_GROUP", (), "SMALL_GROUP")
