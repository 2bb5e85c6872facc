"""What the vantage6 server says of one hospital: its key, its node, and what its node allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from federation.carriage.wire import IMAGE
from registry.vantage6.findings import BAD, GOOD, WARN, Finding
from registry.vantage6.keys import on_server, spoken
from registry.vantage6.models import Vantage6Site

#: How the server's database writes a yes and a no of a node's settings.
_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0"})


def key_of(
    slug: str, row: Vantage6Site, members: Mapping[int, Mapping[str, Any]], encrypted: bool
) -> Finding:
    there = members.get(row.organization)
    if there is None:
        return Finding(
            "SITE_KEY",
            BAD,
            "Its organisation is not in the collaboration.",
            f"Run 'oncokring vantage6 setup --site {slug}'.",
            slug,
        )
    if not encrypted:
        return Finding("SITE_KEY", GOOD, "No key is in use.", "", slug)
    found = on_server(there.get("public_key"))
    if row.key_sha256 is None:
        seen = "" if found is None else f" The server has {_short(found)}."
        return Finding(
            "SITE_KEY",
            BAD,
            f"Its public key was not accepted yet, so nothing is sent to it.{seen}",
            f"oncokring vantage6 setup --public-key {slug}=FILE, with the file that the "
            "hospital sent.",
            slug,
        )
    if found is None:
        return Finding(
            "SITE_KEY",
            BAD,
            "The server has no public key of it, so nothing is sent to it.",
            f"oncokring vantage6 setup --public-key {slug}=FILE, with the file that it sent.",
            slug,
        )
    if found != row.key_sha256:
        return Finding(
            "SITE_KEY",
            BAD,
            f"The server hands out another public key ({_short(found)}) than the hospital's "
            f"({_short(row.key_sha256)}). Nothing is sent to it.",
            "Call the hospital. When it made a new key: oncokring vantage6 setup --new-key "
            f"{slug} --public-key {slug}=FILE. When not, the server cannot be trusted.",
            slug,
        )
    return Finding("SITE_KEY", GOOD, f"Its key is the accepted one: {_short(found)}.", "", slug)


def node_of(slug: str, node: Mapping[str, Any] | None, encrypted: bool) -> Iterator[Finding]:
    if node is None:
        yield Finding(
            "NODE",
            BAD,
            "It has no node on the server.",
            f"Run 'oncokring vantage6 setup --site {slug}' and send it its new file.",
            slug,
        )
        return
    if node.get("status") != "online":
        seen = str(node.get("last_seen") or "never")[:19]
        yield Finding(
            "NODE",
            WARN,
            f"Its node is not online; the server last saw it: {seen}.",
            "Ask the hospital: oncokring site doctor DIRECTORY",
            slug,
        )
        return
    yield Finding("NODE", GOOD, "Its node is online.", "", slug)
    yield _shares(slug, _config(node), encrypted)


def _shares(slug: str, config: Mapping[str, Sequence[str]], encrypted: bool) -> Finding:
    """What its node says about itself. A node without Docker has no such settings to get wrong
    and says so; the stock node keeps its log setting to itself."""
    wrong = []
    if not config:
        return Finding(
            "NODE_RULES",
            WARN,
            "Its node tells nothing about its settings.",
            "Ask the hospital to run: oncokring site doctor DIRECTORY",
            slug,
        )
    encryption = {value.lower() for value in config.get("encryption", ())}
    if encryption and not encryption <= (_YES if encrypted else _NO):
        wrong.append("its encryption is not that of the collaboration")
    allowed = set(config.get("allowed_algorithms", ()))
    if not allowed or not all(_only_ours(each) for each in allowed):
        wrong.append(f"it allows other algorithms than {IMAGE}")
    logs = {value.lower() for value in config.get("share_algorithm_logs", ())}
    if logs & _YES:
        wrong.append("it sends what programs print to the server (share_algorithm_logs)")
    if wrong:
        return Finding(
            "NODE_RULES",
            BAD,
            f"Its node: {'; '.join(wrong)}.",
            "In the node's configuration: encryption enabled; policies.allowed_algorithms "
            f"only {IMAGE}; share_algorithm_logs: false. Or run 'oncokring site connect', "
            "which has nothing to set.",
            slug,
        )
    # Ours has no logs to share, and says what it is.
    if not logs and "oncokring" not in config:
        return Finding(
            "NODE_RULES",
            WARN,
            "Its node allows only our program. Whether it shares logs cannot be seen.",
            "Ask the hospital for share_algorithm_logs: false in the node's configuration.",
            slug,
        )
    return Finding("NODE_RULES", GOOD, "Its node allows only our program.", "", slug)


def _short(found: str) -> str:
    return spoken(found) if found != "unreadable" else "a key that cannot be read"


def _only_ours(pattern: str) -> bool:
    """Whether an entry of allowed_algorithms can fit nothing but our image: the plain name, or a
    name with its digest, also as the stock node's regular expression."""
    name = IMAGE.partition(":")[0]
    plain = pattern.removeprefix("^").removesuffix("$").replace("\\", "")
    return (
        plain in (name, IMAGE)
        or plain.endswith((f"/{name}", f"/{IMAGE}"))
        or (
            "@sha256:" in plain
            and plain.partition("@")[0].rpartition("/")[2].partition(":")[0]
            == name.rpartition("/")[2]
        )
    )


def _config(node: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a node shares, each key with its values; the server keeps them as texts."""
    found: dict[str, list[str]] = {}
    for row in node.get("config") or ():
        if isinstance(row, dict) and isinstance(row.get("key"), str):
            found.setdefault(row["key"], []).append(str(row.get("value")))
    return found
