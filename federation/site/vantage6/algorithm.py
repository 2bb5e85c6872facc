"""What the algorithm image runs: one message in, one reply out, for a hospital with a stock node.

The node starts a container per task and passes file names in the environment (vantage6 4,
`algorithm/tools/wrap.py` and `node/docker/task_manager.py`): the decrypted input in INPUT_FILE, the
result wanted in OUTPUT_FILE. Both names are base32 with "!" for "=". Nothing of vantage6 is needed
to read that, so the image holds none of it.

The message goes to the site program, in one of two ways:

* ONCOKRING_LINK=HOST:PORT: to `oncokring site link`, a container of the hospital's own that the
  node connects with `docker_services`. The site's directory is then out of reach of every
  algorithm; take this one where the node runs other algorithms too.
* otherwise in this container, on the directory that the node mounts as the folder database
  `oncokring` (ONCOKRING_SITE). Ledger, journal and snapshot stay in it; its lock lets containers
  that run at the same time take turns.

Standard output gets codes only, for a node may send it to the server. Exit codes: 0 a result was
written, be it a code; 1 not even that.
"""

import base64
import binascii
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from federation.carriage.wire import MAX_ENCODED, WireError, decode_input, encode_result
from federation.site.errors import SetupError
from federation.site.frames import FrameError, read_frame, write_frame
from federation.site.silence import be_silent

SITE = "/mnt/oncokring"
#: Seconds a container waits for its turn, and for an answer over the link: a site may work on one
#: message for ten minutes (security.md 4.2).
TURN_SECONDS = 600.0
CONNECT_SECONDS = 10.0


class Failed(Exception):
    """There is no reply; `code` is what the hub hears."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def main(environment: Mapping[str, str]) -> int:
    """Answer the one message that INPUT_FILE names; see the module's words."""
    be_silent()
    os.umask(0o077)
    arrived = time.monotonic()
    try:
        given = Path(variable(environment, "INPUT_FILE"))
        with (
            open(variable(environment, "OUTPUT_FILE"), "wb") as output,
            given.open("rb") as file,
        ):
            # The node made both as root; from here on this is the site's own user.
            data = file.read(MAX_ENCODED + 1)
            try:
                result = encode_result(reply=_reply(environment, data, arrived))
            except Failed as failed:
                sys.stdout.write(failed.code + "\n")
                result = encode_result(failure=failed.code)
            output.write(result)
    except Exception:
        sys.stdout.write("INTERNAL\n")
        return 1
    return 0


def variable(environment: Mapping[str, str], name: str, default: str = "") -> str:
    """A variable as the node meant it: base32 when the node set it, plain otherwise."""
    value = environment.get(name, default)
    try:
        return base64.b32decode(value.replace("!", "=")).decode("utf-8")
    except (binascii.Error, UnicodeError, ValueError):
        return value


def _reply(environment: Mapping[str, str], data: bytes, arrived: float) -> bytes:
    try:
        message = decode_input(data)
    except WireError:
        raise Failed("UNREADABLE") from None
    link = variable(environment, "ONCOKRING_LINK")
    if link:
        return _over_link(link, message)
    return _in_here(Path(variable(environment, "ONCOKRING_SITE", SITE)), message, arrived)


def _over_link(link: str, message: bytes) -> bytes:
    host, _, port = link.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS) as connection:
            connection.settimeout(TURN_SECONDS)
            with connection.makefile("rwb") as stream:
                write_frame(stream, message)  # type: ignore[arg-type]
                reply = read_frame(stream)  # type: ignore[arg-type]
    except (OSError, ValueError, FrameError):
        raise Failed("SITE_UNREACHABLE") from None
    if reply is None:
        raise Failed("SITE_UNREACHABLE")
    return reply


def _in_here(path: Path, message: bytes, arrived: float) -> bytes:
    from federation.site.directory import SiteDirectory
    from federation.site.program import SiteProgram
    from federation.site.serving import hold_back, utc_now

    try:
        become_owner(path)
        directory = SiteDirectory.load(path)
        program = SiteProgram(directory, lock_seconds=TURN_SECONDS)
    except (SetupError, OSError):
        raise Failed("SITE_SETUP") from None
    try:
        reply = program.handle(message, utc_now())
    finally:
        program.close()
    if reply.code not in ("OK", "REPLAY", "APPLIED"):
        sys.stdout.write(reply.code + "\n")
    # The lock is free again: a refusal that waits for its tick keeps nobody else waiting.
    hold_back(reply.code, arrived, directory.policy.timing_bucket_s)
    return reply.body


def become_owner(path: Path) -> None:
    """Go on as the user whose directory it is, so that its files stay that user's."""
    owner = path.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


if __name__ == "__main__":
    sys.exit(main(os.environ))
