"""``oncokring round``: evaluation rounds from the command line, by the rules of the pages.

The operator of the server plans, but cannot approve: a member of the committee proves themselves
with password and one-time code. Nobody, the operator neither, gets a result before the release.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from federation.query.files import read_at_most
from federation.query.yaml_data import YamlError, load_yaml
from federation.rounds import planning, reading, view, wishes
from federation.rounds.coverage import Covers
from federation.rounds.errors import RoundError
from federation.rounds.plan import iso
from registry.access import reaches
from registry.commands.consent_text import prove
from registry.commands.opening import now, open_hub_database, operator
from registry.commands.round_actions import action
from registry.commands.round_notes import cause, history, note, notes
from registry.commands.round_printing import print_row, print_snapshot, row_of
from registry.transaction import reading as looking
from registry.transaction import unit_of_work
from registry.worker import drive_rounds

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MAX_BYTES = 1_000_000
MAX_DEPTH = 12
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


@click.group("round")
def round_() -> None:
    """Evaluation rounds: hospitals compare their care without sharing a patient."""


for command in (action, note, notes, cause, history):
    round_.add_command(command)


@round_.command("list")
@click.option("--group", help="Only of this working group, as network.group.")
@JSON
def list_(group: str | None, as_json: bool) -> None:
    """All rounds, the newest release first."""
    with looking(open_hub_database()) as session:
        found = reading.visible(session, groups=None if group is None else [group])
        rows = [row_of(session, each) for each in found]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['id']}\t{row['group']} {row['number']}\t{row['state']}\t"
            f"release {row['release_at']}\t{row['title']['en']}"
        )


@round_.command()
@click.argument("file", type=FILE)
@click.option("--offer", is_flag=True, help="Lay it before the committee at once.")
@JSON
def new(file: Path, offer: bool, as_json: bool) -> None:
    """Plan a round from FILE (YAML or JSON); FILE is only read."""
    wish, by, moment = wishes.read(_data(file)), operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        row = planning.plan(session, wish, actor=by, now=moment)
        if offer:
            planning.offer(session, row, version=row.version, actor=by, now=moment)
        shown = row_of(session, row)
    print_row(shown, as_json)


@round_.command()
@click.argument("round_id", metavar="ROUND")
@JSON
def show(round_id: str, as_json: bool) -> None:
    """One round: where it stands, and what it found once it is released."""
    with looking(open_hub_database()) as session:
        row = reading.get(session, round_id)
        shown = row_of(session, row)
        found = None
        if shown["state"] in ("released", "closed"):
            found = view.for_hospitals(reading.snapshot(session, row), ())
    if as_json:
        click.echo(json.dumps({**shown, "snapshot": found}, ensure_ascii=False, indent=2))
        return
    print_row(shown, False)
    if found is not None:
        print_snapshot(found)


@round_.command()
@click.argument("what", metavar="FILE|ROUND")
@JSON
def check(what: str, as_json: bool) -> None:
    """Who can answer what: of a plan in a file, or of a round. Exit code 1 when somebody cannot."""
    with looking(open_hub_database()) as session:
        path = Path(what)
        if path.is_file():
            made, _ = planning.read_wish(session, wishes.read(_data(path)), now())
        else:
            made = planning.plan_of(session, reading.get(session, what))
        found = planning.covers(session, made)
    if as_json:
        click.echo(json.dumps([_covers(each) for each in found], ensure_ascii=False, indent=2))
    else:
        for each in found:
            word = {True: "can answer", False: "cannot answer", None: "has not said"}[each.can]
            missing = f": {', '.join(each.missing)}" if each.missing else ""
            click.echo(f"{each.indicator}\t{each.site}\t{word}{missing}")
    if any(each.can is False for each in found):
        raise SystemExit(1)


@round_.command()
@click.argument("round_id", metavar="ROUND")
def offer(round_id: str) -> None:
    """Freeze the plan of a draft and lay it before the study's committee."""
    by, moment = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        row = reading.get(session, round_id)
        planning.offer(session, row, version=row.version, actor=by, now=moment)
        click.echo(f"{row.id}\toffered\tplan {row.plan_sha256}")


@round_.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("name")
@click.option("--plan", "sha256", help="The SHA-256 of the plan that was read; must be the same.")
def approve(round_id: str, name: str, sha256: str | None) -> None:
    """Say yes to the frozen plan as the account NAME, of the study's committee.

    Asks for password and one-time code. NAME did not plan the round.
    """
    factory = open_hub_database()
    by = prove(factory, name)
    with unit_of_work(factory, by) as session:
        row = reading.get(session, round_id)
        if not reaches(by, "committee", "study", row.study):
            raise RoundError("NOT_ALLOWED_HERE")
        if sha256 is not None and sha256 != row.plan_sha256:
            raise RoundError("ROUND_CHANGED")
        planning.approve(session, row, version=row.version, actor=by, now=now())
        click.echo(f"{row.id}\tapproved\tplan {row.plan_sha256}")


@round_.command()
@click.argument("round_id", metavar="ROUND")
def cancel(round_id: str) -> None:
    """Stop a round that is not released; what was answered is removed unseen."""
    by, moment = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        row = reading.get(session, round_id)
        planning.cancel(session, row, version=row.version, actor=by, now=moment)
    click.echo(f"{round_id}\tcancelled")


@round_.command()
@click.argument("round_id", metavar="ROUND")
def start(round_id: str) -> None:
    """Begin a round whose freeze date has come; the worker does the same by itself."""
    factory, moment = open_hub_database(), now()
    with looking(factory) as session:
        row = reading.get(session, round_id)
        if row.state != "approved" or row.freeze_at > moment:
            raise click.ClickException(
                f"This round is {reading.told(row)} and begins at {iso(row.freeze_at)}."
            )
    drive_rounds(factory, moment)
    click.echo(f"{round_id}\trunning")


@round_.command()
@click.argument("round_id", metavar="ROUND")
def release(round_id: str) -> None:
    """Release a round whose moment has come; before it nobody can. The worker does it by itself."""
    factory, moment = open_hub_database(), now()
    drive_rounds(factory, moment)
    with looking(factory) as session:
        row = reading.get(session, round_id)
        found = reading.snapshot(session, row)
    click.echo(f"{round_id}\treleased\tsnapshot {found.sha256}")


@round_.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--own", multiple=True, help="Name this hospital; the others keep their letters.")
@click.option("--patients", is_flag=True, help="What a representative of patients sees.")
@click.option("--form", type=click.Choice(["json", "csv"]), default="json")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; the screen.")
def export(round_id: str, own: tuple[str, ...], patients: bool, form: str, to: Path | None) -> None:
    """Write what a released round found, as JSON or as CSV with a line per hospital."""
    with looking(open_hub_database()) as session:
        found = reading.snapshot(session, reading.get(session, round_id))
    shown = view.for_patients(found) if patients else view.for_hospitals(found, own)
    if form == "json":
        text = json.dumps(shown, ensure_ascii=False, indent=2) + "\n"
    else:
        text = _csv(shown)
    if to is None:
        click.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")
        click.echo(f"{to.name}: {len(shown['indicators'])} indicators", err=True)


@round_.command()
@click.argument("round_id", metavar="ROUND")
def plan(round_id: str) -> None:
    """Print the plan of a round as a file to change, for `oncokring round new`."""
    with looking(open_hub_database()) as session:
        made = planning.plan_of(session, reading.get(session, round_id))
    text = yaml.safe_dump(wishes.written(made), allow_unicode=True, sort_keys=False, width=96)
    click.echo(text, nl=False)


def _csv(shown: Mapping[str, Any]) -> str:
    columns = ("n", "missing", "observed", "expected", "value", "low", "high", "outside", "signal")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["indicator", "version", "hospital", *columns, "not shown because"])
    for each in shown["indicators"]:
        rows = [*each["rows"], {**each["network"], "site": "network"}]
        for row in rows:
            values = [row.get(name) for name in columns]
            writer.writerow([each["id"], each["version"], row["site"], *values, row["hidden"]])
    return out.getvalue()


def _covers(each: Covers) -> dict[str, Any]:
    return {
        "indicator": each.indicator,
        "site": each.site,
        "can": each.can,
        "missing": list(each.missing),
    }


def _data(file: Path) -> Any:
    try:
        return load_yaml(read_at_most(file, MAX_BYTES), MAX_BYTES, MAX_DEPTH)
    except (OSError, YamlError) as error:
        raise click.UsageError(f"{file.name}: {error}") from error
