"""Settings of the hub, read once from the environment (``ONCOKRING_*``) and then frozen.

A missing or impossible setting stops the start with one sentence that names the variable; there
is no silent default for a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from federation.carriage.address import AddressError, read_address
from federation.carriage.authorities import check_authorities
from federation.carriage.wire import ALLOW_UNENCRYPTED
from registry.mail.server import MailServer, MailSettingsError, read_server

MIN_SECRET_CHARACTERS = 32
DEFAULT_MAX_BODY = 10 * 1024 * 1024
LANGUAGES = ("nl", "en")
LOCAL_HOSTS = ("127.0.0.1", "localhost")
ENGINES = ("embedded", "vantage6", "none")
#: What ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED must hold, so that nobody sets it without reading it.
UNENCRYPTED_WORDS = ALLOW_UNENCRYPTED

# name -> what it means; tests/architecture compares this list with docs and with the code below.
VARIABLES: Mapping[str, str] = {
    "ONCOKRING_SECRET_KEY": "secret that signs form cookies, at least 32 characters; required",
    "ONCOKRING_DATA": "directory for the hub's keys and the default database; required",
    "ONCOKRING_DATABASE": "database URL; default SQLite file hub.sqlite in ONCOKRING_DATA",
    "ONCOKRING_ADDRESS": "address people type, for example https://hub.example; "
    "default http://127.0.0.1:8000",
    "ONCOKRING_LANGUAGE": "language of a first visit, nl or en; default nl",
    "ONCOKRING_ENGINE": "how messages reach the sites: embedded, vantage6 or none; "
    "default embedded",
    "ONCOKRING_SITES": "for the embedded engine: directory with one site directory per hospital; "
    "default sites in ONCOKRING_DATA",
    "ONCOKRING_VANTAGE6_URL": "for the vantage6 engine: address of the vantage6 server, for "
    "example https://vantage6.example",
    "ONCOKRING_VANTAGE6_USER": "the hub's user on that server; default oncokring",
    "ONCOKRING_VANTAGE6_PASSWORD_FILE": "file with that user's password, mode 0600; default "
    "vantage6.password in keys in ONCOKRING_DATA",
    "ONCOKRING_VANTAGE6_KEY_FILE": "file with the private key of the hub's organisation on that "
    "server, mode 0600; default vantage6.pem in keys in ONCOKRING_DATA",
    "ONCOKRING_VANTAGE6_CA_FILE": "file (PEM) with the authorities that alone may have signed that "
    "server's certificate; default those of the machine",
    "ONCOKRING_VANTAGE6_COLLABORATION": "name of the collaboration on that server; default "
    "oncokring",
    "ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED": "the words `everybody on the server may read`, to "
    "accept a collaboration without encryption; default it is refused",
    "ONCOKRING_MAX_BODY": "largest accepted request body in bytes; default 10485760",
    "ONCOKRING_RATE_LIMIT": "requests that one person or address may make; default 900/minute",
    "ONCOKRING_BROKERS": "TOML file with the hospitals' own sign-in for patients (OpenID Connect); "
    "default none",
    "ONCOKRING_SMTP": "mail server for the daily mail, smtp://host:587 (STARTTLS) or "
    "smtps://host:465; default no mail",
    "ONCOKRING_SMTP_USER": "name at that mail server; default none",
    "ONCOKRING_SMTP_PASSWORD_FILE": "file with the password there, mode 0600; default none",
    "ONCOKRING_SMTP_CA_FILE": "file (PEM) with the authorities that alone may have signed that "
    "server's certificate; default those of the machine",
    "ONCOKRING_MAIL_FROM": "address that mail comes from; needed with ONCOKRING_SMTP",
    "ONCOKRING_DEBUG": "1 only while developing on 127.0.0.1; default 0",
    "ONCOKRING_PROXIES": "number of reverse proxies in front that set X-Forwarded-*; default 0",
}


class SettingsError(ValueError):
    """A setting is missing or impossible; the message names the variable and what to do."""


@dataclass(frozen=True)
class DemoPerson:
    """An account of the demo, which its sign-in page may show as a whole."""

    name: str
    shown: str
    role: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)


_WRONG_URL: Mapping[str, str] = {
    "form": "ONCOKRING_VANTAGE6_URL must be the address of the vantage6 server, such as "
    "https://vantage6.example.",
    "extras": "ONCOKRING_VANTAGE6_URL holds more than an address and a path; leave out names and "
    "what stands behind ? or #.",
    "plain": "ONCOKRING_VANTAGE6_URL uses http on an address other than 127.0.0.1. The password "
    "would travel unprotected; use https.",
}


@dataclass(frozen=True)
class Vantage6Settings:
    """How to reach the vantage6 server, as which user, in which collaboration.

    Nothing secret stands in it: the password and the private key are read from their files when
    they are needed.
    """

    url: str
    password_file: Path
    key_file: Path
    user: str = "oncokring"
    collaboration: str = "oncokring"
    allow_unencrypted: bool = False
    ca_file: Path | None = None

    @property
    def authorities(self) -> str:
        """What ``ca_file`` holds, for the hospitals; "" without one."""
        return "" if self.ca_file is None else self.ca_file.read_text("ascii")

    def __post_init__(self) -> None:
        try:
            read_address(self.url)
        except AddressError as error:
            raise SettingsError(_WRONG_URL[error.fault]) from None
        for name, value in (
            ("ONCOKRING_VANTAGE6_USER", self.user),
            ("ONCOKRING_VANTAGE6_COLLABORATION", self.collaboration),
        ):
            if not value.strip() or value.isdigit():
                raise SettingsError(
                    f"{name} is empty or only digits, which a vantage6 server does not take as a "
                    "name."
                )


@dataclass(frozen=True)
class Settings:
    """All settings of the hub. Build with :func:`from_environ`; tests build it directly."""

    secret_key: str = field(repr=False)
    data: Path
    # No repr: a PostgreSQL URL may carry a password.
    database_url: str = field(repr=False)
    address: str = "http://127.0.0.1:8000"
    language: str = "nl"
    engine: str = "embedded"
    sites: Path | None = None
    max_body: int = DEFAULT_MAX_BODY
    rate_limit: str = "900/minute"
    debug: bool = False
    proxies: int = 0
    brokers: Path | None = None
    vantage6: Vantage6Settings | None = None
    mail: MailServer | None = None
    # Only the demo command fills this in; there is no variable for it.
    demo_people: tuple[DemoPerson, ...] = ()

    def __post_init__(self) -> None:
        if len(self.secret_key) < MIN_SECRET_CHARACTERS:
            raise SettingsError(
                "ONCOKRING_SECRET_KEY is missing or shorter than 32 characters. "
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise SettingsError(
                "ONCOKRING_ADDRESS must be an address without a path, such as https://hub.example."
            )
        if parts.scheme == "http" and not self.is_local:
            raise SettingsError(
                "ONCOKRING_ADDRESS uses http on an address other than 127.0.0.1. "
                "Cookies would travel unprotected; use https."
            )
        if self.demo_people and not self.is_local:
            raise SettingsError(
                "The demo's accounts are refused on an address other than 127.0.0.1."
            )
        if self.debug and not self.is_local:
            raise SettingsError("ONCOKRING_DEBUG=1 is refused on an address other than 127.0.0.1.")
        if self.language not in LANGUAGES:
            raise SettingsError("ONCOKRING_LANGUAGE must be nl or en.")
        if not re.fullmatch(r"[1-9]\d{0,6}/(second|minute|hour)", self.rate_limit):
            raise SettingsError("ONCOKRING_RATE_LIMIT must look like 900/minute.")
        if self.engine not in ENGINES:
            raise SettingsError("ONCOKRING_ENGINE must be embedded, vantage6 or none.")
        if self.engine == "vantage6" and self.vantage6 is None:
            raise SettingsError(
                "ONCOKRING_ENGINE=vantage6 needs ONCOKRING_VANTAGE6_URL, the address of the "
                "vantage6 server."
            )

    @property
    def is_local(self) -> bool:
        """Whether the hub is only for this machine, the one place where http is accepted."""
        return self.host == "127.0.0.1"

    @property
    def host(self) -> str:
        """The host name that requests must be for."""
        return urlsplit(self.address).hostname or ""

    @property
    def secure_cookies(self) -> bool:
        """Cookies carry ``Secure`` everywhere except on http://127.0.0.1."""
        return urlsplit(self.address).scheme == "https"

    @property
    def sites_directory(self) -> Path:
        """Where the embedded engine finds one directory per site."""
        return self.sites or self.data / "sites"

    @property
    def keys_directory(self) -> Path:
        """Where the hub's own signing key lives."""
        return self.data / "keys"


def from_environ(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raise :class:`SettingsError` with one sentence when one is wrong."""
    env = os.environ if environ is None else environ
    data_text = env.get("ONCOKRING_DATA", "")
    if not data_text:
        raise SettingsError(
            "ONCOKRING_DATA is missing. Set it to the directory where the hub keeps its keys, "
            "for example ONCOKRING_DATA=/var/lib/oncokring."
        )
    data = Path(data_text)
    sites = env.get("ONCOKRING_SITES", "")
    brokers = env.get("ONCOKRING_BROKERS", "")
    return Settings(
        secret_key=env.get("ONCOKRING_SECRET_KEY", ""),
        data=data,
        database_url=env.get("ONCOKRING_DATABASE", "") or f"sqlite:///{data / 'hub.sqlite'}",
        address=env.get("ONCOKRING_ADDRESS", "") or "http://127.0.0.1:8000",
        language=env.get("ONCOKRING_LANGUAGE", "") or "nl",
        engine=env.get("ONCOKRING_ENGINE", "") or "embedded",
        sites=Path(sites) if sites else None,
        max_body=_whole("ONCOKRING_MAX_BODY", env, DEFAULT_MAX_BODY),
        rate_limit=env.get("ONCOKRING_RATE_LIMIT", "") or "900/minute",
        debug=env.get("ONCOKRING_DEBUG", "0") == "1",
        proxies=_whole("ONCOKRING_PROXIES", env, 0),
        brokers=Path(brokers) if brokers else None,
        vantage6=_vantage6(env, data / "keys"),
        mail=_mail(env),
    )


def _mail(env: Mapping[str, str]) -> MailServer | None:
    names = ("SMTP", "MAIL_FROM", "SMTP_USER", "SMTP_PASSWORD_FILE", "SMTP_CA_FILE")
    try:
        return read_server(*(env.get(f"ONCOKRING_{name}", "") for name in names))
    except MailSettingsError as error:
        raise SettingsError(str(error)) from None


def _vantage6(env: Mapping[str, str], keys: Path) -> Vantage6Settings | None:
    """What is set about vantage6, whichever engine is in use: set-up comes before the switch."""
    url = env.get("ONCOKRING_VANTAGE6_URL", "")
    if not url:
        return None
    words = env.get("ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED", "")
    if words and words != UNENCRYPTED_WORDS:
        raise SettingsError(
            "ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED must be left out, or hold the words "
            f"'{UNENCRYPTED_WORDS}'."
        )
    password = env.get("ONCOKRING_VANTAGE6_PASSWORD_FILE", "")
    key = env.get("ONCOKRING_VANTAGE6_KEY_FILE", "")
    return Vantage6Settings(
        url=url.rstrip("/"),
        password_file=Path(password) if password else keys / "vantage6.password",
        key_file=Path(key) if key else keys / "vantage6.pem",
        user=env.get("ONCOKRING_VANTAGE6_USER", "") or "oncokring",
        collaboration=env.get("ONCOKRING_VANTAGE6_COLLABORATION", "") or "oncokring",
        allow_unencrypted=bool(words),
        ca_file=_authorities(env.get("ONCOKRING_VANTAGE6_CA_FILE", "")),
    )


def _authorities(name: str) -> Path | None:
    if not name:
        return None
    try:
        check_authorities(Path(name).read_bytes())
    except (OSError, ValueError):
        raise SettingsError(
            f"ONCOKRING_VANTAGE6_CA_FILE names {name}, which holds no certificates in PEM that can "
            "be read here. Name the file of the authority that signed the server's certificate."
        ) from None
    return Path(name)


def database_url_from_environ(environ: Mapping[str, str] | None = None) -> str:
    """The database URL alone, for commands such as ``migrate`` that need no secret."""
    env = os.environ if environ is None else environ
    if url := env.get("ONCOKRING_DATABASE", ""):
        return url
    if data := env.get("ONCOKRING_DATA", ""):
        return f"sqlite:///{Path(data) / 'hub.sqlite'}"
    raise SettingsError(
        "Neither ONCOKRING_DATABASE nor ONCOKRING_DATA is set, so there is no database to use. "
        "Set one of them."
    )


def _whole(name: str, env: Mapping[str, str], default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        raise SettingsError(f"{name} must be a whole number, 0 or more.")
    return int(text)
