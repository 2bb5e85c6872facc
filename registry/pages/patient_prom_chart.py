"""My own scores as pictures, sentences and tables. A threshold is a reason to talk, no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Flask
from markupsafe import Markup

from federation.prom.thresholds import THRESHOLDS, Threshold
from registry.pictures.own_scores import SHAPES, OwnScoreWords, Scored, own_score
from registry.translate import day, number
from registry.translate import translate as _

DRAWN = ("qlq_global", "qlq_physical", "qlq_emotional", "qlq_fatigue", "qlq_pain")
BETTER_HIGHER = frozenset(
    "qlq_global qlq_physical qlq_role qlq_emotional qlq_cognitive qlq_social qlq_summary"
    " eq5d_index eq_vas".split()
)


@dataclass(frozen=True)
class Point:
    """One score. when: the time point in words."""

    when: str
    short: str
    day: date
    value: float
    shown: str


@dataclass(frozen=True)
class Chart:
    """One kind of score. reached: whether the last lies beyond the threshold; None without one."""

    variable: str
    label: str
    better_higher: bool
    points: Sequence[Point]
    threshold: Threshold | None
    reached: bool | None
    drawings: Markup

    @property
    def last(self) -> Point:
        return self.points[-1]

    @property
    def limit(self) -> str:
        """The threshold as a number on the page."""
        return "" if self.threshold is None else number(self.threshold.value, 0)


def init_app(app: Flask) -> None:
    """Words that the templates of questionnaires use."""
    app.jinja_env.globals.update(instrument_label=instrument_label, timepoint_label=timepoint_label)
    app.jinja_env.filters["iso_day"] = lambda text: day(date.fromisoformat(text))


def chart_of(scores: Sequence[Sequence[Any]]) -> list[Chart]:
    """Per kind of score the points in order of time, the drawn ones first.

    scores: [day, instrument, time point, {variable: text}] as the hospital told them.
    """
    found: dict[str, list[Point]] = {}
    for on, _instrument, timepoint, values in scores:
        for name, text in values.items():
            shown = number(float(text), 2 if name == "eq5d_index" else 0)
            point = Point(
                timepoint_label(timepoint),
                _short(timepoint),
                date.fromisoformat(on),
                float(text),
                shown,
            )
            found.setdefault(name, []).append(point)
    order = [*DRAWN, *(name for name in score_labels() if name not in DRAWN)]
    return [_chart(name, found[name]) for name in order if name in found]


def _chart(name: str, points: Sequence[Point]) -> Chart:
    threshold, label = THRESHOLDS.get(name), score_labels()[name]
    drawn = Markup()
    if name in DRAWN:
        words = OwnScoreWords(
            title=label,
            description=", ".join(f"{each.when}: {each.shown}" for each in points),
            limit=""
            if threshold is None
            else _("limit %(value)s", value=number(threshold.value, 0)),
        )
        marks = [Scored(each.when, each.value, each.shown, each.short) for each in points]
        limit = None if threshold is None else (threshold.value, threshold.worse == "below")
        drawn = Markup().join(
            Markup(own_score(marks, limit, words=words, shape=shape, key=name.replace("_", "-")))  # noqa: S704 - our own SVG, every text escaped
            for shape in SHAPES
        )
    return Chart(
        name,
        label,
        name in BETTER_HIGHER,
        points,
        threshold,
        None if threshold is None else threshold.reached(points[-1].value),
        drawn,
    )


def score_labels() -> Mapping[str, str]:
    """What each score is about, in words of everyday life. Not words of the questionnaire."""
    return {
        "qlq_global": _("Your health and life as a whole"),
        "qlq_physical": _("What your body can do"),
        "qlq_role": _("Work and daily things"),
        "qlq_emotional": _("Feelings"),
        "qlq_cognitive": _("Memory and attention"),
        "qlq_social": _("Family and friends"),
        "qlq_fatigue": _("Tiredness"),
        "qlq_nausea": _("Nausea"),
        "qlq_pain": _("Pain"),
        "qlq_dyspnoea": _("Shortness of breath"),
        "qlq_insomnia": _("Trouble sleeping"),
        "qlq_appetite": _("Less appetite"),
        "qlq_constipation": _("Constipation"),
        "qlq_diarrhoea": _("Diarrhoea"),
        "qlq_finance": _("Money worries"),
        "qlq_summary": _("Everything together"),
        "eq5d_index": _("Health by EQ-5D, from 0 to 1"),
        "eq_vas": _("Your own mark for your health"),
    }


def _short(code: str) -> str:
    """A time point where there is little room."""
    return _("start") if code == "T0" else _("%(months)s mo", months=code.removesuffix("m"))


def instrument_label(code: str) -> str:
    """What a questionnaire is about, with its name."""
    return {
        "QLQ-C30": _("Questionnaire about complaints and daily life (QLQ-C30)"),
        "EQ-5D-5L": _("Questionnaire about your health today (EQ-5D)"),
    }.get(code, code)


def timepoint_label(code: str) -> str:
    """When a questionnaire is asked."""
    if code == "T0":
        return _("before the treatment")
    return _("after %(months)s months", months=code.removesuffix("m"))
