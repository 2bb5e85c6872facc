"""Scores by the names of oncomin/1: of which items each is made, for whole columns at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from federation.prom import eq5d, qlq_c30
from federation.prom.eq5d import Floats
from federation.prom.instruments import EQ_INDEX, QLQ_VARIABLES

_CODES: Final = {name: code for code, name in QLQ_VARIABLES.items()}


def _made_of() -> Mapping[str, tuple[str, ...]]:
    found = {
        QLQ_VARIABLES[code]: tuple(f"q{item}" for item in scale.items)
        for code, scale in qlq_c30.SCALES.items()
    }
    found[QLQ_VARIABLES[qlq_c30.SUMMARY]] = tuple(
        QLQ_VARIABLES[code] for code in qlq_c30.IN_SUMMARY
    )
    found[EQ_INDEX] = eq5d.DIMENSIONS
    return MappingProxyType(found)


MADE_OF: Final = _made_of()
"""Score -> the items it is made of; for the summary, the thirteen scores."""


def made(score: str, columns: Sequence[Floats]) -> Floats:
    """A score of MADE_OF for n people, from one array (n,) per part, in that order.

    nan: too few answers. inf: an answer that the questionnaire does not have.
    """
    if score == EQ_INDEX:
        return eq5d.index(columns)
    code = _CODES[score]
    return qlq_c30.summary(columns) if code == qlq_c30.SUMMARY else qlq_c30.scale(code, columns)
