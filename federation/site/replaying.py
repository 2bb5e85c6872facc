"""The hub's arithmetic, done again here from the other sites' signed replies.

Before it answers step k, a site adds up the replies of step k-1 itself, takes the method's hub
half and compares. So neither researcher nor hub chooses what is asked next: a made-up
coefficient, a forged sum or a left-out hospital ends the run (design: disclosure.md 4.6).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.disclosure.gate import check_contribution
from federation.methods.base import Ask, Finished, Method, Step, Sums
from federation.protocol.encoding import unpack_array
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, key_id
from federation.protocol.messages import TYP_REPLY, verify
from federation.protocol.sums import check_layout, total, unflatten
from federation.site.step_message import HUB, StepMessage

CONTRIBUTION = "_roster"
"""In every reply: [1 if the site contributes, its n, its n squared]."""

_REPLY_ALLOWANCE = 65_536  # names, base64 and signature beside the sums


def next_step(method: Method, ask: Ask, last: Step, asked: StepMessage, own_reply: bytes) -> Step:
    """The step that must follow `last`, from the replies in `asked.previous`.

    `own_reply`: what this site journaled for the last step; it must be among them unchanged.
    Raises ProtocolError when the replies are not those of this run, and Refused as the hub half
    of the method does.
    """
    pooled = pooled_replies(asked, own_reply, ask, labelled=last.labelled)
    contribution = take_contribution(pooled)
    check_contribution(*contribution, ask.terms)
    hub_ask = Ask(query=ask.query, codebook=ask.codebook, terms=ask.terms, site=None)
    after = method.combine(hub_ask, last, pooled)
    if isinstance(after, Finished):
        raise ProtocolError("RUN_FINISHED")
    return after


def pooled_replies(asked: StepMessage, own_reply: bytes, ask: Ask, *, labelled: bool) -> Sums:
    """The sums over the roster of the step before this one. Raises ProtocolError."""
    slugs = sorted(asked.roster)
    if len(asked.previous) != len(slugs):
        raise ProtocolError("PREVIOUS")
    limit = 2 * ask.terms.max_response_bytes + _REPLY_ALLOWANCE
    claims = []
    for slug, text in zip(slugs, asked.previous, strict=True):
        reply = text.encode("ascii", "replace")
        if slug == ask.site and reply != own_reply:
            raise ProtocolError("PREVIOUS")
        claims.append(_claims(reply, asked.roster[slug], asked, limit))
    if labelled or "plain" in claims[0]:
        return _plain(claims, labelled)
    layouts = [check_layout(claim.get("layout")) for claim in claims]
    if any(layout != layouts[0] for layout in layouts):
        raise ProtocolError("BAD_LAYOUT")
    vectors = [unpack_array(claim.get("masked")) for claim in claims]
    if any(vector.dtype != np.uint64 or vector.ndim != 2 for vector in vectors):
        raise ProtocolError("BAD_ARRAY")
    return unflatten(layouts[0], total(vectors))


def _claims(
    reply: bytes, sender: PublicIdentity, asked: StepMessage, limit: int
) -> Mapping[str, Any]:
    keys = {key_id(sender.sign): sender.sign}
    # No time window: these are kept as evidence of what was added, however long a run takes.
    claims = verify(TYP_REPLY, reply, keys.get, audience=HUB, now=None, max_bytes=limit)
    expected = {
        "iss": sender.slug,
        "run": asked.run,
        "step": asked.step - 1,
        "query_sha256": asked.query_sha256,
        "roster_sha256": asked.roster_sha256,
        "status": "ok",
    }
    if any(claims.get(name) != value for name, value in expected.items()):
        raise ProtocolError("PREVIOUS")
    return claims


def _plain(claims: list[Mapping[str, Any]], labelled: bool) -> Sums:
    """Unmasked replies: joined over the sites in order of slug for a labelled step, else added."""
    parts: list[Sums] = []
    for claim in claims:
        packed = claim.get("plain")
        if not isinstance(packed, Mapping):
            raise ProtocolError("BAD_REPLY")
        parts.append({str(name): unpack_array(value) for name, value in packed.items()})
    if any(set(part) != set(parts[0]) for part in parts):
        raise ProtocolError("BAD_LAYOUT")
    return {name: _joined([part[name] for part in parts], labelled) for name in sorted(parts[0])}


def _joined(arrays: list[Any], labelled: bool) -> Any:
    first = arrays[0]
    skip = 1 if labelled else 0
    if any(a.dtype != first.dtype or a.shape[skip:] != first.shape[skip:] for a in arrays):
        raise ProtocolError("BAD_LAYOUT")
    if labelled:
        return np.concatenate(arrays, axis=0)
    return np.sum(np.stack(arrays), axis=0, dtype=first.dtype)


def take_contribution(pooled: Sums) -> tuple[int, int, int]:
    """Remove the contribution from `pooled`: (contributing sites, n, sum of n squared)."""
    found = pooled.pop(CONTRIBUTION, None)
    if found is None or found.dtype.kind != "i" or found.size == 0 or found.size % 3:
        raise ProtocolError("BAD_REPLY")
    sites, n, squares = (int(value) for value in found.reshape(-1, 3).sum(axis=0))
    return sites, n, squares
