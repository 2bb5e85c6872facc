"""Several sites as nodes, each a process of its own, for tests, demo and bench.

    python -m registry.trial.vantage6_nodes LOG DIRECTORY [LOG DIRECTORY …]

Each node is what `oncokring site connect DIRECTORY` runs at a hospital, with its output in LOG.
They are made by fork from this process, which imports once what each of them needs: that is most of
the seconds of a start. When standard input closes, however the starter ended, all nodes end. A node
that ends by itself leaves ENDED in its log.
"""

import gc
import os
import random
import signal
import sys
import threading

from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram
from federation.site.vantage6 import connect as vantage6_connect
from federation.site.vantage6 import events as vantage6_events
from federation.site.vantage6 import node as vantage6_node

#: Named here because a node imports them only when it connects.
PRELOADED = (SiteDirectory, SiteProgram, vantage6_events, vantage6_node)
ENDED = "ENDED"


def main(arguments: list[str]) -> int:
    """Start the nodes and stay until the last has ended."""
    # What lives now lives for good: the collector need not touch it, and memory stays shared.
    gc.freeze()
    nodes: dict[int, str] = {}
    for log, directory in zip(arguments[::2], arguments[1::2], strict=True):
        child = os.fork()
        if child == 0:
            return _node(log, directory)
        nodes[child] = log
    # After the last fork: a forked process has no thread but its own.
    threading.Thread(target=_end_with_standard_input, args=[list(nodes)], daemon=True).start()
    while nodes:
        ended, _status = os.wait()
        with open(nodes.pop(ended), "a", encoding="utf-8") as file:
            file.write(ENDED + "\n")
    return 0


def _node(log: str, directory: str) -> int:
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, place)
    random.seed()
    return vantage6_connect.main([directory])


def _end_with_standard_input(nodes: list[int]) -> None:
    while os.read(0, 1024):
        pass
    for node in nodes:
        os.kill(node, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
