"""The finding of waiting times and of trends, in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from federation.methods.control_charts import Chart, Finding, Point, p_chart
from federation.methods.cusum import chance_of_signal
from registry.pages.naming import Names
from registry.pages.phrases import patients
from registry.translate import number, percent
from registry.translate import translate as _


def waiting_time(result: Mapping[str, Any], _analysis: Mapping[str, Any], names: Names) -> str:
    """Within how many days half and 80% were, and the share within each norm."""
    median = days(result.get("median"))
    if not median:
        return _("%(patients)s are in this question.", patients=patients(result))
    words = _(
        "%(variable)s: half of %(patients)s within %(median)s days",
        variable=names.variable(str(result["variable"])),
        patients=patients(result),
        median=median,
    )
    late = days(result.get("p80"))
    words += _(", 80%% within %(days)s days.", days=late) if late else "."
    for norm in result.get("within") or []:
        if norm.get("share") is not None:
            words += " " + _(
                "Within %(days)s days: %(share)s.",
                days=number(norm["days"]),
                share=percent(norm["share"]),
            )
    return words


def days(pair: Sequence[int | None] | None) -> str:
    """A number of days, or the two between which it lies; empty where hidden."""
    if not pair or pair[0] is None or pair[1] is None:
        return ""
    if pair[0] == pair[1]:
        return number(pair[0])
    return _("%(low)s to %(high)s", low=number(pair[0]), high=number(pair[1]))


def per_hospital(parts: Sequence[Mapping[str, Any]], cusum_h: float | None = None) -> list[str]:
    """What the rules say of the hospitals that answered for themselves; `cusum_h` is the limit of
    the question's CUSUM."""
    said = []
    signals = [(part.get("rule") or {}).get("signal") for part in parts]
    judged = [signal for signal in signals if signal is not None]
    if judged:
        said.append(
            _(
                "In %(signals)s of %(judged)s half of the patients wait at least twice as long as "
                "half of all others together.",
                signals=number(sum(judged)),
                judged=number(len(judged)),
            )
        )
    charts = [chart_of(part) for part in parts if part.get("quarters")]
    if charts:
        said.append(
            _(
                "In %(found)s of %(shown)s the quarters differ more than by chance.",
                found=number(sum(bool(chart.findings) for chart in charts)),
                shown=number(len(charts)),
            )
        )
    chances = [] if cusum_h is None else [_chance(part, cusum_h) for part in parts]
    watched = [(part, each) for part, each in zip(parts, chances, strict=False) if each is not None]
    if watched:
        said.append(
            _(
                "The CUSUM gives a signal in %(signals)s of %(watched)s; chance alone gives one in "
                "about %(chance)s.",
                signals=number(sum(_signals(part) for part, _each in watched)),
                watched=number(len(watched)),
                chance=number(sum(each for _part, each in watched), 1),
            )
        )
    return said


def _signals(part: Mapping[str, Any]) -> bool:
    return any((quarter.get("cusum") or {}).get("signal") for quarter in part["quarters"])


def _chance(part: Mapping[str, Any], limit: float) -> float | None:
    """How likely a hospital's CUSUM signals while nothing changes: each of its patients with their
    mean expected share. None where it has no CUSUM, or a number for it is hidden."""
    quarters = part.get("quarters") or []
    expected = [quarter.get("expected") for quarter in quarters]
    n = part.get("n")
    if not n or None in expected or not any(quarter.get("cusum") for quarter in quarters):
        return None
    risk = sum(expected) / n
    return chance_of_signal(int(n), risk, limit) if 0 < risk < 1 else None


def trend(result: Mapping[str, Any], _analysis: Mapping[str, Any], _names: Names) -> str:
    """The first and the last share, and what the rules say of the quarters between."""
    quarters = [q for q in result.get("quarters") or [] if q.get("share") is not None]
    if len(quarters) < 2:
        return _("%(patients)s are in this question.", patients=patients(result))
    words = _(
        "From %(first)s in %(start)s to %(last)s in %(end)s, over %(patients)s.",
        first=percent(quarters[0]["share"]),
        start=quarters[0]["quarter"],
        last=percent(quarters[-1]["share"]),
        end=quarters[-1]["quarter"],
        patients=patients(result),
    )
    return f"{words} {rules_in_words(chart_of(result).findings)}"


def chart_of(result: Mapping[str, Any]) -> Chart:
    """The control chart of the released quarters."""
    return p_chart(
        [Point(q["quarter"], q.get("n"), q.get("observed")) for q in result.get("quarters") or []]
    )


def rules_in_words(findings: Sequence[Finding]) -> str:
    """What fired, or that chance alone can explain it."""
    if not findings:
        return _("Chance alone can explain how the quarters differ.")
    said = [rule_in_words(each) for each in findings[:3]]
    return " ".join(said)


def rule_in_words(found: Finding) -> str:
    """One rule that fired, as a sentence."""
    place = found.label
    if found.rule == "outside":
        side = _("above") if found.side > 0 else _("below")
        return _("%(quarter)s lies %(side)s the limits of chance.", quarter=place, side=side)
    if found.rule == "one_side":
        side = _("above") if found.side > 0 else _("below")
        return _(
            "Up to %(quarter)s eight quarters in a row lie %(side)s the mean.",
            quarter=place,
            side=side,
        )
    if found.rule == "rising":
        return _("Up to %(quarter)s six quarters in a row go up.", quarter=place)
    return _("Up to %(quarter)s six quarters in a row go down.", quarter=place)
