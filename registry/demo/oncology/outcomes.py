"""The outcomes of the year's round again, with pandas on all consenting patients' rows at once.

Written from the definitions in words, not from the program that hospitals run, so that the two can
disagree. A share counts whoever has the outcome known and, where the round allows for how ill
patients were, those numbers as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from registry.demo.oncology.second_study import Second

_BOWEL: Final = ("C18", "C19", "C20")
_SEVERE: Final = ("IIIa", "IIIb", "IVa", "IVb", "V")
_SHORT_STAY: Final = 14
#: A hospital that operates on nobody has empty columns: their type is said, not guessed.
_TYPES: Final = {
    **dict.fromkeys(
        (
            "topography_code", "stage_pathological", "stage_clinical", "asa", "charlson",
            "treated_here", "urgency", "treatment_intent", "treated_elsewhere", "vital_status",
            "complication", "los", "margin", "died_in_admission", "reintervention30",
            "unplanned_stoma", "readmission30",
        ),
        object,
    ),
    **dict.fromkeys(
        ("first_treatment", "first_surgery", "vital_date", "mdo_date"), "datetime64[ns]"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """One outcome: whose it is, the day that puts it in a period, and what is counted.

    outcome: per row True, False or None for not known. numbers: what must be known of a patient.
    """

    inside: Callable[[pd.DataFrame], "pd.Series[bool]"]
    day: str
    outcome: Callable[[pd.DataFrame], "pd.Series[Any]"]
    numbers: Sequence[str] = ()


def care_rows(second: Second) -> pd.DataFrame:
    """Every tumour of a consenting patient at every hospital that has a record of it, with its
    first treatment, its first operation and what came of that."""
    made = []
    for slug, records in second.records.items():
        agreed = second.choices.agree(records)
        mine = {n for n, yes in zip(records.numbers, agreed, strict=True) if yes}
        tables = {name: pd.DataFrame(dict(each)) for name, each in records.tables.items()}
        given = tables["treatment"].dropna(subset=["treatment_start"])
        given = given.sort_values("treatment_start", kind="stable").drop_duplicates(
            ["tumour", "treatment_kind"]
        )
        cut = given[given["treatment_kind"] == "surgery"].set_index("tumour")
        rows = tables["tumour"][tables["tumour"]["patient"].isin(mine)].set_index("number")
        rows["first_treatment"] = given.groupby("tumour")["treatment_start"].min()
        rows["first_surgery"] = cut["treatment_start"]
        for name in ("urgency", "treatment_intent", "treated_elsewhere"):
            rows[name] = cut[name]
        rows = rows.join(tables["outcome"].set_index("tumour"))
        people = tables["patient"].set_index("number")
        rows = rows.join(people[["vital_status", "vital_date"]], on="patient")
        for name in ("first_treatment", "first_surgery", "vital_date", "mdo_date"):
            rows[name] = pd.to_datetime(rows[name])
        made.append(rows[list(_TYPES)].astype(_TYPES).assign(site=slug))
    return pd.concat(made, ignore_index=True)


def shares_of(rows: pd.DataFrame, share: Share, first: str, last: str) -> Mapping[str, Any]:
    """By hospital: how many count, how many of them have the outcome, and the share."""
    month = rows[share.day].dt.strftime("%Y-%m")
    mine = rows[share.inside(rows) & (month >= first) & (month <= last)]
    mine = mine.assign(outcome=share.outcome(mine)).dropna(subset=["outcome", *share.numbers])
    return {
        str(slug): {
            "n": len(each),
            "observed": int(each["outcome"].astype(bool).sum()),
            "value": float(f"{each['outcome'].astype(bool).mean():.6g}"),
        }
        for slug, each in mine.groupby("site")
    }


def _operated_here(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["first_surgery"].notna() & (rows["treated_elsewhere"] == False)  # noqa: E712


def _bowel(rows: pd.DataFrame) -> "pd.Series[bool]":
    return _operated_here(rows) & rows["topography_code"].str[:3].isin(_BOWEL)


def _died(rows: pd.DataFrame) -> "pd.Series[Any]":
    days = (rows["vital_date"] - rows["first_surgery"]).dt.days
    found = pd.Series(None, rows.index, dtype=object)
    found[days > 30] = False
    # Alive at a last contact before that: nobody knows.
    found[(days <= 30) & (rows["vital_status"] == "dead")] = True
    return found


def _severe(rows: pd.DataFrame) -> "pd.Series[Any]":
    known = rows["complication"].notna()
    return rows["complication"].isin(_SEVERE).astype(object).where(known, None)


def _curable_colon(rows: pd.DataFrame) -> "pd.Series[bool]":
    stage = rows["stage_pathological"].fillna(rows["stage_clinical"])
    return (
        _operated_here(rows)
        & (rows["topography_code"].str[:3] == "C18")
        & stage.isin(("I", "II", "III"))
        & (rows["treatment_intent"] == "curative")
    )


def _textbook(rows: pd.DataFrame) -> "pd.Series[Any]":
    """All of six: no when one of them is known to be no, not known when one of them is not."""
    parts = pd.DataFrame(
        {
            "survived": _is(rows["died_in_admission"], lambda v: not v),
            "radical": rows["margin"].map({"R0": True, "R1": False}),
            "mild": _is(rows["complication"], lambda v: v not in _SEVERE),
            "once": _is(rows["reintervention30"], lambda v: not v),
            "no_stoma": _is(rows["unplanned_stoma"], lambda v: not v),
            "short": _short(rows),
        }
    )
    found = pd.Series(True, rows.index, dtype=object)
    found[parts.isna().any(axis=1)] = None
    found[(parts == False).any(axis=1)] = False  # noqa: E712
    return found


def _short(rows: pd.DataFrame) -> "pd.Series[Any]":
    stay = _is(rows["los"], lambda v: v < _SHORT_STAY)
    home = _is(rows["readmission30"], lambda v: not v)
    found = pd.Series(None, rows.index, dtype=object)
    found[(stay == True) & (home == True)] = True  # noqa: E712
    found[(stay == False) | (home == False)] = False  # noqa: E712
    return found


def _is(values: "pd.Series[Any]", check: Callable[[Any], bool]) -> "pd.Series[Any]":
    return values.map(lambda v: None if pd.isna(v) else check(v)).astype(object)


def _begun_here(rows: pd.DataFrame) -> "pd.Series[bool]":
    emergency = rows["first_surgery"].notna() & (rows["urgency"] == "emergency")
    return rows["treated_here"].astype(bool) & ~emergency


def _discussed(rows: pd.DataFrame) -> "pd.Series[Any]":
    # The files hold every meeting, so no day is no meeting.
    return (rows["mdo_date"] <= rows["first_treatment"]).astype(object)


SHARES: Final[Mapping[str, Share]] = {
    "mortality_30": Share(_bowel, "first_surgery", _died, ("asa",)),
    "textbook_outcome_colon": Share(_curable_colon, "first_surgery", _textbook, ("asa",)),
    "severe_complications": Share(_bowel, "first_surgery", _severe, ("asa", "charlson")),
    "mdo_before_treatment": Share(_begun_here, "first_treatment", _discussed),
}
