"""The demo's questions, and how each is laid beside its pooled answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from federation.query.terms import Terms
from registry.demo import pooled
from registry.demo.network import STUDY
from registry.demo.patients import Patient
from registry.demo.pooled import Rows

GRID = Terms.strict().time_grid_days

TERMS: Mapping[str, Callable[[Patient], float]] = {
    "hormone[yes]": lambda p: p.hormone,
    "age": lambda p: p.age,
    "menopause[post]": lambda p: p.postmenopausal,
    "tumour_size": lambda p: p.tumour_mm,
    "grade[2]": lambda p: p.grade == 2,
    "grade[3]": lambda p: p.grade == 3,
    "nodes": lambda p: p.nodes,
}


@dataclass(frozen=True)
class Question:
    """A query, and the pooled answer in the shape of its result (which it may look at to know
    at which times a curve was released)."""

    name: str
    query: Mapping[str, Any]
    pooled: Callable[[Rows, Mapping[str, Any]], dict[str, Any]]
    note: str = ""


def _query(title: str, purpose: str, analysis: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "study": STUDY,
        "title": title,
        "purpose": purpose,
        "codebook": "gbsg/1",
        "sites": "all",
        "cohort": {},
        "analysis": dict(analysis),
        "output": "pooled",
        **more,
    }


def published_times(result: Mapping[str, Any]) -> dict[str, list[float]]:
    """Per group the times at which the result's curve has a point."""
    return {group["level"]: [point["t"] for point in group["curve"]] for group in result["groups"]}


COUNT = Question(
    "count",
    _query(
        "Patients by grade and hormone therapy",
        "To see how many patients there are in each group before we compare them.",
        {"kind": "count", "by": ["grade", "hormone"]},
    ),
    lambda rows, _: pooled.count(rows, ["grade", "hormone"]),
)
DESCRIBE = Question(
    "describe",
    _query(
        "Age, tumour size and nodes",
        "To know who the patients in this study are.",
        {"kind": "describe", "variables": ["age", "tumour_size", "nodes"]},
    ),
    lambda rows, _: pooled.describe(rows, ["age", "tumour_size", "nodes"]),
)
SURVIVAL = Question(
    "survival",
    _query(
        "Recurrence-free survival by hormone therapy",
        "To see whether breast cancer comes back less often with hormone therapy.",
        {
            "kind": "survival",
            "time": "rfs_days",
            "event": "relapse",
            "by": "hormone",
            "at": [365, 1095, 1825],
        },
    ),
    lambda rows, result: pooled.survival(rows, "hormone", published_times(result), GRID),
    note=f"pooled on the same public grid of {GRID} days",
)
COX = Question(
    "cox",
    _query(
        "Recurrence and hormone therapy, adjusted",
        "To compare like with like: the same age, size, grade and number of nodes.",
        {
            "kind": "cox",
            "time": "rfs_days",
            "event": "relapse",
            "formula": "hormone + age + menopause + tumour_size + grade + nodes",
            "strata": "site",
        },
    ),
    lambda rows, _: pooled.cox(rows, TERMS),
)
QUESTIONS = (COUNT, DESCRIBE, SURVIVAL, COX)

AFTER_NODES = 4  # a clearly different cohort at every hospital, see disclosure.md 4.7 W4
AFTER = Question(
    "describe, four nodes or more",
    _query(
        "Age and tumour size with four nodes or more",
        "To know the patients whose cancer had come further.",
        {"kind": "describe", "variables": ["age", "tumour_size"]},
        cohort={"var": "nodes", "op": ">=", "value": AFTER_NODES},
    ),
    lambda rows, _: pooled.describe(further(rows), ["age", "tumour_size"]),
)


def further(rows: Rows) -> dict[str, list[Patient]]:
    """The cohort of `AFTER`."""
    return {slug: [p for p in mine if p.nodes >= AFTER_NODES] for slug, mine in rows.items()}
