"""The Flask application of the hub.

What a page may count on inside a view
- ``flask.g.actor``: a :class:`studies.actor.Actor`; nobody signed in is ``access.ANONYMOUS``.
- ``flask.g.now``: the time of this request (UTC). ``flask.g.language``: "nl" or "en".
- ``flask.g.request_id``: also in the ``X-Request-ID`` header and in the audit line.
- ``registry.transaction.current_session()``: the request's session (see that module).
- ``hub()``: the :class:`Hub` with ``settings``, ``factory`` (session factory), ``engine``.
- every route needs ``@registry.access.rule(...)``; without one it answers 403.
- ``{{ csrf_token() }}`` in every form: ``<input type="hidden" name="csrf_token" value="...">``.

How a page gets into the application: any module in ``registry.pages`` may define ``blueprint``
(registered) and ``init_app(app)`` (called, for filters, language and the like). The page shown for
an error is ``templates/errors/problem.html`` with ``problem`` (see registry/errors.py: Problem).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from registry import access, errors, health, pages
from registry.accounts import visitor
from registry.database import SessionFactory, open_database, utc_now
from registry.settings import LANGUAGES, Settings
from registry.transaction import reading, request_unit

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
UNLIMITED = ("static", "health.live", "health.ready")
# Public questions that are too long for an address: no cookie is read, nothing is written.
CHANGE_NOTHING = ("api-transparency.verify_receipt",)
_REQUEST_ID = re.compile(r"^[A-Za-z0-9-]{8,36}$")


@dataclass(frozen=True)
class Hub:
    """What the application is made of."""

    settings: Settings
    factory: SessionFactory
    clock: Callable[[], datetime]


class HubApp(Flask):
    """Flask, with one unit of work around each view."""

    def dispatch_request(self) -> ResponseReturnValue:
        """Run the view, then commit (or not) before its response can leave."""
        with request_unit(g.factory):
            response = self.make_response(super().dispatch_request())
            g.keep = response.status_code < 400
        return response


def create_app(
    settings: Settings,
    *,
    factory: SessionFactory | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> HubApp:
    """The application for these settings; ``factory`` and ``clock`` are given by tests."""
    app = HubApp("registry", static_folder="static", template_folder="templates")
    sessions = factory if factory is not None else open_database(settings.database_url, clock)
    app.extensions["oncokring"] = Hub(settings, sessions, clock)
    prefix = "__Host-" if settings.secure_cookies else ""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        # A page that points a name of its own at this machine reaches nothing.
        TRUSTED_HOSTS=[settings.host, "localhost"] if settings.is_local else [settings.host],
        MAX_CONTENT_LENGTH=settings.max_body,
        MAX_FORM_MEMORY_SIZE=settings.max_body,
        SESSION_COOKIE_NAME=f"{prefix}oncokring-form",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        # The check is called below, after the access rule; a token caller needs none.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_SSL_STRICT=False,  # Origin is checked by SameSite and Sec-Fetch-Site below
        TEMPLATES_AUTO_RELOAD=settings.debug,
    )
    csrf = CSRFProtect(app)
    app.before_request(_begin)
    # Sign-in and letter codes have their own limits in the database (registry/accounts); this one
    # only keeps one caller from taking all threads.
    Limiter(
        _caller,
        app=app,
        default_limits=[settings.rate_limit],
        storage_uri="memory://",
        default_limits_exempt_when=lambda: request.endpoint in UNLIMITED,
    )
    app.before_request(lambda: _check(csrf))
    app.after_request(_finish)
    errors.init_app(app)
    access.declare(app, "static", access.PUBLIC)
    app.register_blueprint(health.blueprint)
    _register_pages(app)
    _register_api(app)
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies
        )
    return app


def hub() -> Hub:
    """The parts of the running application."""
    return cast(Hub, current_app.extensions["oncokring"])


def _register_pages(app: Flask) -> None:
    for found in sorted(pkgutil.iter_modules(pages.__path__), key=lambda item: item.name):
        module = importlib.import_module(f"registry.pages.{found.name}")
        if hasattr(module, "init_app"):
            module.init_app(app)
        if hasattr(module, "blueprint"):
            app.register_blueprint(module.blueprint)


def _register_api(app: Flask) -> None:
    try:
        api = importlib.import_module("registry.api.build")
    except ModuleNotFoundError:
        return
    api.init_app(app)


def _begin() -> None:
    parts = hub()
    # Only a proxy of ours may number requests; else a caller could choose what the audit says.
    given = request.headers.get("X-Request-ID", "") if parts.settings.proxies else ""
    g.request_id = given if _REQUEST_ID.match(given) else str(uuid.uuid4())
    g.factory = parts.factory
    g.now = parts.clock()
    g.language = _language(parts.settings.language)
    g.app_views = current_app.view_functions
    g.actor, g.fresh, g.visit = access.ANONYMOUS, False, None
    visitor.load(parts.settings)


def _check(csrf: CSRFProtect) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    access.check_request(app, lambda: reading(g.factory))
    if request.endpoint is None or request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.endpoint in CHANGE_NOTHING:
        return
    if not visitor.by_token():
        _refuse_other_origin()
        csrf.protect()


def _refuse_other_origin() -> None:
    # Browsers say where a request comes from; what they call cross-site is refused even with a
    # valid form token.
    if request.headers.get("Sec-Fetch-Site", "same-origin") in ("cross-site", "same-site"):
        raise access.NotAllowed


def _caller() -> str:
    actor = g.get("actor", access.ANONYMOUS)
    return actor.id if actor.id != access.ANONYMOUS.id else request.remote_addr or "unknown"


def _language(default: str) -> str:
    chosen = request.cookies.get("language", "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, default) or default


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        response.headers.setdefault("Cache-Control", "public, max-age=3600")
    elif "Cache-Control" not in response.headers or _is_private():
        # Also public pages: a shared computer must not show the last visitor's state.
        response.headers["Cache-Control"] = "no-store"
    settings = hub().settings
    if settings.secure_cookies:
        response.headers.setdefault(
            "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
        )
    response.headers["X-Request-ID"] = g.get("request_id", "")
    visitor.set_cookie(response, settings)
    return response


def _is_private() -> bool:
    actor: Any = g.get("actor", access.ANONYMOUS)
    return actor.id != access.ANONYMOUS.id or request.path.startswith("/mijn")
