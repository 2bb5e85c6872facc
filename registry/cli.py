"""``oncokring``: one command for hub, site and trial.

Each subcommand is imported when it is called, so that a hospital's install without Flask and
SQLAlchemy runs ``oncokring site ...``. Data goes to stdout, words to stderr. Exit codes: 0 done,
1 failed, 2 wrong use, 3 refused by policy, 4 partial.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

# name -> (module, attribute, what it is for, extra that must be installed)
COMMANDS: Mapping[str, tuple[str, str, str, str]] = {
    "serve": ("registry.commands.serve", "serve", "Serve the hub's pages and API.", "hub"),
    "worker": (
        "registry.commands.worker",
        "worker",
        "Carry questions and consent.",
        "hub",
    ),
    "migrate": ("registry.commands.migrate", "migrate", "Bring the database up to date.", "hub"),
    "network": (
        "registry.commands.network",
        "network",
        "Networks and the keys of their sites.",
        "hub",
    ),
    "study": (
        "registry.commands.study",
        "study",
        "How a study's answers may leave: results per hospital, stricter thresholds.",
        "hub",
    ),
    "grid": (
        "registry.commands.grid",
        "grid",
        "Where the hospitals stand in their studies, and taking over a spreadsheet.",
        "hub",
    ),
    "recruitment": (
        "registry.commands.recruitment",
        "recruitment",
        "How many take part in a study, against the plan, and what is screened.",
        "hub",
    ),
    "consent": (
        "registry.commands.consent",
        "consent",
        "The words patients read, and what hospitals send by file.",
        "hub",
    ),
    "user": ("registry.commands.user", "user", "Accounts and roles.", "hub"),
    "token": ("registry.commands.token", "token", "Tokens for programs that use the API.", "hub"),
    "audit": ("registry.commands.audit", "audit", "Check and export the audit log.", "hub"),
    "vantage6": (
        "registry.commands.vantage6",
        "vantage6",
        "Set up and check the vantage6 server that carries the messages.",
        "hub,vantage6",
    ),
    "receipt": (
        "registry.commands.receipt",
        "receipt",
        "Check a receipt of a choice, also without the hub.",
        "client",
    ),
    "result": (
        "registry.commands.result",
        "result",
        "Open results of single hospitals that are sealed for a study.",
        "client",
    ),
    "indicator": (
        "registry.commands.indicator",
        "indicator",
        "What can be measured, how it is defined, and which level was agreed.",
        "hub",
    ),
    "round": (
        "registry.commands.round",
        "round_",
        "Evaluation rounds: plan, approve, read, act and measure again.",
        "hub",
    ),
    "benchmark": (
        "registry.commands.benchmark",
        "benchmark",
        "Reference figures of others, and a round's figures for them.",
        "hub",
    ),
    "prom": (
        "registry.commands.prom",
        "prom",
        "The wording of questionnaires that patients fill in.",
        "hub",
    ),
    "demo": ("registry.demo.command", "demo", "Start a network with synthetic data.", "hub,site"),
    "try": ("registry.cli_try", "try_command", "Ask a question of local files.", "hub,site"),
    "explain": (
        "registry.cli_try",
        "explain_command",
        "Say what a question asks and what leaves.",
        "hub",
    ),
    "schema": ("registry.cli_try", "schema_command", "Print the JSON schema of questions.", "hub"),
    "site": ("federation.site.cli", "site", "Run and look after a hospital's site.", "site"),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing anything."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; a missing extra is said in a sentence."""
        if cmd_name not in COMMANDS:
            return None
        module_name, attribute, _words, extra = COMMANDS[cmd_name]
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if missing.partition(".")[0] in ("registry", "federation"):
                if not f"{module_name}.".startswith(f"{missing}."):
                    raise
                # The site's image leaves the hub's rooms out, and the hub's image the site's.
                missing = f"oncokring[{extra}]"
            raise click.ClickException(
                f"'oncokring {cmd_name}' needs the package {missing}, which is not installed. "
                f"Install it with: pip install 'oncokring[{extra}]'"
            ) from error
        command = getattr(module, attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in COMMANDS
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table, so that --help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oncokring", prog_name="oncokring")
def cli() -> None:
    """Research data registry with consent and federated questions."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors of people's making end in one sentence, never in a traceback."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="oncokring")
    except MemoryError:
        click.echo("There is not enough memory for this; give the program more of it.", err=True)
        sys.exit(1)
    except Exception as error:
        if not _is_for_people(error):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _is_for_people(error: Any) -> bool:
    """Whether the message was written for people: settings, migrations, coded domain errors."""
    return type(error).__name__ in ("SettingsError", "MigrationRefused", "AuditFailure") or (
        hasattr(error, "code") and not isinstance(error, SystemExit)
    )


if __name__ == "__main__":
    main()
