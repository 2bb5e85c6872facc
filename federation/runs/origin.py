"""What stands behind an answer, from the signed replies it was made of."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from federation.protocol.basis import open_basis
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.runs import envelope

if TYPE_CHECKING:
    from federation.runs.driver import RunPlan

Replies = Mapping[str, tuple[bytes, Mapping[str, Any]]]
"""Per hospital its last reply: the bytes, and the claims in them."""


def origin(plan: "RunPlan", replies: Replies, released_at: datetime | None) -> dict[str, Any]:
    """The ``provenance`` of a result. Raises ProtocolError BAD_REPLY when a hospital that answered
    did not say by which consent it counted."""
    answered = {site: told for site, (_, told) in replies.items() if told.get("status") == "ok"}
    return envelope.provenance(
        plan.query,
        plan.terms,
        released_at=released_at,
        snapshots={site: int(claims["snapshot"]) for site, claims in answered.items()},
        signatures=signatures(plan, replies),
        consent={site: _counted_by(plan, site, claims) for site, claims in answered.items()},
    )


def signatures(plan: "RunPlan", replies: Replies) -> list[dict[str, str]]:
    """Per hospital: the key that signed its last reply and the SHA-256 of those bytes."""
    return [
        {
            "site": site,
            "kid": key_id(plan.roster[site].sign),
            "reply_sha256": hashlib.sha256(body).hexdigest(),
        }
        for site, (body, _) in sorted(replies.items())
    ]


def _counted_by(plan: "RunPlan", site: str, claims: Mapping[str, Any]) -> dict[str, Any]:
    """By which consent a hospital counted: the head of the log, the items it requires, its program,
    and ``said``, its own signed word for it (federation/protocol/basis.py)."""
    said = claims.get("basis")
    if not isinstance(said, str) or not said.isascii():
        raise ProtocolError("BAD_REPLY")
    told = open_basis(said.encode("ascii"), site, plan.roster[site].sign)
    about = {
        "run": plan.run_id,
        "study": plan.query.study,
        "query_sha256": plan.query.sha256,
        "roster_sha256": plan.roster_sha256,
        "snapshot": claims["snapshot"],
    }
    if any(told[name] != value for name, value in about.items()):
        raise ProtocolError("BAD_REPLY")
    return {**{name: told[name] for name in ("log", "requires", "software")}, "said": said}
