"""What hub and hospitals both need to know of a private match: its steps and what is asked."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from federation.protocol.encoding import canonical

STEPS: Final = ("match.look", "match.blind", "match.double", "match.count")
LOOKING, BLIND, DOUBLE, COUNT = range(4)
LEAST_SITES: Final = 3
"""Two to compare and a third one to count, whatever the policies say."""
PAIRS: Final = "match.pairs"
FIXED: Final = frozenset({"run", "study", "codebook", "roster", "terms", "approval"})
"""Claims that are the same in all messages of a run, at every hospital."""


def what_is_asked(study: str, sites: Iterable[str]) -> dict[str, Any]:
    """The question that is approved: how many patients of a study do these hospitals share?"""
    return {"match": 1, "study": study, "sites": sorted(sites)}


def sha256_of(value: object) -> str:
    """The hash of a JSON value in its one form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def run_sha256(claims: Mapping[str, Any]) -> str:
    """What every point and list of a run depends on: the hash of its fixed claims."""
    return sha256_of({name: claims[name] for name in FIXED})


def named(sender: str, partner: str) -> str:
    """The name of a list that `sender` doubled for the pair with `partner`."""
    return f"{sender} {partner}"
