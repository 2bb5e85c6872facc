"""How the commands of `oncokring site` end and print: a sentence and a code, or JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

import click

from federation.site.errors import SetupError

OK, FAILED, WRONG_USE = 0, 1, 2

Made = TypeVar("Made")


def or_stop(make: Callable[[], Made]) -> Made:
    """What `make` gives; its SetupError ends the command with the sentence, as wrong use."""
    try:
        return make()
    except SetupError as error:
        stop(error.sentence, WRONG_USE)


def stop(sentence: str, code: int) -> NoReturn:
    """End the command with this exit code; the sentence goes to standard error."""
    click.echo(sentence, err=True)
    sys.exit(code)


def until_interrupted(serve: Callable[[], object], end: Callable[[], object]) -> None:
    """Serve until it ends by itself or a person ends it; then `end`."""
    # Also when it was started in the background, where a shell has interrupts ignored.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        serve()
    except KeyboardInterrupt:
        pass
    finally:
        end()


def print_json(value: object) -> None:
    """A value as JSON on standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))
