"""Puts a hospital's public key on the vantage6 server in place of none or of an older one.

The server lets nobody but a member of an organisation change its key, not even its root user. So a
user of that organisation is made, which may change the organisation and nothing else, and is gone
again a moment later. vantage6's own way, `setup_encryption` of the client, needs the private key,
and replaces whatever the server has.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import replace

from federation.engines.vantage6_client import Vantage6Client
from registry.vantage6.hub_user import make_password, rules_of
from registry.vantage6.keys import for_server

RIGHTS = (("organization", "ORGANIZATION", "EDIT"),)


def upload(server: Vantage6Client, organization: int, pem: bytes) -> None:
    """Give `organization` the public key `pem`. `server` may make and delete users."""
    name, password = f"key-{secrets.token_hex(8)}", make_password()
    user = server.post(
        "user",
        {
            "username": name,
            "firstname": "Oncokring",
            "lastname": "set-up",
            "password": password,
            "email": f"{name}@oncokring.invalid",
            "organization_id": organization,
            "rules": rules_of(server, RIGHTS),
        },
    )
    try:
        with closing(
            Vantage6Client(replace(server.connection, username=name, password=password))
        ) as member:
            member.patch(f"organization/{organization}", {"public_key": for_server(pem)})
    finally:
        server.delete(f"user/{user['id']}")
