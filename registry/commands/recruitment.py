"""``oncokring recruitment``: how many take part in a study, against the plan, and what is screened.

Participants are shown by study number. Entering one takes the hospital's letter or a form that it
keeps, so that is done on the hospital's pages and over the API, never from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies.days import local_day
from studies.errors import StudiesError
from studies.exchange.fhir_research import R4, R5, bundle
from studies.models import Study
from studies.participants.entering import list_participants
from studies.participants.numbers import set_arms, settle_prefix
from studies.reading import get_study
from studies.recruitment import accrual, consort, screening, start_up
from studies.recruitment.forecast import Forecast

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def recruitment() -> None:
    """How many take part in a study, against the plan, and what is screened."""


@recruitment.command()
@click.argument("study")
@_as_json
def show(study: str, as_json: bool) -> None:
    """Show the recruitment of STUDY: number, plan, rate and when it will be complete."""

    def words(told: accrual.Accrual) -> None:
        target = "" if told.target is None else f" of {told.target}"
        click.echo(f"{told.study}: {told.n}{target} on {told.as_of}")
        if told.planned is not None:
            click.echo(f"planned by today: {told.planned:.1f}")
        click.echo(_forecast(told.forecast, told.no_forecast))
        for site in told.sites:
            rate = "" if site.rate is None else f"{site.rate:.2f} a month"
            click.echo(f"{site.institution}\t{site.state}\t{site.n}\t{rate}")

    _shown(study, as_json, accrual.accrual, words)


@recruitment.command()
@click.argument("study")
@_as_json
def flow(study: str, as_json: bool) -> None:
    """Show the CONSORT flow of STUDY, from who was screened to who was analysed."""

    def words(told: consort.Flow) -> None:
        click.echo(f"screened {told.screened}, not registered {told.excluded}:")
        for stage, n, reasons in told.reasons:
            why = ", ".join(f"{code} {number}" for code, number in reasons)
            click.echo(f"  {stage}\t{n}\t{why}")
        click.echo(f"registered {told.registered}")
        for arm in told.arms:
            each = arm.counts
            click.echo(
                f"  {arm.code}\tallocated {each.allocated}, received {each.received}, lost "
                f"{each.lost}, stopped {each.discontinued}, analysed {each.analysed}"
            )
        for fault in told.faults:
            click.echo(consort.ARM_FAULTS[fault][0], err=True)

    _shown(study, as_json, consort.flow, words)


@recruitment.command("start-up")
@click.argument("study")
@_as_json
def start_up_command(study: str, as_json: bool) -> None:
    """Show how many days each hospital of STUDY took per step, and the open days lost."""

    def words(told: start_up.StartUp) -> None:
        click.echo(
            f"first hospital open: {told.started or 'none yet'}; open days lost: {told.lost}"
        )
        for site in told.sites:
            steps = ", ".join(f"{step.state} {step.days}" for step in site.steps)
            click.echo(f"{site.institution}\t{site.opened or site.state}\t{steps}")
        for each in told.medians:
            click.echo(f"median {each.state}\t{each.days:g} days ({each.n} hospitals)")

    _shown(study, as_json, start_up.delays, words)


@recruitment.command("screening")
@click.argument("study")
@_as_json
def screening_command(study: str, as_json: bool) -> None:
    """Show what was screened for STUDY, per hospital and month, and which months are missing."""

    def asked(session: Session, found: Study, at: datetime) -> screening.Screening:
        return screening.counts(session, found.slug, at)

    def words(told: screening.Screening) -> None:
        for each in told.months:
            of = each.counts
            click.echo(
                f"{each.month}\t{each.institution}\tscreened {of.screened}, eligible {of.eligible},"
                f" approached {of.approached}, consented {of.consented}, registered {of.registered}"
            )
        for institution, month in told.missing:
            click.echo(f"{month}\t{institution}\tno counts yet", err=True)

    _shown(study, as_json, asked, words)


@recruitment.command()
@click.argument("study")
@click.option("--site", help="Only those with this hospital.")
@_as_json
def participants(study: str, site: str | None, as_json: bool) -> None:
    """List the participants of STUDY by number: state, since when, where."""
    with reading(open_hub_database()) as session:
        rows = [
            {
                "number": one.pseudonym,
                "state": one.state,
                "since": local_day(one.since).isoformat(),
                "site": one.site,
                "on_study": None if one.on_study is None else local_day(one.on_study).isoformat(),
                "counted_for": one.credited,
                "arm": one.arm,
            }
            for one in list_participants(session, _study(session, study).slug, site=site)
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo("\t".join(str(row[key]) for key in ("number", "state", "since", "site")))


@recruitment.command()
@click.argument("study")
@click.option("--r4", is_flag=True, help="FHIR R4 instead of R5.")
@click.option("--without-participants", is_flag=True, help="Only the study and its hospitals.")
@click.option("--base", default="https://hub.invalid/", help="The hub's address.")
def fhir(study: str, r4: bool, without_participants: bool, base: str) -> None:
    """Print STUDY with its hospitals and participants as a FHIR bundle."""
    with reading(open_hub_database()) as session:
        made = bundle(
            session,
            _study(session, study),
            now(),
            base=base if base.endswith("/") else f"{base}/",
            version=R4 if r4 else R5,
            participants=not without_participants,
        )
    click.echo(json.dumps(made, indent=1, ensure_ascii=False))


@recruitment.command()
@click.argument("study")
@click.argument("stages", nargs=-1, required=True)
@click.option("--site", help="Plan of one hospital of the study.")
def plan(study: str, stages: tuple[str, ...], site: str | None) -> None:
    """Plan the recruitment of STUDY in STAGES: DAY=NUMBER, the first with 0, the last the target.

    For example: oncokring recruitment plan breast-7 2026-01-01=0 2026-07-01=20 2027-01-01=100
    """

    def do(session: Session, found: Study) -> str:
        told = accrual.set_plan(
            session,
            found,
            [_stage(each) for each in stages],
            actor=operator(),
            now=now(),
            institution=site,
        )
        return f"{study}: {told.target} participants by {told.days()[-1][0]}"

    _done(study, do)


@recruitment.command()
@click.argument("study")
@click.argument("letters")
def numbering(study: str, letters: str) -> None:
    """Let the numbers of participants of STUDY begin with LETTERS, two to eight capitals."""

    def do(session: Session, found: Study) -> str:
        settle_prefix(session, found, letters, actor=operator(), now=now())
        return f"{study}: {letters}-0001, or {letters}-01-0001 with the hospital's number"

    _done(study, do)


@recruitment.command()
@click.argument("study")
@click.argument("named", nargs=-1, required=True, metavar="CODE=DUTCH=ENGLISH...")
def arms(study: str, named: tuple[str, ...]) -> None:
    """Name the arms of STUDY, in order; an arm that somebody is in stays."""

    def do(session: Session, found: Study) -> str:
        given = []
        for each in named:
            parts = each.split("=")
            if len(parts) != 3:
                raise click.UsageError("Give each arm as CODE=DUTCH=ENGLISH.")
            given.append((parts[0], parts[1], parts[2]))
        made = set_arms(session, found, given, actor=operator())
        return f"{study}: {', '.join(arm.code for arm in made)}"

    _done(study, do)


def _shown(
    study: str,
    as_json: bool,
    ask: Callable[[Session, Study, datetime], Any],
    words: Callable[[Any], None],
) -> None:
    with reading(open_hub_database()) as session:
        told = ask(session, _study(session, study), now())
    if as_json:
        click.echo(json.dumps(asdict(told), indent=1, default=_plain))
    else:
        words(told)


def _done(study: str, do: Callable[[Session, Study], str]) -> None:
    with unit_of_work(open_hub_database(), operator()) as session:
        try:
            said = do(session, _study(session, study))
        except StudiesError as error:
            raise click.UsageError(error.message) from error
    click.echo(said)


def _study(session: Session, slug: str) -> Study:
    try:
        return get_study(session, slug)
    except StudiesError as error:
        raise click.UsageError(f"There is no study '{slug}' in this hub.") from error


def _stage(text: str) -> tuple[date, int]:
    day, _, number = text.partition("=")
    try:
        return date.fromisoformat(day), int(number)
    except ValueError as error:
        raise click.UsageError("Give each stage as DAY=NUMBER, like 2026-07-01=20.") from error


_WHY = {
    "no_target": "no forecast: there is no plan with a target",
    "target_reached": "the target is reached",
    "nobody_open": "no forecast: no hospital is open, and none says when it will be",
    "nobody_yet": "no forecast: nobody has come in yet",
}


def _forecast(told: Forecast | None, why: str | None) -> str:
    if told is None:
        return _WHY[why or "no_target"]
    late = "more than 100 years away"
    return (
        f"complete on {told.median or late}, with 80% between {told.low or late} and "
        f"{told.high or late}"
    )


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
