"""The finding of a result in one or two sentences: the first thing on the result page.

Only released numbers are used, nothing is called a cause, and a comparison says whether chance
alone could explain it (p below 0.05).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from registry.pages.finding_groups import compare, histogram, mantel_haenszel
from registry.pages.finding_models import adjusted_mean, cox, mixed, regression, standardise
from registry.pages.finding_times import per_hospital, trend, waiting_time
from registry.pages.naming import Names
from registry.pages.phrases import chance, patients
from registry.translate import number, percent, translate_count
from registry.translate import translate as _

YEAR = 365.25


def finding(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> str:
    """The finding; empty when the envelope holds no released result."""
    result = envelope.get("result")
    if not isinstance(result, Mapping):
        return ""
    own = envelope.get("by_site") or {}
    if own and not result:
        return _per_hospital(own, query["analysis"].get("cusum_h"))
    say = SENTENCES.get(str(envelope.get("analysis")), _other)
    return say(result, query["analysis"], names)


def _per_hospital(own: Mapping[str, Mapping[str, Any]], cusum_h: float | None) -> str:
    """How many hospitals answered for themselves, when nothing was added up."""
    answered = [part for part in own.values() if "code" not in part]
    words = _(
        "%(shown)s of %(asked)s hospitals gave an answer of their own. Nothing was added up.",
        shown=number(len(answered)),
        asked=number(len(own)),
    )
    placed = [part["outside"] for part in answered if part.get("outside") is not None]
    if placed:
        words += " " + _(
            "%(outside)s of %(placed)s lie outside the 95%% limits; chance alone puts about "
            "%(chance)s there.",
            outside=number(sum(1 for each in placed if each)),
            placed=number(len(placed)),
            chance=number(len(placed) / 20, 1),
        )
    return " ".join([words, *per_hospital(answered, cusum_h)])


def _count(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    total = result.get("total", result.get("n"))
    by = list(analysis.get("by") or [])
    if total is None:
        return _("The total is hidden, because it would give away a small group.")
    words = _("%(patients)s fit this question.", patients=patients({**result, "n": total}))
    cells = [c for c in result.get("cells") or [] if c.get("n") is not None]
    if by and cells:
        top = max(cells, key=lambda c: int(c["n"]))
        group = names.group(by, [top["by"].get(v) for v in by])
        share = percent(top["n"] / total, 0) if total else "–"
        words += " " + _(
            "The largest group is %(group)s: %(n)s (%(share)s).",
            group=group,
            n=number(top["n"]),
            share=share,
        )
    test = result.get("test") or {}
    return f"{words} {chance(test.get('p'))}".strip()


def _competing_risks(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    by = analysis.get("by")
    groups = [g for g in result.get("groups") or [] if g.get("curve") or g.get("at")]
    if not groups:
        return _("Every group is too small to show.")
    gray = chance((result.get("gray") or {}).get("p"))
    day, shares = _last_shared(groups, "cif", 0.0)
    if day is None:
        words = _("%(patients)s are in this question.", patients=patients(result))
        return f"{words} {gray}".strip()
    cause = names.level(str(analysis["event"]), result.get("cause"))
    parts = [
        _(
            "%(share)s in the group “%(group)s”",
            share=percent(s, 0),
            group=names.level(by, g["level"]),
        )
        if by
        else percent(s, 0)
        for g, s in zip(groups, shares, strict=True)
    ]
    words = _(
        "After %(time)s, the share that had “%(cause)s” is %(shares)s.",
        time=_time(day),
        cause=cause,
        shares=_list(parts[:4]),
    )
    return f"{words} {gray}".strip()


def _list(parts: Sequence[str]) -> str:
    """Words with commas, and "and" before the last."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + _(" and ") + parts[-1]


def _survival(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    by = analysis.get("by")
    groups = [g for g in result.get("groups") or [] if g.get("curve") or g.get("at")]
    if not groups:
        return _("Every group is too small to show.")
    day, shares = _last_shared(groups)
    if day is None:
        return (
            _("%(patients)s are in this question.", patients=patients(result))
            + " "
            + chance((result.get("logrank") or {}).get("p"))
        )
    when = _time(day)
    if not by:
        words = _("After %(time)s, %(share)s had no event.", time=when, share=percent(shares[0], 0))
    elif len(groups) == 2:
        words = _(
            "After %(time)s, %(share)s of the group “%(group)s” had no event, "
            "against %(other_share)s of the group “%(other)s”.",
            time=when,
            share=percent(shares[0], 0),
            group=names.level(by, groups[0].get("level")),
            other_share=percent(shares[1], 0),
            other=names.level(by, groups[1].get("level")),
        )
    else:
        best = max(range(len(groups)), key=lambda i: shares[i])
        worst = min(range(len(groups)), key=lambda i: shares[i])
        words = _(
            "After %(time)s, the share without event runs from %(low)s (%(low_group)s) "
            "to %(high)s (%(high_group)s).",
            time=when,
            low=percent(shares[worst], 0),
            low_group=names.level(by, groups[worst].get("level")),
            high=percent(shares[best], 0),
            high_group=names.level(by, groups[best].get("level")),
        )
    return f"{words} {chance((result.get('logrank') or {}).get('p'))}".strip()


def _last_shared(
    groups: Sequence[Mapping[str, Any]], share: str = "s", start: float = 1.0
) -> tuple[float | None, list[float]]:
    """The latest time at which every group has a released share, and those shares.

    `share` is its key, `start` what it is before the first point.
    """
    known = [
        {p["t"]: p[share] for p in group.get("at") or [] if p.get(share) is not None}
        for group in groups
    ]
    days = set.intersection(*(set(k) for k in known)) if known else set()
    if days:
        return max(days), [k[max(days)] for k in known]
    known = [
        {p["t"]: p[share] for p in group.get("curve") or [] if p.get(share) is not None}
        for group in groups
    ]
    shared = min((max(k, default=0.0) for k in known), default=0.0)
    if shared <= 0:
        return None, []
    return shared, [k.get(max((t for t in k if t <= shared), default=-1.0), start) for k in known]


def _time(days: float) -> str:
    """Days in the unit people use: "5 years", "90 days"."""
    years = days / YEAR
    if abs(years - round(years)) < 0.02 and round(years) >= 1:
        return translate_count("%(count)s year", "%(count)s years", round(years))
    if days > 2 * YEAR:
        return _("%(years)s years", years=number(years, 1))
    return translate_count("%(count)s day", "%(count)s days", round(days))


def _describe(result: Mapping[str, Any], _analysis: Mapping[str, Any], names: Names) -> str:
    rows = [r for r in describe_rows(result) if r.get("mean") is not None]
    if not rows:
        return _("%(patients)s are in this question.", patients=patients(result))
    first = rows[0]
    name = first["variable"]
    words = _(
        "The mean of %(variable)s is %(mean)s (95%% interval %(low)s to %(high)s)",
        variable=names.with_unit(name).lower(),
        mean=number(first["mean"], 1),
        low=number(first.get("ci_low"), 1),
        high=number(first.get("ci_high"), 1),
    )
    same = [r for r in rows if r["variable"] == name]
    if len(same) > 1:
        words += " " + _("in the group “%(group)s”", group=group_name(same[0], names))
        words += _(
            ", and %(mean)s in the group “%(group)s”",
            mean=number(same[-1]["mean"], 1),
            group=group_name(same[-1], names),
        )
    return words + "."


def describe_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a `describe` result, one per variable and group."""
    return [
        {**group, "variable": entry["variable"], "by": entry.get("by")}
        for entry in result.get("variables") or []
        for group in entry.get("groups") or []
    ]


def group_name(row: Mapping[str, Any], names: Names) -> str:
    """The group of one row of `describe`."""
    by = row.get("by")
    return names.level(by, row.get("level")) if by else _("Everyone")


def _other(result: Mapping[str, Any], _analysis: Mapping[str, Any], _names: Names) -> str:
    return _("%(patients)s are in this question.", patients=patients(result))


SENTENCES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], Names], str]] = {
    "count": _count,
    "survival": _survival,
    "cox": cox,
    "describe": _describe,
    "histogram": histogram,
    "compare": compare,
    "regression": regression,
    "competing_risks": _competing_risks,
    "mantel_haenszel": mantel_haenszel,
    "mixed": mixed,
    "adjusted_mean": adjusted_mean,
    "waiting_time": waiting_time,
    "trend": trend,
    "standardise": standardise,
}
