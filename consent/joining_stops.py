"""A stop that a hospital's staff write down for a participant: a withdrawal in the log.

Only a "no" can be said so, only in this study, and only of who is linked (docs/adr/0030, 4 and 5).
"""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from consent.acts import Act, Circumstances, locked_head, write
from consent.models import Receipt, Subject
from consent.withdrawing import said_at
from studies.actor import Actor
from studies.base import canonical_json
from studies.participants.models import Participant

CHANNEL: Final = "study"
LEVEL: Final = "desk"
STAFF: Final = "staff"


def withdraw(
    session: Session,
    subject: Subject,
    participant: Participant,
    level: str,
    actor: Actor,
    now: datetime,
) -> Receipt:
    """Write down in the log that this subject stopped: as at their own page, without a form."""
    study = participant.study
    said = said_at(level, study)
    if any(one.kind != "withdrawn" for one in said):
        raise ValueError("a stop only stops")
    head = locked_head(session, subject.network, now)
    # Who said yes again is stopped again: the size of the log makes each stop a form of its own.
    key = f"left-{participant.id}-{level}-{head.size}"
    act = Act(
        name="withdraw",
        study=study,
        form_key=key,
        form=canonical_json({"level": level, "study": study, "key": key}),
        text_version=None,
        language="nl",
        circumstances=Circumstances(
            login_level=LEVEL, channel=CHANNEL, role=STAFF, more={"level": level}
        ),
        evidence={"page_sha256": ""},
    )
    return write(session, subject, actor, head, act, said, now)
