"""What hospitals tell the hub of their own patients: numbered messages, taken in order, once each.

The caller has checked the signature; here a message is kept with its bytes and worked in. One that
is refused is kept with the code why and never holds up later ones.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import reporting, site_facts, site_paper
from consent.errors import ConsentError
from consent.models import Subject
from consent.models_people import DestroyOrder, SiteMessage
from consent.site_facts import Told
from studies.actor import Actor
from studies.base import to_ms
from studies.events import announce
from studies.models import Institution

MAX_BODY: Final = 8_000
UNKNOWN: Final = "unknown"
MALFORMED: Final = "message_malformed"
_MAX_SEQ: Final = (1 << 31) - 1
_SHOWN: Final = 100
_CANCELLED_SHOWN: Final = timedelta(days=30)

_Work = Callable[[Told, Mapping[str, Any]], None]


def _kind(parts: str, work: _Work) -> tuple[frozenset[str], _Work]:
    return frozenset(parts.split()), work


KINDS: Final[Mapping[str, tuple[frozenset[str], _Work]]] = MappingProxyType(
    {
        "invitation": _kind(
            "handle code_id verifier second_verifier studies language party role expires",
            site_facts.invitation,
        ),
        "age_class": _kind("handle class next_month since", site_facts.age_class),
        "representative": _kind("handle party role from until", site_facts.representative),
        "contact_stop": _kind("handle", site_facts.contact_stop),
        "closed": _kind("handle", site_facts.closed),
        "reopened": _kind("handle", site_facts.reopened),
        "paper": _kind(
            "handle form how study text_version answers language signed_at party role"
            " scan_sha256 checked_by",
            site_paper.write_paper,
        ),
        "invalidate": _kind("handle act reason_code", site_paper.write_invalidation),
        "destroy_report": _kind("order status reason_code", site_facts.destroy_report),
        "use": _kind("study query_id snapshot band", site_facts.use),
        "prom_ask": _kind("handle asks", reporting.take_asks),
        "prom_taken": _kind("taken", reporting.take_taken),
        "prom_own": _kind("handle letter sealed", reporting.take_own),
    }
)
"""Kind -> the parts that its content has, all of them, and what works it in."""

Outcome = Literal["taken", "refused", "again", "conflict", "gap"]


def take_message(
    session: Session,
    *,
    site: str,
    claims: Mapping[str, Any],
    body: bytes,
    now: datetime,
) -> Outcome:
    """Work in one message that `site` signed; `claims` are those of the signed `body`.

    "taken" or "refused" (kept with a code): it is done with. "again": it was done with before.
    "conflict": another message had this number; nothing is done. "gap": one before it is missing;
    it has to come again after that one.

    Raises ConsentError `message_malformed` when the number cannot be read, and `unknown_site`.
    """
    number, kind = _number(claims), claims.get("kind")
    kind = kind if isinstance(kind, str) and kind in KINDS else UNKNOWN
    network = site_facts.network_of(session, site)
    # Two at once would take the same number: the second waits here.
    session.execute(
        select(Institution.slug).where(Institution.slug == site).with_for_update()
    ).one()
    has = processed(session, site)
    if number <= has:
        earlier = session.get(SiteMessage, (site, number))
        if earlier is not None and earlier.body == body:
            return "again"
        _announce(session, site, "consent.site_message_conflict", number, kind, None)
        return "conflict"
    if claims["after"] > has:
        return "gap"
    told = Told(session, site, network, number, now)
    readable = claims.get("network") == network and len(body) <= MAX_BODY
    code = _work_in(told, kind, claims, body) if readable else MALFORMED
    if code is None:
        return "taken"
    _keep(told, kind, body, code)
    return "refused"


def _work_in(told: Told, kind: str, claims: Mapping[str, Any], body: bytes) -> str | None:
    """Work the message in and keep it, all of it or nothing; the code why not, or None."""
    content = claims.get("content")
    if kind == UNKNOWN or not isinstance(content, dict):
        return MALFORMED
    parts, work = KINDS[kind]
    if content.keys() != parts:
        return MALFORMED
    try:
        with told.session.begin_nested():
            work(told, content)
            _keep(told, kind, body, None)
    except ConsentError as error:
        return error.code
    except (ValueError, TypeError, KeyError, OverflowError):
        return MALFORMED
    return None


def _keep(told: Told, kind: str, body: bytes, code: str | None) -> None:
    told.session.add(
        SiteMessage(
            site=told.site,
            seq=told.number,
            kind=kind,
            body=body,
            code=code,
            received_at=told.now,
        )
    )
    told.session.flush()
    _announce(told.session, told.site, "consent.site_message", told.number, kind, code)


def _number(claims: Mapping[str, Any]) -> int:
    seq, after = claims.get("seq"), claims.get("after")
    if type(seq) is not int or type(after) is not int or not 0 <= after < seq <= _MAX_SEQ:
        raise ConsentError("message_malformed")
    return seq


def processed(session: Session, site: str) -> int:
    """The highest number of this hospital's messages that is done with; 0 for none."""
    return session.scalar(select(func.max(SiteMessage.seq)).where(SiteMessage.site == site)) or 0


def last_sha256(session: Session, site: str) -> str | None:
    """SHA-256 of the bytes under the highest number, so that the hospital sees when it sent other
    ones; None without any."""
    body = session.scalar(
        select(SiteMessage.body)
        .where(SiteMessage.site == site)
        .order_by(SiteMessage.seq.desc())
        .limit(1)
    )
    return None if body is None else sha256(body).hexdigest()


def refusals(session: Session, site: str) -> list[list[Any]]:
    """The newest refused messages of this hospital: number and code."""
    rows = session.execute(
        select(SiteMessage.seq, SiteMessage.code)
        .where(SiteMessage.site == site, SiteMessage.code.is_not(None))
        .order_by(SiteMessage.seq.desc())
        .limit(_SHOWN)
    )
    return [[seq, code] for seq, code in rows]


def destroy_claims(session: Session, site: str, now: datetime) -> list[dict[str, Any]]:
    """The orders to destroy that this hospital has to answer, and those taken back of late."""
    rows = session.execute(
        select(DestroyOrder, Subject.handle)
        .join(Subject, Subject.id == DestroyOrder.subject_id)
        .where(
            Subject.site == site,
            DestroyOrder.outcome.is_(None),
            DestroyOrder.cancelled_at.is_(None)
            | (DestroyOrder.cancelled_at > now - _CANCELLED_SHOWN),
        )
        .order_by(DestroyOrder.ordered_at, DestroyOrder.id)
    )
    return [
        {
            "order": order.id,
            "handle": handle,
            "study": order.study,
            "what": list(order.what),
            "grace_until": to_ms(order.grace_until),
            "cancelled": order.cancelled_at is not None,
        }
        for order, handle in rows
    ]


def _announce(
    session: Session, site: str, action: str, seq: int, kind: str, code: str | None
) -> None:
    announce(
        session,
        actor=Actor(kind="site", id=site),
        action=action,
        about=f"institution:{site}",
        facts={"seq": seq, "kind": kind, "code": code},
    )
