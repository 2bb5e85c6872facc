"""What a hospital seals, only the holder of the study's key reads; and it says who wrote it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwe import JWERegistry
from joserfc.jwk import OKPKey

from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, SigningKey, key_id
from federation.protocol.messages import TYP_REPLY, TYP_RESULT, sign
from federation.protocol.sealing import (
    BLOCK,
    MAX_SEALED,
    check_result_key,
    open_result,
    open_sealed,
    seal,
    sealed_to,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUERY = "a" * 64
KEY, OTHER, SITE = BoxKey.generate(), BoxKey.generate(), SigningKey.generate()


def code_of(run: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        run(*args, **more)
    return caught.value.code


def message(
    typ: str = TYP_RESULT, *, issuer: str = "h0", study: str = "onco", **more: Any
) -> bytes:
    claims = {"query_sha256": QUERY, "result": {"n": 60}, **more}
    return sign(
        typ, claims, SITE, issuer=issuer, audience=study, now=NOW, lifetime=timedelta(days=1)
    )


def opened(blob: str, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "site": "h0",
        "study": "onco",
        "query_sha256": QUERY,
        "signer": {SITE.kid: SITE.public}.get,
        **more,
    }
    return open_result(blob, KEY, **asked)


def with_header(blob: str, **changes: Any) -> str:
    first, _, rest = blob.partition(".")
    header = json.loads(base64.urlsafe_b64decode(first + "=="))
    header = {k: v for k, v in {**header, **changes}.items() if v is not None}
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{text}.{rest}"


def test_it_opens_with_the_key_of_the_study_years_later() -> None:
    assert opened(seal(message(), KEY.public))["result"] == {"n": 60}


def test_what_is_sealed_stands_nowhere_in_the_blob() -> None:
    blob = seal(b'{"n": 60}', KEY.public)
    parts = [base64.urlsafe_b64decode(part + "==") for part in blob.split(".")]
    assert len(parts) == 5
    assert all(b'"n"' not in part for part in parts)
    assert sealed_to(blob) == key_id(KEY.public)


def test_nobody_else_opens_it() -> None:
    blob = seal(message(), OTHER.public)
    assert code_of(opened, blob) == "UNKNOWN_KEY"
    # also when the hub writes another key's name on it
    assert code_of(opened, with_header(blob, kid=key_id(KEY.public))) == "BAD_MESSAGE"


@pytest.mark.parametrize("part", range(5))
def test_a_change_anywhere_is_seen(part: int) -> None:
    parts = seal(message(), KEY.public).split(".")
    parts[part] = ("B" if parts[part][0] != "B" else "C") + parts[part][1:]
    assert code_of(opened, ".".join(parts)) in {"BAD_HEADER", "BAD_MESSAGE"}


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "dir"},
        {"enc": "A128CBC-HS256"},
        {"typ": "JWT"},
        {"typ": None},
        {"kid": None},
        {"kid": 7},
        {"zip": "DEF"},
        {"jwk": {"kty": "OKP"}},
        {"epk": None},
    ],
)
def test_a_header_of_another_kind_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(opened, with_header(seal(message(), KEY.public), **changes)) == "BAD_HEADER"


@pytest.mark.parametrize("blob", ["", "a.b.c.d.e", "....", "x" * 100, "é.b.c.d.e"])
def test_what_is_no_sealed_result_is_refused(blob: str) -> None:
    assert code_of(opened, blob) == "BAD_HEADER"


def test_one_that_is_too_long_is_refused_unread() -> None:
    assert code_of(open_sealed, "x" * (MAX_SEALED + 1), KEY) == "TOO_LARGE"


def test_the_words_are_the_hospitals_own() -> None:
    """The hub knows the study's public key and may seal what it likes."""
    forger = SigningKey.generate()
    forged = sign(
        TYP_RESULT,
        {"query_sha256": QUERY, "result": {"n": 600}},
        forger,
        issuer="h0",
        audience="onco",
        now=NOW,
        lifetime=timedelta(days=1),
    )
    assert code_of(opened, seal(forged, KEY.public)) == "UNKNOWN_KEY"


@pytest.mark.parametrize(
    ("sealed", "asked", "code"),
    [
        ({}, {"site": "h1"}, "WRONG_RESULT"),
        ({}, {"query_sha256": "b" * 64}, "WRONG_RESULT"),
        ({}, {"study": "other"}, "WRONG_AUDIENCE"),
        ({"typ": TYP_REPLY}, {}, "WRONG_TYPE"),
    ],
)
def test_a_result_of_something_else_is_not_taken_for_this_one(
    sealed: dict[str, Any], asked: dict[str, Any], code: str
) -> None:
    assert code_of(opened, seal(message(**sealed), KEY.public), **asked) == code


def test_without_a_list_of_keys_everything_but_the_author_is_checked() -> None:
    assert opened(seal(message(), KEY.public), signer=None)["result"] == {"n": 60}
    for sealed, asked, code in (
        (message(), {"site": "h1"}, "WRONG_RESULT"),
        (message(), {"study": "other"}, "WRONG_AUDIENCE"),
        (message(TYP_REPLY), {}, "WRONG_TYPE"),
        (b"no message", {}, "BAD_MESSAGE"),
        (b"a.b.c", {}, "BAD_BASE64"),
    ):
        assert code_of(opened, seal(sealed, KEY.public), signer=None, **asked) == code


def test_its_length_says_little() -> None:
    lengths = {len(seal(b"x" * n, KEY.public)) for n in (1, 2, 100, BLOCK)}
    assert len(lengths) == 1
    assert len(seal(b"x" * (BLOCK + 1), KEY.public)) not in lengths


@pytest.mark.parametrize(
    ("public", "code"),
    [
        ("", "BAD_KEY"),
        ("x", "BAD_BASE64"),
        ("A" * 43, "BAD_KEY"),
        ("A" * 41 + "B", "BAD_BASE64"),
        ("A" * 42, "BAD_KEY"),
    ],
)
def test_a_key_that_keeps_nothing_secret_is_no_key(public: str, code: str) -> None:
    assert code_of(check_result_key, public) == code
    assert check_result_key(KEY.public) == KEY.public


def test_any_library_that_knows_jwe_opens_it() -> None:
    key = OKPKey.import_key(KEY.jwk.as_dict(private=True))
    registry = JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"])
    found = jwe.decrypt_compact(seal(b"hello", KEY.public), key, registry=registry)
    assert (found.plaintext or b"").strip() == b"hello"
