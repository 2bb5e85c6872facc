"""How a study numbers its participants, and its arms.

A number is the letters of the study, a dash and at most four digits, with the hospital's own one or
two in front if wanted. So no name and no initials fit in, as the letters are the study's own; no
national number, no whole date of birth and no hospital's patient number, which are longer.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study
from studies.participants.models import Participant, StudyArm, StudyEnrolment

LONGEST: Final = 100
_PREFIX: Final = re.compile(r"[A-Z]{2,8}")
_NUMBER: Final = re.compile(r"[0-9]{1,4}|[0-9]-[0-9]{1,3}|[0-9]{2}-[0-9]{1,2}")
_ARM: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")


def settle_prefix(
    session: Session, study: Study, prefix: str, *, actor: Actor, now: datetime
) -> StudyEnrolment:
    """Settle with which letters the numbers of a study begin: two to eight capitals.

    Raises StudiesError `bad_pseudonym`, and `name_taken` once there are participants.
    """
    if not _PREFIX.fullmatch(prefix):
        raise StudiesError("bad_pseudonym")
    found = session.get(StudyEnrolment, study.slug)
    if found is not None and found.prefix != prefix and _how_many(session, study.slug):
        raise StudiesError("name_taken")
    if found is None:
        found = StudyEnrolment(study=study.slug, prefix=prefix, set_at=now)
        session.add(found)
    found.prefix, found.set_at = prefix, now
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.numbering_settled",
        about=f"study:{study.slug}",
        facts={"prefix": prefix},
    )
    return found


def set_arms(
    session: Session, study: Study, arms: Sequence[tuple[str, str, str]], *, actor: Actor
) -> list[StudyArm]:
    """The arms of a study in order, as (code, Dutch name, English name); codes in use must stay.

    Raises StudiesError `bad_name`, `name_taken` (a code twice), `unknown_arm` (one in use is gone).
    """
    codes = [code for code, _, _ in arms]
    if not all(
        _ARM.fullmatch(code) and 0 < len(nl) <= LONGEST and 0 < len(en) <= LONGEST
        for code, nl, en in arms
    ):
        raise StudiesError("bad_name")
    if len(set(codes)) != len(codes):
        raise StudiesError("name_taken")
    there = {
        arm.code: arm
        for arm in session.scalars(select(StudyArm).where(StudyArm.study == study.slug))
    }
    used = set(
        session.scalars(
            select(Participant.arm).where(
                Participant.study == study.slug, Participant.arm.is_not(None)
            )
        )
    )
    if not used <= set(codes):
        raise StudiesError("unknown_arm")
    for code in there.keys() - set(codes):
        session.delete(there[code])
    made = []
    for position, (code, dutch, english) in enumerate(arms):
        arm = there.get(code) or StudyArm(study=study.slug, code=code)
        arm.position, arm.name_nl, arm.name_en = position, dutch, english
        session.add(arm)
        made.append(arm)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.arms_set",
        about=f"study:{study.slug}",
        facts={"arms": ", ".join(codes) or None},
    )
    return made


def check_pseudonym(prefix: str, pseudonym: str) -> None:
    """Raise StudiesError `bad_pseudonym` unless this is a number of the study: its letters, a dash,
    and at most four digits (HT-0012, HT-3-012). The value is never repeated."""
    letters, dash, number = pseudonym.partition("-")
    if letters != prefix or not dash or not _NUMBER.fullmatch(number):
        raise StudiesError("bad_pseudonym")


def _how_many(session: Session, study: str) -> int:
    counted = select(func.count()).where(Participant.study == study)
    return session.scalar(counted) or 0
