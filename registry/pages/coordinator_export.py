"""Downloads: the coordinator's tables as CSV and Excel, a study as a FHIR bundle.

A download is a reading like any other page: it holds what the pages show and nothing more. Of
participants only the study's own pseudonyms leave, and only when that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date

from flask import Blueprint, Response, g, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from registry.access import rule
from registry.app import hub
from registry.pages.coordinator_accrual import by_month
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_flow import reason_name, stage_name
from registry.pages.coordinator_grid import wish_of
from registry.pages.coordinator_words import owner_name, state_name
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.days import local_day
from studies.events import announce
from studies.exchange.exporting import CSV_TYPE, XLSX_TYPE, Sheet, Value, to_csv, to_xlsx
from studies.exchange.fhir_research import R4, R5, Version, bundle
from studies.hospitals.facts import road_of_study
from studies.hospitals.pathway import BY_CODE
from studies.hospitals.steps import taken
from studies.models import Participation, Study
from studies.recruitment import accrual as recruiting
from studies.recruitment import screening
from studies.recruitment.screening import REASONS
from studies.register import grid as grids

blueprint = Blueprint("coordinator_export", __name__, url_prefix="/c")
#: More lines than this do not go into one file; filters make it smaller.
MOST_LINES = 20_000
_STAGES = ("screened", "eligible", "approached", "deciding", "consented", "registered")


@blueprint.get("/study/<slug>/download")
@rule(roles={"coordinator"}, scope="study")
def page(slug: str) -> str:
    """What can be downloaded of a study, and what is in it."""
    study = study_of(slug)
    tables = [
        ("hospitals", _("Hospitals"), _("State, days, next task, people and papers of each.")),
        (
            "steps",
            _("Steps"),
            _("Every step with its day. This file can be sent back in to take it over elsewhere."),
        ),
        ("accrual", _("Accrual"), _("Participants per month against the plan.")),
        ("screening", _("Screening"), _("Counts per hospital and month, with reasons.")),
    ]
    return render_template("coordinator/download.html", study=study, tables=tables)


@blueprint.get("/study/<slug>/download/<any(hospitals, steps, accrual, screening):table>.csv")
@rule(roles={"coordinator"}, scope="study")
def one_csv(slug: str, table: str) -> Response:
    """One table of a study as CSV."""
    sheet = SHEETS[table](current_session(), study_of(slug))
    return _file(to_csv(sheet), CSV_TYPE, f"{slug}-{table}.csv")


@blueprint.get("/study/<slug>/download/study.xlsx")
@rule(roles={"coordinator"}, scope="study")
def workbook(slug: str) -> Response:
    """All tables of a study in one workbook."""
    session, study = current_session(), study_of(slug)
    sheets = [make(session, study) for make in SHEETS.values()]
    return _file(to_xlsx(sheets), XLSX_TYPE, f"{slug}.xlsx")


@blueprint.get("/study/<slug>/download/fhir-<any(r4, r5):version>.json")
@rule(roles={"coordinator"}, scope="study")
def fhir(slug: str, version: str) -> Response:
    """The study as a FHIR bundle; participants by pseudonym only when the address asks for them."""
    session, study = current_session(), study_of(slug)
    release: Version = R5 if version == "r5" else R4
    participants = request.args.get("participants") == "1"
    made = bundle(
        session,
        study,
        g.now,
        base=f"{hub().settings.address.rstrip('/')}/",
        version=release,
        participants=participants,
    )
    announce(
        session,
        actor=g.actor,
        action="study.exported",
        about=f"study:{slug}",
        facts={"as": f"fhir-{release}", "participants": int(participants)},
    )
    text = json.dumps(made, ensure_ascii=False, indent=2)
    return _file(text.encode(), "application/fhir+json", f"{slug}-fhir-{version}.json")


@blueprint.get("/download.<any(csv, xlsx):kind>")
@rule(roles={"coordinator"})
def listed(kind: str) -> Response:
    """The lines of the list with the filters of the address."""
    found = grids.lines(
        current_session(),
        wish_of(grids.LINE_SORTS),
        g.now,
        language=language(),
        per_page=MOST_LINES,
    )
    sheet = Sheet(
        _("Studies and hospitals"),
        (
            _("Study"),
            _("Hospital"),
            _("State"),
            _("Since"),
            _("Days"),
            _("Next task"),
            _("Planned"),
            _("Whose turn"),
        ),
        tuple(
            (
                line.title(language()),
                line.hospital,
                state_name(line.cell.state),
                local_day(line.cell.since),
                line.cell.days,
                state_name(line.cell.next.code) if line.cell.next else "",
                line.cell.planned,
                owner_name(line.cell.next.owner) if line.cell.next else "",
            )
            for line in found.lines
        ),
    )
    if kind == "csv":
        return _file(to_csv(sheet), CSV_TYPE, "oncokring.csv")
    return _file(to_xlsx([sheet]), XLSX_TYPE, "oncokring.xlsx")


def _parts(session: Session, study: Study) -> list[Participation]:
    return sorted(
        session.scalars(
            select(Participation)
            .where(Participation.study == study.slug)
            .options(selectinload(Participation.steps), selectinload(Participation.of_institution))
        ),
        key=lambda part: part.of_institution.name.casefold(),
    )


def _hospitals(session: Session, study: Study) -> Sheet:
    road = road_of_study(session, study)
    rows: list[tuple[Value, ...]] = []
    for part in _parts(session, study):
        following = road.forward(part.state)
        rows.append(
            (
                part.of_institution.name,
                state_name(part.state),
                local_day(part.since),
                max(0, (g.now - part.since).days),
                state_name(following.code) if following else "",
                owner_name(following.owner) if following else "",
                part.investigator,
                part.contact,
                part.gcp_until,
                part.expected_per_year,
            )
        )
    heads = (
        _("Hospital"),
        _("State"),
        _("Since"),
        _("Days"),
        _("Next task"),
        _("Whose turn"),
        _("Principal investigator"),
        _("Contact"),
        _("GCP certificate valid until"),
        _("Patients a year, as they expect"),
    )
    return Sheet(_("Hospitals"), heads, tuple(rows))


def _steps(session: Session, study: Study) -> Sheet:
    """In the words of an import: what goes out here can come in there."""
    rows: list[tuple[Value, ...]] = []
    for part in _parts(session, study):
        for step in taken(part.steps):
            rows.append(
                (
                    study.slug,
                    part.of_institution.name,
                    BY_CODE[step.state].name(language()),
                    local_day(step.at),
                    part.contact,
                )
            )
    dutch = language() == "nl"
    heads = (
        ("studie", "ziekenhuis", "stand", "datum", "contact")
        if dutch
        else ("study", "hospital", "state", "date", "contact")
    )
    return Sheet(_("Steps"), heads, tuple(rows))


def _accrual(session: Session, study: Study) -> Sheet:
    found = recruiting.accrual(session, study, g.now)
    rows: tuple[tuple[date, int, int, float | None], ...] = tuple(
        (line.month, line.new, line.total, None if line.planned is None else round(line.planned, 1))
        for line in by_month(found)
    )
    return Sheet(_("Accrual"), (_("Month"), _("New"), _("Together"), _("Planned")), rows)


def _screening(session: Session, study: Study) -> Sheet:
    found = screening.counts(session, study.slug, g.now)
    names = {part.institution: part.of_institution.name for part in study.participations}
    codes = [(stage, code) for stage, reasons in REASONS.items() for code in reasons]
    rows = tuple(
        (
            names.get(month.institution, month.institution),
            month.month,
            *(getattr(month.counts, stage) for stage in _STAGES),
            *(getattr(month.counts, stage).get(code, 0) for stage, code in codes),
        )
        for month in found.months
    )
    heads = (
        _("Hospital"),
        _("Month"),
        _("Screened"),
        _("Eligible"),
        _("Approached"),
        _("Still deciding"),
        _("Consented"),
        _("Registered or randomised"),
        *(f"{stage_name(stage)}: {reason_name(stage, code)}" for stage, code in codes),
    )
    return Sheet(_("Screening"), heads, rows)


SHEETS: Mapping[str, Callable[[Session, Study], Sheet]] = {
    "hospitals": _hospitals,
    "steps": _steps,
    "accrual": _accrual,
    "screening": _screening,
}


def _file(body: bytes, kind: str, name: str) -> Response:
    answer = Response(body, content_type=kind)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
