"""The reference pages say what the code says: a name that is added, moved or gone fails here."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from federation.disclosure.policy import FLOOR, FLOOR_REST, Policy, load_policy, read_policy
from federation.methods.registry import KINDS, parse
from federation.query.codebook import load_codebook
from federation.query.errors import CODES
from federation.query.refusals import REFUSALS
from federation.query.terms import terms_to_dict
from federation.query.yaml_data import load_yaml
from registry.app import create_app
from registry.cli import cli
from registry.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
EXAMPLES = ROOT / "docs" / "examples"


def rows_all(page: str) -> Iterator[tuple[str, list[str]]]:
    """(first cell without backticks, the other cells) of every row that starts with code."""
    for line in (REFERENCE / page).read_text("utf-8").splitlines():
        if line.startswith("| `"):
            first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            yield first.strip("`"), rest


#: Keys of a policy that its file may leave out, with what they are then.
MAY_BE_LEFT_OUT = {"after_withdrawal": "replay", "private_match": False}


def rows(page: str) -> dict[str, list[str]]:
    return dict(rows_all(page))


def blocks(page: str, language: str) -> list[str]:
    text = (REFERENCE / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def leaves(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{before}{key}.")
        else:
            yield before + key, str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_is_described_with_its_own_words() -> None:
    page = rows("settings.md")
    for name, meaning in VARIABLES.items():
        assert page[name] == [meaning]


def test_every_refusal_is_described_with_its_own_words() -> None:
    assert rows("refusal-codes.md") == {
        code: [refusal.text_en, refusal.what_to_do] for code, refusal in REFUSALS.items()
    }


def test_every_error_of_a_query_is_described() -> None:
    assert CODES <= set(rows("query-language.md"))


def test_every_kind_is_described_with_its_parameters() -> None:
    page = rows("query-language.md")
    for kind, method in KINDS.items():
        described = set(re.findall(r"`(\w+)\??`", page[kind][0]))
        assert described == {parameter.name for parameter in method.parameters}, kind


def test_every_policy_key_is_described_with_its_default_and_floor() -> None:
    floors = dict(leaves({**terms_to_dict(FLOOR), **terms_to_dict(FLOOR_REST)}))
    floors.pop("protection")
    written = {**Policy.strict().to_dict(), **MAY_BE_LEFT_OUT}
    assert {key: cells[:2] for key, cells in rows("policy.md").items()} == {
        key: [default, floors.get(key, "")] for key, default in leaves(written)
    }


def test_the_decision_on_the_page_is_one() -> None:
    shown, _ = blocks("policy.md", "yaml")
    entry = load_yaml(shown.encode())["loosened"]
    policy = {**Policy.strict().to_dict(), "t_cell": 7, "loosened": entry}
    assert read_policy(policy).looser == ["t_cell"]


#: In force by the way the program is made, so that nothing has to read them.
BY_CONSTRUCTION = {
    "policy_version",
    "iter.user_start",
    "iter.user_offset",
    "diff.scope",
    "diff.closure",
}
#: Reads or prints every key alike, so that it does not count as acting on one.
READS_ALL = ("policy.py", "terms.py", "policy_words.py")


def test_every_policy_key_is_acted_upon() -> None:
    read: set[str] = set()
    for path in (ROOT / "federation").rglob("*.py"):
        if path.name not in READS_ALL:
            tree = ast.parse(path.read_text("utf-8"))
            read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    written = {**Policy.strict().to_dict(), **MAY_BE_LEFT_OUT}
    keys = {key for key, _ in leaves(written)} - BY_CONSTRUCTION
    assert {key for key in keys if key.rsplit(".", 1)[-1] not in read} == set()


def test_the_open_data_policy_on_the_page_is_one() -> None:
    _, shown = blocks("policy.md", "yaml")
    assert load_policy(shown.encode()).protection == "none"


def test_the_codebook_on_the_page_is_one_and_the_query_fits_it() -> None:
    (shown,) = blocks("query-language.md", "yaml")
    book = yaml.safe_load(shown)
    book["variables"]["hormone"] = {"type": "category", "levels": {"no": "no", "yes": "yes"}}
    codebook = load_codebook(json.dumps(book).encode())
    (query,) = blocks("query-language.md", "json")
    assert parse(json.loads(query), codebook).kind == "survival"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_an_example_is_a_query(path: Path) -> None:
    codebook = load_codebook(EXAMPLES / "codebook.yaml")
    assert parse(json.loads(path.read_text("utf-8")), codebook).study == "example"


def test_the_invented_hospitals_are_those_that_the_script_makes(tmp_path: Path) -> None:
    script = (EXAMPLES / "make.py").read_text("utf-8")
    (tmp_path / "hospitals").mkdir()
    (tmp_path / "make.py").write_text(script, "utf-8")
    runpy.run_path(str(tmp_path / "make.py"), run_name="__main__")
    made = {path.name: path.read_bytes() for path in (tmp_path / "hospitals").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (EXAMPLES / "hospitals").iterdir()}


def test_the_result_on_the_page_is_json() -> None:
    (shown,) = blocks("result.md", "json")
    assert {row for row in rows("result.md") if row in json.loads(shown)} == set(json.loads(shown))


def commands(group: click.Group, path: str = "oncokring") -> Iterator[tuple[str, str]]:
    """(what to type, what it is for) for each command that does something."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{path} {name}"
        typed = f"{path} {name}"
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield typed, command.get_short_help_str(200)
        if isinstance(command, click.Group):
            yield from commands(command, typed)


def test_every_command_is_described_with_its_own_words() -> None:
    expected = dict(commands(cli))
    table = "\n".join(f"| `{typed}` | {words} |" for typed, words in expected.items())
    found = {typed: cells[0] for typed, cells in rows("command-line.md").items() if " " in typed}
    shown = {typed: words for typed, words in found.items() if typed.startswith("oncokring ")}
    assert shown == expected, f"docs/reference/command-line.md must hold this table:\n{table}"


def test_every_request_of_the_api_is_described_with_its_own_words(tmp_path: Path) -> None:
    settings = Settings(
        secret_key="x" * 40, data=tmp_path, database_url=f"sqlite:///{tmp_path / 'hub.sqlite'}"
    )
    app = create_app(settings)
    expected = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and not rule.rule.endswith("openapi.json"):
            words = (app.view_functions[rule.endpoint].__doc__ or "").strip().splitlines()[0]
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                expected[f"{method} {rule.rule.removeprefix('/api/v1')}"] = [words]
    table = "\n".join(f"| `{what}` | {words} |" for what, (words,) in sorted(expected.items()))
    assert rows("api.md") == expected, f"docs/reference/api.md must hold this table:\n{table}"
