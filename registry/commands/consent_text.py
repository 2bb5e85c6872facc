"""``oncokring consent text``: the words patients read, from draft to the version in force.

A draft needs two people with an account who did not write it. Here they prove themselves with
password and one-time code, as on the page; the operator of the server cannot approve for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import yaml
from sqlalchemy.orm import Session

from consent import drafts
from consent.change_classes import problems
from consent.differences import Line, compare
from consent.errors import ConsentError
from consent.models import CHANGE_CLASSES, TextVersion
from consent.periods import Periods
from consent.reading_level import Reading, measure, words_of
from consent.renewing import periods_of
from consent.text_periods import unnamed
from consent.texts import check_content, versions
from federation.query.files import read_at_most
from federation.query.yaml_data import YamlError, load_yaml
from registry.accounts import sign_in as signing
from registry.commands.opening import now, open_hub_database, operator
from registry.text_roles import may_approve, names_of
from registry.transaction import reading, unit_of_work
from studies.actor import Actor
from studies.days import beginning
from studies.models import Study

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
CLASS = click.Choice(CHANGE_CLASSES)
LANGUAGE = click.Choice(["nl", "en"])
MAX_BYTES = 262_144
MAX_DEPTH = 8


@click.group("text")
def text() -> None:
    """The words patients read: drafts, approvals, versions."""


@text.command("list")
@click.argument("study")
@click.option("--json", "as_json", is_flag=True)
def list_(study: str, as_json: bool) -> None:
    """All versions of a study's text and the drafts that wait."""
    with reading(open_hub_database()) as session:
        rows = [_version_row(session, each) for each in versions(session, study)]
        waiting = [_draft_row(session, each) for each in drafts.drafts_of(session, study)]
    if as_json:
        click.echo(json.dumps({"versions": rows, "drafts": waiting}, ensure_ascii=False, indent=2))
        return
    for row in rows:
        people = ", ".join(row["approved_by"])
        click.echo(f"{row['number']}\t{row['class']}\tfrom {row['valid_from']}\t{people}")
    for row in waiting:
        people = ", ".join(row["approved_by"]) or "nobody yet"
        click.echo(f"draft {row['draft']}\t{row['class']}\tapproved by {people}")


@text.command()
@click.argument("study")
@click.argument("which", default="newest")
def show(study: str, which: str) -> None:
    """Print a text as a file to change: a version's number, a draft's id, or the newest."""
    with reading(open_hub_database()) as session:
        content = _content(session, study, which)
    click.echo(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=96), nl=False)


@text.command()
@click.argument("file", type=FILE)
@click.option("--study", help="Compare with the newest text of this study too.")
@click.option("--class", "change_class", type=CLASS, help="With --study: what the change is.")
@click.option("--widen", multiple=True, metavar="ITEM", help="An item that means more than before.")
def check(file: Path, study: str | None, change_class: str | None, widen: tuple[str, ...]) -> None:
    """Measure a text: is it whole, can most people read it, does its class fit?

    FILE is a text as `show` prints it, or plain Dutch words in a .txt. Exit code 1 when something
    must be mended.
    """
    if file.suffix == ".txt":
        words = [line for line in _bytes(file).decode("utf-8", "replace").splitlines() if line]
        if not _say_reading("nl", measure(words)):
            raise SystemExit(1)
        return
    content = _read(file)
    fine = _say_reading("nl", measure(words_of(content["nl"])))
    _say_reading("en", measure(words_of(content["en"]), "en"))
    periods = Periods()
    if study is not None:
        with reading(open_hub_database()) as session:
            newest = drafts.newest_text(session, study)
            old = None if newest is None else newest.content
            of = session.get(Study, study)
            periods = periods if of is None else periods_of(session, of.network)
        default = "first" if old is None else "clarifying"
        for code in problems(old, content, change_class or default, widen):
            click.echo(f"class: {code}")
            fine = False
    for language in unnamed(content, periods.use_years):
        click.echo(f"{language}: does not say that a yes holds for {periods.use_years} years")
    if not fine:
        raise SystemExit(1)


@text.command()
@click.argument("study")
@click.argument("file", type=FILE)
@click.option("--class", "change_class", type=CLASS, required=True, help="What the change is.")
@click.option("--widen", multiple=True, metavar="ITEM", help="An item that means more than before.")
@click.option("--new-nl", default="", help="What is new, in a Dutch sentence.")
@click.option("--new-en", default="", help="What is new, in an English sentence.")
@click.option("--ethics", default="", help="Reference of the ethics committee.")
def draft(
    study: str,
    file: Path,
    change_class: str,
    widen: tuple[str, ...],
    new_nl: str,
    new_en: str,
    ethics: str,
) -> None:
    """Bring a text in as a draft; prints its id for approve and publish."""
    content, by = _read(file), operator()
    with unit_of_work(open_hub_database(), by) as session:
        made = drafts.start(
            session,
            study=study,
            content=content,
            change_class=change_class,
            widened=widen,
            changes={"nl": new_nl, "en": new_en},
            ethics_reference=ethics,
            actor=by,
            now=now(),
        )
        for code in drafts.class_problems(session, made):
            click.echo(f"class: {code}", err=True)
        click.echo(made.id)


@text.command()
@click.argument("draft_id", metavar="DRAFT")
@click.option("--as", "name", required=True, help="Name of the account that approves.")
@click.option("--class", "change_class", type=CLASS, required=True, help="What you judge it is.")
def approve(draft_id: str, name: str, change_class: str) -> None:
    """Approve a draft, or object: a class other than the draft's stops it.

    Asks for password and one-time code of a committee or board member who did not write it.
    """
    factory = open_hub_database()
    with reading(factory) as session:
        found = drafts.find(session, draft_id)
        study, seen = found.study, drafts.draft_sha256(session, found)
        _say_differences(session, study, found.content)
        click.echo(f"study {study}, class {found.change_class}, sha256 {seen}", err=True)
    by = prove(factory, name)
    with unit_of_work(factory, by) as session:
        if not may_approve(session, by, study):
            raise click.ClickException(
                f"{name} is in no committee of {study} and in no board of its hospitals."
            )
        found = drafts.find(session, draft_id)
        drafts.approve(
            session, found, seen_sha256=seen, judged_class=change_class, actor=by, now=now()
        )
        done = "approved" if change_class == found.change_class else "objected"
        click.echo(f"{done}: {len(drafts.agreed(session, found))} of {drafts.APPROVALS} approvals")


@text.command()
@click.argument("draft_id", metavar="DRAFT")
@click.option("--from", "begins", metavar="YYYY-MM-DD", help="First day it is in force.")
def publish(draft_id: str, begins: str | None) -> None:
    """Publish a draft that two people approved, now or from the start of a later day."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        found = drafts.find(session, draft_id)
        made = drafts.publish(session, found, actor=by, now=now(), valid_from=_day(begins))
        click.echo(f"{made.study}: text {made.number} ({made.change_class}) {made.id}")


@text.command()
@click.argument("study")
@click.argument("old")
@click.argument("new", default="newest")
@click.option("--language", type=LANGUAGE, default="nl", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def diff(study: str, old: str, new: str, language: str, as_json: bool) -> None:
    """What differs between two texts: numbers of versions, ids of drafts, or newest."""
    with reading(open_hub_database()) as session:
        parts = compare(_content(session, study, old), _content(session, study, new), language)
    if as_json:
        rows = [
            {"part": part.code, "kind": line.kind, "old": line.old_text, "new": line.new_text}
            for part in parts
            for line in part.lines
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for part in parts:
        if part.kind != "same":
            click.echo(f"{part.code}: {part.kind}")
            for line in part.lines:
                for shown in _shown(line):
                    click.echo(f"  {shown}")


def _shown(line: Line) -> Iterator[str]:
    if line.kind == "same":
        return
    if line.old:
        yield f"- {line.old_text}"
    if line.new:
        yield f"+ {line.new_text}"


def _say_reading(language: str, found: Reading) -> bool:
    click.echo(
        f"{language}: {len(found.sentences)} sentences, {found.average:.1f} words on average, "
        f"longest {found.longest}"
    )
    for sentence in found.worst:
        hard = f" [{', '.join(sentence.hard)}]" if sentence.hard else ""
        mark = " " if sentence.fits else "!"
        click.echo(f"{mark} {sentence.words:2}{hard}  {sentence.text}")
    return found.fits


def _say_differences(session: Session, study: str, content: Mapping[str, Any]) -> None:
    newest = drafts.newest_text(session, study)
    for language in ("nl", "en"):
        parts = compare(None if newest is None else newest.content, content, language)
        for part in parts:
            for line in part.lines:
                for shown in _shown(line):
                    click.echo(f"{language} {part.code}: {shown}", err=True)


def prove(factory: Any, name: str) -> Actor:
    """The person with this account, by password and one-time code."""
    password = click.prompt("Password", hide_input=True, err=True)
    code = click.prompt("One-time code", hide_input=True, err=True)
    arrived = signing.sign_in(
        factory, name=name, password=password, code=code, address="console", now=now()
    )
    signing.sign_out(factory, actor=arrived.actor, session_id=arrived.session_id)
    return arrived.actor


def _content(session: Session, study: str, which: str) -> Mapping[str, Any]:
    if which == "newest" or (which.isascii() and which.isdigit()):
        numbers = {str(each.number): each for each in versions(session, study)}
        found = list(numbers.values())[-1:] if which == "newest" else [numbers.get(which)]
        if not found or found[0] is None:
            raise ConsentError("text_not_found")
        return _in_order(found[0].content)
    return _in_order(drafts.find(session, which, study).content)


def _in_order(content: Mapping[str, Any]) -> dict[str, Any]:
    """A stored text with its parts and questions in the order of the form."""
    made: dict[str, Any] = {"items": list(content["items"])}
    for language in ("nl", "en"):
        part = content[language]
        made[language] = {
            **{name: part[name] for name in ("title", "summary", "story")},
            "questions": {item: part["questions"][item] for item in content["items"]},
            **{name: part[name] for name in ("answers", "stop", "after")},
        }
    return made


def _version_row(session: Session, version: TextVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "id": version.id,
        "class": version.change_class,
        "widened": version.widened,
        "valid_from": version.valid_from.isoformat(timespec="seconds"),
        "approved_by": list(names_of(session, version.approved_by).values()),
        "items": version.content["items"],
    }


def _draft_row(session: Session, found: Any) -> dict[str, Any]:
    return {
        "draft": found.id,
        "class": found.change_class,
        "widened": found.widened,
        "sha256": drafts.draft_sha256(session, found),
        "approved_by": [each["name"] for each in drafts.agreed(session, found)],
        "objections": [each["name"] for each in drafts.objections(found)],
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        content = load_yaml(_bytes(file), MAX_BYTES, MAX_DEPTH)
    except YamlError as error:
        raise click.UsageError(f"{file.name}: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"{file.name}: this is not a text as 'show' prints it.")
    check_content(content)
    return content


def _bytes(file: Path) -> bytes:
    return read_at_most(file, MAX_BYTES)


def _day(begins: str | None) -> datetime | None:
    if begins is None:
        return None
    try:
        return beginning(date.fromisoformat(begins))
    except ValueError as error:
        raise click.UsageError("--from is a day such as 2027-01-31.") from error
