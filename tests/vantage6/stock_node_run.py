"""`unshare --net python stock_node_run.py FOLDER PYTHON`: stock vantage6 nodes with our image.

Needs root, docker.io, debootstrap, iptables and a Python 3.10. Everything it makes stands below
FOLDER, and what is there already is used again (base system, wheels, the node's environment). The
images are built from the repository's own Dockerfile, on a Debian that debootstrap made, without a
registry. Two of three sites are mounted in the container, the third is reached over `oncokring
site link`. One query is asked, once. Prints what happened as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from site_nodes import Hub, Lab, a_lab, wait_for  # noqa: E402
from vantage6_lab import server  # noqa: E402

from federation.carriage.wire import IMAGE  # noqa: E402
from federation.runs.driver import Outcome  # noqa: E402
from federation.site.cli_words import OK  # noqa: E402
from federation.site.steward.status import read_status  # noqa: E402

BASE = "local/python:1"
SITE_IMAGE = "oncokring-site:1"
OWNER = 10001
#: What a stock node writes that keeps its logs, as `site doctor` asks for.
NO_LOG = "Node does not allow sharing algorithm logs"
LAUNCH = """
import sys
import vantage6.common.docker.addons as addons
addons.running_in_docker = lambda: False   # this machine may be a container itself
from vantage6.cli.context.node import NodeContext
NodeContext.running_in_docker = False      # vnode-local of 4.15.2 does not start without it
from vantage6.node.cli.node import cli_node_start
cli_node_start(["--config", sys.argv[1], "--user"])
"""


def say(words: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {words}", file=sys.stderr, flush=True)


def run(*command: str | Path, **more: Any) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **more)


def prepare(folder: Path, node_python: str) -> None:
    """What can be used again: a Debian with Python, the wheels, vantage6-node."""
    if not (folder / "base.tar").exists():
        say("debootstrap")
        wanted = "python3,python3-pip,python3-venv,ca-certificates"
        run(
            "debootstrap", "--variant=minbase", f"--include={wanted}", "bookworm", folder / "rootfs"
        )
        (folder / "rootfs" / "usr" / "bin" / "python").symlink_to("python3")
        run("tar", "-C", folder / "rootfs", "-cf", folder / "base.tar", ".")
        shutil.rmtree(folder / "rootfs")
    if not (folder / "wheels").exists():
        say("wheels")
        lock = ROOT / "requirements" / "site.txt"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        run(*pip, "-r", lock, "-d", folder / "wheels.new")
        # what pip builds qrcode's archive with
        run(sys.executable, "-m", "pip", "download", "-q", "-d", folder / "wheels.new", "wheel")
        (folder / "wheels.new").rename(folder / "wheels")
    if not (folder / "node" / "done").exists():
        say("vantage6-node")
        run(node_python, "-m", "venv", "--clear", folder / "node")
        # flask: imported and not declared
        wanted = ["vantage6-node==4.15.2", "flask==3.1.3"]
        run(folder / "node" / "bin" / "pip", "install", "-q", *wanted)
        (folder / "node" / "done").touch()


@contextlib.contextmanager
def docker(folder: Path) -> Iterator[None]:
    """A daemon of our own in this network namespace; gone at the end, with its containers."""
    run("ip", "link", "set", "lo", "up")
    address = f"unix://{folder / 'docker.sock'}"
    with (folder / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [
                *("dockerd", "--data-root", folder / "root", "--exec-root", folder / "exec"),
                *("-p", folder / "dockerd.pid", "-H", address),
            ],
            stdout=log,
            stderr=log,
        )
    os.environ["DOCKER_HOST"] = address
    os.environ["DOCKER_BUILDKIT"] = "0"  # Debian ships no buildx
    try:
        wait_for(
            lambda: subprocess.run(["docker", "info"], capture_output=True).returncode == 0, 60
        )
        yield
    finally:
        left = subprocess.run(
            ["docker", "ps", "-aq"], capture_output=True, text=True
        ).stdout.split()
        if left:
            run("docker", "rm", "-f", *left)
        daemon.terminate()
        daemon.wait(60)


def build(folder: Path) -> None:
    """The Dockerfile's own targets, on the Debian made above."""
    run("docker", "import", folder / "base.tar", BASE)
    context = folder / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    shutil.copytree(folder / "wheels", context / "wheels")
    # The index that pip of the Dockerfile uses, when there is no network: the same hashes.
    (context / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
    )
    run("docker", "build", "-q", "-t", "local/python:wheels", context)
    # Without BuildKit every stage above the target is built; those of the hub are left out.
    text = (ROOT / "Dockerfile").read_text("utf-8")
    above, _, rest = text.partition("# -- hub -")
    file = folder / "Dockerfile"
    file.write_text(above + rest[rest.index("# -- site -") :], "utf-8")
    for target, tag in (("algorithm", IMAGE), ("site", SITE_IMAGE)):
        say(f"build {target}")
        run(
            *("docker", "build", "--build-arg", "PYTHON=local/python:wheels"),
            *("--target", target, "-t", tag, "-f", file, ROOT),
        )


def node_config(lab: Lab, slug: str, folder: Path, number: int) -> Path:
    """A stock node as docs/how-to/run-the-site-under-vantage6.md says it."""
    together = lab.together
    config: dict[str, Any] = {
        "api_key": together.sites[slug].api_key,
        "server_url": "http://127.0.0.1",
        "port": server().port,
        "api_path": "/api",
        "task_dir": str(folder / f"tasks-{slug}"),
        "databases": [{"label": "oncokring", "type": "other", "uri": str(lab.path(slug))}],
        "share_algorithm_logs": False,
        "encryption": {"enabled": True, "private_key": str(together.sites[slug].key_file)},
        "policies": {
            "allowed_algorithms": [f"^{IMAGE}$"],
            "allowed_organizations": [str(together.hub.organization)],
            "allow_basics_algorithm": False,
            "require_algorithm_pull": False,  # the image was built here
        },
        "logging": {
            "level": "INFO",
            "use_console": True,
            "backup_count": 1,
            "max_size": 1024,
            "format": "%(asctime)s %(levelname)s %(message)s",
            "datefmt": "%H:%M:%S",
            "loggers": [],
        },
    }
    if number == 2:
        config["databases"] = []
        config["docker_services"] = {"oncokring": f"oncokring-{slug}"}
        config["algorithm_env"] = {"ONCOKRING_LINK": "oncokring:7700"}
    file = folder / f"{slug}.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return file


@contextlib.contextmanager
def nodes(lab: Lab, folder: Path) -> Iterator[None]:
    """The three nodes, each in the state that its hospital's administrator would leave it."""
    linked = sorted(lab.together.sites)[2]
    mount = f"{lab.path(linked)}:/site"
    for slug in lab.together.sites:
        for path in (lab.path(slug), *lab.path(slug).rglob("*")):
            os.chown(path, OWNER, OWNER)
    run("docker", "run", "-d", "--name", f"oncokring-{linked}", "--read-only", "--tmpfs", "/tmp",  # noqa: S108
        "--cap-drop", "ALL", "-v", mount, SITE_IMAGE, "link", "/site")  # fmt: skip
    launcher = folder / "launch.py"
    launcher.write_text(LAUNCH)
    started = []
    try:
        for number, slug in enumerate(sorted(lab.together.sites)):
            environment = {
                **os.environ,
                "HOME": str(folder),
                **{
                    f"XDG_{k}_HOME": str(folder / f"xdg-{slug}")
                    for k in ("CONFIG", "DATA", "CACHE")
                },
                "PROXY_SERVER_HOST": "172.17.0.1",
                "PROXY_SERVER_PORT": str(8100 + number),
            }
            file = node_config(lab, slug, folder, number)
            with (folder / f"node-{slug}.log").open("wb") as log:
                command = [folder / "node" / "bin" / "python", launcher, file]
                started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        for site in lab.together.sites.values():
            wait_for(lambda at=site: lab.hub.node(at)["status"] == "online", 240)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def ask(lab: Lab, query: Mapping[str, Any]) -> tuple[Outcome, list[dict[str, Any]]]:
    """One query over the three sites to its end; the runs on the server, too."""
    driver, runs = lab.net.driver(lab.net.plan(lab.net.query(query))), []
    while True:
        now = datetime.now(UTC)
        tasks = {
            slug: lab.hub.post(lab.together.sites[slug], message)
            for slug, message in driver.messages(now).items()
        }
        for slug, task in tasks.items():
            driver.receive(slug, lab.hub.answer(task, 300, log=NO_LOG), datetime.now(UTC))
            run = lab.hub.run(task)
            runs.append({"site": slug, "status": run["status"], "log": run["log"]})
        if isinstance(after := driver.advance(datetime.now(UTC)), Outcome):
            return after, runs


def main(folder: Path, node_python: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder, node_python)
    lab_folder = folder / "lab"
    shutil.rmtree(lab_folder, ignore_errors=True)
    lab_folder.mkdir()
    with docker(folder):
        build(folder)
        with a_lab(lab_folder) as lab, nodes(lab, folder):
            hub: Hub = lab.hub
            began = time.monotonic()
            outcome, runs = ask(lab, {"kind": "count", "by": ["sex"]})
            seconds = time.monotonic() - began
            site = lab.together.sites["h0"]
            foreign = hub.ended(hub.post(site, lab.message("h0"), image="hello-world:latest"), 120)
            owners = {path.stat().st_uid for path in lab.path("h0").rglob("*")}
            status = {
                slug: read_status(lab.path(slug), datetime.now(UTC)) for slug in lab.together.sites
            }
    print(
        json.dumps(
            {
                "outcome": outcome.status,
                "result": outcome.envelope.get("result"),
                "runs": runs,
                "seconds": round(seconds, 1),
                "foreign": foreign["status"],
                "answers": {slug: each["answers"] for slug, each in status.items()},
                "audit_intact": all(each["audit_intact"] for each in status.values()),
                "owners": sorted(owners),
            }
        )
    )
    return OK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2]))
