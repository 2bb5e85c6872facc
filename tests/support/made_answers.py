"""Made-up answers that the demo cannot give, in the shapes of docs/reference/result.md."""

from __future__ import annotations

import math
from typing import Any

from federation.methods.funnel import LEVEL95, LEVEL998, outside, poisson_limits, share_interval
from federation.methods.shrinkage import shrunken

Made = tuple[dict[str, Any], dict[str, Any], bool]

HOSPITALS = [
    ("maasoever", 412, 61, 44.0),
    ("dommeldal", 301, 29, 34.2),
    ("kempenhof", 188, 22, 20.6),
    ("peelrand", 95, None, 9.8),
    ("linderhout", 240, 12, 27.4),
    ("vechtstede", 160, 19, 17.0),
    ("roerbeek", 77, 11, 8.1),
]


def _hospital(n: int, observed: int | None, expected: float) -> dict[str, Any]:
    inner, outer = poisson_limits(expected, LEVEL95), poisson_limits(expected, LEVEL998)
    ratio = None if observed is None else observed / expected
    return {
        "n": n,
        "missing": None,
        "observed": observed,
        "expected": expected,
        "limits": "poisson",
        "ratio": ratio,
        "z": None if observed is None else (observed - expected) / math.sqrt(expected * 0.8),
        "limits95": list(inner or ()),
        "limits95_widened": [None, None],
        "limits998": list(outer or ()),
        "limits998_widened": [None, None],
        "outside": None if ratio is None else outside(ratio, inner, outer),
        **_beside(n, observed, ratio, expected),
    }


def _beside(n: int, observed: int | None, ratio: float | None, expected: float) -> dict[str, Any]:
    if ratio is None or observed is None:
        hidden = ("variance", "shrunken", "share", "share_low", "share_high")
        return dict.fromkeys(hidden)
    level = shrunken(ratio, 0.8 / expected, 0.04)
    low, high = share_interval(observed, n) or (0.0, 1.0)
    return {
        "variance": 0.8 * expected,
        "shrunken": level and {"ratio": level.value, "low": level.low, "high": level.high},
        "share": observed / n,
        "share_low": low,
        "share_high": high,
    }


def _mean(n: int, mean: float, expected: float | None) -> dict[str, Any]:
    apart = None if expected is None else mean - expected
    se = None if expected is None else 12 / math.sqrt(n)
    around = [None, None] if apart is None or se is None else [apart - 2 * se, apart + 2 * se]
    placed = None if apart is None or se is None else 95 if abs(apart) > 2 * se else 0
    return {
        "n": n,
        "missing": None,
        "mean": mean,
        "expected": expected,
        "difference": apart,
        "se": se,
        "ci_low": around[0],
        "ci_high": around[1],
        "outside": placed,
    }


MEANS: dict[str, Any] = {
    "maasoever": _mean(312, 8.1, 5.2),
    "dommeldal": _mean(201, 4.4, 5.9),
    "kempenhof": _mean(88, 6.0, 5.1),
    "peelrand": _mean(45, 2.2, None),
    "waterkant": {"status": "refused", "code": "SMALL_GROUP", "message": "Too small."},
}
STANDARDISE = {
    "kind": "standardise",
    "outcome": "relapse",
    "formula": "age + grade",
}
OWN: dict[str, Any] = {name: _hospital(n, o, e) for name, n, o, e in HOSPITALS}
OWN["waterkant"] = {"status": "refused", "code": "SMALL_GROUP", "message": "Too small."}


def _curve(scale: float) -> list[dict[str, Any]]:
    points = [{"t": 0.0, "at_risk": 240, "cif": 0.0, "low": 0.0, "high": 0.0}]
    for i in range(1, 9):
        cif = scale * (1 - math.exp(-i / 5))
        points.append(
            {
                "t": 210.0 * i,
                "at_risk": 240 - 25 * i,
                "cif": round(cif, 3),
                "low": round(0.8 * cif, 3),
                "high": round(1.25 * cif, 3),
            }
        )
    return points


def _group(level: str, scale: float) -> dict[str, Any]:
    curve = _curve(scale)
    last = {**curve[5], "t": 1095.0, "se": 0.02, "as_of": curve[5]["t"]}
    return {
        "level": level,
        "n": 240,
        "events": 61,
        "competing": None,
        "curve": curve,
        "at": [last],
    }


COMPETING = {
    "n": 480,
    "missing": None,
    "unit": "days",
    "cause": "true",
    "censored": "false",
    "groups": [_group("no", 0.31), _group("yes", 0.22)],
    "gray": {"chi2": 4.2, "df": 1, "p": 0.04},
}

#: Name -> changes of the query, the answer, and whether there is a picture.


def _wait(
    n: int, median: list[int] | None, p80: list[int] | None, later: list[int], rule: Any
) -> dict[str, Any]:
    """`later`: the patients after 21 and after 28 days."""
    signal, others = rule
    ratio = None
    if median and others:
        ratio = [median[0] / others[1], median[1] / others[0]]
    within = [
        {"days": days, "n": n - k if median else None, "share": 1 - k / n if median else None}
        for days, k in zip((21, 28), later, strict=True)
    ]
    return {
        "n": n,
        "missing": None,
        "over_cap": None,
        "variable": "rfs_days",
        "unit": "days",
        "cap": 365,
        "bins": [{"low": 0, "high": 365, "n": n}],
        "median": median,
        "p80": p80,
        "within": within,
        "rule": {"signal": signal, "ratio": ratio, "others": others, "why": None},
    }


WAITS: dict[str, Any] = {
    "maasoever": _wait(312, [28, 29], [41, 43], [240, 152], (True, [13, 14])),
    "dommeldal": _wait(201, [12, 12], [20, 21], [37, 14], (False, [14, 14])),
    "kempenhof": _wait(88, [14, 16], [22, 26], [24, 12], (False, [14, 14])),
    "peelrand": _wait(17, None, None, [0, 0], (False, [14, 14])),
    "linderhout": {"status": "refused", "code": "SMALL_GROUP", "message": "…"},
}


def _quarters(shares: list[float | None], n: int = 60) -> dict[str, Any]:
    found, ahead = [], 0.0
    for place, share in enumerate(shares):
        observed = None if share is None else round(share * n)
        ahead += 0 if observed is None else 0.3 * n - observed
        found.append(
            {
                "quarter": f"{2023 + place // 4}-Q{place % 4 + 1}",
                "n": n,
                "observed": observed,
                "share": None if observed is None else observed / n,
                "expected": 0.3 * n,
                "vlad": None if observed is None else ahead,
                "median": None,
                "cusum": None
                if observed is None
                else {"max": 1.5 + place / 4, "signal": place > 5},
            }
        )
    return {
        "n": n * len(shares),
        "missing": None,
        "date": "seen",
        "variable": None,
        "within": None,
        "quarters": found,
    }


TRENDS: dict[str, Any] = {
    "maasoever": _quarters([0.24, 0.26, 0.28, 0.3, 0.32, 0.34, 0.36, 0.38]),
    "dommeldal": _quarters([0.31, None, None, 0.28, 0.33, 0.3, 0.29, 0.32]),
    "kempenhof": _quarters([0.3, 0.32, 0.28, 0.31, 0.29, 0.3, 0.33, 0.58]),
}


MADE: dict[str, Made] = {
    "waiting": (
        {
            "analysis": {"kind": "waiting_time", "variable": "rfs_days", "norms": [21, 28]},
            "output": "by_site",
        },
        {"analysis": "waiting_time", "result": {}, "by_site": WAITS},
        True,
    ),
    "trend": (
        {"analysis": {"kind": "trend", "outcome": "relapse"}, "output": "by_site"},
        {"analysis": "trend", "result": {}, "by_site": TRENDS},
        True,
    ),
    "funnel": (
        {"analysis": STANDARDISE, "output": "by_site"},
        {"result": {}, "by_site": OWN},
        True,
    ),
    "means": (
        {
            "analysis": {"kind": "adjusted_mean", "outcome": "rfs_days", "formula": "age"},
            "output": "by_site",
        },
        {"analysis": "adjusted_mean", "result": {}, "by_site": MEANS},
        True,
    ),
    "competing_risks": (
        {
            "analysis": {
                "kind": "competing_risks",
                "time": "rfs_days",
                "event": "relapse",
                "cause": "true",
                "by": "hormone",
                "at": [1095],
            },
            "output": "pooled",
        },
        {"analysis": "competing_risks", "result": COMPETING, "by_site": {}},
        True,
    ),
    "per-hospital": (
        {"analysis": {"kind": "count", "by": ["hormone"]}, "output": "by_site"},
        {
            "analysis": "count",
            "result": {},
            "by_site": {
                "maasoever": {
                    "n": 120,
                    "total": 120,
                    "missing": None,
                    "cells": [
                        {"by": {"hormone": "no"}, "n": 80},
                        {"by": {"hormone": "yes"}, "n": 40},
                    ],
                },
                "dommeldal": {"sealed": "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyJ9..."},
            },
        },
        False,
    ),
}
