"""The network's yearly report: studies, recruitment, choices, questions; as page, PDF and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from consent.rounding import rounded
from consent.yearly import YearOfChoices, year_of_choices
from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.access import rule
from registry.own_networks import coordinating_in
from registry.pages.figure import Figure, both
from registry.pages.tidy import Cell, Head, Table
from registry.pictures.bars import Bar, BarGroup, BarWords, bars
from registry.receipts import pdf
from registry.transaction import current_session
from registry.translate import language, number
from registry.translate import translate as _
from studies.days import week_began
from studies.exchange.exporting import CSV_TYPE, Sheet, Value, to_csv
from studies.models import Network, Study
from studies.reading import list_networks
from studies.register.yearly import YearLine, YearOfStudies, bounds, year_of_studies, years
from studies.states import STUDY_KINDS

blueprint = Blueprint("report", __name__, url_prefix="/report")
READERS = frozenset(
    {"administrator", "auditor", "board", "chair", "committee", "coordinator", "group"}
)
LEAST = "<10"


@dataclass(frozen=True)
class Questions:
    """Questions of the network's studies in the year: asked, answered, refused, still under way."""

    asked: int
    answered: int
    refused: int


@dataclass(frozen=True)
class Report:
    """All of a year. `choices_until`: choices are counted up to a Monday while the year goes on,
    so that nobody sees a number jump when one known patient has just answered."""

    network: Network
    studies: YearOfStudies
    choices: YearOfChoices
    choices_until: datetime
    questions: Questions


@blueprint.get("")
@rule(roles=READERS)
def overview() -> str:
    """Every network with its years."""
    session = current_session()
    found = [(each, years(session, each.slug, g.now)) for each in list_networks(session)]
    return render_template("report/overview.html", found=found)


@blueprint.get("/<network>/<int:year>")
@rule(roles=READERS)
def page(network: str, year: int) -> str:
    """One year of a network."""
    return render_template("report/page.html", has_pdf=pdf.available(), **_shown(network, year))


@blueprint.get("/<network>/<int:year>.csv")
@rule(roles=READERS)
def csv_file(network: str, year: int) -> Response:
    """The numbers as one table: part, of what, which number, and the number."""
    session = current_session()
    report = report_of(session, network, year, g.now)
    rows = _rows(report, exact=_exact(session, network))
    sheet = Sheet(f"{network} {year}", ("part", "of", "number", "value"), tuple(rows))
    return _file(to_csv(sheet), CSV_TYPE, network, year, "csv")


@blueprint.get("/<network>/<int:year>.pdf")
@rule(roles=READERS)
def pdf_file(network: str, year: int) -> Response:
    """The report as tagged PDF, where this hub can make one."""
    if not pdf.available():
        raise NotFound
    html = render_template("report/paper.html", **_shown(network, year))
    return _file(pdf.make(html), "application/pdf", network, year, "pdf")


def report_of(session: Session, network: str, year: int, now: datetime) -> Report:
    """The numbers of a year. Raises StudiesError `not_found`."""
    found = year_of_studies(session, network, year, now)
    since, until = bounds(year, now)
    choices_until = until if found.complete else max(week_began(until), since)
    return Report(
        network=session.get_one(Network, network),
        studies=found,
        choices=year_of_choices(session, network, since, choices_until),
        choices_until=choices_until,
        questions=_questions(session, network, since, until),
    )


def _questions(session: Session, network: str, since: datetime, until: datetime) -> Questions:
    states = session.scalars(
        select(Run.state)
        .join(Study, Study.slug == Run.study)
        .where(Study.network == network, Run.submitted_at >= since, Run.submitted_at < until)
    ).all()
    answered = sum(state in RELEASED for state in states)
    return Questions(len(states), answered, sum(state == "refused" for state in states))


def _shown(network: str, year: int) -> Mapping[str, Any]:
    session = current_session()
    report = report_of(session, network, year, g.now)
    exact = _exact(session, network)
    return {
        "report": report,
        "studies": report.studies,
        "exact": exact,
        "facts": facts(report, exact=exact),
        "figure": _figure(report.studies),
        "tables": [
            _table(_("Per hospital"), _("Hospital"), report.studies.hospitals, exact=exact),
            _table(_("Per working group"), _("Working group"), report.studies.groups, exact=exact),
        ],
        "kinds": [
            (STUDY_KINDS[kind][1 if language() == "nl" else 0], n)
            for kind, n in sorted(report.studies.kinds.items())
        ],
        "files": {
            ending: url_for(f"report.{ending}_file", network=network, year=year)
            for ending in ("csv", "pdf")
        },
    }


def _exact(session: Session, network: str) -> bool:
    """Whether the reader sees participants to the last one: who coordinates a study here. Others
    see them as choices are shown, also in totals, since their own hospital's they may know."""
    return network in coordinating_in(session, g.actor)


def facts(report: Report, *, exact: bool) -> list[tuple[str, str]]:
    """The numbers of the network as a whole, in words."""
    year, choices, asked = report.studies, report.choices, report.questions
    return [
        (_("Studies that run"), number(year.running)),
        (_("Studies opened this year"), number(year.opened)),
        (_("Studies ended this year"), number(year.ended)),
        (_("Participants who joined a study"), _people(year.participants, exact=exact)),
        (_("Median days from invitation to opening"), number(year.start_up)),
        (_("Papers"), number(year.publications)),
        (_("Patients who got a letter"), _rounded(choices.invited)),
        (_("Patients who answered"), _rounded(choices.answered)),
        (_("Patients who took a choice back"), _rounded(choices.stopped)),
        (_("Questions asked"), number(asked.asked)),
        (_("Questions answered"), number(asked.answered)),
        (_("Questions refused"), number(asked.refused)),
    ]


def _rounded(count: int | None) -> str:
    return LEAST if count is None else number(count)


def _people(count: int, *, exact: bool) -> str:
    return number(count) if exact else _rounded(rounded(count))


def _table(caption: str, first: str, lines: tuple[YearLine, ...], *, exact: bool) -> Table:
    heads = (
        Head(first, "name", numeric=False),
        Head(_("Studies that run"), "running"),
        Head(_("Opened this year"), "opened"),
        Head(_("Participants"), "participants"),
        Head(_("Median days to opening"), "start_up"),
    )
    rows = tuple(
        (
            Cell(line.name(language()) or _("No working group"), numeric=False),
            *(Cell(number(n)) for n in (line.running, line.opened)),
            Cell(_people(line.participants, exact=exact)),
            Cell(number(line.start_up)),
        )
        for line in lines
        if line.slug is not None or line.running or line.participants
    )
    return Table(caption, heads, rows)


def _figure(year: YearOfStudies) -> Figure | None:
    if not year.hospitals:
        return None
    heading = _("Studies that run, per hospital")
    words = BarWords(
        title=heading,
        description=_("Bars of the number of studies per hospital. The table has the numbers."),
        axis=_("Number of studies"),
        hidden="",
    )
    lines = tuple(Bar(line.name(language()) or "", line.running) for line in year.hospitals)
    drawn = both(lambda shape: bars([BarGroup("", lines)], words=words, shape=shape, writer=number))
    return Figure(heading, "", drawn)


def _rows(report: Report, *, exact: bool) -> list[tuple[Value, ...]]:
    year = report.studies

    def of(line: YearOfStudies | YearLine, name: str) -> Value:
        if name != "participants" or exact:
            found: Value = getattr(line, name)
            return found
        return rounded(line.participants) or LEAST

    whole: list[tuple[Value, ...]] = [
        ("network", report.network.name, name, of(year, name))
        for name in ("running", "opened", "ended", "participants", "start_up", "publications")
    ]
    whole += [("kind", kind, "running", n) for kind, n in sorted(year.kinds.items())]
    whole += [
        ("choices", report.network.name, name, LEAST if count is None else count)
        for name in ("invited", "answered", "stopped")
        for count in [getattr(report.choices, name)]
    ]
    whole += [
        ("questions", report.network.name, name, getattr(report.questions, name))
        for name in ("asked", "answered", "refused")
    ]
    for part, lines in (("hospital", year.hospitals), ("group", year.groups)):
        whole += [
            (part, line.slug or "", name, of(line, name))
            for line in lines
            for name in ("running", "opened", "participants", "start_up")
        ]
    return whole


def _file(data: bytes, mimetype: str, network: str, year: int, ending: str) -> Response:
    response = Response(data, mimetype=mimetype)
    name = f"{network}-{year}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
