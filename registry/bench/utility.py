"""`python3 dev.py bench --utility 400`: what protection costs a researcher.

Random sensible questions are asked of ten running sites under the strict policy, by four
researchers, one after the other, so that the history grows as it would. Counted are the questions
that were refused and the numbers that were hidden; and for every shown count the difference with
the true pooled count, beside what the usual ways to suppress per site would have shown.
"""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from federation.disclosure.policy import Policy
from federation.methods.registry import parse
from registry.bench import patients
from registry.trial.files import find_files
from registry.trial.network import TrialNetwork
from registry.trial.sites import add_sites

#: Patients of one tumour at the hospitals of a region over some years.
SIZES = (2900, 2400, 2100, 1600, 1400, 1200, 900, 700, 450, 300)
STUDY = "utility"
RESEARCHERS = 4

_GROUPS = ("sex", "stage", "treated", "event")
#: Per variable the conditions that a researcher may set; of each variable one at most.
_CONDITIONS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "sex": ({"op": "=", "value": "1"}, {"op": "=", "value": "2"}),
    "treated": ({"op": "=", "value": True}, {"op": "=", "value": False}),
    "stage": ({"op": "in", "value": ["1", "2"]}, {"op": "in", "value": ["3", "4"]}),
    "size": ({"op": ">=", "value": 30}, {"op": "<", "value": 20}),
    "marker": ({"op": ">=", "value": 35}, {"op": "<", "value": 35}),
    "age": (
        *({"op": ">=", "value": age} for age in (50, 60, 70)),
        *({"op": "<", "value": age} for age in (60, 70, 80)),
    ),
}


def questions(n: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`n` questions of none to three conditions, by variables that no condition names."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    kinds = ["count"] * 8 + ["describe"] * 4 + ["survival"] * 4 + ["cox"] * 2 + ["regression"] * 2
    for number in range(n):
        chosen = chance.sample(sorted(_CONDITIONS), chance.choice((0, 1, 1, 2, 2, 3)))
        leaves = [{"var": name, **chance.choice(_CONDITIONS[name])} for name in chosen]
        kind = chance.choice(kinds)
        yield {
            "version": 1,
            "study": STUDY,
            "title": f"{kind} {number}",
            "purpose": "measuring",
            "codebook": "bench/1",
            "cohort": {"all": leaves} if leaves else {},
            "analysis": {"kind": kind, **_analysis(kind, chance, set(chosen))},
        }


def _analysis(kind: str, chance: random.Random, taken: set[str]) -> dict[str, Any]:
    free = [name for name in _GROUPS if name not in taken]
    if kind == "count":
        return {"by": chance.sample(free, min(len(free), chance.choice((1, 1, 2))))}
    if kind == "describe":
        numbers = chance.sample(("age", "size", "marker"), chance.choice((1, 2)))
        return {"variables": numbers, "by": chance.choice(free)}
    outcome = {"time": "days", "event": "event"}
    if kind == "survival":
        return {
            **outcome,
            "by": chance.choice([name for name in free if name != "event"] or [None]),
        }
    others = [v for v in ("age", "size", "treated", "stage", "sex", "marker") if v not in taken]
    terms = " + ".join(chance.sample(others, min(len(others), chance.choice((2, 3)))))
    if kind == "cox":
        return {**outcome, "formula": terms}
    return {"family": "binomial", "formula": f"event ~ {terms}"}


def _rounded(counts: Any, low: int, base: int) -> Any:
    kept = np.where(counts < low, 0, counts)
    return np.rint(kept / base) * base if base > 1 else kept


#: What the usual rules would show of a pooled count: each hospital suppresses its own first.
PER_SITE: Mapping[str, Callable[[Any], Any]] = {
    "below 5 counted as 0 (vantage6)": lambda counts: _rounded(counts, 5, 1).sum(),
    "below 8 counted as 0, rounded to 5 (OpenSAFELY)": lambda counts: _rounded(counts, 8, 5).sum(),
    "below 11 counted as 0 (TriNetX, PCORnet)": lambda counts: _rounded(counts, 11, 1).sum(),
}


def _matching(table: pd.DataFrame, leaves: list[dict[str, Any]]) -> Any:
    compare: Mapping[str, Callable[[Any, Any], Any]] = {
        "=": lambda column, value: column == float(value),
        "<": lambda column, value: column < value,
        ">=": lambda column, value: column >= value,
        "in": lambda column, values: column.isin([float(value) for value in values]),
    }
    mask = np.ones(len(table), bool)
    for leaf in leaves:
        mask &= compare[leaf["op"]](table[leaf["var"]], leaf["value"])
    return mask


def _level(name: str, label: str) -> float:
    return float({"false": 0, "true": 1}.get(label, label))


def differences(
    table: pd.DataFrame, question: Mapping[str, Any], result: Mapping[str, Any]
) -> Iterator[tuple[float, dict[str, float]]]:
    """For each shown cell of a count: shown minus true, and the same for each way in PER_SITE."""
    chosen = table[_matching(table, question["cohort"].get("all", []))]
    for cell in result["cells"]:
        if cell["n"] is None:
            continue
        inside = np.ones(len(chosen), bool)
        for name, label in cell["by"].items():
            inside &= (chosen[name] == _level(name, label)).to_numpy()
        sites = chosen[inside].groupby("site").size().reindex(range(len(SIZES)), fill_value=0)
        true = float(sites.sum())
        others = {name: float(way(sites.to_numpy())) - true for name, way in PER_SITE.items()}
        yield cell["n"] - true, others


def measure(n: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask `n` questions. Shares are of questions and of counted cells; differences in patients."""
    with tempfile.TemporaryDirectory(prefix="oncokring-utility-") as name:
        folder = Path(name)
        made = [patients.make(size, seed) for seed, size in enumerate(SIZES)]
        for i, columns in enumerate(made):
            patients.write(folder / f"site-{i:02d}.parquet", columns)
        table = pd.concat(
            [pd.DataFrame(columns).assign(site=i) for i, columns in enumerate(made)],
            ignore_index=True,
        )
        asked = list(questions(n))
        parsed = [parse(question, patients.CODEBOOK) for question in asked]
        codes: Counter[str] = Counter()
        cells = hidden = whole = 0
        ours: list[float] = []
        others: dict[str, list[float]] = {name: [] for name in PER_SITE}
        with TrialNetwork(patients.CODEBOOK, Policy.strict(), [STUDY]) as network:
            add_sites(network, find_files(folder), parsed[:1], None, say)
            network.start()
            start = time.perf_counter()
            for number, (question, query) in enumerate(zip(asked, parsed, strict=True)):
                answer = network.ask(query, requester=f"r{number % RESEARCHERS}")
                code = answer.get("code") or ("replayed" if answer.get("replayed") else "answered")
                codes[code] += 1
                if "result" not in answer or query.kind != "count":
                    continue
                values = [cell["n"] for cell in answer["result"]["cells"]]
                cells += len(values)
                hidden += values.count(None)
                whole += None not in values
                for own, theirs in differences(table, question, answer["result"]):
                    ours.append(own)
                    for name, value in theirs.items():
                        others[name].append(value)
                if (number + 1) % 50 == 0:
                    say(f"{number + 1} questions, {dict(codes)}")
            seconds = time.perf_counter() - start
    refused = sum(count for code, count in codes.items() if code.isupper())
    return {
        "questions": n,
        "patients": sum(SIZES),
        "codes": dict(codes),
        "refused_share": refused / n,
        "cells": cells,
        "hidden_share": hidden / cells if cells else 0.0,
        "seconds_per_question": seconds / n,
        "counts_compared": len(ours),
        "bias": float(np.mean(ours)) if ours else 0.0,
        "largest_difference": float(np.max(np.abs(ours))) if ours else 0.0,
        "bias_per_site_suppression": {name: float(np.mean(v)) for name, v in others.items() if v},
    }
