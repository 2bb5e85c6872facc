"""One site as a node, in a process that ends with whoever started it: for tests, demo and bench.

    python -m registry.trial.vantage6_node_process DIRECTORY

The same as `python -m federation.site.vantage6_connect DIRECTORY`, which a hospital runs as a
service, but for one thing: when standard input closes, however the starter ended, the node ends.
"""

import os
import signal
import sys
import threading

from federation.site.vantage6_connect import main


def _end_with_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
