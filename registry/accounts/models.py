"""Accounts of professionals, their roles, sessions (also of patients), attempts and API tokens.

No secret is stored readable but the TOTP seed, which checking a code needs: passwords as argon2id,
session ids and tokens as SHA-256 (they are random 256-bit values, so a plain hash is enough).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, Json, UtcTime, new_id

ACTIVE, SUSPENDED = "active", "suspended"


class Account(Base):
    """One professional. ``name`` is typed at sign-in (kept casefolded), ``display_name`` shown.

    ``totp_secret`` None means that the second factor is missing: such an account cannot sign in.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("state IN ('active', 'suspended')", name="state"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default=ACTIVE)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    created_at: Mapped[datetime] = mapped_column(UtcTime)

    roles: Mapped[list[AccountRole]] = relationship(
        order_by="AccountRole.since", cascade="all, delete-orphan"
    )

    def usable(self, now: datetime) -> bool:
        """Whether this account may act at ``now``."""
        return (
            self.state == ACTIVE
            and self.totp_secret is not None
            and (self.expires_at is None or now < self.expires_at)
        )


class AccountRole(Base):
    """A role of an account from ``since`` to ``until``: for the network, one site, one study or one
    working group."""

    __tablename__ = "account_role"
    __table_args__ = (
        UniqueConstraint("account_id", "role", "scope_kind", "scope_id"),
        CheckConstraint("scope_kind IN ('network', 'site', 'study', 'group')", name="scope_kind"),
        CheckConstraint("(scope_kind = 'network') = (scope_id = '')", name="scope_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    scope_kind: Mapped[str] = mapped_column(String(10))
    scope_id: Mapped[str] = mapped_column(String(127), default="")
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)
    granted_by: Mapped[str] = mapped_column(String(64))

    def active(self, now: datetime) -> bool:
        """Whether the role counts at ``now``."""
        return self.since <= now and (self.until is None or now < self.until)

    @property
    def text(self) -> str:
        """``committee@study:slug`` or ``administrator@network``."""
        end = f":{self.scope_id}" if self.scope_id else ""
        return f"{self.role}@{self.scope_kind}{end}"


class AccountSession(Base):
    """A signed-in browser: of an account or of a patient, never both.

    ``proved_at`` is when password and code were last given; ``draft`` keeps a half-filled form, so
    that a patient's answers are not in a cookie on a shared computer. ``level`` is how a patient
    came in (consent.subjects), ``party`` for whom: "self" or a representative.
    """

    __tablename__ = "account_session"
    __table_args__ = (
        CheckConstraint("(account_id IS NULL) <> (subject_id IS NULL)", name="one_person"),
        Index("ix_account_session_last_seen", "last_seen_at"),
    )

    id_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    subject_id: Mapped[str | None] = mapped_column(String(36), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)
    proved_at: Mapped[datetime] = mapped_column(UtcTime)
    draft: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    level: Mapped[str] = mapped_column(String(40), default="letter", server_default="letter")
    party: Mapped[str] = mapped_column(String(40), default="self", server_default="self")


class AccountAttempt(Base):
    """Failed attempts under a name or from an address; the key is a hash, so neither is kept."""

    __tablename__ = "account_attempt"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(UtcTime)
    locked_until: Mapped[datetime | None] = mapped_column(UtcTime)


class AccountTotpUsed(Base):
    """A one-time code's time step that was used; the key refuses a second use."""

    __tablename__ = "account_totp_used"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    counter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    used_at: Mapped[datetime] = mapped_column(UtcTime)


class ApiToken(Base):
    """A token for programs. ``scopes`` holds "read" and perhaps "write"; it never approves."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    label: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)

    def usable(self, now: datetime) -> bool:
        """Whether the token opens anything at ``now``."""
        return self.revoked_at is None and now < self.expires_at
