"""From what the hospitals answered to what a snapshot says of one indicator.

Nothing is worked out here that a reader could not work out from the shown numbers: sums for the
network are sums of shown rows, so they tell nothing that is hidden.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from federation.indicators.asking import Period
from federation.indicators.definition import Indicator
from federation.methods.funnel import may_rank, rank_reason, rank_word, share_interval, spread_of
from federation.rounds.answers import SMALL, Answer, Json, full_pair, middle, pair, refused, total
from federation.rounds.attention import judged
from federation.rounds.days import close_enough, days_of_all
from federation.rounds.differences import OF_ALL, difference_of, network_of_all
from federation.rounds.headlines import headline, lay_headline
from federation.rounds.snapshot import IndicatorFinding, Network, Row
from federation.rounds.states import LEFT
from federation.rounds.trends import trend_of


def finding_of(
    indicator: Indicator,
    answers: Mapping[str, Answer],
    *,
    out: Mapping[str, str],
    period: Period,
    names: Mapping[str, str],
) -> IndicatorFinding:
    """What a round found. ``out``: for each hospital of the round the reason that stands when it is
    not in the roster of this indicator; ``names``: their names, for the headline."""
    target = indicator.target(_last_day(period))
    shown_target = None if target is None else target.to_dict()
    main = answers.get("main")
    runs = tuple(each.asked for each in answers.values() if each.asked is not None)
    base: dict[str, Any] = {
        "id": indicator.id,
        "version": indicator.version,
        "definition": indicator.to_dict(),
        "target": shown_target,
        "runs": runs,
    }
    if main is not None and main.pooled and indicator.measure == "difference":
        return _of_all(indicator, main, answers.get("excluded"), out, base)
    if main is None or not main.own:
        code = None if main is None else main.why
        return IndicatorFinding(
            **base,
            status="refused" if code is not None else "not_answered",
            code=code,
            network=Network(0, hidden=SMALL),
            rows=tuple(Row(site, hidden=_reason(site, main, out)) for site in sorted(out)),
            headline=headline(indicator, (), names),
            headline_lay=lay_headline(indicator, Network(0, hidden=SMALL)),
        )
    rows = judged(
        indicator,
        [
            _row(indicator, site, main.own[site])
            if site in main.own and why != LEFT
            else Row(site, hidden=why)
            for site, why in sorted(out.items())
        ],
        shown_target,
    )
    rows = _with_excluded(rows, answers.get("excluded"))
    network = network_of(indicator.measure, rows)
    if indicator.measure == "survival":
        network = replace(network, **_curve(indicator, rows, answers.get("pooled")))
    trend = answers.get("trend")
    return IndicatorFinding(
        **base,
        status="shown",
        code=None,
        network=network,
        rows=tuple(rows),
        spread=_spread(indicator.measure, rows) if indicator.measure in ("share", "mean") else None,
        trend=None if trend is None or not trend.own else trend_of(trend.own),
        headline=headline(indicator, rows, names, norm=(shown_target or {}).get("within")),
        headline_lay=lay_headline(indicator, network),
        hidden=tuple({"site": row.site, "why": row.hidden} for row in rows if row.hidden),
        warnings=tuple(dict.fromkeys([*main.warnings, *(trend.warnings if trend else ())])),
    )


def _of_all(
    indicator: Indicator,
    main: Answer,
    excluded: Answer | None,
    out: Mapping[str, str],
    base: Mapping[str, Any],
) -> IndicatorFinding:
    """A difference is of all hospitals together, never of one."""
    found, network = difference_of(indicator, main), network_of_all(main, excluded)
    words = found.get("words")
    return IndicatorFinding(
        **base,
        status="shown",
        code=None,
        network=network,
        rows=tuple(
            Row(site, hidden=OF_ALL if site in main.sites and why != LEFT else why)
            for site, why in sorted(out.items())
        ),
        difference=found,
        headline=headline(indicator, (), {}) if words is None else words,
        headline_lay=lay_headline(indicator, network, found),
        warnings=main.warnings,
    )


def _reason(site: str, main: Answer | None, out: Mapping[str, str]) -> str:
    in_roster = main is not None and site in main.sites
    return SMALL if in_roster else out[site]


def _last_day(period: Period) -> str:
    year, _, month = period.last.partition("-")
    return date(int(year), int(month), 28).isoformat()


def _row(indicator: Indicator, site: str, part: Json) -> Row:
    why = refused(part)
    if why is not None:
        return Row(site, hidden=why)
    made = {
        "share": _share,
        "time": _time,
        "mix": _levels,
        "volume": _volume,
        "survival": _survival,
        "mean": _mean,
    }[indicator.measure](indicator, part)
    n, missing = part.get("n"), part.get("missing")
    whole = n is not None and (indicator.measure == "mix" or made["value"] is not None)
    return Row(site, n=n, missing=missing, hidden=None if whole else SMALL, **made)


def _share(_indicator: Indicator, part: Json) -> dict[str, Any]:
    n, observed = part.get("n"), part.get("observed")
    share = part.get("share")
    if share is None and observed is not None and n:
        share = observed / n
    low, high = part.get("share_low"), part.get("share_high")
    if low is None and observed is not None and n:
        low, high = share_interval(observed, n) or (None, None)
    pulled = part.get("shrunken")
    return {
        "observed": observed,
        "expected": part.get("expected"),
        "value": share,
        "low": low,
        "high": high,
        "ratio": part.get("ratio"),
        "variance": part.get("variance"),
        "limits95": full_pair(part.get("limits95")),
        "limits998": full_pair(part.get("limits998")),
        "widened95": full_pair(part.get("limits95_widened")),
        "widened998": full_pair(part.get("limits998_widened")),
        "shrunken": None
        if pulled is None
        else {"value": pulled["ratio"], "low": pulled["low"], "high": pulled["high"]},
        "outside": part.get("outside"),
    }


def _time(_indicator: Indicator, part: Json) -> dict[str, Any]:
    median, rule = close_enough(pair(part.get("median"))), part.get("rule")
    return {
        "value": middle(median),
        "low": None if median is None else median[0],
        "high": None if median is None else median[1],
        "median": median,
        "p80": close_enough(pair(part.get("p80"))),
        "within": tuple(part.get("within") or ()),
        "bins": tuple(part.get("bins") or ()),
        "rule": None if rule is None else copy.deepcopy(dict(rule)),
        "signal": None if rule is None else rule.get("signal"),
    }


def _levels(indicator: Indicator, part: Json) -> dict[str, Any]:
    n = part.get("n")
    found = []
    for cell in part.get("cells") or ():
        level = " / ".join(str(each) for each in cell["by"].values())
        count = cell.get("n")
        share = None if count is None or not n else count / n
        found.append({"level": level, "n": count, "share": share})
    return {"levels": tuple(found)}


def _volume(indicator: Indicator, part: Json) -> dict[str, Any]:
    n = part.get("n")
    return {"value": n, "observed": n, **_levels(indicator, part)}


def _survival(indicator: Indicator, part: Json) -> dict[str, Any]:
    group: Json = next(iter(part.get("groups") or ()), {})
    at = tuple(
        {"days": each["t"], "share": each["s"], "low": each.get("low"), "high": each.get("high")}
        for each in group.get("at") or ()
    )
    last = at[-1] if at else {}
    return {
        "observed": group.get("events"),
        "at": at,
        "value": last.get("share"),
        "low": last.get("low"),
        "high": last.get("high"),
    }


def _mean(_indicator: Indicator, part: Json) -> dict[str, Any]:
    """The interval is that of the mean; in the answer it is that of its difference."""
    expected, se = part.get("expected"), part.get("se")
    ends: tuple[float | None, ...] = part.get("ci_low"), part.get("ci_high")
    low, high = (None if expected is None or end is None else expected + end for end in ends)
    return {
        "value": part.get("mean"),
        "expected": expected,
        "low": low,
        "high": high,
        "variance": None if se is None else se * se,
        "outside": part.get("outside"),
    }


def _with_excluded(rows: Sequence[Row], excluded: Answer | None) -> list[Row]:
    """How many rows each hospital took out, where it may say so and is shown at all."""
    own = {} if excluded is None else excluded.own
    made = []
    for row in rows:
        part = own.get(row.site)
        told = part is not None and row.n is not None and refused(part) is None
        made.append(replace(row, excluded=part.get("n") if told and part else None))
    return made


def network_of(measure: str, rows: Sequence[Row]) -> Network:
    """The sums over the rows that are shown: of a whole network, or of a part of it."""
    shown = [row for row in rows if row.n is not None]
    if not shown:
        return Network(0, hidden=SMALL)
    # A total and what is said beside it are of the same hospitals: those that show the number.
    counted = [row for row in shown if _shows(measure, row)]
    if measure != "share":
        counted = counted or shown
    n = total(row.n for row in counted)
    base: dict[str, Any] = {
        "hospitals_in": len(counted),
        "n": n,
        "missing": total(row.missing for row in counted),
        # Part of a sum is no sum: not shown where one hospital's is not.
        "excluded": total(row.excluded for row in counted),
    }
    match measure:
        case "share":
            observed = total(row.observed for row in counted)
            if observed is None or not n:
                return Network(**base, hidden=SMALL)
            low, high = share_interval(observed, n) or (None, None)
            return Network(**base, observed=observed, value=observed / n, low=low, high=high)
        case "time":
            days = days_of_all(counted)
            return Network(**base, **days, hidden=None if days.get("median") else "not_close")
        case "mix" | "volume":
            value = n if measure == "volume" else None
            return Network(**base, value=value, observed=value, levels=_all_levels(counted))
        case "mean":
            mean = _weighted(counted)
            return Network(**base, value=mean, hidden=SMALL if mean is None else None)
        case _:
            return Network(**base, observed=total(row.observed for row in counted))


def _shows(measure: str, row: Row) -> bool:
    """Whether a row has what the sum of this measure is made of."""
    match measure:
        case "share":
            return row.observed is not None
        case "time":
            return bool(row.bins)
        case "mean":
            return row.value is not None
        case _:
            return True


def _curve(indicator: Indicator, rows: Sequence[Row], pooled: Answer | None) -> dict[str, Any]:
    """The survival of all together, which cannot be made of hospitals' own: from the pooled answer,
    unless on some day exactly one of its hospitals is hidden, which it would tell beside the
    others."""
    if pooled is None or not pooled.pooled:
        return {}
    made = _survival(indicator, pooled.pooled)
    inside = [row for row in rows if row.site in pooled.sites]
    for at in made["at"]:
        if sum(not _shows_day(row, at["days"]) for row in inside) == 1:
            return {"hidden": "derivable"}
    return {name: made[name] for name in ("at", "value", "low", "high")}


def _shows_day(row: Row, days: float) -> bool:
    """Whether a hospital's own survival on a day is shown, with how many it is of."""
    share = next((each["share"] for each in row.at if each["days"] == days), None)
    return None not in (row.n, row.observed, share)


def _weighted(rows: Sequence[Row]) -> float | None:
    counted = [(row.n, row.value) for row in rows if row.n and row.value is not None]
    n = sum(each for each, _ in counted)
    return sum(each * value for each, value in counted) / n if n else None


def _all_levels(rows: Sequence[Row]) -> tuple[Json, ...]:
    """The counts of a group over hospitals; not shown when one hospital's is not."""
    names = list(dict.fromkeys(each["level"] for row in rows for each in row.levels))
    whole = total(row.n for row in rows)
    found = []
    for name in names:
        count = total(
            next((each["n"] for each in row.levels if each["level"] == name), 0) for row in rows
        )
        share = None if count is None or not whole else count / whole
        found.append({"level": name, "n": count, "share": share})
    return tuple(found)


def _spread(measure: str, rows: Sequence[Row]) -> Json | None:
    """How far hospitals differ beyond chance, from the shown numbers beside the expected ones."""
    apart, within = [], []
    for row in rows:
        seen = row.observed if measure == "share" else row.value
        if seen is None or not row.expected or not row.variance:
            continue
        apart.append((seen - row.expected) / math.sqrt(row.variance))
        # Of a share the ratio is compared, of a mean the mean itself.
        within.append(row.variance / row.expected**2 if measure == "share" else row.variance)
    if len(apart) < 2:
        return None
    spread = spread_of(np.array(apart), np.array(within))
    return {
        "phi": spread.phi,
        "tau2": spread.tau2,
        "rankability": spread.rankability,
        "word": rank_word(spread.rankability),
        "may_rank": may_rank(spread.rankability),
        "why": {
            "en": rank_reason(spread.rankability, "en"),
            "nl": rank_reason(spread.rankability, "nl"),
        },
    }
