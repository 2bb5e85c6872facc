"""Collaborations on the real server of this process, and what the stock client leaves behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from vantage6.common.client import client_base
from vantage6.common.encryption import CryptorBase
from vantage6_lab import Administrator, Collaboration, collaboration, server
from vantage6_stock import Enough

from federation.engines import vantage6_client


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Collaboration:
    return collaboration(tmp_path_factory.mktemp("together"), ["a", "b"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Collaboration:
    """Not encrypted."""
    return collaboration(tmp_path_factory.mktemp("plain"), ["a", "b"], encrypted=False)


@pytest.fixture(scope="module")
def root() -> Iterator[Administrator]:
    started = server()
    made = Administrator(started.url, started.root)
    yield made
    made.close()


@pytest.fixture
def tidied_up() -> Iterator[None]:
    """The stock client empties the root logger: put it back, and no cryptor survives a test."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    type(CryptorBase)._instances.clear()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a client means to sleep; the sixth time it is stopped."""
    found: list[float] = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        if len(found) >= 6:
            raise Enough

    clock = SimpleNamespace(sleep=sleep, time=time.time, monotonic=time.monotonic)
    for module in (client_base, vantage6_client):
        monkeypatch.setattr(module, "time", clock)
    return found
