"""A condition as yes, no or missing: where a value is missing, so is the answer, unless the rest of
the condition decides it (the strong logic of S. C. Kleene, Introduction to Metamathematics, 1952,
section 64).

A cohort leaves out whom it cannot place. What is counted as an outcome must not: a patient of whom
a part is unknown is neither with nor without it. Both answers are written as cohorts, so that a set
of patients with an outcome is the same set as the cohort that says so.
"""

from __future__ import annotations

from federation.query.codebook import Codebook
from federation.query.cohort import All, Any, Leaf, Node, Not, canonical

_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def when_yes(node: Node, codebook: Codebook) -> Node:
    """The cohort of those for whom the condition holds, whatever is missing."""
    return canonical(_answered(node, codebook, yes=True))


def when_no(node: Node, codebook: Codebook) -> Node:
    """The cohort of those for whom it does not hold, whatever is missing."""
    return canonical(_answered(node, codebook, yes=False))


def when_known(node: Node, codebook: Codebook) -> Node:
    """The cohort of those for whom the condition is yes or no."""
    return canonical(Any((when_yes(node, codebook), when_no(node, codebook))))


def _answered(node: Node, codebook: Codebook, *, yes: bool) -> Node:
    """`not` moves inwards to the comparisons, which never match a missing value."""
    if isinstance(node, Leaf):
        return node if yes else _other(node, codebook)
    if isinstance(node, Not):
        return _answered(node.item, codebook, yes=not yes)
    parts = tuple(_answered(item, codebook, yes=yes) for item in node.items)
    return All(parts) if isinstance(node, All) is yes else Any(parts)


def _other(leaf: Leaf, codebook: Codebook) -> Node:
    """Everyone with a known value whom the comparison does not match."""
    variable = codebook.variables[leaf.var]
    if leaf.op in _OPPOSITE:
        return Leaf(leaf.var, _OPPOSITE[leaf.op], leaf.value)
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if variable.type == "boolean":
        rest = {True, False} - set(values) if leaf.op != "!=" else set(values)
        if len(rest) == 1:
            return Leaf(leaf.var, "=", rest == {True})
        return All((Leaf(leaf.var, "=", True), Leaf(leaf.var, "=", False)))  # nobody
    if leaf.op == "=":
        return Leaf(leaf.var, "!=", leaf.value)
    if leaf.op == "!=":
        return Leaf(leaf.var, "=", leaf.value)
    codes = tuple(sorted({level.code for level in variable.levels} - set(map(str, values))))
    if variable.type == "category" and codes:
        return Leaf(leaf.var, "in", codes)
    return All(tuple(Leaf(leaf.var, "!=", value) for value in values))
