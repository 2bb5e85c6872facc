"""What the network shows for a day is the fold of what was written down, over random histories."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from studies.actor import SYSTEM
from studies.base import Base
from studies.errors import StudiesError
from studies.hospitals.steps import state_on
from studies.models import Institution, Network, Participation, ParticipationStep, Study
from studies.network import joining as networks
from studies.network.directory import network_at, states_at
from studies.states import PARTICIPATION_STATES

START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 30

# (state, day it happened, the number of an earlier step it corrects, taken back)
steps = st.lists(
    st.tuples(
        st.sampled_from(PARTICIPATION_STATES),
        st.integers(0, DAYS),
        st.none() | st.integers(1, 6),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
# (join or leave, network or subnetwork, day)
moves = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.integers(0, DAYS)), min_size=1, max_size=8
)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [
                Network(slug="n", name="N"),
                Institution(slug="h", name="H", kind="general"),
                Study(
                    **dict.fromkeys(("title_nl", "title_en", "question_nl", "question_en"), "x"),
                    **dict.fromkeys(("purpose_nl", "purpose_en", "codebook_id"), "x"),
                    slug="s",
                    network="n",
                    codebook={},
                    requires=["use.record"],
                    created_at=START,
                ),
            ]
        )
        session.commit()
        yield session
    engine.dispose()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps, day=st.integers(0, DAYS))
def test_a_state_on_a_day(
    session: Session, history: list[tuple[str, int, int | None, bool]], day: int
) -> None:
    part = Participation(study="s", institution="h", since=START)
    part.steps = [
        ParticipationStep(
            number=number,
            state=state,
            at=START + timedelta(days=at),
            recorded_at=START + timedelta(days=DAYS),
            by="x",
            corrects=corrects if corrects is not None and corrects < number else None,
            void=void and corrects is not None and corrects < number,
        )
        for number, (state, at, corrects, void) in enumerate(history, 1)
    ]
    session.add(part)
    session.flush()
    at = START + timedelta(days=day)
    expected = state_on(part.steps, at)
    found = states_at(session, "n", at)
    session.rollback()
    assert found == ({} if expected is None else {("s", "h"): expected})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=moves, day=st.integers(0, DAYS))
def test_a_membership_on_a_day(
    session: Session, acts: list[tuple[bool, bool, int]], day: int
) -> None:
    part = networks.add_subnetwork(
        session, network="n", slug="p", name="P", since=START, actor=SYSTEM
    )
    # The model: what is held now, and for each day what was held at its end.
    held = {"network": False, "part": False}
    days: list[dict[str, bool]] = []
    for now in range(DAYS + 1):
        moment = START + timedelta(days=now)
        for step, (joins, whole, _) in enumerate(act for act in acts if act[2] == now):
            at = moment + timedelta(minutes=step)
            key = "network" if whole else "part"
            allowed = held[key] != joins and (held["network"] or (whole and joins))
            with (
                nullcontext() if allowed else pytest.raises(StudiesError, match=r"name_taken|not_a")
            ):
                if whole and joins:
                    networks.join_network(session, "n", "h", since=at, actor=SYSTEM)
                elif whole:
                    networks.leave_network(session, "n", "h", at=at, actor=SYSTEM)
                elif joins:
                    networks.join_subnetwork(session, part, "h", since=at, actor=SYSTEM)
                else:
                    networks.leave_subnetwork(session, part, "h", at=at, actor=SYSTEM)
            if allowed:
                held[key] = joins
                # Who leaves the network leaves its subnetworks with it.
                held["part"] = held["part"] and held["network"]
        days.append(dict(held))
    at = START + timedelta(days=day, hours=23)
    whole_view = network_at(session, "n", at)
    part_view = network_at(session, "n", at, subnetwork="p")
    session.rollback()
    assert bool(whole_view.members) == days[day]["network"]
    assert bool(part_view.members) == days[day]["part"]
    assert len(whole_view.members) <= 1
