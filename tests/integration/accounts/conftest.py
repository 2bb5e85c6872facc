"""One account, Anna, administrator of the network, on each database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher

from registry.accounts import secrets, service
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Institution

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PASSWORD = "drie groene fietsen"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same argon2id with the smallest cost: hundreds of sign-ins follow.
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(secrets, "_hasher", lambda: hasher)
    secrets._hash_of_nothing.cache_clear()


@pytest.fixture(autouse=True)
def _anna(_quick_hash: None, factory: SessionFactory) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        session.add(Institution(slug="catharina", name="Catharina", kind="top_clinical"))
        announce(session, actor=SYSTEM, action="institution.added", about="institution:catharina")
        account = service.add_account(
            session,
            name=" Anna ",
            display_name="Anna de Wit",
            password=PASSWORD,
            totp_secret=SEED,
            by=SYSTEM,
            now=NOW,
        )
        service.grant_role(
            session, account, role="administrator", scope="network", by=SYSTEM, now=NOW
        )
