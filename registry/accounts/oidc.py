"""OpenID Connect with a hospital's broker: authorization code, PKCE, nonce, one use. No Flask.

What the broker says is believed only when all of it fits: signature by a key it publishes now, an
algorithm of our list, issuer, audience, nonce, time, and an `acr` that the hub's settings accept.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from registry.accounts.brokers import Broker, is_safe

ALGORITHMS = ["RS256", "PS256", "ES256"]
TIMEOUT_S = 5
KNOWN_FOR_S, AWAY_FOR_S = 300, 15
LEEWAY_S = 60
MAX_ANSWER = 256_000
_HEADERS = frozenset({"alg", "kid", "typ"})
_KNOWN: dict[str, tuple[float, dict[str, str] | None]] = {}


class BrokerError(Exception):
    """The broker's word was not taken. `why` is for the audit; the patient gets one sentence.

    why: broker_away, broker_refused, token_refused, too_unsure.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Begun:
    """A sign-in that is under way: where the browser goes, and what must come back."""

    address: str
    state: str
    nonce: str
    verifier: str


def begin(broker: Broker, redirect_uri: str) -> Begun:
    """Start a sign-in at the broker. Raises BrokerError ``broker_away``."""
    found = _discovered(broker)
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    client = _client(broker, redirect_uri)
    address, state = client.create_authorization_url(
        found["authorization_endpoint"],
        state=secrets.token_urlsafe(24),
        nonce=nonce,
        code_verifier=verifier,
        acr_values=" ".join(sorted(broker.acr)),
    )
    return Begun(address, state, nonce, verifier)


def finish(
    broker: Broker,
    *,
    begun: Begun,
    given: Mapping[str, str],
    redirect_uri: str,
    now: datetime,
) -> str:
    """The handle of whoever signed in at the broker.

    given: the query of the address the browser came back with. The caller sees to it that this
    browser began this sign-in (state) and that it is finished once. Raises BrokerError.
    """
    if given.get("iss", broker.issuer).rstrip("/") != broker.issuer:
        raise BrokerError("token_refused")  # an answer of another broker (RFC 9207)
    if "error" in given or not given.get("code"):
        raise BrokerError("broker_refused")
    found = _discovered(broker)
    try:
        token = _client(broker, redirect_uri).fetch_token(
            found["token_endpoint"],
            grant_type="authorization_code",
            code=given["code"],
            code_verifier=begun.verifier,
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise BrokerError("broker_away") from error
    except Exception as error:  # authlib has an error class per answer; each means no
        raise BrokerError("broker_refused") from error
    claims = _claims(broker, token, _keys(found["jwks_uri"]), begun.nonce, now)
    if claims.get("acr") not in broker.acr:
        raise BrokerError("too_unsure")
    handle = claims.get(broker.claim)
    if not isinstance(handle, str) or not handle:
        raise BrokerError("token_refused")
    return handle


def _claims(
    broker: Broker, token: Mapping[str, Any], keys: KeySet, nonce: str, now: datetime
) -> Mapping[str, Any]:
    try:
        read = jwt.decode(str(token["id_token"]), keys, algorithms=ALGORITHMS)
        if set(read.header) - _HEADERS:
            raise BrokerError("token_refused")  # no key or address comes out of a token
        claims = CodeIDToken(
            read.claims,
            read.header,
            options={
                "iss": {"essential": True, "value": broker.issuer},
                "aud": {"essential": True, "value": broker.client_id},
                "nonce": {"essential": True, "value": nonce},
            },
            params={
                "nonce": nonce,
                "client_id": broker.client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except BrokerError:
        raise
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise BrokerError("token_refused") from error
    except Exception as error:  # authlib's claims errors have no base but Exception in common
        raise BrokerError("token_refused") from error
    audience = claims["aud"]
    if audience != broker.client_id and audience != [broker.client_id]:
        raise BrokerError("token_refused")  # meant for others as well
    return dict(claims)


def _discovered(broker: Broker) -> dict[str, str]:
    """The broker's description of itself, asked for once in five minutes.

    A broker that does not answer is left alone for fifteen seconds: waiting for it would take the
    hub's threads from patients who come in with a letter.
    """
    kept = _KNOWN.get(broker.issuer)
    if kept is not None and monotonic() < kept[0]:
        if kept[1] is None:
            raise BrokerError("broker_away")
        return kept[1]
    try:
        made = _described(broker)
    except BrokerError:
        _KNOWN[broker.issuer] = (monotonic() + AWAY_FOR_S, None)
        raise
    _KNOWN[broker.issuer] = (monotonic() + KNOWN_FOR_S, made)
    return made


def _described(broker: Broker) -> dict[str, str]:
    """What the broker says of itself; its addresses are as safe as its issuer's."""
    found = _get(f"{broker.issuer}/.well-known/openid-configuration")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if str(found.get("issuer", "")).rstrip("/") != broker.issuer:
        raise BrokerError("broker_away")
    if not all(isinstance(found.get(name), str) and is_safe(found[name]) for name in names):
        raise BrokerError("broker_away")
    return {name: str(found[name]) for name in names}


def _keys(address: str) -> KeySet:
    try:
        return KeySet.import_key_set(_get(address))  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise BrokerError("broker_away") from error


def _get(address: str) -> dict[str, Any]:
    try:
        with requests.get(address, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
            body = answer.raw.read(MAX_ANSWER + 1, decode_content=True)
            if answer.status_code != 200 or len(body) > MAX_ANSWER:
                raise BrokerError("broker_away")
            found = json.loads(body)
    except (requests.RequestException, ValueError, OSError) as error:
        raise BrokerError("broker_away") from error
    if not isinstance(found, dict):
        raise BrokerError("broker_away")
    return found


def _client(broker: Broker, redirect_uri: str) -> OAuth2Session:
    return OAuth2Session(
        broker.client_id,
        broker.client_secret,
        scope="openid",
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - the name of a method
    )
