"""Make the invented patients of docs/examples/hospitals, the same ones each time.

    python docs/examples/make.py

Nobody in these files exists. Times to recurrence are exponential: shorter with a higher stage,
longer with chemotherapy, and cut off at the end of a follow-up of three to eight years.
"""

import csv
import math
import random
from pathlib import Path

FOLDER = Path(__file__).parent / "hospitals"
PATIENTS = {"kempenhof": 180, "maasoever": 160, "dommeldal": 150, "peelrand": 130}
RATE_PER_DAY = {"I": 1 / 6000, "II": 1 / 3000, "III": 1 / 1200}
HAZARD_RATIO_CHEMOTHERAPY = 0.65
COLUMNS = ("patient_id", "age", "stage", "chemotherapy", "rfs_days", "relapse")


def main() -> None:
    chance = random.Random(20261122)  # noqa: S311 - invented patients, no secrets
    for hospital, patients in PATIENTS.items():
        with (FOLDER / f"{hospital}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(COLUMNS)
            for number in range(1, patients + 1):
                stage = chance.choices(["I", "II", "III"], weights=[4, 4, 2])[0]
                chemotherapy = chance.random() < {"I": 0.2, "II": 0.5, "III": 0.7}[stage]
                rate = RATE_PER_DAY[stage] * (HAZARD_RATIO_CHEMOTHERAPY if chemotherapy else 1)
                recurrence = 1 + math.floor(-math.log(1 - chance.random()) / rate)
                end = chance.randrange(3 * 365, 8 * 365)
                out.writerow(
                    [
                        f"{hospital[:2]}{number:04d}",
                        min(90, max(25, round(chance.gauss(61, 11)))),
                        stage,
                        "yes" if chemotherapy else "no",
                        min(recurrence, end),
                        "true" if recurrence <= end else "false",
                    ]
                )


if __name__ == "__main__":
    main()
