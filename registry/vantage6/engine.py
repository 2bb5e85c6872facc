"""The vantage6 engine from the settings and from what set-up wrote down."""

from __future__ import annotations

import logging

from sqlalchemy import select

from federation.engines.interface import Engine
from registry.database import SessionFactory
from registry.settings import UNENCRYPTED_WORDS, SettingsError, Vantage6Settings
from registry.transaction import reading
from registry.vantage6.models import Vantage6Site

log = logging.getLogger("oncokring.worker")
PACKAGE = "vantage6"
AWAY = frozenset({"VANTAGE6_UNREACHABLE", "VANTAGE6_SERVER"})


def open_engine(chosen: Vantage6Settings, factory: SessionFactory) -> Engine:
    """The engine over the server that the settings name, for every hospital that is set up on it.

    SettingsError when nothing is set up, a file is missing, or the client is not installed.
    """
    with reading(factory) as session:
        rows = session.scalars(select(Vantage6Site).where(Vantage6Site.server == chosen.url)).all()
        sites = {row.institution: row.organization for row in rows}
        keys = {row.institution: row.key_sha256 for row in rows if row.key_sha256}
        collaborations = {row.collaboration for row in rows}
    if not sites:
        raise SettingsError(
            f"No hospital is set up on the vantage6 server {chosen.url}. Run: oncokring vantage6 "
            "setup"
        )
    if len(collaborations) > 1:
        raise SettingsError(
            "The hospitals are in different collaborations of the vantage6 server. Run 'oncokring "
            "vantage6 setup', which brings them into the one of ONCOKRING_VANTAGE6_COLLABORATION."
        )
    for name, file in (("PASSWORD", chosen.password_file), ("KEY", chosen.key_file)):
        if not file.is_file():
            raise SettingsError(
                f"The file of ONCOKRING_VANTAGE6_{name}_FILE, {file}, is not there. Run 'oncokring "
                "vantage6 setup', or put it back from a backup."
            )
    try:
        from federation.engines.vantage6 import Vantage6Engine
        from federation.engines.vantage6_keys import Connection, Vantage6Error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != PACKAGE:
            raise
        raise SettingsError(
            "ONCOKRING_ENGINE=vantage6 needs the package vantage6-client. Install it with: pip "
            "install 'oncokring[vantage6]'"
        ) from error
    connection = Connection(
        url=chosen.url,
        username=chosen.user,
        password=chosen.password_file.read_text("utf-8").strip(),
        collaboration=collaborations.pop(),
        key=None if chosen.allow_unencrypted else chosen.key_file,
        allow_unencrypted=UNENCRYPTED_WORDS if chosen.allow_unencrypted else "",
        ca_file=chosen.ca_file,
    )
    engine = Vantage6Engine(connection, sites, keys)
    try:
        engine.check()
    except Vantage6Error as error:
        # A server that is away comes back; what a person must mend stops the start.
        if error.code not in AWAY:
            engine.close()
            raise
        log.warning("%s at the start; work begins when it is back", error.code)
    return engine
