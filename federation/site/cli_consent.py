"""`oncokring site …`: letters to patients, forms on paper, who may speak for whom, the outbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from federation.site.cli_words import FAILED, or_stop, print_json, stop, until_interrupted
from federation.site.errors import DataError, SetupError

if TYPE_CHECKING:
    from federation.site.desk.doing import Desk

_FOLDER = click.Path(path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DAY = click.DateTime(["%Y-%m-%d"])
_DIRECTORY = click.argument("directory", type=_FOLDER)
_BY = click.option("--by", required=True, help="Name of the person who does this.")
_NUMBER = click.option("--number", prompt="Patient number", help="Asked for without it.")
_ANY = click.option("--any-number", is_flag=True, help="Also when the number is not in the data.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@contextmanager
def at_desk(directory: Path, by: str) -> Iterator[Desk]:
    """The desk of a site; what goes wrong ends the command with a sentence."""
    from federation.site.data.report import sentence
    from federation.site.desk.doing import opened

    try:
        with opened(directory, by, datetime.now(UTC)) as desk:
            yield desk
    except SetupError as error:
        stop(error.sentence, 2)
    except DataError as error:
        stop(sentence(error), FAILED)


@click.command()
@_DIRECTORY
@click.option("--number", default=None, help="The local number; asked for without it.")
@click.option("--numbers", type=_FILE, default=None, help="A file with a local number per line.")
@click.option("--study", "studies", multiple=True, required=True, help="Study in the letter.")
@click.option("--out", type=_FOLDER, default=None, help="Folder for the letters, ready to print.")
@click.option("--language", type=click.Choice(["nl", "en"]), default="nl", show_default=True)
@click.option("--party", default="self", help="Representative to write to, as site person names.")
@click.option("--no-second", is_flag=True, help="Without six digits by another way.")
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True)
@click.option("--address", default=None, help="Web address of the patients' pages.")
@click.option("--phone", default=None, help="Telephone number for questions.")
@_ANY
def invite(directory: Path, number: str | None, numbers: Path | None, **given: Any) -> None:
    """Make letters with a code for patients. The hub is told with the next consent list."""
    from federation.site.desk.inviting import Batch, read_numbers, run_batch

    with at_desk(directory, "site") as desk:
        if numbers is None:
            wanted = [number or click.prompt("Patient number", err=True)]
        else:
            wanted = read_numbers(numbers)
        batch = Batch(
            numbers=wanted,
            studies=given["studies"],
            language=given["language"],
            party=given["party"],
            second=not given["no_second"],
            valid_for=timedelta(days=given["days"]),
            out=given["out"],
            address=given["address"],
            phone=given["phone"],
            any_number=given["any_number"],
        )

        def progress(done: int, of: int) -> None:
            click.echo(f"{done} of {of}", err=True)

        print_json(run_batch(desk, batch, datetime.now(UTC), progress))


@click.command()
@_DIRECTORY
@_NUMBER
@click.option("--born", default=None, metavar="YYYY-MM", help="Month of birth; stays here.")
@click.option("--decides", is_flag=True, help="An adult who decides alone (again).")
@click.option("--add", "role", default=None, help="Add somebody who speaks: parent, mentor, …")
@click.option("--from", "start", type=_DAY, default=None, help="First day of that authority.")
@click.option("--until", "end", type=_DAY, default=None, help="Last day of that authority.")
@click.option("--end", "party", default=None, help="End this representative's authority.")
@click.option("--died", is_flag=True, help="The patient has died.")
@click.option(
    "--not-died",
    is_flag=True,
    help="The death was entered by mistake; works when a second person says so too.",
)
@click.option("--no-contact", is_flag=True, help="No messages to this patient any more.")
@click.option("--by", default="site", help="Name of the person who does this.")
@_ANY
def person(directory: Path, number: str, by: str, any_number: bool, **given: Any) -> None:
    """Show or say who may decide for a patient: age, representatives, death, no messages."""
    from federation.site.choices.persons import change_person, person_report

    changes = {key: value for key, value in given.items() if value not in (None, False)}
    now = datetime.now(UTC)
    with at_desk(directory, by) as desk:
        if changes and by == "site":
            raise SetupError("say who does this with --by.")
        handle = desk.handle(number, any_number=any_number)
        if changes:
            with desk.act():
                change_person(desk.people, handle, changes, now)
        print_json(person_report(desk.database, handle, now))


@click.command()
@_DIRECTORY
@click.option("--months", type=click.IntRange(0, 24), default=3, show_default=True)
@click.option("--again", is_flag=True, help="Those who have to say yes again for new data.")
def due(directory: Path, months: int, again: bool) -> None:
    """List who turns 12 or 16 soon, or (patients and who decides for them) has to be asked again,
    without a new letter."""
    from federation.site.choices.asking_again import to_ask_again
    from federation.site.choices.handles import numbers_of
    from federation.site.choices.parties import coming_of_age
    from federation.site.store import moment

    now = datetime.now(UTC)
    until = now + timedelta(days=30 * months)
    with at_desk(directory, "site") as desk:
        if again:
            asked = to_ask_again(desk.directory, desk.database, now, until)
            wanted = {each.handle for each in asked}
            numbers = numbers_of(desk.directory, wanted) if wanted else {}
            print_json(
                [
                    {
                        "number": numbers.get(each.handle),
                        "party": each.party,
                        "from_day": moment(each.day).date().isoformat(),
                    }
                    for each in asked
                ]
            )
            return
        found = coming_of_age(desk.database, until)
        numbers = numbers_of(desk.directory, {handle for handle, _ in found}) if found else {}
        print_json(
            [{"number": numbers.get(handle), "from_month": month} for handle, month in found]
        )


@click.group()
def paper() -> None:
    """Enter what patients signed on paper, and confirm what a colleague entered."""


@paper.command("enter")
@_DIRECTORY
@_NUMBER
@click.option("--study", default=None, help="Study on the form.")
@click.option("--all-studies", is_flag=True, help="Stop in all studies.")
@click.option("--stop", "stops", is_flag=True, help="Stop with everything in the study.")
@click.option("--yes", "yes", multiple=True, help="Subject with a yes, such as use.record.")
@click.option("--no", "no", multiple=True, help="Subject with a no; works at once.")
@click.option("--later", "later", multiple=True, help="Subject with 'I don't know yet'.")
@click.option("--text", "text_version", default="", help="Number of the text on the form.")
@click.option("--signed-on", type=_DAY, required=True, help="Date of the signature.")
@click.option("--language", type=click.Choice(["nl", "en"]), default="nl", show_default=True)
@click.option(
    "--party",
    default=None,
    help="Who signed: self, or a representative as site person names. Needed where others speak "
    "for the patient too.",
)
@click.option("--how", type=click.Choice(["paper", "desk", "phone"]), default="paper")
@click.option("--scan", type=_FILE, default=None, help="The scan, of which only a hash is kept.")
@_BY
@_ANY
def paper_enter(directory: Path, number: str, by: str, any_number: bool, **given: Any) -> None:
    """Enter a form. A no works at once; a yes waits until a second person confirms it."""
    from consent.parties import SELF
    from federation.site.choices.parties import person
    from federation.site.desk.paper import Form, scan_hash

    answers = {item: said for said in ("yes", "no", "later") for item in given[said]}
    if len(answers) < sum(len(given[said]) for said in ("yes", "no", "later")):
        stop("A subject has two answers; look at the form again.", 2)
    if given["all_studies"] == (given["study"] is not None):
        stop("Give the study on the form with --study, or --all-studies.", 2)
    if (given["all_studies"] or given["stops"]) and answers:
        stop("Stopping with everything goes without single answers.", 2)
    if given["all_studies"] or given["stops"]:
        answers = {"*": "no"}
    now = datetime.now(UTC)
    with at_desk(directory, by) as desk:
        if given["study"] is not None:
            desk.check_study(given["study"])
        handle = desk.handle(number, any_number=any_number)
        if given["party"] is None and person(desk.database, handle).speakers:
            # A patient's own no is lifted by nobody else: a parent's must not become one.
            stop("Say who signed or called: --party self, or --party p-… (see site person).", 2)
        form = Form(
            handle=handle,
            study=given["study"] or "*",
            answers=answers,
            signed_on=given["signed_on"].date(),
            text_version=given["text_version"],
            language=given["language"],
            party=given["party"] or SELF,
            how=given["how"],
            scan_sha256="" if given["scan"] is None else scan_hash(given["scan"]),
        )
        with desk.act():
            entered = desk.paper.enter(form, now)
        print_json(
            {
                "form": entered,
                "works_now": sorted(item for item, said in answers.items() if said == "no"),
                "waits": sorted(item for item, said in answers.items() if said == "yes"),
            }
        )


@paper.command("confirm")
@_DIRECTORY
@click.argument("form")
@_BY
def paper_confirm(directory: Path, form: str, by: str) -> None:
    """Confirm the yes of FORM: you hold the form and compared it with what was entered."""
    with at_desk(directory, by) as desk:
        with desk.act():
            found = desk.paper.confirm(form, datetime.now(UTC))
        print_json({"form": form, "study": found.study, "yes": list(found.yes)})


@paper.command("end")
@_DIRECTORY
@click.argument("form")
@click.option("--reason", required=True, help="wrong_person, wrong_text, wrong_entry, …")
@_BY
def paper_end(directory: Path, form: str, reason: str, by: str) -> None:
    """Say that the yes of FORM should never have counted."""
    with at_desk(directory, by) as desk:
        with desk.act():
            desk.paper.end(form, reason, datetime.now(UTC))
        print_json({"form": form, "ended": reason})


@paper.command("list")
@_DIRECTORY
@click.option("--all", "everything", is_flag=True, help="Also forms that do not wait.")
def paper_list(directory: Path, everything: bool) -> None:
    """Show the forms that wait for a second person."""
    from federation.site.desk.paper import entered

    with at_desk(directory, "site") as desk:
        found = [each for each in entered(desk.database) if everything or each.waits]
        print_json([each.to_dict() for each in found])


@click.command()
@_DIRECTORY
@_JSON
def outbox(directory: Path, as_json: bool) -> None:
    """Show what this hospital told the hub of its patients; --json gives what still waits, as a
    file for `oncokring consent import`."""
    now = datetime.now(UTC)
    with at_desk(directory, "site") as desk:
        if as_json:
            with desk.act():
                messages = desk.outbox.waiting(most=20_000, most_bytes=40_000_000)
                desk.outbox.leaves(messages, now)
            click.echo(
                json.dumps(
                    {
                        "site": desk.directory.slug,
                        "messages": [message.decode("ascii") for message in messages],
                    },
                    indent=1,
                )
            )
            return
        for each in desk.outbox.listed():
            click.echo("\t".join(each.words()))


@click.command()
@_DIRECTORY
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any free port.")
@_BY
def desk(directory: Path, port: int, by: str) -> None:
    """Enter forms, check them and make letters in a browser on this machine, as one person."""
    from federation.site.desk.server import DeskServer

    server = or_stop(lambda: DeskServer(directory, by, port))
    click.echo(server.address)
    click.echo(
        "Open this address on this machine; it works once. The desk ends when you close it, after "
        "half an hour without use, or with Ctrl-C.",
        err=True,
    )
    until_interrupted(server.serve, server.end)


@click.group()
def destroy() -> None:
    """What patients asked to destroy, and what came of it."""


@destroy.command("list")
@_DIRECTORY
@click.option("--numbers", "with_numbers", is_flag=True, help="With the local patient numbers.")
@click.option("--all", "everything", is_flag=True, help="Also orders that were answered.")
def destroy_list(directory: Path, with_numbers: bool, everything: bool) -> None:
    """Show the orders that wait."""
    from federation.site.choices.destroying import orders
    from federation.site.choices.handles import numbers_of

    with at_desk(directory, "site") as desk:
        found = [each for each in orders(desk.database) if everything or each.open]
        wanted = {each.handle for each in found} if with_numbers else set()
        numbers = numbers_of(desk.directory, wanted) if wanted else {}
        print_json(
            [
                each.to_dict() | ({"number": numbers.get(each.handle)} if with_numbers else {})
                for each in found
            ]
        )


def _answering(outcome: str, words: str) -> click.Command:
    @_DIRECTORY
    @click.argument("order")
    @click.option("--reason", required=outcome != "done", default=None, help="Why, as a code.")
    @_BY
    def answer(directory: Path, order: str, reason: str | None, by: str) -> None:
        with at_desk(directory, by) as desk:
            with desk.act():
                found = desk.orders.report(order, outcome, reason, datetime.now(UTC))
            print_json(found.to_dict())

    return click.command(outcome, help=words)(answer)


destroy.add_command(_answering("done", "Everything of ORDER was destroyed."))
destroy.add_command(_answering("partly", "A part of ORDER was destroyed."))
destroy.add_command(_answering("impossible", "Nothing of ORDER can be destroyed."))

COMMANDS = (invite, person, due, paper, desk, outbox, destroy)
