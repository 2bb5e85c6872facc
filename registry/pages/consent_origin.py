"""Under which consent an answer was counted, for its page: what patients had agreed to, and which
log of choices the hospitals saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.items import ITEMS


@dataclass(frozen=True)
class SeenLog:
    """A head of the log of choices, and the hospitals that counted by it."""

    size: int
    root: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class ConsentOrigin:
    """requires: names of items. logs: mostly one; more where lists were of different age."""

    requires: tuple[str, ...] = ()
    logs: tuple[SeenLog, ...] = ()


def consent_origin(
    provenance: Mapping[str, Any], hospitals: Mapping[str, str], language: str
) -> ConsentOrigin:
    """What a stored result says; nothing for a result of before hospitals said it."""
    consent = provenance.get("consent") or {}
    requires = dict.fromkeys(item for part in consent.values() for item in part["requires"])
    seen: dict[tuple[int, str], list[str]] = {}
    for site, part in consent.items():
        if part["log"] is not None:
            seen.setdefault((part["log"]["size"], part["log"]["root"]), []).append(
                hospitals.get(site, site)
            )
    return ConsentOrigin(
        tuple(ITEMS[item].label(language) if item in ITEMS else item for item in requires),
        tuple(SeenLog(size, root, tuple(sites)) for (size, root), sites in sorted(seen.items())),
    )
