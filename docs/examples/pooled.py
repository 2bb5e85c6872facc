"""The Cox model of cox.json on all files in one place, by lifelines: what the network must equal.

.venv/bin/python docs/examples/pooled.py
"""

from pathlib import Path

import pandas as pd
from lifelines import CoxPHFitter

FOLDER = Path(__file__).parent / "hospitals"


def main() -> None:
    rows = pd.concat(
        [pd.read_csv(file).assign(site=file.stem) for file in sorted(FOLDER.glob("*.csv"))]
    )
    table = pd.DataFrame(
        {
            "chemotherapy[yes]": (rows["chemotherapy"] == "yes").astype(float),
            "age": rows["age"].astype(float),
            "stage[II]": (rows["stage"] == "II").astype(float),
            "stage[III]": (rows["stage"] == "III").astype(float),
            "rfs_days": rows["rfs_days"],
            "relapse": rows["relapse"].astype(int),
            "site": rows["site"],
        }
    )
    fit = CoxPHFitter().fit(table, "rfs_days", "relapse", strata=["site"])
    for term, estimate, se in zip(
        fit.params_.index, fit.params_, fit.standard_errors_, strict=True
    ):
        print(f"{term:20}{estimate:10.4g}{se:10.4g}")


if __name__ == "__main__":
    main()
