"""flask-smorest's Blueprint with types, so that the views keep theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Request
from flask_smorest import Blueprint, abort  # type: ignore[import-untyped]
from webargs.core import missing
from webargs.flaskparser import FlaskParser, is_json_request

from federation.protocol.encoding import parse_json
from federation.protocol.errors import ProtocolError
from registry.api.schemas import Problem

View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Reads JSON as the rest of the hub does: no depth, number or double key that Python's own
    reader fails on, or that two readers would read differently."""

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json_request(req):
            return missing
        try:
            return parse_json(req.get_data(cache=True))
        except ProtocolError:
            abort(400, messages={"json": ["Invalid JSON body."]})


class Part(Blueprint):  # type: ignore[misc]
    """A part of the API. Decorators from outside to inside: get/post/put, rule, the rest."""

    ARGUMENTS_PARSER = StrictParser()

    def get(self, path: str) -> Callable[[View], View]:  # type: ignore[override, unused-ignore]
        """Answer GET at ``path``."""
        made: Callable[[View], View] = self.route(path, methods=["GET"])
        return made

    def post(self, path: str) -> Callable[[View], View]:  # type: ignore[override, unused-ignore]
        """Answer POST at ``path``."""
        made: Callable[[View], View] = self.route(path, methods=["POST"])
        return made

    def put(self, path: str) -> Callable[[View], View]:  # type: ignore[override, unused-ignore]
        """Answer PUT at ``path``."""
        made: Callable[[View], View] = self.route(path, methods=["PUT"])
        return made

    def takes(self, schema: Any, location: str = "json") -> Callable[[View], View]:
        """Check what comes in at ``location`` and hand it to the view."""
        made: Callable[[View], View] = self.arguments(schema, location=location)
        return made

    def gives(
        self, status: int, schema: Any = None, media: str | None = None
    ) -> Callable[[View], View]:
        """Dump what the view returns; without a schema the view makes its own response.

        ``media``: the content type when it is not application/json.
        """
        made: Callable[[View], View] = self.response(status, schema, content_type=media)
        return made

    def also(self, status: int, description: str = "") -> Callable[[View], View]:
        """Document another answer: a problem for 400 and above."""
        more: dict[str, Any] = {"description": description} if description else {}
        if status >= 400:
            more |= {"schema": Problem, "content_type": "application/problem+json"}
        made: Callable[[View], View] = self.alt_response(status, **more)
        return made

    def says(self, **documented: Any) -> Callable[[View], View]:
        """Add to the OpenAPI document."""
        made: Callable[[View], View] = self.doc(**documented)
        return made
