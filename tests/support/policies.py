"""Policies of hospitals that decided to be looser than the default."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from federation.disclosure.loosening import Loosening
from federation.disclosure.policy import Policy

BY = ("A. Jansen", "B. de Vries")


def decided(policy: Policy, now: datetime | None = None, days: int = 300) -> Policy:
    """`policy` with the decision of two persons, taken at `now`, for each key that is looser than
    its default. Without them its file is refused."""
    today = (now or datetime.now(UTC)).date()
    until = today + timedelta(days=days)
    return replace(
        policy,
        loosened=tuple(Loosening(key, BY, "rare tumours", today, until) for key in policy.looser),
    )


def loosened_entries(*keys: str, now: datetime | None = None, **more: Any) -> dict[str, Any]:
    """The key `loosened` of a policy file for these keys; `more` replaces parts of each entry."""
    today = (now or datetime.now(UTC)).date()
    until = today + timedelta(days=300)
    return {
        key: {
            "by": list(BY),
            "reason": "rare tumours",
            "decided": today.isoformat(),
            "until": until.isoformat(),
            **more,
        }
        for key in keys
    }
