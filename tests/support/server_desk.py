"""The command line of a hub with OncoZON loaded, and accounts that sign in at it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import loaded_hub
import pyotp
from click.testing import CliRunner, Result

from registry.cli import cli
from studies.seeds.oncozon import HORMONE_THERAPY

STUDY = HORMONE_THERAPY.slug


class Desk:
    """What is typed at the server; `people` are the accounts by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "ONCOKRING_DATA": str(folder),
            "ONCOKRING_SECRET_KEY": "k" * 40,
            "ONCOKRING_DATABASE": "",
        }
        self.people: dict[str, Any] = {}

    def open(self) -> None:
        """Take a database with the network, and add two who decide and one who does not."""
        loaded_hub.copy(self.folder / "hub.sqlite")
        self.person("anna", f"committee@study:{STUDY}")
        self.person("bas", "board@site:catharina")
        self.person("carla", f"coordinator@study:{STUDY}")

    def type(self, *words: str, typed: str = "") -> Result:
        return CliRunner(mix_stderr=False).invoke(cli, [*words], env=self.environ, input=typed)

    def person(self, name: str, *roles: str) -> None:
        held = [word for role in roles for word in ("--role", role)]
        self.people[name] = json.loads(self.type("user", "add", name, *held, "--json").stdout)

    def sign_in(self, name: str, ahead: int = 0) -> str:
        """What somebody types to sign in. ahead: codes past the one of now; each is good once."""
        own = self.people[name]
        code = pyotp.parse_uri(own["totp"]).at(datetime.now(UTC), counter_offset=ahead)
        return f"{own['password']}\n{code}\n"
