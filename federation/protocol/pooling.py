"""Adding what the sites sent. Masks vanish in the sum over the whole roster, and only there.

The hub adds up what it received, and each site does the same sum again from the signed replies,
with these same lines: a difference between the two would end honest runs or let forged ones pass.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.protocol.encoding import unpack_array
from federation.protocol.errors import ProtocolError
from federation.protocol.sums import check_layout, total, unflatten

#: In every reply: [1 if the site contributes, its n, its n squared], summed like the rest.
CONTRIBUTION = "_roster"

Arrays = dict[str, NDArray[Any]]


def pool(claims: Mapping[str, Mapping[str, Any]], *, labelled: bool) -> Arrays:
    """The sums of all sites of the roster.

    ``claims`` maps each site to its verified reply with status "ok". A labelled step joins each
    array over the sites in order of slug instead of adding. ProtocolError when the replies do not
    have the same layout, mix masked and plain, or hold something else than numbers.
    """
    ordered = [claims[site] for site in sorted(claims)]
    forms = {("masked" in claim, "plain" in claim) for claim in ordered}
    if forms == {(True, False)} and not labelled:
        layouts = [check_layout(claim.get("layout")) for claim in ordered]
        if any(layout != layouts[0] for layout in layouts):
            raise ProtocolError("BAD_LAYOUT")
        return unflatten(layouts[0], total([_vector(claim["masked"]) for claim in ordered]))
    if forms != {(False, True)}:
        raise ProtocolError("MIXED_REPLIES")
    parts = [_plain_sums(claim["plain"]) for claim in ordered]
    if any(set(part) != set(parts[0]) for part in parts):
        raise ProtocolError("BAD_LAYOUT")
    return {name: _joined([part[name] for part in parts], labelled) for name in sorted(parts[0])}


def take_contribution(pooled: Arrays) -> tuple[int, int, int]:
    """Remove the contribution from ``pooled``: (sites that contribute, n, sum of n squared).

    ProtocolError when it is missing or is not three whole numbers per site.
    """
    found = pooled.pop(CONTRIBUTION, None)
    if found is None or found.dtype.kind != "i" or found.size % 3 or not found.size:
        raise ProtocolError("BAD_REPLY")
    sites, n, squares = (int(value) for value in found.reshape(-1, 3).sum(axis=0))
    return sites, n, squares


def _plain_sums(packed: object) -> Arrays:
    if not isinstance(packed, Mapping):
        raise ProtocolError("BAD_REPLY")
    return {str(name): unpack_array(value) for name, value in packed.items()}


def _vector(packed: object) -> NDArray[np.uint64]:
    vector = unpack_array(packed)
    if vector.dtype != np.uint64 or vector.ndim != 2:
        raise ProtocolError("BAD_ARRAY")
    return vector


def _joined(arrays: list[NDArray[Any]], labelled: bool) -> NDArray[Any]:
    first = arrays[0]
    rest = slice(1, None) if labelled else slice(None)
    if any(a.dtype != first.dtype or a.shape[rest] != first.shape[rest] for a in arrays):
        raise ProtocolError("BAD_LAYOUT")
    if labelled:
        return np.concatenate(arrays, axis=0)
    return np.asarray(np.sum(np.stack(arrays), axis=0, dtype=first.dtype))
