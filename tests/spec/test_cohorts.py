"""How a cohort is read: the tables beside this file, a row per way of writing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort
from federation.query.errors import QueryError


def rows(file: str, columns: int) -> list[tuple[str, ...]]:
    lines = (Path(__file__).parent / file).read_text("utf-8").splitlines()
    found = [
        tuple(cell.strip() for cell in line.split(" | ", columns - 1))
        for line in lines
        if line and not line.startswith("#")
    ]
    assert all(len(row) == columns for row in found)
    return found


@pytest.mark.parametrize(("written", "read"), rows("cohorts_accepted.txt", 2))
def test_accepted(codebook: Codebook, written: str, read: str) -> None:
    cohort = parse_cohort(json.loads(written), codebook)
    assert cohort.to_dict() == json.loads(read)
    assert parse_cohort(cohort.to_dict(), codebook) == cohort


@pytest.mark.parametrize(("written", "code", "place", "said"), rows("cohorts_refused.txt", 4))
def test_refused(codebook: Codebook, written: str, code: str, place: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_cohort(json.loads(written), codebook)
    assert (caught.value.code, caught.value.where) == (code, place)
    assert said in caught.value.message


def test_fifty_comparisons_and_ten_levels_are_the_end(codebook: Codebook) -> None:
    leaf = {"var": "nodes", "op": "=", "value": 1}
    deep: dict[str, object] = leaf
    for _ in range(9):
        deep = {"not": deep}
    assert parse_cohort(deep, codebook)
    with pytest.raises(QueryError) as caught:
        parse_cohort({"not": deep}, codebook)
    assert caught.value.code == "TOO_LARGE"
    many = [
        {"all": [{"var": "nodes", "op": "=", "value": a}, {"var": "nodes", "op": "<", "value": b}]}
        for a in range(5)
        for b in range(6)
    ]
    with pytest.raises(QueryError) as caught:
        parse_cohort({"any": many}, codebook)
    assert caught.value.code == "TOO_LARGE"


def test_a_bottomless_tree_is_refused_before_it_is_walked(codebook: Codebook) -> None:
    node: dict[str, object] = {"var": "nodes", "op": "=", "value": 1}
    for _ in range(5000):
        node = {"not": node}
    with pytest.raises(QueryError, match="at most 10 deep"):
        parse_cohort(node, codebook)
