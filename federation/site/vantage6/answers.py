"""What a vantage6 server answers a node, read strictly: all that is odd is a NodeError."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit


class NodeError(Exception):
    """The server did not do what a vantage6 server does. `code` is stable and says what."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(NodeError):
    """This site must not work with the server as it is now; a person has to look."""


class Rejected(NodeError):
    """The server understood a request and turned it down."""

    def __init__(self, status: int) -> None:
        super().__init__("REJECTED")
        self.status = status


@dataclass(frozen=True)
class Run:
    """One task for this node, its input still as the server gave it."""

    id: int
    task: int
    image: str
    by: int  # the organisation that made the task
    closed: bool
    blob: bool
    input: str
    alone: bool  # no other run waited


def read_run(row: Any, *, alone: bool) -> Run:
    task = read_field(row, "task")
    image, given = read_field(task, "image"), read_field(row, "input")
    if not isinstance(image, str) or not isinstance(given, str):
        raise NodeError("NOT_VANTAGE6")
    return Run(
        id=read_number(row, "id"),
        task=read_number(task, "id"),
        image=image,
        by=read_number(task, "init_org", "id"),
        # A run that ended is never taken up again, whatever list it is in (vantage6 issue 2371).
        closed=row.get("finished_at") is not None or row.get("status") not in _OPEN,
        blob=bool(row.get("blob_storage_used")),
        input=given,
        alone=alone,
    )


_OPEN = ("pending", "initializing", "active", "start failed")


def read_last_page(found: Any) -> int:
    """How many pages a list has, by its links."""
    links = found.get("links")
    last = parse_qs(urlsplit(str(links.get("last") if isinstance(links, dict) else "")).query)
    number = last.get("page", ["1"])[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1


def read_field(found: Any, name: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise NodeError("NOT_VANTAGE6")
    return found[name]


def read_number(found: Any, *names: str) -> int:
    for name in names:
        found = read_field(found, name)
    if type(found) is not int:
        raise NodeError("NOT_VANTAGE6")
    return found


def read_text(found: Any, name: str) -> str:
    value = read_field(found, name)
    if not isinstance(value, str) or not value:
        raise NodeError("NOT_VANTAGE6")
    return value


def read_parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NodeError("NOT_VANTAGE6") from error
