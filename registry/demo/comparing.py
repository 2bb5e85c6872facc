"""Laying two answers side by side, number by number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SIGNIFICANT = 6  # digits the strict policy releases of a coefficient or a mean
S_DECIMALS = 3  # decimals it releases of a survival probability
LOGLIK_DECIMALS = 3
_ON_S_SCALE = frozenset({"s", "low", "high"})


@dataclass(frozen=True)
class Line:
    """One number of the network's answer beside the pooled one.

    `pooled` is the pooled library's number given to as many digits as the policy releases;
    `difference` is 0 for a quantile whose pooled value lies in the released interval.
    """

    where: str
    ours: float | list[float]
    pooled: float
    difference: float


def compare(ours: Mapping[str, Any], pooled: Mapping[str, Any]) -> list[Line]:
    """Every number that both answers hold. A hidden number (null) has nothing to compare.

    Raises ValueError when no number can be compared: agreement of nothing proves nothing.
    """
    lines = list(_walk(ours, pooled, ""))
    if not lines:
        raise ValueError("the two answers have no number in common")
    return lines


def largest_difference(lines: list[Line]) -> float:
    """The largest difference of all lines."""
    return max(line.difference for line in lines)


def _walk(ours: Any, pooled: Any, where: str) -> Iterator[Line]:
    if ours is None:
        return
    if isinstance(pooled, Mapping):
        for key, value in pooled.items():
            yield from _walk(ours[key], value, f"{where}.{key}" if where else key)
    elif isinstance(pooled, list):
        if len(ours) != len(pooled):
            raise ValueError(f"{where} has {len(ours)} entries here and {len(pooled)} pooled")
        for place, value in enumerate(pooled):
            yield from _walk(ours[place], value, f"{where}[{place}]")
    elif isinstance(pooled, int | float) and not isinstance(pooled, bool):
        yield _line(where, ours, float(pooled))
    elif ours != pooled:
        raise ValueError(f"{where} is {ours!r} here and {pooled!r} pooled")


def _line(where: str, ours: Any, pooled: float) -> Line:
    if isinstance(ours, list):
        low, high = ours
        return Line(where, ours, pooled, max(low - pooled, pooled - high, 0.0))
    released = as_released(where.rsplit(".", 1)[-1], pooled)
    return Line(where, float(ours), released, abs(float(ours) - released))


def as_released(name: str, value: float) -> float:
    """`value` of the key `name` to the digits that the strict policy releases."""
    if value == int(value) and abs(value) < 2**53:
        return value
    if name in _ON_S_SCALE:
        return round(value, S_DECIMALS)
    if name == "loglik":
        return round(value, LOGLIK_DECIMALS)
    return float(f"{value:.{SIGNIFICANT - 1}e}")
