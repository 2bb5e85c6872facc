"""A cohort tree as a mask over columns in memory."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Column
from federation.query.cohort import All, Leaf, Node, Not

Mask = NDArray[np.bool_]


def cohort_mask(node: Node, columns: Mapping[str, Column], n: int) -> Mask:
    """Where `node` holds, bool (n,). A missing value matches no comparison; `not` is a plain
    boolean not (see query.cohort)."""
    if isinstance(node, Leaf):
        return _leaf_mask(node, columns[node.var])
    if isinstance(node, Not):
        return ~cohort_mask(node.item, columns, n)
    every = isinstance(node, All)
    mask = np.full(n, every)
    for item in node.items:
        part = cohort_mask(item, columns, n)
        mask = mask & part if every else mask | part
    return mask


def _leaf_mask(leaf: Leaf, column: Column) -> Mask:
    wanted = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    numbers = [_number(column, value) for value in wanted]
    values, one = column.values, numbers[0]
    with np.errstate(invalid="ignore"):
        match leaf.op:
            case "=":
                mask = values == one
            case "!=":
                mask = values != one
            case "in":
                mask = np.isin(values, numbers)
            case "<":
                mask = values < one
            case "<=":
                mask = values <= one
            case ">":
                mask = values > one
            case ">=":
                mask = values >= one
            case _:
                raise ValueError("a checked query has no other comparison")
    return np.asarray(mask & column.known)


def _number(column: Column, value: object) -> float:
    """A query's value as it stands in the column: code, number or month since year 0."""
    variable = column.variable
    if variable.type == "category":
        return float([level.code for level in variable.levels].index(str(value)))
    if variable.type == "date":
        year, _, month = str(value).partition("-")
        return float(int(year) * 12 + (int(month) - 1 if month else 0))
    if isinstance(value, bool | int | float):
        return float(value)
    raise ValueError("a checked query compares numbers with numbers")
