"""No patient and no hidden sign in names of documents, conditions, agendas and the group's log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studies import service as studies
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.hospitals import committee, documents, work
from studies.models import Study
from studies.network import decisions, groups
from studies.participants.history import check_moment

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BY: dict[str, Any] = {"actor": SYSTEM, "now": NOW}
TODAY = NOW.date()
WRONG = (("Van patiënt 04711234", "points_at_somebody"), ("Goed\x1b[2J", "control_sign"))


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


def test_words_that_people_type_hold_nobody(
    small: Session, new_study: Callable[..., Study]
) -> None:
    study = new_study(small)
    part = studies.invite(small, study, "north", **BY)
    group = groups.add_group(
        small,
        network="small",
        slug="breast",
        name_nl="Mamma",
        name_en="Breast",
        tumours=["C50"],
        expected=[],
        since=NOW,
        actor=SYSTEM,
    )

    def document(name: str) -> object:
        return documents.add_document(
            small,
            study,
            kind="protocol",
            name=name,
            version="1",
            body=b"%PDF-1.4\n%%EOF",
            valid_from=TODAY,
            **BY,
        )

    def decide(condition: str, day: date = TODAY) -> object:
        return committee.decide(
            small,
            study,
            body="metc",
            outcome="conditions",
            reference="2026-1",
            decided_on=day,
            conditions=[condition, " "],
            **BY,
        )

    def log(words: str, at: datetime = NOW) -> object:
        return decisions.record_decision(small, group, text=words, at=at, **BY)

    def plan(words: str) -> object:
        return decisions.plan_meeting(small, group, held_on=NOW, agenda=[words, " "], actor=SYSTEM)

    def contract(words: str) -> object:
        return work.add_condition(small, part, words, **BY)

    def describe(words: str) -> object:
        return work.describe_site(small, part, contact=words, investigator="Bo", **BY)

    def invite(words: str) -> object:
        return studies.invite(small, study, "south", contact=words, **BY)

    others: list[Callable[[str], object]] = [
        lambda words, name=name: new_study(small, f"named-{name[:4]}", **{name: words})
        for name in ("title_nl", "question_en", "purpose_nl", "lead_name")
    ]
    for act in (document, decide, log, plan, contract, describe, invite, *others):
        for words, code in WRONG:
            with refused(code):
                act(words)
        act("Overleg van 12-10-2026 over NCT01234567")
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    for early in (
        lambda: log("Ja", long_ago),
        lambda: decide("Ja", long_ago.date()),
        lambda: check_moment(long_ago, NOW, "recorded_late"),
        lambda: studies.invite(small, study, "south", at=long_ago, reason="recorded_late", **BY),
    ):
        with refused("too_long_ago"):
            early()
    check_moment(NOW - timedelta(days=3), NOW, None)
