"""`oncokring site page`: a read-only page for the steward, on this machine only (page_http.py).

There are no cookies, no scripts, no forms, and nothing but GET and HEAD.
"""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from federation.site.errors import SetupError
from federation.site.steward.html import Html
from federation.site.steward.http import ADDRESS, HTML, LocalHandler, LocalServer, Reply
from federation.site.steward.overview import Overview
from federation.site.steward.views import Views

_PAGE = re.compile(r"[1-9][0-9]{0,5}")
_RUN = re.compile(r"run/([A-Za-z0-9][A-Za-z0-9_.:-]{0,62})")


class PageServer(LocalServer):
    """Serves the overview of one site at `address` until it is closed."""

    def __init__(self, overview: Overview, port: int = 0) -> None:
        """SetupError when the port is taken."""
        self.overview = overview
        super().__init__(port, _Handler)

    @property
    def address(self) -> str:
        """Where the page is; new at every start."""
        return f"http://{ADDRESS}:{self.server_port}/{self.word}/sent"


def _asked(query: str) -> dict[str, list[str]]:
    """What stands behind the question mark; nothing when it is more than any link here has."""
    try:
        return parse_qs(query, max_num_fields=5)
    except ValueError:
        return {}


class _Handler(LocalHandler):
    server: PageServer

    def answer(self, place: str, query: str) -> Reply:
        asked = _asked(query)
        lang = "en" if asked.get("lang") == ["en"] else "nl"
        views = Views(self.server.overview, f"/{self.server.word}", lang)
        try:
            page = self._page(views, place, asked)
            status = HTTPStatus.OK if page is not None else HTTPStatus.NOT_FOUND
            made = page or views.error(404)
        except SetupError as error:
            status, made = HTTPStatus.SERVICE_UNAVAILABLE, views.error(503, error.sentence)
        except Exception as error:
            # Only the name of the class: the text of an exception may hold data.
            logging.getLogger("oncokring.page").error("%s", type(error).__name__)
            status, made = HTTPStatus.INTERNAL_SERVER_ERROR, views.error(500)
        return Reply(status, HTML, made.encode("utf-8"))

    def _page(self, views: Views, place: str, asked: Mapping[str, list[str]]) -> Html | None:
        now = datetime.now(UTC)
        if found := _RUN.fullmatch(place):
            return views.run(found[1])
        match place:
            case "" | "sent":
                page = asked.get("page", ["1"])[-1]
                return views.sent(int(page)) if _PAGE.fullmatch(page) else None
            case "waiting":
                return views.waiting()
            case "policy":
                return views.policy(now)
            case "status":
                return views.status(now)
        return None
