"""Sealed results of single hospitals, opened on the researcher's own computer.

The hub stores and shows only the sealed text. What comes out is checked to be the answer of that
hospital to that question, and signed by it where its public key is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, key_id
from federation.protocol.sealing import open_result

WHY: Mapping[str, str] = {
    "UNKNOWN_KEY": "it is sealed to another key, or signed by another than this hospital",
    "BAD_MESSAGE": "it was changed on the way",
    "BAD_SIGNATURE": "its signature does not hold",
    "WRONG_RESULT": "it answers another question, or is another hospital's",
    "WRONG_AUDIENCE": "it belongs to another study",
}


class ResultError(Exception):
    """A result that cannot be opened; the text is one sentence for its reader."""


def is_sealed(answer: Mapping[str, Any]) -> bool:
    """Whether the answer of the hub holds sealed results."""
    own = answer.get("by_site")
    return isinstance(own, Mapping) and any(
        isinstance(part, Mapping) and "sealed" in part for part in own.values()
    )


def open_results(
    answer: Mapping[str, Any], key: BoxKey, peers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """`answer` (the JSON that the hub gives out) with each hospital's result opened.

    `key`: the private half of the study's result key. `peers`: hospital -> public signing key, from
    the network's list; without it nobody knows who wrote what is inside. Raises ResultError.
    """
    if not is_sealed(answer):
        raise ResultError("This answer holds no sealed results; it can be read as it is.")
    sealed_for = answer.get("sealed_for")
    study = sealed_for.get("study") if isinstance(sealed_for, Mapping) else None
    query = answer.get("query_sha256")
    if not isinstance(study, str) or not isinstance(query, str):
        raise ResultError("This is not an answer of the hub: it names no study or no question.")
    own = {
        str(site): _opened(part, key, str(site), study, query, peers)
        for site, part in answer["by_site"].items()
    }
    return {**{k: v for k, v in answer.items() if k != "sealed_for"}, "by_site": own}


def _opened(
    part: Any,
    key: BoxKey,
    site: str,
    study: str,
    query: str,
    peers: Mapping[str, str] | None,
) -> dict[str, Any]:
    if not isinstance(part, Mapping) or "sealed" not in part:
        return dict(part) if isinstance(part, Mapping) else {}
    if peers is not None and site not in peers:
        raise ResultError(f"The list of hospitals has no key of '{site}'. Get the present list.")
    signer = None if peers is None else {key_id(peers[site]): peers[site]}.get
    try:
        claims = open_result(
            str(part["sealed"]), key, site=site, study=study, query_sha256=query, signer=signer
        )
    except ProtocolError as error:
        why = WHY.get(error.code, f"it is not a sealed result ({error.code})")
        raise ResultError(f"The result of '{site}' cannot be opened: {why}.") from error
    released = claims.get("released")
    if not isinstance(released, Mapping) or not isinstance(released.get("result"), Mapping):
        raise ResultError(f"The result of '{site}' cannot be opened: it holds no answer.")
    more = {name: released[name] for name in ("hidden", "warnings") if released.get(name)}
    return {**released["result"], **more}
