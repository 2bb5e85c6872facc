"""A working group's own indicators: its versions of definitions, and the targets that it agreed.

What the program ships belongs to nobody and is never changed; a group that wants another
definition adds a version of its own, and a group that agrees on a level adds a target. Nothing is
replaced or taken away, so that the line in an old picture can always be explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from federation.indicators.catalogue import shipped
from federation.indicators.checking import check_askable
from federation.indicators.definition import Indicator
from federation.indicators.fields import bad
from federation.indicators.models import IndicatorTarget, IndicatorVersion
from federation.indicators.target import Target
from federation.indicators.wording import check_words
from federation.query.builtin import builtin_codebook
from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import Fact, announce
from studies.free_text import one_line
from studies.models import WorkingGroup

MAX_WHY: Final = 500


def add_version(
    session: Session,
    group: WorkingGroup,
    definition: object,
    *,
    why: str,
    actor: Actor,
    now: datetime,
) -> Indicator:
    """Add a definition of the group's own, of a built-in codebook; the group becomes its owner.

    Raises QueryError with the wrong field or question (`version` must be one more than the newest
    that the group can use), StudiesError `control_sign`, `points_at_somebody`.
    """
    if isinstance(definition, Mapping):
        definition = {**definition, "owner": group.key}
    made = Indicator.from_dict(definition)
    book = builtin_codebook(made.codebook)
    assert book is not None  # noqa: S101  it was read against it
    check_words(made, now)
    check_askable(made, book)
    present = of_group(session, group, made.id)
    due = 1 if present is None else present.version + 1
    if made.version != due:
        raise bad(f"The next version of '{made.id}' in this group is {due}.", "version")
    session.add(
        IndicatorVersion(
            group_id=group.id,
            indicator=made.id,
            version=made.version,
            definition=made.to_dict(),
            sha256=made.sha256,
            why=one_line(why, MAX_WHY, now) if why.strip() else "",
            at=now,
            by=actor.id,
            by_name=actor.name,
        )
    )
    session.flush()
    facts: dict[str, Fact] = {"indicator": made.id, "version": made.version, "sha256": made.sha256}
    announce(
        session, actor=actor, action="indicator.defined", about=f"group:{group.key}", facts=facts
    )
    return made


def set_target(
    session: Session,
    group: WorkingGroup,
    indicator: str,
    target: Mapping[str, Any],
    *,
    why: str = "",
    actor: Actor,
    now: datetime,
) -> IndicatorTarget:
    """Agree on a level for the group from a day on.

    `target` is that of a definition without `set_by`, which is the group. Raises QueryError with
    the wrong field; StudiesError `not_found` for an indicator that the group cannot use,
    `control_sign`, `points_at_somebody`.
    """
    found = definition(session, group, indicator)
    if found is None:
        raise StudiesError("not_found")
    agreed = Target.from_dict({**target, "set_by": group.key}, found.measure, found.norms, found.at)
    one_line(agreed.source, MAX_WHY, now)
    rows = target_rows(session, group, indicator)
    made = IndicatorTarget(
        group_id=group.id,
        indicator=indicator,
        number=len(rows) + 1,
        target=agreed.to_dict(),
        why=one_line(why, MAX_WHY, now) if why.strip() else "",
        at=now,
        by=actor.id,
        by_name=actor.name,
    )
    session.add(made)
    session.flush()
    facts: dict[str, Fact] = {"indicator": indicator, "number": made.number, "since": agreed.since}
    announce(
        session, actor=actor, action="indicator.target_set", about=f"group:{group.key}", facts=facts
    )
    return made


def definition(session: Session, group: WorkingGroup, indicator: str) -> Indicator | None:
    """The newest definition that the group can use, its own before the shipped one."""
    return _newest(version_rows(session, group, indicator), indicator)


def of_group(session: Session, group: WorkingGroup, indicator: str) -> Indicator | None:
    """The newest definition that the group can use, with the group's targets before its own.

    This is what a round of the group freezes.
    """
    found = definition(session, group, indicator)
    return None if found is None else with_targets(found, target_rows(session, group, indicator))


def all_of_group(session: Session, group: WorkingGroup) -> dict[str, Indicator]:
    """`of_group` of every indicator that the group can use, by id in order."""
    versions: dict[str, list[IndicatorVersion]] = {}
    for version in session.scalars(_versions(group)):
        versions.setdefault(version.indicator, []).append(version)
    targets: dict[str, list[IndicatorTarget]] = {}
    for target in session.scalars(_targets(group)):
        targets.setdefault(target.indicator, []).append(target)
    found = {name: _newest(versions.get(name, []), name) for name in {*shipped(), *versions}}
    return {
        name: with_targets(each, targets.get(name, []))
        for name, each in sorted(found.items())
        if each is not None
    }


def _newest(rows: list[IndicatorVersion], indicator: str) -> Indicator | None:
    return Indicator.from_dict(rows[0].definition) if rows else shipped().get(indicator)


def with_targets(indicator: Indicator, rows: list[IndicatorTarget]) -> Indicator:
    """The same definition with a group's targets before its own: the latest day first, and of
    one day the one set last."""
    fitting = sorted(
        (row for row in rows if fits(row, indicator)),
        key=lambda row: (str(row.target["since"]), row.number),
        reverse=True,
    )
    own = [
        Target.from_dict(row.target, indicator.measure, indicator.norms, indicator.at)
        for row in fitting
    ]
    return replace(indicator, targets=(*own, *indicator.targets)) if own else indicator


def fits(row: IndicatorTarget, indicator: Indicator) -> bool:
    """Whether a target that was set for an earlier version still has its norm in this one."""
    within = row.target.get("within")
    return within is None or within in (*indicator.norms, *indicator.at)


def target_rows(session: Session, group: WorkingGroup, indicator: str) -> list[IndicatorTarget]:
    """What the group set for an indicator, the newest first."""
    wanted = _targets(group).where(IndicatorTarget.indicator == indicator)
    return list(session.scalars(wanted))


def version_rows(session: Session, group: WorkingGroup, indicator: str) -> list[IndicatorVersion]:
    """The group's own definitions of an indicator, the newest first."""
    wanted = _versions(group).where(IndicatorVersion.indicator == indicator)
    return list(session.scalars(wanted))


def _targets(group: WorkingGroup) -> Select[IndicatorTarget]:
    return (
        select(IndicatorTarget)
        .where(IndicatorTarget.group_id == group.id)
        .order_by(IndicatorTarget.number.desc())
    )


def _versions(group: WorkingGroup) -> Select[IndicatorVersion]:
    return (
        select(IndicatorVersion)
        .where(IndicatorVersion.group_id == group.id)
        .order_by(IndicatorVersion.version.desc())
    )
