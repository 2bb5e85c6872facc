"""The CONSORT diagram of a study in words and boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.pages.figure import Figure, both
from registry.pictures.consort import Arm, Box, ConsortWords, Stage, consort
from registry.translate import language, number
from registry.translate import translate as _
from studies.participants.models import ArmCount
from studies.recruitment.consort import ArmFlow, Flow, arms_of
from studies.recruitment.screening import REASONS

_MOST_REASONS = 4


def flow_figure(flow: Flow) -> Figure:
    """The boxes: screened, eligible, approached, consented, registered, then the arms."""
    left = {code: (n, reasons) for code, n, reasons in flow.reasons}
    total = flow.total
    stages = [
        Stage(Box(box_name("screened"), total.screened), (_leaves("not_eligible", left),)),
        Stage(Box(box_name("eligible"), total.eligible), (_leaves("not_approached", left),)),
        Stage(
            Box(box_name("approached"), total.approached),
            (
                _leaves("declined", left),
                *((Box(_("Still deciding"), total.deciding),) if total.deciding else ()),
            ),
        ),
        Stage(
            Box(box_name("consented"), total.consented),
            (Box(_("Not registered"), flow.not_registered),) if flow.not_registered else (),
        ),
        Stage(Box(box_name("registered"), total.registered)),
    ]
    arms = [Arm(arm.name(language()), _arm_boxes(arm)) for arm in flow.arms]
    said = _(
        "%(screened)s screened, %(eligible)s eligible, %(approached)s approached, "
        "%(consented)s consented, %(registered)s registered.",
        screened=number(total.screened),
        eligible=number(total.eligible),
        approached=number(total.approached),
        consented=number(total.consented),
        registered=number(total.registered),
    )
    words = ConsortWords(_("From screening to analysis"), said)
    return Figure(
        _("From screening to analysis"),
        said,
        both(lambda shape: consort(stages, arms, words=words, shape=shape, writer=number)),
    )


def _arm_boxes(arm: ArmFlow) -> tuple[Box, ...]:
    """Allocation, follow-up and analysis, as CONSORT divides them."""
    counts, names = arm.counts, arm_fields()
    allocated = [(names["received"], counts.received)]
    if arm.not_received:
        allocated.append((_("Did not receive it"), arm.not_received))
    left = ((names["lost"], counts.lost), (names["discontinued"], counts.discontinued))
    missed = ((_("Not analysed"), arm.not_analysed),) if arm.not_analysed else ()
    return (
        Box(names["allocated"], counts.allocated, tuple(allocated)),
        Box(_("Left or stopped"), counts.lost + counts.discontinued, left),
        Box(names["analysed"], counts.analysed, missed),
    )


@dataclass(frozen=True)
class ArmLine:
    """An arm in the form of one hospital: its newest version, and what stands in the fields."""

    code: str
    name: str
    version: int
    values: Mapping[str, str]


def arm_fields() -> dict[str, str]:
    """The counts of an arm as they are called, in their order."""
    return {
        "allocated": _("Allocated"),
        "received": _("Received the treatment"),
        "lost": _("Lost to follow-up"),
        "discontinued": _("Stopped the treatment"),
        "analysed": _("Analysed"),
    }


def arm_lines(session: Session, study: str, site: str, typed: Mapping[str, str]) -> list[ArmLine]:
    """The arms of a study with the counts of one hospital, or what was typed instead."""
    rows = session.scalars(
        select(ArmCount)
        .where(ArmCount.study == study, ArmCount.institution == site)
        .order_by(ArmCount.version)
    )
    newest = {row.arm: row for row in rows}
    lines = []
    for arm in arms_of(session, study):
        row = newest.get(arm.code)
        kept = {} if row is None else row.counts
        values = {
            name: typed.get(f"{arm.code}.{name}", str(kept.get(name, ""))) for name in arm_fields()
        }
        lines.append(ArmLine(arm.code, arm.name(language()), row.version if row else 0, values))
    return lines


def box_name(code: str) -> str:
    """How far somebody came, as the box is called."""
    return {
        "screened": _("Screened"),
        "eligible": _("Eligible"),
        "approached": _("Approached"),
        "consented": _("Consented"),
        "registered": _("Registered or randomised"),
    }[code]


def stage_name(code: str) -> str:
    """Why somebody did not go on, as the box is called."""
    return {
        "not_eligible": _("Not eligible"),
        "not_approached": _("Not approached"),
        "declined": _("Said no"),
        "deciding": _("Still deciding"),
        "not_registered": _("Not registered"),
    }[code]


def reason_name(stage: str, code: str) -> str:
    """A reason in the reader's language."""
    return REASONS[stage][code][language() == "nl"]


def _leaves(code: str, left: dict[str, tuple[int, tuple[tuple[str, int], ...]]]) -> Box:
    n, reasons = left[code]
    shown = [(reason_name(code, reason), count) for reason, count in reasons[:_MOST_REASONS]]
    rest = sum(count for _reason, count in reasons[_MOST_REASONS:])
    if rest:
        shown.append((_("Other reasons"), rest))
    return Box(stage_name(code), n, tuple(shown))
