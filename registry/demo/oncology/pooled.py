"""The round's numbers again, with pandas on all consenting patients' rows in one place.

A network could never run this: it needs every row. The demo can, because nobody in it exists.
"""

from collections.abc import Sequence

import pandas as pd

from registry.demo.oncology.second_study import Second


def tumour_rows(second: Second) -> pd.DataFrame:
    """Every tumour of a consenting patient at every hospital that has a record of it."""
    made = []
    for slug, records in second.records.items():
        agreed = second.choices.agree(records)
        numbers = {n for n, yes in zip(records.numbers, agreed, strict=True) if yes}
        tumours = pd.DataFrame(dict(records.tables["tumour"]))
        treatments = pd.DataFrame(dict(records.tables["treatment"]))
        emergency = treatments[
            (treatments["treatment_kind"] == "surgery") & (treatments["urgency"] == "emergency")
        ]
        tumours = tumours[tumours["patient"].isin(numbers)].copy()
        tumours["site"] = slug
        tumours["emergency_surgery"] = tumours["number"].isin(emergency["tumour"])
        made.append(tumours)
    rows = pd.concat(made, ignore_index=True)
    for name in ("referral_date", "first_visit_date"):
        rows[name] = pd.to_datetime(rows[name])
    return rows


def access_days(rows: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    """Days from referral to first visit, at the hospital of that visit, emergencies left out."""
    month = rows["first_visit_date"].dt.strftime("%Y-%m")
    mine = rows[
        rows["first_seen_here"] & ~rows["emergency_surgery"] & (month >= first) & (month <= last)
    ]
    days = (mine["first_visit_date"] - mine["referral_date"]).dt.days
    return pd.DataFrame({"site": mine["site"], "days": days})


def ratio_of_medians(days: pd.DataFrame, site: str, others: Sequence[str]) -> float | None:
    """The seeds' rule by hand: a hospital's median access time over that of the others pooled.

    A median is the lower of two middle ones: a whole number of days, as the hospitals have it.
    None where one of the two has nobody.
    """
    pool = [each for each in others if each != site]
    own = days[days["site"] == site]["days"].dropna().sort_values()
    rest = days[days["site"].isin(pool)]["days"].dropna().sort_values()
    if own.empty or rest.empty:
        return None
    return float(own.iloc[(len(own) - 1) // 2]) / float(rest.iloc[(len(rest) - 1) // 2])
