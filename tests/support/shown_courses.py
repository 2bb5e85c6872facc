"""Parts of the round of shown_round.py: a course against what was expected, and a difference by
groups of patients. Invented numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
#: With and without something, of all hospitals together.
ALL_GROUPS: Json = {
    "exposure": "prehabilitation",
    "hospitals_in": 9,
    "events": 21,
    "n": 123,
    "other_events": 38,
    "other_n": 128,
    "difference": -0.126,
    "difference_interval": [-0.229, -0.022],
    "ratio": 0.575,
    "ratio_interval": [0.359, 0.922],
    "words": {"nl": "", "en": ""},
    "hidden": None,
}
_SMALL: Json = {"exposure": "prehabilitation", "hospitals_in": 9, "hidden": "small"}
#: By stage, where one group is too small; and by something that the hospitals could not answer.
DIFFERENCE_STRATA: list[Json] = [
    {
        "variable": "stage_group",
        "rows": [
            {"site": None, "level": level, "n": n, "observed": None, "value": None,
             "hidden": found["hidden"], "difference": found}
            for level, n, found in (("II", 251, ALL_GROUPS), ("IV", None, _SMALL))
        ],
    },
    {"variable": "sex", "rows": [{"site": None, "level": None, "hidden": "SMALL_GROUP"}]},
]  # fmt: skip


def watched(names: Sequence[str]) -> Json:
    """The course of two hospitals over five quarters; the CUSUM of the second one signals."""

    def quarters(seen: Sequence[int], peaks: Sequence[float]) -> list[Json]:
        return [
            {"quarter": name, "n": 60, "observed": observed, "share": observed / 60,
             "expected": 12.0, "vlad": 12.0 * (at + 1) - sum(seen[: at + 1]), "median": None,
             "cusum": {"max": peak, "signal": peak > 4.5}}
            for at, (name, observed, peak) in enumerate(zip(names, seen, peaks, strict=True))
        ]  # fmt: skip

    rows = [
        {
            "site": "catharina",
            "quarters": quarters((12, 11, 13, 12, 10), (1.2, 0.9, 2.1, 1.0, 0.4)),
        },
        {"site": "viecuri", "quarters": quarters((13, 12, 21, 24, 14), (1.4, 1.1, 3.9, 6.3, 4.1))},
    ]
    return {"rows": rows, "rules": []}
