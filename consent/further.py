"""What travels with a snapshot beside the state of consent: the log's head, and the post box."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.log import EMPTY_ROOT
from consent.models import LogHead
from consent.models_trust import Witness
from consent.site_messages import destroy_claims, last_sha256, processed, refusals
from consent.tree import consistency_proof
from consent.witnessing import judge_head, seen_by_others


def further_claims(
    session: Session, site: str, network: str, head: LogHead | None, now: datetime
) -> dict[str, Any]:
    """The claims of one site: `log` with a proof from the head it saw last, `witnesses` (heads that
    other hospitals saw, in their own signed words), what became of its messages, and orders.
    """
    return {
        "log": _log(session, site, network, head),
        "witnesses": _witnesses(session, site, network, head, now),
        "site_seq": processed(session, site),
        "site_sha256": last_sha256(session, site),
        "site_refused": refusals(session, site),
        "destroy": destroy_claims(session, site, now),
    }


def _witnesses(
    session: Session, site: str, network: str, head: LogHead | None, now: datetime
) -> list[dict[str, Any]]:
    """Heads that others saw, each with the proof that the head of this list continues it.

    A word that does not agree with our log stands in an alarm, and is not sent on: else one
    hospital could keep all others from counting anybody.
    """
    size = 0 if head is None else head.size
    return [
        {
            "site": seen.site,
            "size": seen.size,
            "root": seen.root,
            "said": seen.body.decode(),
            "consistency": [
                beside.hex()
                for beside in (
                    consistency_proof(session, network, seen.size, size)
                    if 0 < seen.size < size
                    else ()
                )
            ],
        }
        for seen in seen_by_others(session, site, network, now)
        if seen.size <= size
        and judge_head(session, network, seen.size, seen.root, site=seen.site) is None
    ]


def _log(session: Session, site: str, network: str, head: LogHead | None) -> dict[str, Any]:
    if head is None:
        return {"size": 0, "root": EMPTY_ROOT.hex(), "from": 0, "consistency": []}
    seen = session.scalar(
        select(Witness.size).where(Witness.site == site).order_by(Witness.seq.desc()).limit(1)
    )
    since = 0 if seen is None or seen > head.size else seen
    path = consistency_proof(session, network, since, head.size) if since else []
    return {
        "size": head.size,
        "root": head.root,
        "from": since,
        "consistency": [beside.hex() for beside in path],
    }
