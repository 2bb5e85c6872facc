"""The kinds of analysis that exist: every module here that defines METHOD."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import federation.methods
from federation.methods.base import Method
from federation.query.codebook import Codebook
from federation.query.model import Query, parse_query


def _find() -> dict[str, Method]:
    found: dict[str, Method] = {}
    for entry in sorted(pkgutil.iter_modules(federation.methods.__path__), key=lambda m: m.name):
        if entry.name == "registry":
            continue
        module = importlib.import_module(f"{federation.methods.__name__}.{entry.name}")
        method = getattr(module, "METHOD", None)
        if method is None:
            continue
        if method.kind in found:
            raise RuntimeError(f"two files define the kind {method.kind!r}")
        found[method.kind] = method
    return found


KINDS: Final[Mapping[str, Method]] = MappingProxyType(_find())


def parse(obj: object, codebook: Codebook) -> Query:
    """Read a query from JSON against `codebook` and the kinds that exist; QueryError if wrong."""
    return parse_query(obj, codebook, KINDS)
