"""``oncokring try``, ``explain`` and ``schema``: a question on local files, in words, as a schema.

Nothing but the result goes to stdout; every other word goes to stderr. Exit codes: 0 done,
1 failed, 2 wrong use, 3 refused by policy, 4 partial (the worst of several answers).
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console

from federation.disclosure.policy import Policy, PolicyError, load_policy
from federation.methods.base import Ask
from federation.methods.registry import KINDS, parse
from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook, load_codebook
from federation.query.errors import QueryError
from federation.query.json_data import load_json
from federation.query.model import Query
from federation.query.schema import json_schema
from federation.query.words import explain as words_of
from federation.site.data.shipped import shipped_mapping
from federation.site.directory import MAPPING_FILE
from federation.site.errors import DataError, SetupError
from registry.trial.files import WrongUse, find_files
from registry.trial.network import TrialNetwork
from registry.trial.sites import add_sites, check_sites
from registry.trial.tables import show

STUDY = "try"
OPEN_DATA = b"policy_version: 1\nopen_data: true\n"
MAX_FILE = 1_000_000
#: Exit code per status, the worst of several answers counts.
EXIT: Mapping[str, int] = {"complete": 0, "partial": 4, "insufficient": 4, "refused": 3}
SEVERITY = (0, 4, 3, 1)

Read = TypeVar("Read")
_FILE = click.Path(path_type=Path)
_SHIPPED = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@click.command("try")
@click.argument("queries", nargs=-1, required=True, type=_FILE)
@click.option("--codebook", required=True, type=_FILE, help="The codebook: a file, or oncomin/1.")
@click.option("--data", required=True, type=_FILE, help="Folder with one CSV or Parquet per site.")
@click.option(
    "--mapping",
    type=_FILE,
    help="How columns become variables (a file or a shipped one); else by name.",
)
@click.option("--policy", default="strict", help="strict, open-data or a policy file.")
@click.option("--engine", type=click.Choice(["embedded"]), default="embedded")
@click.option("--json", "as_json", is_flag=True, help="Print the answers as JSON.")
def try_command(
    queries: tuple[Path, ...],
    codebook: Path,
    data: Path,
    mapping: Path | None,
    policy: str,
    engine: str,
    as_json: bool,
) -> None:
    """Ask QUERIES of local files, through the same sites, guards and gate as in production."""
    # A terminated program must end its sites and remove its files, as an interrupted one does.
    for ended in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ended) is not signal.SIG_IGN:  # as under nohup
            signal.signal(ended, lambda number, _: sys.exit(128 + number))
    try:
        book = _codebook(codebook)
        asked = [_query(path, book) for path in queries]
        files = find_files(data)
        check_sites(asked, files)
        with TrialNetwork(book, _policy(policy), [query.study for query in asked]) as network:
            add_sites(network, files, asked, None if mapping is None else _mapping(mapping), _note)
            network.start()
            answers = [network.ask(query) for query in asked]
    except (WrongUse, QueryError, PolicyError) as error:
        _wrong_use(str(error))
    except SetupError as error:
        # The site calls its own copy by this name; the user knows the file that was given.
        _wrong_use(error.sentence.replace(MAPPING_FILE, mapping.name if mapping else MAPPING_FILE))
    except DataError as error:
        _wrong_use(f"The data cannot be read with this mapping ({error.code}).")
    _print(answers, asked, as_json)
    sys.exit(max((EXIT.get(a["status"], 1) for a in answers), key=SEVERITY.index))


@click.command("explain")
@click.argument("query", type=_FILE)
@click.option("--codebook", type=_FILE, help="The codebook; else the shipped one it names.")
@click.option("--policy", default="strict", help="strict, open-data or a policy file.")
@click.option("--lang", type=click.Choice(["en", "nl"]), default="en")
@click.option("--json", "as_json", is_flag=True, help="Print the sentences as JSON.")
def explain_command(
    query: Path, codebook: Path | None, policy: str, lang: str, as_json: bool
) -> None:
    """Say in words who is asked, what would leave each hospital and which thresholds apply."""
    try:
        book = _shipped(query) if codebook is None else _codebook(codebook)
        asked = _query(query, book)
        terms = _policy(policy).terms()
    except (WrongUse, QueryError, PolicyError) as error:
        _wrong_use(str(error))
    kind_words = KINDS[asked.kind].words(Ask(query=asked, codebook=book, terms=terms), lang)
    lines = words_of(asked, book, terms, kind_words, lang)
    click.echo(
        _json({"query_sha256": asked.sha256, "words": lines}) if as_json else "\n".join(lines)
    )


@click.command("schema")
@click.option("--codebook", type=_FILE, help="Name this codebook's variables in the schema.")
def schema_command(codebook: Path | None) -> None:
    """Print the JSON schema of a query."""
    try:
        book = None if codebook is None else _codebook(codebook)
    except (WrongUse, QueryError) as error:
        _wrong_use(str(error))
    click.echo(_json(json_schema(KINDS, book)))


def _wrong_use(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(2)


def _note(sentence: str) -> None:
    click.echo(sentence, err=True)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise WrongUse(
            f"{path} cannot be read; check its name and that you may read it."
        ) from error
    if len(content) > MAX_FILE:
        raise WrongUse(f"{path} is larger than 1 MB; this is not a file that belongs here.")
    return content


def _mapping(path: Path) -> bytes:
    shipped = shipped_mapping(path)
    return _bytes(path) if shipped is None else shipped


def _codebook(path: Path) -> Codebook:
    built_in = None if path.exists() else builtin_codebook(str(path))
    if built_in is not None:
        return built_in
    return _named(path, lambda: load_codebook(_bytes(path)))


def _shipped(query: Path) -> Codebook:
    """The codebook that comes with the program under the name that the query in a file gives."""
    # Only here: the trial itself needs nothing of the hub's data model.
    from studies.seeds.loading import shipped_codebook

    value = _named(query, lambda: load_json(_bytes(query)))
    wanted = value.get("codebook") if isinstance(value, dict) else None
    built_in = builtin_codebook(wanted) if isinstance(wanted, str) else None
    if built_in is not None:
        return built_in
    name = wanted.partition("/")[0] if isinstance(wanted, str) else ""
    if _SHIPPED.fullmatch(name):
        try:
            book = Codebook.from_dict(shipped_codebook(name))
        except FileNotFoundError:
            book = None
        if book is not None and book.id == wanted:
            return book
    raise WrongUse(
        f"{query.name} names a codebook that does not come with this program; "
        "give its file with --codebook."
    )


def _query(path: Path, book: Codebook) -> Query:
    def read() -> Query:
        value = load_json(_bytes(path))
        if isinstance(value, dict) and not value.get("study"):
            value["study"] = STUDY
        return parse(value, book)

    return _named(path, read)


def _named(path: Path, read: Callable[[], Read]) -> Read:
    """``read()``, with the file's name before what is wrong in it."""
    try:
        return read()
    except QueryError as error:
        raise WrongUse(f"{path.name}: {error}") from error


def _policy(name: str) -> Policy:
    if name == "strict":
        return Policy.strict()
    data = OPEN_DATA if name == "open-data" else _bytes(Path(name))
    return load_policy(data, datetime.now(UTC))


def _print(answers: Sequence[Mapping[str, Any]], asked: Sequence[Query], as_json: bool) -> None:
    if as_json:
        click.echo(_json(answers[0] if len(answers) == 1 else answers))
        return
    # In a file or a pipe there is no window that a table would have to fit into.
    width = None if sys.stdout.isatty() else 160
    console = Console(
        no_color="NO_COLOR" in os.environ or None, highlight=False, soft_wrap=True, width=width
    )
    for answer, query in zip(answers, asked, strict=True):
        show(console, answer, query.title or query.kind)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
