"""Makes the day's mail and hands over what waits, in a thread of the worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from registry.database import SessionFactory, utc_now
from registry.mail.outbox import compose, send
from registry.mail.server import MailServer

log = logging.getLogger("oncokring.mail")
EVERY_S = 60.0


class Postman:
    """Goes round every minute from `start` to `close`. What goes wrong is logged by its kind only
    and tried again: the questions and choices that the worker carries never wait for mail."""

    def __init__(
        self,
        factory: SessionFactory,
        server: MailServer,
        address: str,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._factory, self._server, self._address, self._clock = factory, server, address, clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._stay, name="oncokring-mail", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End; a mail that is being handed over has half a minute."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(35)

    def round(self) -> int:
        """Make what is due, hand over what waits; how many were sent."""
        compose(self._factory, self._clock(), self._address)
        return send(self._factory, self._server, self._clock)

    def _stay(self) -> None:
        while not self._ended.is_set():
            try:
                self.round()
            except Exception as error:
                log.error("MAIL_FAILED %s", type(error).__name__)
            self._ended.wait(EVERY_S)
