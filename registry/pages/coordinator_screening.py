"""The screening log as counts: one small form per hospital and month, made for the keyboard.

Nothing about a person fits in it: numbers and reasons from a list. What does not add up is said at
the field; what somebody else wrote down in the meantime is shown beside one's own numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from registry.access import rule
from registry.pages.coordinator_accrual import month_name
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_flow import box_name, reason_name, stage_name
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language, number
from registry.translate import translate as _
from studies.days import local_day, local_month
from studies.errors import StudiesError
from studies.models import Study
from studies.recruitment import screening
from studies.recruitment.screening import FAULTS, REASONS, Counts, CountsDiffer, Month, Screening

blueprint = Blueprint("coordinator_screening", __name__, url_prefix="/c/study/<slug>/screening")
Answer = Response | str | tuple[str, int]
MONTHS_SHOWN = 12
#: The order of the form: what is counted, and the reasons of who did not go on from there.
ROAD: tuple[tuple[str, str | None], ...] = (
    ("screened", "not_eligible"),
    ("eligible", "not_approached"),
    ("approached", "declined"),
    ("deciding", None),
    ("consented", None),
    ("registered", None),
)
#: Which field a fault is about.
FIELD_OF: Mapping[str, str] = {
    "screened_differs": "screened",
    "eligible_differs": "eligible",
    "approached_differs": "approached",
    "registered_more": "registered",
}


@dataclass(frozen=True)
class Cell:
    """A month of a hospital in the overview: its counts, or whether they are awaited."""

    month: str
    counts: Counts | None
    missing: bool


@dataclass(frozen=True)
class Difference:
    """A number that somebody else wrote down, beside one's own."""

    label: str
    theirs: int
    mine: int


@blueprint.get("")
@rule(roles={"coordinator"}, scope="study")
def page(slug: str) -> str:
    """Which months are in, and the form of the hospital and month that was chosen."""
    study = study_of(slug)
    found = screening.counts(current_session(), slug, g.now)
    site, month = _chosen(study, found, request.args)
    kept = screening.current(current_session(), slug, site, month) if site else None
    return _page(study, found, site, month, kept, _typed_of(kept), {})


@blueprint.post("")
@rule(roles={"coordinator"}, scope="study")
def record(slug: str) -> Answer:
    """Write a month down, and go on with the next one that is missing."""
    session = current_session()
    study = study_of(slug)
    found = screening.counts(session, slug, g.now)
    site, month = _chosen(study, found, request.form)
    if site is None:
        raise NotFound
    typed = {name: request.form.get(name, "").strip()[:9] for name in _names()}
    errors = {
        _id(name): _("Give a whole number, 0 or more")
        for name, text in typed.items()
        if text and whole(text) is None
    }
    kept = screening.current(session, slug, site, month)
    if errors:
        return _page(study, found, site, month, kept, typed, errors), 422
    counts = _counts(typed)
    try:
        screening.record(
            session,
            study,
            site,
            month,
            counts,
            actor=g.actor,
            now=g.now,
            expected=whole(request.form.get("version", "")) or 0,
        )
    except CountsDiffer as error:
        errors = {FIELD_OF[code]: _fault(code, counts) for code in error.faults}
        return _page(study, found, site, month, kept, typed, errors), 422
    except StudiesError as error:
        if error.code != "changed_meanwhile" or kept is None:
            return _page(study, found, site, month, kept, typed, {"": _(error.message)}), 409
        return _page(study, found, site, month, kept, typed, {}, differs=True), 409
    missing = [each for each in screening.counts(session, slug, g.now, institution=site).missing]
    following = missing[0][1] if missing else month
    return redirect(
        url_for(".page", slug=slug, hospital=site, month=following, saved=month, _anchor="form"),
        303,
    )


def _chosen(study: Study, found: Screening, given: Mapping[str, str]) -> tuple[str | None, str]:
    """The hospital and month of the form: as asked, else the first that is missing."""
    places = {part.institution for part in study.participations}
    site = given.get("hospital", "")
    this = local_month(g.now)
    if site not in places:
        if not found.missing:
            return (min(places) if places else None), this
        return found.missing[0]
    month = given.get("month", "")
    known = [*_last_months(local_day(g.now)), *(each[1] for each in found.missing)]
    if month in known or month in {each.month for each in found.months}:
        return site, month
    awaited = [each for each in found.missing if each[0] == site]
    return site, awaited[0][1] if awaited else this


def _last_months(today: date) -> list[str]:
    """This month and the ones before it, the newest last."""
    month = today.year * 12 + today.month - 1
    return [f"{n // 12}-{n % 12 + 1:02d}" for n in range(month - MONTHS_SHOWN + 1, month + 1)]


def _names() -> list[str]:
    """The names of the form's fields, in their order."""
    names = []
    for stage, reasons in ROAD:
        names.append(stage)
        names += [f"{reasons}.{code}" for code in REASONS[reasons]] if reasons else []
    return names


def _id(name: str) -> str:
    return name.replace(".", "-")


def _typed_of(kept: Month | None) -> dict[str, str]:
    """What stands in the fields of a month that was written down before; else they are empty."""
    if kept is None:
        return {}
    typed = {}
    for stage, reasons in ROAD:
        typed[stage] = str(getattr(kept.counts, stage))
        for code in REASONS[reasons] if reasons else ():
            n = getattr(kept.counts, reasons or "").get(code, 0)
            typed[f"{reasons}.{code}"] = str(n) if n else ""
    return typed


def _counts(typed: Mapping[str, str]) -> Counts:
    """The counts of a form; an empty field is 0."""
    plain: dict[str, Any] = {stage: whole(typed[stage]) or 0 for stage, _reasons in ROAD}
    for _stage, reasons in ROAD:
        if reasons:
            plain[reasons] = {
                code: n
                for code in REASONS[reasons]
                if (n := whole(typed[f"{reasons}.{code}"]) or 0)
            }
    return screening.read(plain)


def _fault(code: str, counts: Counts) -> str:
    """What does not add up, with the numbers that were typed."""
    words = FAULTS[code][language() == "nl"]
    told = {
        "screened_differs": (counts.eligible + sum(counts.not_eligible.values()), counts.screened),
        "eligible_differs": (
            counts.approached + sum(counts.not_approached.values()),
            counts.eligible,
        ),
        "approached_differs": (
            counts.consented + sum(counts.declined.values()) + counts.deciding,
            counts.approached,
        ),
        "registered_more": (counts.registered, counts.consented),
    }[code]
    return f"{words} ({number(told[0])} ≠ {number(told[1])})" if "differs" in code else words


def _differences(kept: Month, typed: Mapping[str, str]) -> list[Difference]:
    theirs = _typed_of(kept)
    found = []
    for name in _names():
        a, b = whole(theirs.get(name, "")) or 0, whole(typed.get(name, "")) or 0
        if a != b:
            stage, _dot, code = name.partition(".")
            label = (
                f"{stage_name(stage)}: {reason_name(stage, code)}" if code else _stage_label(stage)
            )
            found.append(Difference(label, a, b))
    return found


def _stage_label(stage: str) -> str:
    return stage_name(stage) if stage == "deciding" else box_name(stage)


def _overview(study: Study, found: Screening) -> tuple[list[str], list[tuple[Any, list[Cell]]]]:
    """The last twelve months of every hospital that has counts or owes them."""
    months = _last_months(local_day(g.now))
    there = {(each.institution, each.month): each.counts for each in found.months}
    missing = set(found.missing)
    known = {site for site, _month in (*there, *missing)}
    rows = [
        (
            part.of_institution,
            [
                Cell(m, there.get((part.institution, m)), (part.institution, m) in missing)
                for m in months
            ],
        )
        for part in study.participations
        if part.institution in known
    ]
    return months, sorted(rows, key=lambda row: row[0].name.casefold())


def _page(
    study: Study,
    found: Screening,
    site: str | None,
    month: str,
    kept: Month | None,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    differs: bool = False,
) -> str:
    months, rows = _overview(study, found)
    places = sorted(
        ((part.institution, part.of_institution.name) for part in study.participations),
        key=lambda place: place[1].casefold(),
    )
    choosable = sorted({*months, *(each[1] for each in found.missing), month}, reverse=True)
    return render_template(
        "coordinator/screening.html",
        study=study,
        screening=found,
        total=[
            (_stage_label(f.name), getattr(found.total, f.name))
            for f in fields(Counts)
            if f.name in dict(ROAD)
        ],
        places=places,
        site=site,
        site_name=dict(places).get(site or "", ""),
        month=month,
        months=months,
        rows=rows,
        choosable=[(m, _month_words(m)) for m in choosable],
        month_words=_month_words,
        road=[
            (
                stage,
                _stage_label(stage),
                reasons and stage_name(reasons),
                [(f"{reasons}.{code}", reason_name(reasons, code)) for code in REASONS[reasons]]
                if reasons
                else [],
            )
            for stage, reasons in ROAD
        ],
        typed=typed,
        kept=kept,
        differences=_differences(kept, typed) if differs and kept else [],
        differs=differs,
        saved=request.args.get("saved", "")[:7],
        errors=errors,
    )


def _month_words(month: str) -> str:
    try:
        return month_name(date.fromisoformat(f"{month}-01"))
    except ValueError:
        return month
