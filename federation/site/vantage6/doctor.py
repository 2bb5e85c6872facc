"""`oncokring site doctor`: looks at everything between this site and its vantage6 server.

It changes nothing, and can look while the site runs. Each finding has a stable code and, when it is
not good, says what to change.
"""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federation.carriage.wire import IMAGE
from federation.site.errors import DataError, SetupError
from federation.site.program import LOCK_FILE
from federation.site.vantage6.answers import NodeError
from federation.site.vantage6.settings import NodeSettings, read_node_settings

if TYPE_CHECKING:
    from federation.site.vantage6.node import SiteClient

GOOD, WARN, BAD = "good", "warn", "bad"
TESTED, WORKS = "4.15.", "4."
LEAST_DISK = 1_000_000_000
#: Seconds: messages from a clock that is further ahead are refused (protocol.messages.SKEW).
CLOCK_WARN, CLOCK_BAD = 5.0, 60.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state` is good, warn or bad."""

    code: str
    state: str
    sentence: str
    change: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def look(path: Path, node_config: Path | None = None) -> Iterator[Finding]:
    """All findings, as far as can be seen. `node_config`: the site is served by a stock node."""
    try:
        yield from _site(path)
    except SetupError as error:
        yield Finding("SITE_FILES", BAD, error.sentence, "Nothing is answered until it is right.")
        return
    if node_config is not None:
        from federation.site.vantage6.stock import look_at

        yield from look_at(path, node_config)
        return
    yield _library()
    try:
        settings = read_node_settings(path)
    except SetupError as error:
        yield Finding("NODE_FILES", BAD, error.sentence)
        return
    yield Finding("NODE_FILES", GOOD, "vantage6.toml and the keys it names are in order.")
    yield _encryption(settings)
    yield Finding(
        "POLICIES",
        GOOD,
        f"Only tasks of organisation {settings.hub_organization} with the image {IMAGE} are looked "
        "at, logs hold codes only, and the hub's own signature decides.",
    )
    try:
        from federation.site.vantage6.node import SiteClient
    except ImportError:
        return
    client = SiteClient(settings)
    try:
        yield from _server(client)
    finally:
        client.close()


def _site(path: Path) -> Iterator[Finding]:
    from federation.site.data.checking import reports
    from federation.site.data.report import sentence
    from federation.site.steward.status import read_status

    now = datetime.now(UTC)
    found = read_status(path, now)
    yield Finding("SITE_FILES", GOOD, f"The directory of {found['site']} is in order.")
    try:
        usable = all(report.usable for report in reports(path))
    except DataError as error:
        yield Finding("DATA", BAD, sentence(error), "See: oncokring site check")
    else:
        yield (
            Finding("DATA", GOOD, "The data can be read and fit the codebook.")
            if usable
            else Finding("DATA", BAD, "The data do not fit the codebook.", "oncokring site check")
        )
    if found["stopped"]:
        yield Finding("PAUSED", WARN, "The site is paused.", "To go on: oncokring site resume")
    if not found["snapshot_fresh"]:
        yield Finding(
            "CONSENT_LIST",
            WARN,
            "There is no recent list of patients' choices, so nobody is counted.",
            "The hub sends one within minutes of this site being connected.",
        )
    else:
        yield Finding("CONSENT_LIST", GOOD, "The list of patients' choices is recent.")
    if not (found["audit_intact"] and found["sent_intact"]):
        yield Finding(
            "AUDIT", BAD, "The local log was changed.", "Stop the site and call the network office."
        )
    if shutil.disk_usage(path).free < LEAST_DISK:
        yield Finding("DISK", WARN, "Less than 1 GB of disk is free.", "Make room.")
    yield (
        Finding("RUNNING", GOOD, "A program serves this site.")
        if _is_served(path)
        else Finding("RUNNING", WARN, "No program serves this site.", "oncokring site connect")
    )


def _is_served(path: Path) -> bool:
    try:
        with (path / LOCK_FILE).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True


def _library() -> Finding:
    try:
        found = version("vantage6-client")
        version("python-socketio")
    except PackageNotFoundError:
        return Finding(
            "LIBRARY",
            BAD,
            "vantage6-client or python-socketio is not installed here.",
            "Install requirements/site.txt.",
        )
    if not found.startswith(TESTED):
        return Finding(
            "LIBRARY",
            WARN,
            f"vantage6-client {found} was not tested.",
            "Install requirements/site.txt.",
        )
    return Finding("LIBRARY", GOOD, f"vantage6-client {found}.")


def _encryption(settings: NodeSettings) -> Finding:
    if settings.encrypted:
        return Finding(
            "ENCRYPTION",
            GOOD,
            "Replies are encrypted for the hub's key that was pinned. Fingerprint of this site's "
            f"key: {settings.public_sha256}",
        )
    return Finding(
        "ENCRYPTION",
        WARN,
        "The collaboration is not encrypted: everybody on the server may read what passes.",
        "Ask the network office for an encrypted one.",
    )


def _server(client: "SiteClient") -> Iterator[Finding]:
    try:
        found = client.server_version()
    except NodeError as error:
        yield _of_code(error.code)
        return
    yield Finding("REACH", GOOD, "The server answers.")
    if found.startswith(TESTED):
        yield Finding("SERVER_VERSION", GOOD, f"vantage6 {found}.")
    elif found.startswith(WORKS):
        yield Finding("SERVER_VERSION", WARN, f"vantage6 {found} was not tested with this program.")
    else:
        yield Finding(
            "SERVER_VERSION",
            BAD,
            "The server is not a vantage6 4.",
            "Ask the network office for the address of one.",
        )
        return
    if client.server_date is not None:
        yield _clock((datetime.now(UTC) - client.server_date).total_seconds())
    try:
        odd = client.enter()
    except NodeError as error:
        yield _of_code(error.code)
        return
    yield Finding("NODE_KEY", GOOD, "The server knows this node, in the right collaboration.")
    for code in odd:
        yield _of_code(code)


def _clock(seconds: float) -> Finding:
    off = abs(seconds)
    if off <= CLOCK_WARN:
        return Finding("CLOCK", GOOD, "The clocks of server and site agree.")
    return Finding(
        "CLOCK",
        WARN if off <= CLOCK_BAD else BAD,
        f"The clocks of server and site differ by {off:.0f} seconds.",
        "Let the machine follow a time server (NTP).",
    )


_CODES: Mapping[str, tuple[str, str, str]] = {
    "UNREACHABLE": (
        BAD,
        "The server does not answer.",
        "Check the address in vantage6.toml, that the firewall lets this machine out to it on port "
        "443, and HTTPS_PROXY when the hospital has a proxy.",
    ),
    "CERTIFICATE": (
        BAD,
        "The server's certificate is not trusted here: signed by an authority that this machine "
        "does not know, expired, or made for another name. Nothing was sent.",
        "Ask the network office. When the authority is its own, it sends a new file for 'oncokring "
        "site join'; when the hospital's proxy opens TLS, name the proxy's in REQUESTS_CA_BUNDLE.",
    ),
    "NOT_VANTAGE6": (
        BAD,
        "What answers is not a vantage6 server.",
        "Check the address in vantage6.toml; it ends in the path of the API, mostly /api.",
    ),
    "REJECTED": (
        BAD,
        "The server turns this node's requests down.",
        "Ask the network office whether the node was removed.",
    ),
    "KEY_REFUSED": (
        BAD,
        "The server does not accept the node's key.",
        "Ask the network office for a new one, then: oncokring site join",
    ),
    "OTHER_COLLABORATION": (
        BAD,
        "The node's key belongs to another collaboration.",
        "Ask the network office; do not connect.",
    ),
    "OTHER_ORGANIZATION": (
        BAD,
        "The node's key belongs to another organisation.",
        "Ask the network office; do not connect.",
    ),
    "UNENCRYPTED": (
        BAD,
        "The server says that the collaboration is not encrypted, and it was when you joined.",
        "Call the network office; do not connect.",
    ),
    "ENCRYPTED": (
        BAD,
        "The collaboration is encrypted now, and it was not when you joined.",
        "Ask the network office for a new file, remove vantage6.toml and join again.",
    ),
    "HUB_KEY_CHANGED": (
        BAD,
        "The server hands out another key of the hub than was pinned here.",
        "Call the network office; do not connect. Somebody may be trying to read your replies.",
    ),
    "OWN_KEY_DIFFERS": (
        WARN,
        "The server does not hold this site's own key, so the hub's messages cannot be read here.",
        "Send keys/vantage6.pub to the network office and compare the fingerprint by phone.",
    ),
}


def _of_code(code: str) -> Finding:
    unknown = (BAD, "The server did something unexpected.", "Try again; then call the office.")
    return Finding(code, *_CODES.get(code, unknown))


def read_yaml(file: Path) -> Mapping[str, Any]:
    """A configuration file as a table. SetupError when it is none."""
    import yaml

    from federation.site.files import read_given

    try:
        found = yaml.safe_load(read_given(file))
    except (yaml.YAMLError, RecursionError) as error:
        raise SetupError(
            f"{file.name} is not a YAML file; give the node's configuration."
        ) from error
    if not isinstance(found, dict):
        raise SetupError(f"{file.name} is not the configuration of a vantage6 node.")
    return found
