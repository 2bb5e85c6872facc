"""A hospital that asks questionnaires, and what a hub can do to it: for tests."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from click.testing import CliRunner

from consent.answered import Answered
from consent.letters import read_code
from consent.proof import proof_key
from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_SITE_MESSAGE, verify
from federation.protocol.sealing import seal
from federation.site.choices.outbox import Outbox
from federation.site.choices.pseudonyms import handle_text
from federation.site.cli import site as commands
from federation.site.directory import SiteDirectory
from federation.site.prom.taking import Answers
from federation.site.store import open_store, transaction

NOW = datetime.now(UTC)
TODAY = NOW.date()
BEST = {f"q{n}": 7 if n > 28 else 1 for n in range(1, 31)}


def run(command: str, site: SiteDirectory, *arguments: object) -> Any:
    words = [*command.split(), str(site.path), *map(str, arguments)]
    return CliRunner(mix_stderr=False).invoke(commands, words)


def done(command: str, site: SiteDirectory, *arguments: object) -> Any:
    found = run(command, site, *arguments)
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def ask(site: SiteDirectory, number: str, *more: object) -> Any:
    start = ("--start", TODAY, "--by", "Nel")
    return run("prom ask", site, "--number", number, "--any-number", *start, *more)


class Hub:
    """What a hub can do: seal to the public key of the hospital, and hand over a list."""

    def __init__(self, site: SiteDirectory) -> None:
        self.site = site
        self.database = open_store(site.database)
        outbox = Outbox(self.database, site.sign, site="h0", network="net")
        self.answers = Answers(self.database, outbox, site.box, site="h0", network="net")

    def letter(self, number: str) -> tuple[str, bytes]:
        made = done("invite", self.site, "--number", number, "--study", "onco", "--any-number")
        code = read_code(made["letters"][0]["letter"])
        assert code is not None
        return code.code_id, proof_key(code.code_id, code.secret)

    def said(self, number: str, letter: str, **more: Any) -> Answered:
        given = {
            "id": str(uuid.uuid4()),
            "network": "net",
            "site": "h0",
            "handle": handle_text(self.site.handles.handle(number)),
            "instrument": "QLQ-C30",
            "version": "3.0",
            "timepoint": "T0",
            "day": TODAY,
            "language": "nl",
            "letter": letter,
            "answers": BEST,
        }
        return Answered(**{**given, **more})

    def give(self, *blobs: list[str], now: datetime = NOW) -> list[list[Any]]:
        """What the hospital says of each, in its signed messages."""
        before = self.messages()
        with transaction(self.database):
            self.answers.take({"prom": list(blobs)}, now)
        new = self.messages()[len(before) :]
        return [pair for m in new if m["kind"] == "prom_taken" for pair in m["content"]["taken"]]

    def messages(self) -> list[dict[str, Any]]:
        keys = {key_id(self.site.sign.public): self.site.sign.public}
        rows = self.database.execute("SELECT body FROM outbox ORDER BY seq").fetchall()
        return [
            verify(TYP_SITE_MESSAGE, body, keys.get, audience="hub", now=None) for (body,) in rows
        ]

    def sealed(self, said: Answered, key: bytes, *, number: str = "") -> list[str]:
        return [number or said.id, seal(said.to_bytes(key), self.site.box.public)]
