"""A signature that stands is one: who withdraws it ends the agreement for the hospital.

Source: domain.md 1.2 (an agreement in force, or no question); finding 12 of the review of
2026-11-23.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.network import agreements
from studies.network.models import Agreement, AgreementSignature

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def test_who_signed_twice_at_once_withdraws_it_once(
    small: Session, factory: SessionFactory
) -> None:
    found = agreements.add_agreement(
        small,
        network="small",
        kind="queries",
        version="1",
        title_nl="Vragen",
        title_en="Questions",
        since=NOW - 9 * DAY,
        actor=SYSTEM,
    )
    small.commit()
    number = found.id

    def sign(session: Session, days: int = 0) -> None:
        agreements.sign_agreement(
            session,
            session.get_one(Agreement, number),
            "north",
            signatory="Bo",
            actor=SYSTEM,
            now=NOW,
            at=NOW - days * DAY,
        )

    def withdraw(session: Session, days: int = 0) -> None:
        agreement = session.get_one(Agreement, number)
        agreements.withdraw_signature(session, agreement, "north", actor=SYSTEM, now=NOW)

    # Today, and then for a day before: the second one would outlive a withdrawal.
    assert found.signatures == []
    small.commit()
    assert _at_once(factory, sign) == ["already_signed"]
    with pytest.raises(StudiesError, match=r"^already_signed:"):
        sign(small, 3)
    assert agreements.valid_for(small, "small", "north", NOW)
    small.commit()
    assert _at_once(factory, withdraw) == ["not_signed"]
    assert not agreements.valid_for(small, "small", "north", NOW)
    assert len(small.scalars(select(AgreementSignature)).all()) == 1
    # It was signed and withdrawn in that order; from another day it may be signed again.
    sign(small, 1)
    assert agreements.valid_for(small, "small", "north", NOW)


def _at_once(factory: SessionFactory, act: Callable[[Session, int], None]) -> list[str]:
    """What two who do the same thing at the same time are refused; the first waits to commit."""
    refused: list[str] = []

    def second() -> None:
        with factory() as session:
            try:
                act(session, 2)
                session.commit()
            except StudiesError as error:
                refused.append(error.code)

    with factory() as session:
        act(session, 0)
        other = Thread(target=second)
        other.start()
        other.join(0.3)
        session.commit()
    other.join(20)
    return refused
