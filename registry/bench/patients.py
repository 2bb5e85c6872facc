"""Synthetic patients for the bench: columns in memory and one Parquet file per site."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook

Columns = dict[str, NDArray[np.float64]]

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "bench/1",
        "unit": "patient",
        "key": "patient_id",
        "variables": {
            "age": {"type": "integer", "unit": "years", "min": 18, "max": 110, "cuts": {"step": 5}},
            "sex": {"type": "category", "levels": {"1": "male", "2": "female"}},
            "stage": {
                "type": "category",
                "levels": {"1": "I", "2": "II", "3": "III", "4": "IV"},
                "ordered": True,
            },
            "treated": {"type": "boolean"},
            "size": {
                "type": "number",
                "unit": "mm",
                "min": 0,
                "max": 300,
                "cuts": [10, 20, 30, 50, 80],
            },
            "marker": {"type": "number", "unit": "kU/l", "min": 0, "max": 5000, "cuts": [35, 200]},
            "days": {"type": "duration", "unit": "days", "min": 0, "max": 4000},
            "event": {"type": "boolean"},
            "ending": {
                "type": "category",
                "levels": {"0": "alive", "1": "died of cancer", "2": "died otherwise"},
            },
            "visits": {"type": "integer", "min": 0, "max": 400, "cuts": [1, 2, 4, 8, 16]},
        },
    }
)


def make(n: int, seed: int) -> Columns:
    """`n` patients of one site, the same for the same seed."""
    rng = np.random.default_rng(seed)
    age = np.clip(np.rint(rng.normal(64, 11, n)), 18, 110)
    sex = rng.integers(1, 3, n)
    stage = rng.choice([1, 2, 3, 4], n, p=[0.3, 0.3, 0.25, 0.15])
    treated = rng.random(n) < 0.55
    size = np.clip(np.round(rng.gamma(3, 9, n), 1), 0, 300)
    marker = np.clip(np.round(rng.lognormal(3, 1, n), 1), 0, 5000)
    risk = 0.03 * (age - 64) + 0.5 * (stage - 2) - 0.3 * treated + 0.01 * (size - 27)
    died = np.ceil(rng.exponential(2200 * np.exp(-risk)))
    left = np.ceil(rng.uniform(200, 1826, n))
    other = rng.random(n) < 0.3
    visits = rng.poisson(np.minimum(died, left) / 365 * np.exp(0.1 * (stage - 2)))
    columns = {
        "age": age,
        "sex": sex,
        "stage": stage,
        "treated": treated,
        "size": size,
        "marker": marker,
        "days": np.minimum(died, left),
        "event": died <= left,
        "ending": np.where(died <= left, 1 + other, 0),
        "visits": np.minimum(visits, 400),
    }
    return {name: np.asarray(values, np.float64) for name, values in columns.items()}


def write(path: Path, columns: Columns) -> None:
    """One Parquet file named as the codebook, with the row number as patient number."""
    import duckdb
    import pandas as pd

    whole = {"sex", "stage", "treated", "event", "age", "days", "ending", "visits"}
    table = pd.DataFrame(
        {name: v.astype(np.int64) if name in whole else v for name, v in columns.items()}
    )
    table.insert(0, "patient_id", [f"P{i:07d}" for i in range(len(table))])
    with duckdb.connect() as memory:
        memory.register("patients", table)
        target = str(path).replace("'", "''")
        memory.execute(f"COPY patients TO '{target}' (FORMAT parquet)")
