"""The hub's own user on the vantage6 server: who it is, and the little that it may do there."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection
from registry.settings import Vantage6Settings

ROLE = "oncokring hub"
#: All that the hub's user may do: (resource, scope, operation) in the server's own words. With the
#: server's own role for researchers it could read and delete what others of an organisation do.
RIGHTS = (
    ("task", "COLLABORATION", "CREATE"),
    ("task", "OWN", "VIEW"),
    ("task", "OWN", "DELETE"),
    ("run", "OWN", "VIEW"),
    ("organization", "COLLABORATION", "VIEW"),
    ("collaboration", "ORGANIZATION", "VIEW"),
    ("node", "COLLABORATION", "VIEW"),
    ("event", "COLLABORATION", "RECEIVE"),
)
#: A password that a person never types; the server demands all four kinds of characters.
PASSWORD_CHARACTERS = 40
_KINDS = (string.ascii_uppercase, string.ascii_lowercase, string.digits, "!#%+:=?@")


class SetUpError(Exception):
    """Set-up cannot go on; nothing that was there has been changed. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Step:
    """Something that set-up made, or found there already."""

    words: str
    made: bool


def hub_organisation(chosen: Vantage6Settings) -> str:
    """The name of the hub's own organisation: several hubs may share one server."""
    return f"{chosen.collaboration}-hub"


def ensure_user(server: Vantage6Client, chosen: Vantage6Settings, organization: int) -> Step:
    """The hub's user, made when the server has none; its password is kept in a file of the hub."""
    name = chosen.user
    found = [row for row in server.list("user", username=name) if row.get("username") == name]
    if found:
        _check(found[0], chosen, organization)
        return Step(f"user {name}", made=False)
    password = kept_password(chosen.password_file)
    server.post(
        "user",
        {
            "username": name,
            "firstname": "Oncokring",
            "lastname": "hub",
            "password": password,
            "email": f"{name}@oncokring.invalid".lower(),
            "organization_id": organization,
            "roles": [_role(server, organization)],
        },
    )
    return Step(f"user {name}; its password is in {chosen.password_file}", made=True)


def _role(server: Vantage6Client, organization: int) -> int:
    """The role with :data:`RIGHTS` only, in the hub's organisation."""
    for row in server.list("role", organization_id=organization):
        if row.get("name") == ROLE:
            return int(row["id"])
    made = server.post(
        "role",
        {
            "name": ROLE,
            "description": "Posts tasks and reads their results",
            "rules": rules_of(server, RIGHTS),
            "organization_id": organization,
        },
    )
    return int(made["id"])


def rules_of(server: Vantage6Client, rights: Sequence[tuple[str, str, str]]) -> list[int]:
    """The server's numbers of these rights; SetUpError when it does not know one."""
    rules = {
        (row["name"], row["scope"], row["operation"]): int(row["id"]) for row in server.list("rule")
    }
    lacking = [" ".join(right) for right in rights if right not in rules]
    if lacking:
        raise SetUpError(
            "NO_RULE",
            f"The vantage6 server does not know the right '{lacking[0]}', which every server of "
            "version 4.15 has. Ask its administrator for that version.",
        )
    return [rules[right] for right in rights]


def _check(found: Mapping[str, Any], chosen: Vantage6Settings, organization: int) -> None:
    name, file = chosen.user, chosen.password_file
    if _id_of(found.get("organization")) != organization:
        raise SetUpError(
            "USER_TAKEN",
            f"User '{name}' on the vantage6 server belongs to another organisation. Choose "
            "another name in ONCOKRING_VANTAGE6_USER.",
        )
    if not file.exists():
        raise SetUpError(
            "PASSWORD_LOST",
            f"User '{name}' is on the vantage6 server, but {file} with its password is not "
            "here. Put the file back from a backup, or delete the user on the server and run "
            "this again.",
        )
    with closing(
        Vantage6Client(Connection(chosen.url, name, kept_password(file), ca_file=chosen.ca_file))
    ) as own:
        own.authenticate()


def kept_password(file: Path) -> str:
    """The password in `file`, made there (0600) when the file is not there yet."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(make_password() + "\n", encoding="ascii")
    return file.read_text(encoding="utf-8").strip()


def make_password() -> str:
    """A password that the server takes and nobody guesses."""
    letters = "".join(_KINDS)
    made = [secrets.choice(kind) for kind in _KINDS]
    made += [secrets.choice(letters) for _ in range(PASSWORD_CHARACTERS - len(_KINDS))]
    return "".join(made)


def _id_of(link: object) -> int | None:
    """The number in the server's way of pointing at something else."""
    if isinstance(link, dict) and isinstance(link.get("id"), int):
        return int(link["id"])
    return None
