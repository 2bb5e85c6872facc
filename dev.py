#!/usr/bin/env python3
"""Run Oncokring from a fresh clone, with nothing but Python and its own pip.

    python3 dev.py demo     a synthetic network of ten hospitals on this machine
    python3 dev.py test     the whole test suite, with coverage
    python3 dev.py bench    our times beside those of the usual libraries
    python3 dev.py serve    the hub, with your own settings
    python3 dev.py check    ruff, mypy and the import rule
    python3 dev.py lock     make the files in requirements/ again

What follows the command is passed on: `demo --once --json`, `test tests/unit -x`.

The packages go into .venv beside this file; nothing outside the clone is changed. The first call
takes about half a minute, later calls start at once: .venv/oncokring.json remembers which lock it
holds. `test`, and `demo` and `bench` with `--engine vantage6`, also make .venv-vantage6, for a real
vantage6 server. Words of this script go to stderr, so `demo --json` keeps stdout for the result.

Only the standard library, and only syntax that Python 3.7 can read: someone with the wrong Python
must get a sentence and not a SyntaxError.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Iterator, Mapping, NoReturn, Sequence  # noqa: UP035

ROOT = Path(__file__).resolve().parent
SUPPORTED = ((3, 11), (3, 12))

# Raise this when the way of installing changes, so that existing environments are done again.
INSTALLER = 1

# The lock of the second environment, and the variable that passes its Python on.
SERVER_LOCK = "vantage6-server"
SERVER_PYTHON = "ONCOKRING_VANTAGE6_SERVER_PYTHON"

EXTRAS = ("hub", "site", "client", "vantage6")
LOCKS: Mapping[str, tuple[str, ...]] = {
    # test first: the other locks take their versions from it, so what is shipped is what was tested
    "test": (*EXTRAS, "demo", "pdf", "test"),
    "run": (*EXTRAS, "demo", "pdf"),
    "hub": (*EXTRAS, "pdf"),
    "site": ("site", "vantage6"),
    "hardened": (*EXTRAS, "pdf"),
}


class Stop(Exception):
    """Ends the script with a sentence: what happened, why, what to do."""


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def check_python(
    version: tuple[int, ...], which: Callable[[str], str | None] = shutil.which
) -> None:
    """Refuse a Python that the locked packages were not tested on, and name one that will do."""
    if version[:2] in SUPPORTED:
        return
    present = [name for name in ("python3.12", "python3.11") if runs(which(name))]
    advice = (
        f"Use {present[0]} in place of python3: {present[0]} dev.py"
        if present
        else "Install one of the two, on Debian 12 with: apt-get install python3 python3-venv"
    )
    raise Stop(
        "Oncokring runs on Python 3.11 or 3.12, and this is "
        + ".".join(str(part) for part in version)
        + f". {advice}"
    )


def runs(program: str | None) -> bool:
    """Does it start? A pyenv shim can be on the path for a Python that is not installed."""
    if program is None:
        return False
    try:
        return subprocess.run([program, "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def check_venv_module(present: Callable[[str], object] = find_spec) -> None:
    """Debian and Ubuntu leave ensurepip out of python3; without it .venv gets no pip."""
    if present("venv") is None or present("ensurepip") is None:
        raise Stop(
            "This Python cannot make a virtual environment, because its venv package is missing. "
            "On Debian and Ubuntu, as root: apt-get install python3-venv. Then run this again."
        )


class Environment:
    """The .venv of one clone: made when needed, filled from one lock, remembered by a stamp.

    With `filled_by` it is a second environment, without us, pip and uv: those of the first fill it.
    """

    def __init__(
        self, root: Path, name: str = ".venv", filled_by: Environment | None = None
    ) -> None:
        self.root = root
        self.folder = root / name
        self.python = self.folder / "bin" / "python"
        self.ours = filled_by is None
        self.tools = self.python if filled_by is None else filled_by.python
        self.stamp = self.folder / "oncokring.json"

    def ready(self, lock: str) -> None:
        """After this the environment holds every package of requirements/<lock>.txt and us."""
        if self._stamps().get(lock) == self._wanted(lock) and self.python.exists():
            return
        with self._alone():
            if self._stamps().get(lock) == self._wanted(lock) and self.python.exists():
                return  # another terminal did it while we waited
            self._make()
            self._install(lock)
            if self.ours:
                self._install_ourselves()
            stamps = {**self._stamps(), lock: self._wanted(lock)}
            self.stamp.write_text(json.dumps(stamps, indent=1) + "\n", encoding="utf-8")

    def run(self, arguments: Sequence[str]) -> NoReturn:
        """Become the program: its signals, its exit code, its terminal."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(self.python, [str(self.python), *arguments])  # noqa: S606

    def _lock_file(self, lock: str) -> Path:
        return self.root / "requirements" / f"{lock}.txt"

    def _wanted(self, lock: str) -> str:
        """What the stamp must say. The clone's place is part of it: a moved clone is done again."""
        digest = hashlib.sha256(f"{INSTALLER}\n{self.root}\n".encode())
        for path in (self._lock_file(lock), *[self.root / "pyproject.toml"] * self.ours):
            try:
                digest.update(path.read_bytes())
            except FileNotFoundError as missing:
                raise Stop(
                    f"{path.name} is missing from this clone, so nothing can be installed. "
                    f"Get it back with: git checkout -- {path.relative_to(self.root)}"
                ) from missing
        return digest.hexdigest()

    def _stamps(self) -> dict[str, str]:
        try:
            stamps = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamps if isinstance(stamps, dict) else {}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two terminals may start at once; the second waits. The lock leaves no file behind."""
        folder = os.open(self.root, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network disks have no locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _make(self) -> None:
        if self.python.exists() and (self._has_pip() or not self.ours):
            return  # may also be one that somebody made by hand: it is kept and filled
        check_venv_module()
        say(f"Making {self.folder.name} with Python {sys.version.split()[0]}.")
        how = ["--clear"] if self.ours else ["--clear", "--without-pip"]
        made = subprocess.run(
            [sys.executable, "-m", "venv", *how, str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if made.returncode != 0:
            say(made.stdout.rstrip())
            raise Stop(
                f"Python could not make {self.folder}; its own words are above. Check that the "
                "disk has room and that you may write in this folder, then run this again."
            )

    def _has_pip(self) -> bool:
        return any(self.folder.glob("lib/python3.*/site-packages/pip"))

    def _install(self, lock: str) -> None:
        """uv is fast, pip is sure: any failure of uv, whatever its reason, is a case for pip."""
        wanted = ["--require-hashes", "-r", str(self._lock_file(lock))]
        say(f"Installing the packages of requirements/{lock}.txt into {self.folder.name}.")
        if self._try_uv(wanted):
            return
        say("pip takes over from uv, which takes a minute or two.")
        if self._pip(["--quiet", *wanted]).returncode != 0:
            raise Stop(
                "The packages could not be installed; pip's own words are above. Most often the "
                "package index cannot be reached. Behind a mirror or a proxy, set PIP_INDEX_URL "
                "or HTTPS_PROXY and run this again; what is already there is kept."
            )

    def _try_uv(self, wanted: Sequence[str]) -> bool:
        itself = ["--quiet", "--require-hashes", "-r", str(self._lock_file("uv"))]
        if self.ours and self._pip(itself, capture_output=True).returncode != 0:
            return False
        # --system-certs: hospital networks open TLS with a certificate that only the system knows.
        uv = [str(self.tools), "-m", "uv", "--system-certs", "pip", "install", "--quiet"]
        done = subprocess.run(
            [*uv, "--python", str(self.python), *wanted], capture_output=True, text=True
        )
        if done.returncode != 0:
            say("uv: " + (done.stderr.strip().splitlines() or ["failed"])[-1].strip())
        return done.returncode == 0

    def _pip(
        self, arguments: Sequence[str], capture_output: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        into = [] if self.ours else ["--python", str(self.python)]
        pip = [str(self.tools), "-m", "pip", "--disable-pip-version-check", *into, "install"]
        # pip reports on stdout; ours is kept for the result of the command that follows
        where = subprocess.DEVNULL if capture_output else sys.stderr.fileno()
        return subprocess.run([*pip, *arguments], stdout=where, stderr=where)

    def _install_ourselves(self) -> None:
        """Put the clone on the environment's path, with its metadata and the `oncokring` command.

        Not `pip install -e .`: that builds, and a build wants setuptools, which is either fetched
        (not offline, not hash-checked) or taken from whatever another package happens to bring.
        These four small files are what an editable install comes down to, and cannot fail that way.
        """
        import tomllib  # Python 3.11, so not at the top: an older Python must get its sentence

        project = tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))["project"]
        name, version = project["name"], project["version"]
        site_packages = next(self.folder.glob("lib/python3.*/site-packages"))
        for older in site_packages.glob(f"{name}-*.dist-info"):
            shutil.rmtree(older)
        for other in site_packages.glob(f"__editable__*{name}*"):
            other.unlink()  # an editable install made by hand would shadow ours
        metadata = site_packages / f"{name}-{version}.dist-info"
        metadata.mkdir()
        written = {
            site_packages / f"{name}.pth": f"{self.root}\n",
            metadata / "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            metadata / "INSTALLER": "dev.py\n",
        }
        scripts = project["scripts"]
        points = "".join(f"{command} = {place}\n" for command, place in scripts.items())
        written[metadata / "entry_points.txt"] = f"[console_scripts]\n{points}"
        for command, place in scripts.items():
            module, function = place.split(":")
            written[self.folder / "bin" / command] = (
                # through sh, since a path with a space or over 127 characters is no valid #! line
                f"#!/bin/sh\n'''exec' \"{self.python}\" \"$0\" \"$@\"\n' '''\n"
                f"import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
            )
        for path, text in written.items():
            path.write_text(text, encoding="utf-8")
        for command in scripts:
            (self.folder / "bin" / command).chmod(0o755)
        record = [os.path.relpath(path, site_packages) for path in (*written, metadata / "RECORD")]
        (metadata / "RECORD").write_text("".join(f"{path},,\n" for path in record), "utf-8")


def with_server(first: Environment) -> None:
    """A vantage6 server's pins exclude ours, so it has an environment of its own."""
    server = Environment(first.root, ".venv-vantage6", filled_by=first)
    server.ready(SERVER_LOCK)
    os.environ[SERVER_PYTHON] = str(server.python)


def asks_for_server(arguments: Sequence[str]) -> bool:
    return "--engine=vantage6" in arguments or "--engine vantage6" in " ".join(arguments)


def oncokring(environment: Environment, lock: str, arguments: Sequence[str]) -> NoReturn:
    environment.ready(lock)
    environment.run([str(environment.folder / "bin" / "oncokring"), *arguments])


def demo(environment: Environment, arguments: Sequence[str]) -> None:
    environment.ready("run")
    if asks_for_server(arguments):
        with_server(environment)
    oncokring(environment, "run", ["demo", *arguments])


def serve(environment: Environment, arguments: Sequence[str]) -> None:
    oncokring(environment, "run", ["serve", *arguments])


def keep_compiled() -> None:
    """Let Python keep what it compiled: a run starts hundreds of processes, a second each."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def test(environment: Environment, arguments: Sequence[str]) -> None:
    environment.ready("test")
    keep_compiled()
    try:
        with_server(environment)
    except Stop as stop:  # .ci/run forbids skips, so there it is a failure
        say(f"{stop} Until then the tests that start a vantage6 server are skipped.")
    os.chdir(environment.root)
    whole_suite = [os.path.join("tests", "support", "whole_suite.py")]
    environment.run(["-m", "pytest", *arguments] if arguments else whole_suite)


def bench(environment: Environment, arguments: Sequence[str]) -> None:
    environment.ready("test")
    if asks_for_server(arguments):
        with_server(environment)
    environment.run(["-m", "registry.bench", *arguments])


def check(environment: Environment, arguments: Sequence[str]) -> None:
    environment.ready("test")
    os.chdir(environment.root)
    linter = str(environment.folder / "bin" / "lint-imports")
    failed = [
        name
        for name, command in (
            ("ruff", ["-m", "ruff", "check", *arguments]),
            ("mypy", ["-m", "mypy"]),
            ("the import rule", [linter, "--no-cache"]),
        )
        if subprocess.run([str(environment.python), *command]).returncode != 0
    ]
    if failed:
        raise Stop(f"Not clean: {', '.join(failed)}.")


def lock(environment: Environment, arguments: Sequence[str]) -> None:
    """`lock --upgrade` takes the newest versions that pyproject.toml and vantage6's pins allow."""
    environment.ready("test")
    compile_ = [str(environment.python), "-m", "uv", "--system-certs", "pip", "compile", "--quiet"]
    common = ["--universal", "--python-version", "3.11", "--generate-hashes"]
    os.chdir(environment.root)
    wanted = {
        name: ["pyproject.toml", *(part for extra in extras for part in ("--extra", extra))]
        for name, extras in LOCKS.items()
    }
    wanted[SERVER_LOCK] = [f"requirements/{SERVER_LOCK}.in"]
    for name, rest in wanted.items():
        if name == "hardened":
            rest += ["--override", "requirements/overrides.txt"]
        elif name not in ("test", SERVER_LOCK):
            rest += ["-c", "requirements/test.txt"]
        output = ["-o", f"requirements/{name}.txt"]
        if subprocess.run([*compile_, *common, *rest, *arguments, *output]).returncode != 0:
            raise Stop(f"requirements/{name}.txt could not be made; uv's own words are above.")


COMMANDS: Mapping[str, Callable[[Environment, Sequence[str]], None]] = {
    command.__name__: command for command in (demo, test, bench, serve, check, lock)
}


def main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print((__doc__ or "").split("\n\nOnly the standard library")[0])
        return 0 if arguments else 2
    try:
        check_python(sys.version_info[:3])
        command = COMMANDS.get(arguments[0])
        if command is None:
            raise Stop(f"dev.py has no command {arguments[0]!r}. It has: {', '.join(COMMANDS)}.")
        command(Environment(ROOT), arguments[1:])
    except Stop as stop:
        say(str(stop))
        return 2
    except KeyboardInterrupt:
        say("Stopped. Nothing is lost: the next call goes on from here.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
