"""Who makes this request: reads the cookie or the API token, fills ``flask.g``. (Skeleton.)"""

from __future__ import annotations

from typing import Any

from flask import Response


def load(_hub: Any) -> None:
    """Fill g.actor, g.fresh and g.visit."""


def by_token() -> bool:
    """Whether the caller proved himself with an API token."""
    return False


def set_cookie(_response: Response) -> None:
    """Send or clear the session cookie when the view signed in or out."""
