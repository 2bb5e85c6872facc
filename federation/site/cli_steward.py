"""`oncokring site …`: what a hospital's data steward looks at and decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from federation.site.cli_words import (
    FAILED,
    WRONG_USE,
    or_stop,
    print_json,
    stop,
    until_interrupted,
)
from federation.site.errors import DataError

if TYPE_CHECKING:
    from federation.site.steward.overview import Overview

_FOLDER = click.Path(path_type=Path)
_DIRECTORY = click.argument("directory", type=_FOLDER)
_BY = click.option("--by", required=True, help="Name of the person who decides.")
_REASON = click.option("--reason", required=True, help="Why, on one line; stays in the hospital.")
_LANG = click.option("--lang", type=click.Choice(["nl", "en"]), default="nl", show_default=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.command()
@_DIRECTORY
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="Questions.")
@click.option("--all", "everything", is_flag=True, help="Also receipts of consent lists.")
@click.option(
    "--bytes",
    "exact",
    type=(str, int),
    default=None,
    metavar="RUN STEP",
    help="Print the exact message of one step, and what it says.",
)
@_LANG
@_JSON
def sent(
    directory: Path,
    last: int,
    everything: bool,
    exact: tuple[str, int] | None,
    lang: str,
    as_json: bool,
) -> None:
    """Show in words everything that ever left this hospital, newest first."""
    from federation.site.steward.overview import Overview
    from federation.site.steward.sent_report import message_report, sent_lines, sent_report

    overview = or_stop(lambda: Overview(directory, lang))
    if exact is not None:
        run, step = exact
        print_json(or_stop(lambda: message_report(overview, run, step)))
    elif as_json:
        print_json(or_stop(lambda: sent_report(overview, last, everything)))
    else:
        _show(or_stop(lambda: list(sent_lines(overview, last, everything))))


@click.command()
@_DIRECTORY
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any free port.")
def page(directory: Path, port: int) -> None:
    """Show what left, what waits, policy and state in a browser on this machine, read-only."""
    from federation.site.steward.overview import Overview
    from federation.site.steward.page import PageServer

    overview = or_stop(lambda: Overview(directory))
    server = or_stop(lambda: PageServer(overview, port))
    click.echo(server.address)
    click.echo(
        "Open this address on this machine. It is new at every start. Ctrl-C ends.", err=True
    )
    until_interrupted(server.serve_forever, server.server_close)


@click.command()
@_DIRECTORY
@click.argument("query_sha256", required=False)
@click.option("--by", default=None, help="Name of the person who decides.")
@_LANG
@_JSON
def approve(
    directory: Path, query_sha256: str | None, by: str | None, lang: str, as_json: bool
) -> None:
    """List the queries that wait for this hospital's approval, or approve one by its hash."""
    from federation.site.steward.deciding import approve_query
    from federation.site.steward.overview import Overview

    overview = or_stop(lambda: Overview(directory, lang))
    if query_sha256 is None:
        if as_json:
            print_json([waiting.to_dict() for waiting in or_stop(overview.waiting)])
        else:
            _show(or_stop(lambda: list(_waiting_lines(overview))))
        return
    if not by:
        stop("Say who approves with --by.", WRONG_USE)
    sha256, name = query_sha256, by
    or_stop(lambda: approve_query(directory, sha256, name, datetime.now(UTC)))
    _say_question(overview, sha256)
    print_json({"approved": sha256})


@click.command()
@_DIRECTORY
@click.argument("query_sha256")
@_BY
@_REASON
@_LANG
def refuse(directory: Path, query_sha256: str, by: str, reason: str, lang: str) -> None:
    """Turn a query down by its hash, for good, unless `approve` follows."""
    from federation.site.steward.deciding import refuse_query
    from federation.site.steward.overview import Overview

    now = datetime.now(UTC)
    known = or_stop(lambda: refuse_query(directory, query_sha256, by, reason, now))
    if known:
        _say_question(or_stop(lambda: Overview(directory, lang)), query_sha256)
    else:
        click.echo("This query was not asked here yet; compare the hash once more.", err=True)
    print_json({"refused": query_sha256, "asked_before": known})


@click.command()
@_DIRECTORY
@_BY
@_REASON
def pause(directory: Path, by: str, reason: str) -> None:
    """Stop all answers at once; consent lists are still taken."""
    from federation.site.steward.deciding import pause_site

    stop = or_stop(lambda: pause_site(directory, by, reason, datetime.now(UTC)))
    print_json({"paused": stop.to_dict()})


@click.command()
@_DIRECTORY
@_BY
def resume(directory: Path, by: str) -> None:
    """Let a paused site answer again."""
    from federation.site.steward.deciding import resume_site

    or_stop(lambda: resume_site(directory, by, datetime.now(UTC)))
    print_json({"paused": None})


@click.command()
@_DIRECTORY
@click.option("--number", default=None, help="The local number; asked for without it.")
@_BY
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def erase(directory: Path, number: str | None, by: str, yes: bool) -> None:
    """Forget which bits of the ledger were a patient's, after the data were deleted."""
    from federation.site.data.report import sentence
    from federation.site.steward.deciding import erase_patient

    patient = number if number is not None else click.prompt("Patient number", err=True)
    if not yes:
        click.confirm("This cannot be undone. Go on?", abort=True, err=True)
    try:
        or_stop(lambda: erase_patient(directory, patient, by, datetime.now(UTC)))
    except DataError as error:
        stop(sentence(error), FAILED)
    print_json({"erased": True})


@click.command()
@_DIRECTORY
@_LANG
@_JSON
def policy(directory: Path, lang: str, as_json: bool) -> None:
    """Show the policy in words, and every key that somebody loosened with the days left."""
    from federation.site.steward.overview import Overview
    from federation.site.steward.policy_report import policy_lines, policy_report

    overview, now = or_stop(lambda: Overview(directory, lang)), datetime.now(UTC)
    if as_json:
        print_json(policy_report(overview, now))
    else:
        _show(policy_lines(overview, now))


COMMANDS = (sent, page, approve, refuse, pause, resume, erase, policy)


def _waiting_lines(overview: Overview) -> Iterator[str]:
    from federation.site.steward.sent_report import question_lines, when

    nothing = {"nl": "Er wacht geen vraag op goedkeuring.", "en": "No query waits for approval."}
    waiting = overview.waiting()
    if not waiting:
        yield nothing[overview.lang]
    for each in waiting:
        yield f"{when(each.asked_at, overview.lang)}  {each.question.title}".rstrip()
        yield f"  {each.query_sha256}"
        for line in question_lines(each.question, overview.lang):
            yield f"  {line}"
        yield f"  {each.approve}"
        yield f"  {each.refuse}"


def _say_question(overview: Overview, query_sha256: str) -> None:
    """On stderr, what was decided about."""
    from federation.site.steward.sent_report import question_lines

    question = overview.question("", query_sha256)
    for line in (question.title, *question_lines(question, overview.lang)):
        if line:
            _show([line], err=True)


def _show(lines: Iterable[str], err: bool = False) -> None:
    """Lines of text. Title and purpose come from elsewhere: nothing in them steers the terminal."""
    for line in lines:
        click.echo("".join(c if c.isprintable() else " " for c in line), err=err)
