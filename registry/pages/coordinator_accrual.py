"""How a study fills: accrual with its forecast, the CONSORT diagram, days lost in start-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from babel.dates import format_date
from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from registry.access import rule
from registry.forms.dates import Days
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_flow import (
    arm_fields,
    arm_lines,
    box_name,
    flow_figure,
    reason_name,
    stage_name,
)
from registry.pages.coordinator_words import brief, marks, state_name
from registry.pages.figure import Figure, both
from registry.pages.shell import whole
from registry.pictures.accrual import AccrualDrawing, AccrualWords, Dated, Fan
from registry.pictures.accrual import accrual as drawn
from registry.pictures.start_up import Road, StartUpWords, Stretch, start_up
from registry.transaction import current_session
from registry.translate import LOCALES, day, language, number, percent, translate_count
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.hospitals.pathway import BY_CODE
from studies.recruitment import accrual as recruiting
from studies.recruitment.accrual import Accrual
from studies.recruitment.consort import ARM_FAULTS
from studies.recruitment.consort import flow as flow_of
from studies.recruitment.start_up import StartUp
from studies.recruitment.start_up import delays as delays_of

blueprint = Blueprint("coordinator_accrual", __name__, url_prefix="/c/study/<slug>")
Answer = Response | str | tuple[str, int]


@dataclass(frozen=True)
class MonthLine:
    """A month of the curve: who came in, how many there are then, how many were planned."""

    month: date
    new: int
    total: int
    planned: float | None


@blueprint.get("/accrual")
@rule(roles={"coordinator"}, scope="study")
def page(slug: str) -> str:
    """The curve against the plan, with where the end may fall, and the rate of every hospital."""
    return _page(slug, Days({}), {})


@blueprint.post("/accrual")
@rule(roles={"coordinator"}, scope="study")
def plan(slug: str) -> Answer:
    """Settle how many participants are planned by when."""
    session = current_session()
    study = study_of(slug)
    days = Days(request.form)
    begin, end = days.needed("begin"), days.needed("end")
    target = whole(request.form.get("target", "").strip())
    errors = dict(days.errors)
    if not target:
        errors["target"] = _("Give a whole number above 0")
    if begin and end and begin >= end:
        errors["end"] = _("The last day comes after the first")
    if begin and end and target and not errors:
        try:
            recruiting.set_plan(
                session, study, [(begin, 0), (end, target)], actor=g.actor, now=g.now
            )
        except StudiesError as error:
            errors[""] = _(error.message)
    if errors:
        session.rollback()
        return _page(slug, days, errors), 422
    return redirect(url_for(".page", slug=slug), 303)


def _page(slug: str, days: Days, errors: dict[str, str]) -> str:
    study = study_of(slug)
    found = recruiting.accrual(current_session(), study, g.now)
    return render_template(
        "coordinator/accrual.html",
        study=study,
        accrual=found,
        figure=_accrual_figure(found) if found.curve or found.plan else None,
        finding=finding(found),
        months=by_month(found),
        state_name=state_name,
        marks=marks(),
        days=days,
        errors=errors,
        month_name=month_name,
        brief=brief,
    )


def month_name(first: date) -> str:
    """A month in words, for example "mrt. 2026"."""
    return str(format_date(first, format="MMM y", locale=LOCALES[language()]))


def by_month(found: Accrual) -> list[MonthLine]:
    """The curve per month, from the first inclusion to now: the picture in numbers."""
    if not found.curve:
        return []
    new = Counter[tuple[int, int]]()
    before = 0
    for moment, total in found.curve:
        new[moment.year, moment.month] += total - before
        before = total
    lines, total = [], 0
    month = found.curve[0][0].replace(day=1)
    while month <= found.as_of:
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        total += new[month.year, month.month]
        planned = (
            recruiting.planned_on(found.plan, min(following, found.as_of)) if found.plan else None
        )
        lines.append(MonthLine(month, new[month.year, month.month], total, planned))
        month = following
    return lines


def finding(found: Accrual) -> str:
    """What the picture says, in two or three sentences."""
    if found.target is None:
        said = [translate_count("%(count)s participant.", "%(count)s participants.", found.n)]
    else:
        said = [
            _(
                "%(n)s of %(target)s participants.",
                n=number(found.n),
                target=number(found.target),
            )
        ]
    if found.planned is not None and found.n != round(found.planned):
        behind = round(found.planned) - found.n
        said.append(
            translate_count("%(count)s behind the plan.", "%(count)s behind the plan.", behind)
            if behind > 0
            else translate_count("%(count)s ahead of plan.", "%(count)s ahead of plan.", -behind)
        )
    if found.forecast is not None:
        ahead = found.forecast
        if ahead.median and ahead.low and ahead.high:
            said.append(
                _(
                    "At this rate the last one comes in around %(middle)s; four in five chances "
                    "between %(low)s and %(high)s.",
                    middle=day(ahead.median),
                    low=day(ahead.low),
                    high=day(ahead.high),
                )
            )
        else:
            said.append(_("At this rate the target is not reached within a hundred years."))
        if ahead.chance is not None:
            share = percent(ahead.chance, 0)
            said.append(_("Chance that it is ready on the planned day: %(share)s.", share=share))
    elif found.no_forecast is not None:
        said.append(
            {
                "no_target": _("Without a plan there is no forecast."),
                "target_reached": _("The target is reached."),
                "nobody_open": _("No hospital is open, so there is no forecast."),
                "nobody_yet": _("Nobody has come in yet, so there is no forecast."),
            }[found.no_forecast]
        )
    return " ".join(said)


def _accrual_figure(found: Accrual) -> Figure:
    began = [d for d, _n in found.curve[:1]] + [d for d, _n in found.plan[:1]]
    opened = [site.opened for site in found.sites if site.opened is not None]
    first = min([*began, *opened])
    curve = tuple(Dated(d, float(n)) for d, n in found.curve)
    fan = found.forecast.fan if found.forecast else ()
    drawing = AccrualDrawing(
        today=found.as_of,
        actual=(Dated(first, 0.0), *curve),
        plan=tuple(Dated(d, float(n)) for d, n in found.plan),
        forecast=(
            (
                Fan(found.as_of, found.n, found.n, found.n),
                *(Fan(d, low, middle, high) for d, low, middle, high in fan),
            )
            if fan
            else ()
        ),
        target=found.target,
    )
    words = AccrualWords(
        title=_("Participants by date"),
        description=finding(found),
        axis=_("Participants"),
        actual=_("Came in"),
        plan=_("Plan"),
        forecast=_("Forecast"),
        target=_("Target %(n)s", n=number(found.target)) if found.target else "",
        today=_("today"),
    )
    return Figure(
        _("Participants by date"),
        _(
            "Somebody counts on the day they entered the study, once, for the hospital where that "
            "was. The fan holds four in five of the ways it may go, when hospitals go on at the "
            "rates they showed."
        ),
        both(
            lambda shape: drawn(drawing, words=words, shape=shape, writer=number, months=month_name)
        ),
    )


@blueprint.get("/consort")
@rule(roles={"coordinator"}, scope="study")
def flow(slug: str) -> str:
    """From everybody who was screened to what is analysed; of all hospitals or of one."""
    return flow_page(slug, request.args.get("hospital", ""), {}, {})


def flow_page(slug: str, chosen: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    """The page, with what was typed in the form of the arms."""
    session = current_session()
    study = study_of(slug)
    places = [(part.institution, part.of_institution.name) for part in study.participations]
    site = chosen if chosen in dict(places) else None
    found = flow_of(session, study, g.now, site)
    return render_template(
        "coordinator/consort.html",
        study=study,
        flow=found,
        figure=flow_figure(found) if found.screened or found.arms else None,
        box_name=box_name,
        stage_name=stage_name,
        reason_name=reason_name,
        faults=[ARM_FAULTS[code][language() == "nl"] for code in found.faults],
        places=sorted(places, key=lambda place: place[1].casefold()),
        site=site,
        arms=arm_lines(session, slug, site, typed) if site else [],
        arm_fields=arm_fields(),
        saved=request.args.get("saved") == "1" and not errors,
        errors=errors,
    )


@blueprint.get("/start-up")
@rule(roles={"coordinator"}, scope="study")
def delays(slug: str) -> str:
    """How long every step took in every hospital, and the days that were lost."""
    study = study_of(slug)
    found = delays_of(current_session(), study, g.now)
    return render_template(
        "coordinator/start_up.html",
        study=study,
        start_up=found,
        figure=_start_up_figure(found) if found.sites else None,
        state_name=state_name,
        marks=marks(),
        steps=[each.state for each in _steps_of(found)],
    )


@dataclass(frozen=True)
class _StepOf:
    state: str
    number: int


def _steps_of(found: StartUp) -> list[_StepOf]:
    seen = {step.state for site in found.sites for step in site.steps}
    return sorted(
        (_StepOf(state, BY_CODE[state].number) for state in seen), key=lambda each: each.number
    )


def _start_up_figure(found: StartUp) -> Figure:
    roads = [
        Road(
            site.name,
            tuple(Stretch(BY_CODE[step.state].number, step.days) for step in site.steps),
            site.opened is not None or site.ended,
        )
        for site in found.sites
    ]
    if found.medians:
        middle = tuple(
            Stretch(BY_CODE[each.state].number, round(each.days)) for each in found.medians
        )
        roads.insert(0, Road(_("In the middle"), middle, True, median=True))
    words = StartUpWords(
        title=_("Days in each step before opening"),
        description=_start_up_finding(found),
        axis=_("Days since the invitation"),
        steps=tuple((each.number, state_name(each.state)) for each in _steps_of(found)),
        going=_(" so far"),
    )
    return Figure(
        _("Days in each step before opening"),
        _start_up_finding(found),
        both(lambda shape: start_up(roads, words=words, shape=shape, writer=number)),
    )


def _start_up_finding(found: StartUp) -> str:
    said = []
    if found.median_days is not None:
        said.append(
            _(
                "Half of the hospitals that opened took %(days)s days or less.",
                days=number(found.median_days),
            )
        )
    if found.medians:
        slowest = max(found.medians, key=lambda each: each.days)
        said.append(
            _(
                "The longest step was %(step)s: %(days)s days in the middle.",
                step=state_name(slowest.state),
                days=number(slowest.days),
            )
        )
    if found.lost:
        said.append(
            _(
                "All hospitals together lost %(days)s days after the first one had opened.",
                days=number(found.lost),
            )
        )
    return " ".join(said) or _("No hospital has opened yet.")
