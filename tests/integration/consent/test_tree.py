"""Proofs from the database: as from all leaves in memory, quick, never of what was rolled back."""

import time
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from consent import append_only, log, tree
from consent.errors import ConsentError
from consent.models import LogLeaf
from studies.seeds.oncozon import ONCOZON

NETWORK = ONCOZON.slug
LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(1000)]


def add(session: Session, leaves: list[bytes], first: int = 0) -> None:
    session.execute(
        insert(LogLeaf),
        [
            {"network": NETWORK, "number": first + number, "hash": leaf}
            for number, leaf in enumerate(leaves)
        ],
    )


def test_proofs_are_those_over_all_leaves(hub) -> None:
    add(hub.session, LEAVES)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(1, len(LEAVES)), st.data())
    def holds(size: int, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, size - 1))
        old = data.draw(st.integers(1, size))
        leaves, top = LEAVES[:size], log.root(LEAVES[:size])
        assert tree.root_at(hub.session, NETWORK, size) == top
        path = tree.inclusion_proof(hub.session, NETWORK, number, size)
        assert path == log.inclusion_path(leaves, number)
        assert log.verify_inclusion(LEAVES[number], number, size, path, top)
        path = tree.consistency_proof(hub.session, NETWORK, old, size)
        assert path == log.consistency_path(leaves, old)
        assert log.verify_consistency(old, log.root(LEAVES[:old]), size, top, path)

    holds()
    assert tree.root_at(hub.session, NETWORK, 0) == log.EMPTY_ROOT
    assert tree.leaf_at(hub.session, NETWORK, 7) == LEAVES[7]


def test_what_was_rolled_back_is_forgotten(hub) -> None:
    add(hub.session, LEAVES[:300])
    first = tree.root_at(hub.session, NETWORK, 300)
    savepoint = hub.session.begin_nested()
    add(hub.session, LEAVES[300:800], first=300)
    assert tree.root_at(hub.session, NETWORK, 800) == log.root(LEAVES[:800])
    savepoint.rollback()
    other = [sha256(leaf).digest() for leaf in LEAVES[300:800]]
    add(hub.session, other, first=300)
    assert tree.root_at(hub.session, NETWORK, 800) == log.root(LEAVES[:300] + other)
    assert tree.root_at(hub.session, NETWORK, 300) == first


def test_proofs_that_cannot_be(hub) -> None:
    add(hub.session, LEAVES[:5])
    for ask in (
        lambda: tree.inclusion_proof(hub.session, NETWORK, 5, 5),
        lambda: tree.consistency_proof(hub.session, NETWORK, 0, 5),
        lambda: tree.consistency_proof(hub.session, NETWORK, 6, 5),
    ):
        with pytest.raises(ConsentError, match="proof_not_possible"):
            ask()
    for ask in (
        lambda: tree.root_at(hub.session, NETWORK, 6),
        lambda: tree.root_at(hub.session, NETWORK, 600),
        lambda: tree.leaf_at(hub.session, NETWORK, 5),
    ):
        with pytest.raises(ConsentError, match="log_inconsistent"):
            ask()


def test_a_missing_leaf_is_no_proof(hub, database) -> None:
    down = append_only.sqlite_down if database.kind == "sqlite" else append_only.postgresql_down
    add(hub.session, LEAVES[:600])
    for statement in down("log_leaf"):
        hub.session.connection().exec_driver_sql(statement)
    hub.session.execute(delete(LogLeaf).where(LogLeaf.number == 100))
    with pytest.raises(ConsentError, match="log_inconsistent"):
        tree.root_at(hub.session, NETWORK, 600)


def test_a_proof_in_a_large_log_is_quick(hub) -> None:
    """20,000 leaves here (a million is measured in the reference): proofs read a few blocks."""
    add(hub.session, [sha256(number.to_bytes(4, "big")).digest() for number in range(20_000)])
    tree.root_at(hub.session, NETWORK, 20_000)
    began = time.perf_counter()
    for number in range(0, 20_000, 2000):
        tree.inclusion_proof(hub.session, NETWORK, number, 19_999)
        tree.consistency_proof(hub.session, NETWORK, number + 1, 20_000)
    assert time.perf_counter() - began < 2
