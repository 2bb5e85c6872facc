"""Cookies that a request wants sent: all HttpOnly, Secure but on 127.0.0.1, bound to this host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from flask import Response, g, request

from registry.settings import Settings

SameSite = Literal["Strict", "Lax"]


def named(name: str, settings: Settings) -> str:
    """`__Host-` binds a cookie to this host and https; no neighbouring subdomain can set it."""
    return f"__Host-{name}" if settings.secure_cookies else name


def read(name: str, settings: Settings) -> str:
    """The value that the browser sent; empty when there is none."""
    return request.cookies.get(named(name, settings), "")


def put(
    name: str, value: str, *, same_site: SameSite = "Strict", for_: timedelta | None = None
) -> None:
    """Send this cookie with the response; without `for_` it goes when the browser closes."""
    _waiting()[name] = (value, same_site, for_)


def drop(name: str) -> None:
    """Take a cookie away with the response."""
    _waiting()[name] = None


def send(response: Response, settings: Settings) -> None:
    """Put what was asked for into the response."""
    for name, made in _waiting().items():
        flags: dict[str, Any] = {
            "secure": settings.secure_cookies,
            "httponly": True,
            "samesite": "Strict" if made is None else made[1],
            "path": "/",
        }
        if made is None:
            response.delete_cookie(named(name, settings), **flags)
        else:
            response.set_cookie(named(name, settings), made[0], max_age=made[2], **flags)


def _waiting() -> dict[str, tuple[str, SameSite, timedelta | None] | None]:
    if "cookies_to_send" not in g:
        g.cookies_to_send = {}
    waiting: dict[str, tuple[str, SameSite, timedelta | None] | None] = g.cookies_to_send
    return waiting
