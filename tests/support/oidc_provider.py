"""A broker of a hospital: an OpenID provider of its own, a real process on 127.0.0.1.

Authorization code with PKCE by authlib; ID tokens by joserfc, honest or, on demand, hostile. It has
no page of its own: whoever comes is taken for the person that `POST /as` named last.

    python oidc_provider.py PORT     prints "ready" when it listens
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import sys
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "oncokring", "the-secret-of-the-tests"
KEYS: dict[str, Any] = {
    "ES256": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
}
STRANGER = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
PERSON: dict[str, Any] = {"sub": "", "acr": "substantial", "alg": "ES256", "trick": ""}
CODES: dict[str, Any] = {}


class Client(ClientMixin):
    redirect_uri = ""

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return "/mijn/ziekenhuis/terug/" in redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(dict[str, Any]):
    """One authorization code with what it was given for."""

    def get_redirect_uri(self) -> str:
        return str(self["redirect_uri"])

    def get_scope(self) -> str:
        return "openid"

    @property
    def code_challenge(self) -> str:
        return str(self["code_challenge"])

    @property
    def code_challenge_method(self) -> str:
        return str(self["code_challenge_method"])


class Grant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012

    def save_authorization_code(self, code: str, request: Any) -> Code:
        data = request.payload.data
        CODES[code] = Code(
            redirect_uri=request.payload.redirect_uri,
            nonce=data.get("nonce", ""),
            code_challenge=data.get("code_challenge", ""),
            code_challenge_method=data.get("code_challenge_method", ""),
            person=dict(PERSON),
        )
        return CODES[code]

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return CODES.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        for code, kept in list(CODES.items()):
            if kept is authorization_code:
                del CODES[code]

    def authenticate_user(self, authorization_code: Code) -> Code:
        return authorization_code


def made(app: Flask, issuer: str) -> None:
    server = AuthorizationServer()
    server.init_app(
        app, query_client=lambda _id: Client(), save_token=lambda _token, _request: None
    )
    server.register_grant(Grant, [CodeChallenge(required=True)])

    def token(grant_type: str, client: Any, user: Any = None, **_more: Any) -> dict[str, Any]:
        return {
            "access_token": "opaque",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": id_token(user, issuer),
        }

    server.register_token_generator("default", token)

    @app.get("/.well-known/openid-configuration")
    def description() -> Any:
        return jsonify(
            issuer=issuer if PERSON["trick"] != "other description" else "http://127.0.0.1:1",
            authorization_endpoint=f"{issuer}/authorize",
            token_endpoint=f"{issuer}/token",
            jwks_uri=f"{issuer}/keys",
        )

    @app.get("/keys")
    def keys() -> Any:
        return jsonify(keys=[key.as_dict(private=False) for key in KEYS.values()])

    @app.get("/authorize")
    def authorize() -> Any:
        return server.create_authorization_response(grant_user=object())

    @app.post("/token")
    def issue() -> Any:
        return server.create_token_response()

    @app.post("/as")
    def become() -> Any:
        PERSON.update({"acr": "substantial", "alg": "ES256", "trick": "", **request.get_json()})
        return jsonify(PERSON)


def id_token(code: Code, issuer: str) -> str:
    person, now = code["person"], int(time.time())
    trick = person["trick"]
    claims: dict[str, Any] = {
        "iss": issuer if trick != "other issuer" else "https://elsewhere.example",
        "aud": {"other audience": "somebody", "two audiences": [CLIENT, "somebody"]}.get(
            trick, CLIENT
        ),
        "sub": person["sub"],
        "iat": now,
        "exp": now + 300 if trick != "expired" else now - 120,
        "nonce": code["nonce"] if trick != "other nonce" else "n-0S6_WzA2Mj",
        "acr": person["acr"],
    }
    for name in ("nonce", "acr", "sub", "exp", "aud"):
        if trick == f"no {name}":
            del claims[name]
    if trick == "alg none":
        return f"{part({'alg': 'none'})}.{part(claims)}."
    if trick == "public key as secret":
        signed = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims)}"
        mac = hmac.digest(KEYS["RS256"].as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    if trick == "own key":
        head = {"alg": "ES256", "kid": "ec", "jwk": STRANGER.as_dict(private=False)}
        return jwt.encode(head, claims, STRANGER, algorithms=["ES256"])
    if trick == "stranger":
        return jwt.encode({"alg": "ES256", "kid": "ec"}, claims, STRANGER, algorithms=["ES256"])
    key = KEYS[person["alg"]]
    head = {"alg": person["alg"], "kid": key.kid}
    text = jwt.encode(head, claims, key, algorithms=list(KEYS))
    if trick == "altered":
        first, _, last = text.split(".")
        return f"{first}.{part({**claims, 'sub': 'x' * 27})}.{last}"
    return text


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on this machine only
    port = int(sys.argv[1])
    app = Flask("broker")
    made(app, f"http://127.0.0.1:{port}")
    server = make_server("127.0.0.1", port, app, threaded=True)
    print("ready", flush=True)
    server.serve_forever()
