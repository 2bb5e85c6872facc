"""Answers of every kind of analysis, worked out by three small hospitals in this process.

The methods, and the gate in front of their results, are the real ones; there is no network between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.disclosure.gate import decide
from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.own import has_pooled_part, is_own
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {
        "codebook": "pages/1",
        "variables": {
            "t": {"type": "duration", "unit": "days", "min": 0, "max": 3000},
            "died": {"type": "boolean", "label": {"en": "Died", "nl": "Overleden"}},
            "what": {
                "type": "category",
                "levels": {
                    "none": {"en": "nothing", "nl": "niets"},
                    "back": {"en": "recurrence", "nl": "terugkeer"},
                    "dead": {"en": "death", "nl": "overlijden"},
                },
            },
            "age": {
                "type": "integer",
                "unit": "years",
                "min": 18,
                "max": 110,
                "cuts": {"step": 10},
                "knots": [45, 60, 75],
                "label": {"en": "Age", "nl": "Leeftijd"},
            },
            "score": {"type": "integer", "min": 1, "max": 5},
            "size": {"type": "number", "unit": "mm", "min": 0, "max": 200, "cuts": [20, 40]},
            "arm": {
                "type": "category",
                "levels": {
                    "no": {"en": "usual care", "nl": "gewone zorg"},
                    "yes": {"en": "new care", "nl": "nieuwe zorg"},
                },
                "label": {"en": "Arm", "nl": "Groep"},
            },
            "grade": {"type": "category", "levels": ["1", "2", "3"]},
            "wait": {
                "type": "duration",
                "unit": "days",
                "min": 0,
                "max": 1000,
                "cuts": [7, 14, 21, 28, 42, 90],
                "label": {"en": "Waiting time", "nl": "Wachttijd"},
            },
            "seen": {"type": "date", "resolution": "month"},
        },
    }
)
ASKED: list[dict[str, Any]] = [
    {"kind": "count", "by": ["arm", "grade"]},
    {"kind": "describe", "variables": ["age", "grade"], "by": "arm"},
    {"kind": "survival", "time": "t", "event": "died", "by": "arm", "at": [365, 730]},
    {"kind": "cox", "time": "t", "event": "died", "formula": "arm + age"},
    {"kind": "histogram", "variable": "age"},
    {"kind": "histogram", "variable": "score", "by": "arm"},
    {"kind": "histogram", "variable": "size", "by": "grade"},
    {"kind": "compare", "variable": "age", "by": "arm"},
    {"kind": "compare", "variable": "size", "by": "grade"},
    {"kind": "compare", "variable": "grade", "by": "arm"},
    {"kind": "regression", "family": "gaussian", "formula": "size ~ arm + rcs(age)"},
    {"kind": "regression", "family": "binomial", "formula": "died ~ arm + age + age^2"},
    {"kind": "regression", "family": "poisson", "formula": "score ~ arm", "offset": "t"},
    {
        "kind": "competing_risks",
        "time": "t",
        "event": "what",
        "cause": "back",
        "by": "arm",
        "at": [365],
    },
    {"kind": "competing_risks", "time": "t", "event": "what", "cause": "dead"},
    {"kind": "mantel_haenszel", "outcome": "died", "exposure": "arm"},
    {"kind": "mixed", "formula": "size ~ arm + age"},
    {"kind": "waiting_time", "variable": "wait", "norms": [21, 28]},
    {
        "kind": "trend",
        "date": "seen",
        "first": "2023-01",
        "last": "2024-12",
        "outcome": "died",
        "formula": "age",
        "cusum_h": 4.5,
    },
    {
        "kind": "trend",
        "date": "seen",
        "first": "2023-01",
        "last": "2023-12",
        "variable": "wait",
        "within": 21,
    },
    {"kind": "adjusted_mean", "outcome": "size", "formula": "arm + age"},
    {"kind": "standardise", "outcome": "died", "formula": "age + grade"},
    {"kind": "standardise", "outcome": "died"},
]


def name_of(asked: Mapping[str, Any]) -> str:
    return "-".join(str(v) for v in asked.values() if isinstance(v, str))


def _rows(seed: int, n: int) -> Rows:
    rng = np.random.default_rng(seed)
    age = rng.integers(40, 90, n).astype(float)
    size = np.clip(10 + 0.3 * age + rng.normal(seed, 8, n), 0, 200)
    codes = {
        "died": rng.random(n) < 0.4,
        "what": rng.integers(0, 3, n),
        "arm": rng.integers(0, 2, n),
        "grade": rng.integers(0, 3, n),
    }
    numbers = {
        "t": rng.integers(1, 2500, n).astype(float),
        "age": age,
        "score": rng.integers(1, 6, n).astype(float),
        "size": size,
        "wait": np.floor(rng.gamma(3, 6 * seed, n)),
        "seen": 2023 * 12 + rng.integers(0, 24, n).astype(float),
    }
    columns = {
        k: Column(BOOK.variables[k], np.asarray(v, dtype=np.int16)) for k, v in codes.items()
    }
    columns |= {k: Column(BOOK.variables[k], v) for k, v in numbers.items()}
    return Rows(columns, n)


def envelope(asked: Mapping[str, Any], terms: Terms, n: int = 160) -> dict[str, Any]:
    """The answer of three hospitals with `n` patients each, as the hub stores it."""
    method: Any = KINDS[str(asked["kind"])]
    by_site = has_pooled_part(method) and terms.protection == "none"
    question = {"version": 1, "codebook": BOOK.id, "analysis": dict(asked)}
    query = parse({**question, "output": "by_site" if by_site else "pooled"}, BOOK)
    ask = Ask(query, BOOK, terms)
    sites = [_rows(seed, n) for seed in (1, 2, 3)]
    step: Any = method.start(ask)
    own_step: Any = None
    while not isinstance(step, Finished):
        if is_own(step):
            own_step, step = step, method.combine(ask, step, {})
            continue
        replies = [method.site(dataclasses.replace(ask, site="s"), step, rows) for rows in sites]
        join: Any = np.concatenate if step.labelled else sum
        step = method.combine(ask, step, {k: join([r[k] for r in replies]) for k in replies[0]})
    released = method.result(ask, step, decide(method.tables(ask, step), terms))
    made = {
        "analysis": query.kind,
        "result": released.result,
        "hidden": released.hidden,
        "warnings": released.warnings,
        "provenance": {"policy": {"t_cell": 10}},
        **({"protection": "none"} if terms.protection == "none" else {}),
    }
    if own_step is not None:
        made["by_site"] = {}
        for slug, rows in zip(("a", "b", "c"), sites, strict=True):
            own = method.own_part(ask, own_step, rows)
            shown = decide(method.tables(ask, own), terms)
            made["by_site"][slug] = method.result(ask, own, shown).result
    return made
