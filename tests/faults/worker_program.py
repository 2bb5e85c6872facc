"""A hub's worker as a process of its own, for tests that kill it.

    python worker_program.py FOLDER RUN_ID

FOLDER is one of tests/federation/hub_with_sites. Ends with 0 when the run is final. The
environment says who dies where: ONCOKRING_HUB_CRASH=H3:1 for this process; SITE_CRASH=N5:1 for
the first start of every site (each kill is a line in FOLDER/kills).
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "federation"))

from hub_with_sites import HubWithSites

from federation.runs.worker import Timing, Worker

TIMING = Timing(
    lease=timedelta(seconds=1),
    resend=timedelta(seconds=2),
    back_off=timedelta(milliseconds=50),
)


def site_environment(site: str, starts: int) -> Mapping[str, str]:
    crash = os.environ.get("SITE_CRASH")
    return {"ONCOKRING_CRASH": crash} if crash and starts == 0 else {}


def main(folder: str, run_id: str) -> None:
    hub = HubWithSites(Path(folder))
    engine = hub.engine(site_environment)
    try:
        worker = Worker(hub.factory, engine, hub.key, timing=TIMING)
        while hub.run(run_id).outcome is None:
            worker.step(datetime.now(UTC), wait=0.05)
        starts = {site: engine.starts(site) for site in hub.sites}
        (hub.folder / "starts").write_text(" ".join(str(n) for n in starts.values()))
    finally:
        engine.close()
        hub.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
