"""What the hub remembers of the vantage6 server: which organisation, node and key is which site's.

The vantage6 server is the directory of public keys, and whoever runs it could hand out another
one. So the fingerprint of a hospital's key, compared with the hospital over another channel, is
kept here, and nothing is encrypted for a key that does not fit it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, UtcTime


class Vantage6Site(Base):
    """A hospital on the vantage6 server at `server`, by that server's own numbers.

    `key_sha256`: SHA-256 (hex) of the organisation's public key as DER SubjectPublicKeyInfo; None
    until the hospital has made one.
    """

    __tablename__ = "vantage6_site"
    __table_args__ = (
        CheckConstraint("key_sha256 IS NULL OR length(key_sha256) = 64", name="key_is_sha256"),
    )

    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    server: Mapped[str] = mapped_column(Text)
    collaboration: Mapped[int]
    organization: Mapped[int]
    node: Mapped[int]
    key_sha256: Mapped[str | None] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
