"""A hub's worker as a process of its own, for tests that kill it.

    python worker_program.py FOLDER RUN_ID

FOLDER is one of tests/federation/hub_with_sites. Ends with 0 when the run is final. The
environment says who dies where: ONCOKRING_HUB_CRASH=H3:1 for this process; SITE_CRASH=N5:1 for
the first start of every site. PLANTED=name plants a fault that the harness must see.
"""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "federation"))

from hub_with_sites import HubWithSites

from federation.runs import progress
from federation.runs.in_hand import Timing
from federation.runs.worker import Worker

TIMING = Timing(
    lease=timedelta(seconds=1),
    resend=timedelta(seconds=2),
    back_off=timedelta(milliseconds=50),
)


def site_environment(site: str, starts: int) -> Mapping[str, str]:
    crash = os.environ.get("SITE_CRASH")
    return {"ONCOKRING_CRASH": crash} if crash and starts == 0 else {}


def forget_replies(*_: object, **__: object) -> bool:
    """Planted: a reply counts although it was never stored."""
    return True


STORED_REPLIES = progress.stored_replies


def charge_anew(session: Any, run: Any) -> Any:
    """Planted: a worker that takes over begins a new run at the sites instead of going on."""
    if not run.again:
        progress.restart(session, run, snapshots=run.min_snapshots, again=False, stale=False)
    return STORED_REPLIES(session, run)


PLANTS: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "forget_replies": ("store_reply", forget_replies),
    "charge_anew": ("stored_replies", charge_anew),
}


def main(folder: str, run_id: str) -> None:
    if planted := os.environ.get("PLANTED"):
        setattr(progress, *PLANTS[planted])
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
