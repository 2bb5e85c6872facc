"""A message is what it was when it was signed, for whom it was meant, once it may be read."""

import base64
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from federation.protocol import messages
from federation.protocol.encoding import (
    b64,
    canonical,
    pack_array,
    parse_json,
    unb64,
    unpack_array,
)
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import (
    BoxKey,
    PublicIdentity,
    SigningKey,
    key_id,
    read_secret,
    verifying_key,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = SigningKey.generate()
KNOWN = {KEY.kid: KEY.public}


def signed(claims=None, typ=messages.TYP_STEP, key=KEY, now=NOW):
    return messages.sign(
        typ,
        {"run": "r"} if claims is None else claims,
        key,
        issuer="hub",
        audience="vieCuri",
        now=now,
        lifetime=timedelta(minutes=5),
    )


def read(data, typ=messages.TYP_STEP, audience="vieCuri", now=NOW, **more):
    return messages.verify(typ, data, KNOWN.get, audience=audience, now=now, **more)


def refusal(*args, **more):
    with pytest.raises(ProtocolError) as caught:
        read(*args, **more)
    return caught.value.code


def test_a_message_comes_back():
    claims = read(signed())
    assert claims["run"] == "r"
    assert claims["iss"] == "hub"
    assert len(claims["jti"]) == 32


def test_two_messages_are_never_the_same():
    assert read(signed())["jti"] != read(signed())["jti"]


def test_what_is_not_for_me_or_not_now_is_refused():
    data = signed()
    assert refusal(data, audience="zuyderland") == "WRONG_AUDIENCE"
    assert refusal(data, typ=messages.TYP_REPLY) == "WRONG_TYPE"
    assert refusal(data, now=NOW + timedelta(minutes=7)) == "EXPIRED"
    assert refusal(data, now=NOW - timedelta(minutes=2)) == "NOT_YET"
    assert refusal(data, max_bytes=100) == "TOO_LARGE"
    assert read(data, now=None)["run"] == "r"
    assert read(data, now=NOW - timedelta(seconds=50))["run"] == "r"


def test_an_unknown_key_is_refused():
    assert refusal(signed(key=SigningKey.generate())) == "UNKNOWN_KEY"


def part(header, payload=None, key=KEY.jwk, algorithms=("Ed25519",)):
    body = canonical({"v": 1} if payload is None else payload)
    return jws.serialize_compact(header, body, key, algorithms=list(algorithms)).encode()


def test_another_header_is_refused():
    good = {"alg": "Ed25519", "typ": messages.TYP_STEP, "kid": KEY.kid}
    assert refusal(part({**good, "cty": "x"})) == "BAD_HEADER"
    assert refusal(part({**good, "jwk": KEY.jwk.as_dict(private=False)})) == "BAD_HEADER"
    assert refusal(part({"alg": "Ed25519", "kid": KEY.kid})) == "BAD_HEADER"
    shared = OctKey.import_key(unb64(KEY.public))
    assert refusal(part({**good, "alg": "HS256"}, key=shared, algorithms=["HS256"])) in (
        "BAD_SIGNATURE",
        "BAD_HEADER",
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, "WRONG_VERSION"),
        ({"iss": 1}, "BAD_CLAIMS"),
        ({"aud": None}, "BAD_CLAIMS"),
        ({"jti": 3}, "BAD_CLAIMS"),
        ({"iat": "now"}, "BAD_CLAIMS"),
        ({"exp": True}, "BAD_CLAIMS"),
    ],
)
def test_common_claims_are_checked(change, code):
    good = read(signed())
    header = {"alg": "Ed25519", "typ": messages.TYP_STEP, "kid": KEY.kid}
    assert refusal(part(header, {**good, **change})) == code


def test_a_payload_that_is_no_object_is_refused():
    header = {"alg": "Ed25519", "typ": messages.TYP_STEP, "kid": KEY.kid}
    assert refusal(part(header, [1])) == "NOT_AN_OBJECT"


@pytest.mark.parametrize("data", [b"", b"a.b", b"a.b.c", b"\xff.\xff.\xff", b"....", b"{}"])
def test_rubbish_is_refused(data):
    assert refusal(data) in ("BAD_MESSAGE", "BAD_HEADER")


@given(st.data())
def test_no_changed_byte_is_accepted(data):
    message = bytearray(signed({"run": "r", "text": "payload"}))
    place = data.draw(st.integers(0, len(message) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != message[place]))
    message[place] = value
    with pytest.raises(ProtocolError):
        read(bytes(message))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":2}', "BAD_JSON"),
        (b'{"a":NaN}', "BAD_JSON"),
        (b'{"a":1e999}', "BAD_JSON"),
        (b'{"a":Infinity}', "BAD_JSON"),
        (b"[1]", "NOT_AN_OBJECT"),
        (b'{"a":"\xff"}', "BAD_JSON"),
        (b'{"a":' * 41 + b"1" + b"}" * 41, "TOO_DEEP"),
        (b"[" * 100_000, "TOO_DEEP"),
        (b" " * 300_000, "TOO_LARGE"),
        (b"{", "BAD_JSON"),
    ],
)
def test_doubtful_json_is_refused(text, code):
    with pytest.raises(ProtocolError) as caught:
        parse_json(text)
    assert caught.value.code == code


def test_brackets_in_strings_are_not_depth():
    value = {"a": "[" * 100 + '"{', "b": 1.5}
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("text", ['\\"' * 60, "\\" * 61, '"[' * 60, "é\n[" * 60])
def test_brackets_behind_quotes_and_backslashes_are_not_depth(text):
    value = {"a": text, "b": [1]}
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"\\", b"x", b'"\\'])
def test_text_that_does_not_end_is_refused_in_one_reading(piece):
    """A pattern that starts over at each quote would need hours here."""
    with pytest.raises(ProtocolError):
        parse_json(b'{"a":"' + piece * 2_000_000, max_bytes=8_000_000)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float64, np.uint8])
def test_an_array_comes_back(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = unpack_array(json.loads(canonical(pack_array(array))))
    assert back.dtype == dtype
    assert np.array_equal(back, array)


def test_other_arrays_do_not_travel():
    with pytest.raises(TypeError):
        pack_array(np.array(["x"], object))


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "|O"},
        {"dtype": 3},
        {"shape": [7]},
        {"shape": [-6]},
        {"shape": "6"},
        {"shape": [True, 6]},
        {"shape": [1, 1, 1, 1, 6]},
        {"b64": "A"},
        {"b64": 1},
        {"b64": "é"},
        {"more": 1},
    ],
)
def test_an_array_that_is_none_is_refused(change):
    value = {**pack_array(np.arange(6)), **change}
    with pytest.raises(ProtocolError):
        unpack_array(value)


def test_only_one_spelling_of_base64():
    text = b64(b"ab")
    assert unb64(text) == b"ab"
    last = base64.urlsafe_b64encode(b"ab").decode().rstrip("=")
    other = last[:-1] + chr(ord(last[-1]) + 1)
    for wrong in (other, last + "=", last + "\n", 3):
        with pytest.raises(ProtocolError):
            unb64(wrong)


def test_keys_are_kept_for_their_owner_only(tmp_path):
    signing, box = SigningKey.generate(), BoxKey.generate()
    signing.save(tmp_path / "sign.key")
    box.save(tmp_path / "box.key")
    assert (tmp_path / "sign.key").stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(tmp_path / "sign.key").public == signing.public
    assert BoxKey.load(tmp_path / "box.key").public == box.public
    with pytest.raises(FileExistsError):
        signing.save(tmp_path / "sign.key")
    (tmp_path / "sign.key").chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        read_secret(tmp_path / "sign.key")


def test_malformed_keys_are_refused(tmp_path):
    (tmp_path / "box.key").write_bytes(b"short")
    (tmp_path / "box.key").chmod(0o600)
    wrong = [
        lambda: SigningKey(b"short"),
        lambda: BoxKey.load(tmp_path / "box.key"),
        lambda: BoxKey.generate().agree(b64(bytes(32))),
        lambda: BoxKey.generate().agree(b64(b"short")),
        lambda: verifying_key(b64(b"short")),
    ]
    for make in wrong:
        with pytest.raises(ProtocolError, match="BAD_KEY"):
            make()


def test_both_ends_agree():
    one, two = BoxKey.generate(), BoxKey.generate()
    assert one.agree(two.public) == two.agree(one.public)
    identity = PublicIdentity("a", KEY.public, one.public)
    assert identity.to_dict() == {"sign": KEY.public, "box": one.public}
    assert key_id(KEY.public) == KEY.kid
