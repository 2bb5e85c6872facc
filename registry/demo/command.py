"""`oncokring demo`: the main job on this machine, checked against the pooled answer."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

MARK = ".oncokring-demo"
ENGINES = ("embedded", "vantage6")


@click.command("demo")
@click.option("--once", is_flag=True, help="Stop after the report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Where the demo lives; emptied at every start.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=ENGINES[0],
    show_default=True,
    help="What carries the messages; vantage6: a real vantage6 server, started here by dev.py.",
)
@click.option(
    "--patients",
    type=click.IntRange(0, 20_000),
    default=20_000,
    show_default=True,
    help="Invented patients of the second study, in which hospitals compare care; 0: without it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def demo(once: bool, as_json: bool, directory: Path, engine: str, patients: int, port: int) -> None:
    """Ten hospitals on this machine: consent, questions, an evaluation round, and the pages."""
    from registry.demo.report import Report, run_demo

    words = Console(stderr=True)
    data = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 100, soft_wrap=False)
    _empty(directory)
    started = time.monotonic()

    def say(sentence: str) -> None:
        words.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {sentence}", highlight=False)

    # Nobody looks at the pages of a demo that runs once.
    with (
        _ready(),
        run_demo(
            directory.resolve(), say, engine, whole=not once, second_patients=patients
        ) as running,
    ):
        report = Report.make(running, say, None if as_json else data)
        if as_json:
            click.echo(json.dumps(_jsonable(report.to_dict()), ensure_ascii=False, indent=2))
        say(
            "Every number agrees with the pooled answer."
            if report.holds
            else "Something does not agree with the pooled answer; see the report."
        )
        if not once:
            from registry.demo.pages import serve_pages

            serve_pages(running, directory.resolve(), port, words if as_json else data)
    sys.exit(0 if report.holds else 1)


@contextmanager
def _ready() -> Iterator[None]:
    """What is missing on this machine is said in a sentence."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in ("Vantage6NotHere", "ServerError", "DemoFailed"):
            raise
        raise click.ClickException(str(error)) from error


def _empty(directory: Path) -> None:
    """Start from nothing, but never delete what the demo did not make."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).is_file():
            raise click.UsageError(
                f"The directory {directory.name} holds files that the demo did not make, so it "
                "was left as it is. Name another one with --directory."
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).write_text("Made by oncokring demo; emptied at every start.\n", "utf-8")


def _jsonable(report: dict[str, Any]) -> dict[str, Any]:
    # A round trip refuses NaN here and not in the reader's program.
    made: dict[str, Any] = json.loads(json.dumps(report, allow_nan=False))
    return made
