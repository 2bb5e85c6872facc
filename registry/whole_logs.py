"""Looking whether everything still holds: the audit log, the logs of choices, the lists that were
sent, and alarms that nobody has seen. The command and the API tell the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from consent.alarms import alarms
from consent.models_trust import Alarm
from consent.refreshing import PUBLISHED, Covered, check_lines
from consent.verifying import LogBroken, LogHolds, look_whole
from registry import audit
from studies.service import list_networks


@dataclass(frozen=True)
class WholeLogs:
    """What was found. choices: by network; lists: the lines that do not cover what they said."""

    audit: audit.Head | audit.Broken
    choices: Mapping[str, LogHolds | LogBroken]
    lists: Sequence[Covered]
    alarms: Sequence[Alarm]

    @property
    def holds(self) -> bool:
        """Whether nothing at all is wrong."""
        broken = any(isinstance(each, LogBroken) for each in self.choices.values())
        return not (isinstance(self.audit, audit.Broken) or broken or self.lists or self.alarms)


def look(session: Session, known: audit.Head | None = None) -> WholeLogs:
    """Recompute everything from what is stored. Reads only.

    known: a head of the audit log that was kept elsewhere; the log must contain it.
    """
    lists = check_lines(session, audit.facts_of(session, PUBLISHED))
    return WholeLogs(
        audit.verify(session, known),
        {each.slug: look_whole(session, each.slug)[0] for each in list_networks(session)},
        [each for each in lists if not each.holds],
        alarms(session, open_only=True),
    )
