"""What waits for a coordinator: the reminders of the studies, and participants to write on.

Whether a yes still stands is the consent log's to say, which the studies do not know of.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import joined
from consent.errors import ConsentError
from studies.days import local_day
from studies.models import Institution, Study
from studies.participants.history import fold
from studies.participants.models import Participant
from studies.reminders import Reminder, in_order, reminders


def all_waiting(
    session: Session, reach: frozenset[str] | None, now: datetime
) -> tuple[Reminder, ...]:
    """All that waits in these studies (None: all of them), the longest overdue first."""
    return in_order([*reminders(session, reach, now), *_of_participants(session, reach, now)])


def _of_participants(
    session: Session, reach: frozenset[str] | None, now: datetime
) -> Iterator[Reminder]:
    """Per hospital: people whose yes is gone, and people whose stop reached nobody."""
    wanted = select(Study).where(
        select(Participant.id).where(Participant.study == Study.slug).exists()
    )
    if reach is not None:
        wanted = wanted.where(Study.slug.in_(reach))
    today = local_day(now)
    for study in session.scalars(wanted.order_by(Study.slug)).all():
        try:
            stopped = joined.without_consent(session, study, now)
        except ConsentError:
            stopped = ()  # no text for patients, and so no letter of the hub
        yield from _by_hospital(session, study, "no_consent", stopped, today)
        silent = joined.unreached(session, study.slug)
        yield from _by_hospital(session, study, "stop_unreached", silent, today)


def _by_hospital(
    session: Session, study: Study, code: str, found: Iterable[Participant], today: date
) -> Iterator[Reminder]:
    sites: dict[str, list[Participant]] = {}
    for one in found:
        sites.setdefault(one.site, []).append(one)
    for site, people in sites.items():
        # Another person is another thing that waits; who it is stays out of mails and their keys.
        who = sha256(" ".join(sorted(one.id for one in people)).encode()).hexdigest()[:16]
        left = [local_day(at) for one in people for _, at in fold(one.events).left]
        yield Reminder(
            f"{code}:{study.slug}:{site}:{who}",
            code,
            study.slug,
            (study.title_en, study.title_nl),
            site,
            session.get_one(Institution, site).name,
            min(left, default=today) if code == "stop_unreached" else today,
            late=True,
        )
