"""The receipt of the documentation: checked by a program without database and web framework, and
still in the form that was promised when it was made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consent.receipt_check import check_receipt
from federation.protocol.errors import ProtocolError
from federation.protocol.transparency import ENVELOPE, keys_from
from registry.receipts.checking import as_file, check
from registry.receipts.words import HOLDS, NAMES, OTHERWISE, WHY, said_in_words, sentence

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "receipt"
RECEIPT = (EXAMPLE / "keuzes-voorbeeld.json").read_bytes()
KEYS = keys_from(json.loads((EXAMPLE / "keys.json").read_text()))
ALONE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"flask", "sqlalchemy", "scipy", "requests", "studies"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Hidden())
from registry.cli import main
main(sys.argv[1:])
"""


def test_a_receipt_of_before_still_holds() -> None:
    found = check(RECEIPT, KEYS)
    assert found.holds, found.checks
    assert said_in_words(found.document, "nl")[0] == "Gegevens uit uw dossier: ja"
    assert as_file(json.loads(RECEIPT)) == RECEIPT
    assert check(json.loads(RECEIPT)["signature"].encode(), KEYS).holds


def test_the_command_needs_no_hub(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, "receipt", "verify"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ONCOKRING")}
    files = [EXAMPLE / "keuzes-voorbeeld.json", "--keys", EXAMPLE / "keys.json"]
    done = subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, cwd=ROOT, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert "The receipt holds." in done.stdout


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": []},
        {"keys": [1]},
        {"keys": [{**KEYS[0].to_dict(), "alg": "none"}]},
        {"keys": [{**KEYS[0].to_dict(), "kid": "0" * 16}]},
        {"keys": [{**KEYS[0].to_dict(), "public": "?"}]},
        {"keys": [{**KEYS[0].to_dict(), "from": "yesterday"}]},
        [],
    ],
)
def test_only_real_keys_are_keys(document: object) -> None:
    with pytest.raises(ProtocolError, match="BAD_KEYS"):
        keys_from(document)


def test_whatever_is_sent_gives_an_answer() -> None:
    whole = json.loads(RECEIPT)
    for name in whole:
        for value in (None, 1, "x", [], {}, [[]], {"a": []}):
            assert not check(as_file({**whole, name: value}), KEYS).holds, (name, value)
        less = {key: value for key, value in whole.items() if key != name}
        assert not check(as_file(less), KEYS).holds, name
    for data in (b"{", b"a.b.c", b"..", b"\xff", b"[" * 1000, b"{}" * 500_000):
        assert not check(data, KEYS).holds


def test_every_outcome_has_words() -> None:
    assert set(HOLDS) == set(NAMES)
    found = check(RECEIPT, ())
    assert {sentence(each) for each in found.checks if not each.holds} == {WHY["unknown_key"]}
    found = check(RECEIPT.replace(b"eyJ", b"eyK"), KEYS)
    assert OTHERWISE in {sentence(each) for each in found.checks}


def test_an_error_of_the_program_is_not_taken_for_a_bad_receipt() -> None:
    def broken(_message: bytes) -> dict[str, object]:
        raise RuntimeError("a mistake of ours")

    document = json.loads(RECEIPT)
    with pytest.raises(RuntimeError):
        check_receipt(document, b"", open_receipt=broken, open_head=broken, envelope=ENVELOPE)
