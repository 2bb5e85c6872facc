"""What the bench asks: one question of each kind, and cohorts that make each repeat a new one."""

from collections.abc import Mapping
from typing import Any

STUDY = "bench"

ANALYSES: Mapping[str, dict[str, Any]] = {
    "count": {"kind": "count", "by": ["stage", "sex"]},
    "describe": {"kind": "describe", "variables": ["age", "size", "marker"]},
    "histogram": {"kind": "histogram", "variable": "age"},
    "compare": {"kind": "compare", "variable": "size", "by": "treated"},
    "survival": {
        "kind": "survival",
        "time": "days",
        "event": "event",
        "by": "treated",
        "at": [365, 1095],
    },
    "competing risks": {
        "kind": "competing_risks",
        "time": "days",
        "event": "ending",
        "cause": "1",
        "by": "treated",
    },
    "mantel-haenszel": {"kind": "mantel_haenszel", "outcome": "event", "exposure": "treated"},
    "linear": {
        "kind": "regression",
        "family": "gaussian",
        "formula": "size ~ age + treated + stage",
    },
    "logistic": {
        "kind": "regression",
        "family": "binomial",
        "formula": "event ~ age + size + marker + treated + stage + sex",
    },
    "poisson": {
        "kind": "regression",
        "family": "poisson",
        "formula": "visits ~ age + size + treated + stage",
        "offset": "days",
    },
    "mixed": {"kind": "mixed", "formula": "size ~ age + treated + stage"},
    "standardise": {"kind": "standardise", "outcome": "event", "formula": "age + stage + size"},
    "cox": {
        "kind": "cox",
        "time": "days",
        "event": "event",
        "formula": "age + size + marker + treated + stage",
        "strata": "site",
    },
}

#: Clearly different cohorts, so that each repeat is a new question and never a replay.
COHORTS: Mapping[str, dict[str, Any]] = {
    "everyone": {},
    "65 and older": {"var": "age", "op": ">=", "value": 65},
    "younger than 65": {"var": "age", "op": "<", "value": 65},
}


def query(name: str, cohort: Mapping[str, Any]) -> dict[str, Any]:
    """The question called `name` about one cohort, as JSON."""
    return {
        "version": 1,
        "study": STUDY,
        "title": name,
        "purpose": "measuring",
        "codebook": "bench/1",
        "sites": "all",
        "cohort": dict(cohort),
        "analysis": ANALYSES[name],
        "output": "pooled",
    }
