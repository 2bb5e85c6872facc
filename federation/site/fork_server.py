"""`python -m federation.site.fork_server SOCKET`: starts site programs that share their imports.

Most of a site program's start is importing the same modules as the next one. This process imports
them once and makes each site's process by fork: a process of its own, with its own directory and
pipes, and most of its code in memory only once. It reads no file of any site.

SOCKET is the number of an open descriptor. A request is one packet: the site's directory, with the
three descriptors that become stdin, stdout and stderr. The answer is one packet: the number of the
new process, with a descriptor that stays bound to it (pidfd_open(2)). It ends when the socket does.
"""

import gc
import os
import random
import signal
import socket
import sys

from federation.site import process
from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram

PRELOADED = (SiteDirectory, SiteProgram)
"""Named here because `process` imports them only when it serves."""

_MOST_BYTES = 65_536


def main(arguments: list[str]) -> int:
    """Serve the socket in `arguments`; in each process made from this one, be that site."""
    requests = socket.socket(fileno=int(arguments[0]))
    # Who ended is told by its pidfd; nobody waits for it here.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Ctrl-C reaches all processes of a terminal; this one ends when the hub does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What lives now lives for good: the collector need not touch it, and memory stays shared.
    gc.freeze()
    path = _serve(requests)
    if path is None:
        return process.OK
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    return process.main([path])


def _serve(requests: socket.socket) -> str | None:
    """Fork for each request. In a new process its directory; here None when the socket ends."""
    while True:
        packet, descriptors, _, _ = socket.recv_fds(requests, _MOST_BYTES, 3)
        if not packet:
            return None
        child = os.fork()
        if child == 0:
            requests.close()
            for place, descriptor in enumerate(descriptors):
                os.dup2(descriptor, place)
                os.close(descriptor)
            return os.fsdecode(packet)
        for descriptor in descriptors:
            os.close(descriptor)
        handle = os.pidfd_open(child)
        socket.send_fds(requests, [str(child).encode()], [handle])
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
