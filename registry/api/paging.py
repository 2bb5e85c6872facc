"""Long lists in pages: `limit` and `after`, with the next page in a Link header (RFC 8288).

The cursor `after` is the last name of the page before, so a page stays right while rows come and
go, and the database reads no more than it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request, url_for
from marshmallow import Schema, fields, validate
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

Row = TypeVar("Row")
PAGE = 100


class Page(Schema):
    """Which part of a long list."""

    limit = fields.Integer(load_default=PAGE, strict=False, validate=validate.Range(1, PAGE))
    after = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "The last name of the page before; the Link header has it."},
    )


def page(
    session: Session,
    wanted: Select[Row],
    name: InstrumentedAttribute[str],
    part: dict[str, Any],
) -> tuple[list[Row], dict[str, str]]:
    """The rows of this page in order of `name`, and the header that leads to the next one.

    `part` holds `limit` and `after` as Page reads them.
    """
    if part["after"]:
        wanted = wanted.where(name > part["after"])
    rows = list(session.scalars(wanted.order_by(name).limit(part["limit"] + 1)))
    return _cut(rows, part["limit"], lambda row: str(getattr(row, name.key)))


def page_of(
    rows: Sequence[Row], name: Callable[[Row], str], part: dict[str, Any]
) -> tuple[list[Row], dict[str, str]]:
    """The same for rows that are in memory already, in any order."""
    ordered = sorted((row for row in rows if name(row) > part["after"]), key=name)
    return _cut(ordered[: part["limit"] + 1], part["limit"], name)


def _cut(
    rows: list[Row], limit: int, name: Callable[[Row], str]
) -> tuple[list[Row], dict[str, str]]:
    if len(rows) <= limit:
        return rows, {}
    rows = rows[:limit]
    arguments: dict[str, Any] = {**request.args, "after": name(rows[-1]), "limit": limit}
    endpoint = request.endpoint or ""
    address = url_for(endpoint, **(request.view_args or {}), **arguments)
    return rows, {"Link": f'<{address}>; rel="next"'}
