"""Around midnight a day is the day here, whatever UTC says; so is a month.

Source: domain.md 2.5 (people type the days of their own calendar); finding 16 of the review of
2026-11-23: between midnight and two the day that a page proposed was refused as still to come.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studies import service as studies
from studies.actor import SYSTEM
from studies.days import beginning, local_day, local_month
from studies.errors import StudiesError
from studies.hospitals import committee, moving, versions, work
from studies.models import Study
from studies.recruitment import screening
from studies.recruitment.accrual import accrual
from studies.register.results import Outcome, publish_result
from studies.register.yearly import bounds, years
from studies.reminders import reminders

DAY = timedelta(days=1)
#: 00:30 on the first of August (summer time) and of January, and 23:30 the evenings before.
AFTER = (datetime(2026, 7, 31, 22, 30, tzinfo=UTC), datetime(2025, 12, 31, 23, 30, tzinfo=UTC))
BEFORE = (datetime(2026, 7, 31, 21, 30, tzinfo=UTC), datetime(2025, 12, 31, 22, 30, tzinfo=UTC))


def test_the_day_and_the_month_here() -> None:
    assert [local_day(each) for each in AFTER] == [date(2026, 8, 1), date(2026, 1, 1)]
    assert [local_day(each) for each in BEFORE] == [date(2026, 7, 31), date(2025, 12, 31)]
    assert [local_month(each) for each in (*AFTER, *BEFORE)] == [
        "2026-08",
        "2026-01",
        "2026-07",
        "2025-12",
    ]
    assert [local_day(beginning(day)) for day in map(local_day, AFTER)] == [*map(local_day, AFTER)]
    assert beginning(date(2026, 8, 1)) == datetime(2026, 7, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize("now", [*AFTER, *BEFORE], ids=lambda at: f"{at:%m-%dT%H}")
def test_what_is_typed_as_today_is_taken_and_tomorrow_is_not(
    small: Session, new_study: Callable[..., Study], now: datetime
) -> None:
    today = local_day(now)
    by: dict[str, Any] = {"actor": SYSTEM, "now": now}
    study = new_study(small, now=now - 900 * DAY)
    part = studies.invite(small, study, "north", actor=SYSTEM, now=now - 90 * DAY)
    work.plan_step(small, part, "feasibility", today, **by)
    work.add_condition(small, part, "A room", **by)
    version = versions.publish_version(
        small,
        study,
        kind="protocol",
        version="2",
        in_force_from=today - 9 * DAY,
        adopt_by=today,
        actor=SYSTEM,
        now=now - 9 * DAY,
    )

    def decide(day: date) -> object:
        given = {"body": "metc", "outcome": "negative", "reference": "M1", "conditions": ()}
        return committee.decide(small, study, decided_on=day, **given, **by)

    def publish(day: date) -> object:
        return publish_result(small, study, Outcome("Titel", "Title", "Wat", "What", day), **by)

    def month(day: date) -> object:
        return screening.record(small, study, "north", f"{day:%Y-%m}", screening.Counts(), **by)

    typed: tuple[Callable[[date], object], ...] = (
        lambda day: work.record_milestone(small, part, "questionnaire_answered", day, **by),
        lambda day: work.request_annex(small, part, "pharmacy", requested=day, **by),
        lambda day: work.receive_annex(small, part, "pharmacy", "ok", received=day, **by),
        lambda day: work.meet_condition(small, part, "contract", 1, day, **by),
        lambda day: versions.adopt_version(small, part, version.id, in_use_since=day, **by),
        publish,
        decide,
    )
    study.state = "open"
    for act in typed:
        with pytest.raises(StudiesError, match=r"^in_the_future:"):
            act(today + DAY)
        act(today)
    with pytest.raises(StudiesError, match=r"^in_the_future:"):
        month(today + 31 * DAY)
    month(today)
    # What is planned for today or has to be answered today is not late yet.
    assert "amendment" not in {each.code for each in reminders(small, None, now) if each.late}
    assert accrual(small, study, now).as_of == today
    # A step of the same Dutch day needs no reason, one of the day before does.
    work.answer_invitation(small, part, interest=True, **by)
    with pytest.raises(StudiesError, match=r"^reason_needed:"):
        moving.move(small, part, "feasibility", at=beginning(today) - DAY / 48, **by)
    moving.move(small, part, "feasibility", at=beginning(today), **by)
    # The year of the report begins here with the day.
    assert years(small, "small", now)[0] == today.year
    assert bounds(today.year, now) == (beginning(date(today.year, 1, 1)), now)
