"""What happened to choices at one hospital, numbered, as FHIR R5 tells of a subscription.

For the hospital's own systems, that ask what is new ($events); nothing is pushed to an address. An
event names the Consent of an act, not a patient and not what was said: that is read one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from consent.fhir import computed_id
from consent.fhir_codes import SITE, Json, instant
from consent.models import ConsentEvent, ConsentMark, Receipt, Subject
from consent.rule import ANY

TOPIC: Final = "consent-recorded"
NAMED_FOR: Final = timedelta(days=30)
"""Older events are counted and not named: nobody goes through all choices of a hospital by them."""
AT_ONCE: Final = 100
_CHANNEL: Final = "urn:oncokring:fhir:channel"


@dataclass(frozen=True)
class Happened:
    """One event. number: 1 for the first ever at this hospital. consent: the Consent of the act;
    computed: that of the result in its study, "" for an act about all studies."""

    number: int
    at: datetime
    consent: str
    computed: str


def count(session: Session, site: str) -> int:
    """How many events there were at this hospital."""
    found = session.scalar(select(func.count()).select_from(_all(site).subquery()))
    return int(found or 0)


def since(session: Session, site: str, first: int, last: int, now: datetime) -> Sequence[Happened]:
    """The events numbered `first` to `last`, at most AT_ONCE, of the last 30 days."""
    happened = _all(site).subquery()
    rows = session.execute(
        select(happened)
        .order_by(happened.c.leaf)
        .offset(first - 1)
        .limit(max(0, min(last - first + 1, AT_ONCE)))
    ).all()
    return [
        Happened(
            number,
            row.at,
            row.receipt,
            "" if row.study == ANY else computed_id(row.subject, row.study),
        )
        for number, row in enumerate(rows, start=first)
        if row.at > now - NAMED_FOR
    ]


def _all(site: str) -> Select[tuple[int, datetime, str, str, str]]:
    """Acts, and what became known about one later, in the order of the log."""
    acts = (
        select(
            Receipt.first_leaf.label("leaf"),
            Receipt.recorded_at.label("at"),
            Receipt.id.label("receipt"),
            Receipt.study.label("study"),
            Receipt.subject_id.label("subject"),
        )
        .join(Subject, Subject.id == Receipt.subject_id)
        .where(Subject.site == site)
    )
    marks = (
        select(
            ConsentMark.leaf,
            ConsentMark.recorded_at,
            ConsentEvent.receipt_id,
            ConsentEvent.study,
            ConsentEvent.subject_id,
        )
        .join(ConsentEvent, ConsentEvent.id == ConsentMark.event_id)
        .join(Subject, Subject.id == ConsentEvent.subject_id)
        .where(Subject.site == site)
    )
    both = union_all(acts, marks).subquery()
    return select(both.c.leaf, both.c.at, both.c.receipt, both.c.study, both.c.subject)


def topic(base: str) -> Json:
    """What one can subscribe to. base: the hub's FHIR address, without a slash at its end."""
    return {
        "resourceType": "SubscriptionTopic",
        "id": TOPIC,
        "url": _topic_url(base),
        "title": "A choice was recorded",
        "status": "active",
        "description": "A patient of the hospital, or somebody who speaks for one, recorded a "
        "choice, or it became known that an earlier one does not count. That time passes (a yes "
        "ends, a child grows up) is no event: read the computed Consent for now.",
        "resourceTrigger": [
            {
                "resource": "http://hl7.org/fhir/StructureDefinition/Consent",
                "supportedInteraction": ["create", "update"],
            }
        ],
        "notificationShape": [{"resource": "http://hl7.org/fhir/StructureDefinition/Consent"}],
    }


def subscription(base: str, site: str, name: str) -> Json:
    """The one subscription of a hospital; it is there without being asked for."""
    return {
        "resourceType": "Subscription",
        "id": site,
        "identifier": [{"system": SITE, "value": site}],
        "name": f"Choices at {name}",
        "status": "active",
        "topic": _topic_url(base),
        "channelType": {"system": _CHANNEL, "code": "ask", "display": "The hospital asks: $events"},
        "content": "id-only",
        "maxCount": AT_ONCE,
    }


def status(base: str, site: str, total: int, events: Sequence[Happened] | None) -> Json:
    """A SubscriptionStatus: how many events there were; with `events`, also those."""
    made: Json = {
        "resourceType": "SubscriptionStatus",
        "status": "active",
        "type": "query-status" if events is None else "query-event",
        "eventsSinceSubscriptionStart": str(total),
        "subscription": {"reference": f"Subscription/{site}"},
        "topic": _topic_url(base),
    }
    if events:
        made["notificationEvent"] = [_event(each) for each in events]
    return made


def _event(each: Happened) -> Json:
    made: Json = {
        "eventNumber": str(each.number),
        "timestamp": instant(each.at),
        "focus": {"reference": f"Consent/{each.consent}"},
    }
    if each.computed:
        made["additionalContext"] = [{"reference": f"Consent/{each.computed}"}]
    return made


def _topic_url(base: str) -> str:
    return f"{base}/SubscriptionTopic/{TOPIC}"
