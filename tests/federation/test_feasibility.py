"""How many patients there would be for an idea, asked of real sites. Source: ADR 0046."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from federation.query.errors import QueryError
from federation.runs import feasibility as counting
from federation.runs import service
from federation.runs.errors import RunError
from federation.runs.models import Run
from registry.worker import tell_groups
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.hospitals import feasibility
from studies.models import Study
from studies.seeds.loading import shipped_codebook
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON
from studies.study_state import standing_of
from studies.taking_part import create_study

BASIS = HORMONE_THERAPY.slug
JUDGE = Actor("user", "judge", frozenset({"committee", f"committee@study:{BASIS}"}), "Jo")
#: Sits in the committee of the other study, and proposed the idea.
CHAIR = Actor("user", "chair", JUDGE.roles | {"coordinator@study:arm"}, "Carla")
WANTED: dict[str, Any] = {"by": ["hormone", "grade"]}


def idea(session: Any) -> Study:
    return create_study(
        session,
        slug="arm",
        network=ONCOZON.slug,
        title_nl="Arm na bestraling",
        title_en="Arm after radiotherapy",
        question_nl="Helpt oefenen?",
        question_en="Does training help?",
        purpose_nl="Weten of oefenen helpt.",
        purpose_en="To know whether training helps.",
        codebook=shipped_codebook(HORMONE_THERAPY.codebook),
        requires=["use.record"],
        kind="wmo",
        asks_data=False,
        group="breast",
        actor=CHAIR,
        now=datetime.now(UTC),
    )


def test_patients_are_counted_for_an_idea_by_the_rules_of_a_study_they_agreed_to(
    bench: Any,
) -> None:
    now = datetime.now(UTC)
    with bench.hub.factory() as session:
        arm, basis = idea(session), session.get_one(Study, BASIS)

        def ask(question: dict[str, Any] = WANTED) -> Any:
            return counting.ask(session, arm, BASIS, question, by=CHAIR, now=now)

        for code in ("not_an_idea", "ideas_not_counted"):
            with pytest.raises(StudiesError, match=code):
                ask()
            if code == "not_an_idea":
                feasibility.propose(session, arm, actor=CHAIR, now=now)
        nobody = Actor("user", "x", frozenset({"committee@study:other"}))
        with pytest.raises(StudiesError, match="wrong_role"):
            feasibility.let_ideas_count(session, basis, True, actor=nobody)
        who = Actor("user", "x", frozenset({"committee@study:arm"}))
        with pytest.raises(StudiesError, match="asks_no_data"):
            feasibility.let_ideas_count(session, arm, True, actor=who)
        feasibility.let_ideas_count(session, basis, True, actor=JUDGE)
        with pytest.raises(QueryError):
            ask({"by": ["name"]})
        first, second = ask(), ask({**WANTED, "by": ["hormone"]})
        assert ask().run_id == first.run_id  # the same that still waits
        assert (first.asked_in, standing_of(session, arm)) == (BASIS, "feasibility")
        run, other = (session.get_one(Run, each.run_id) for each in (first, second))
        # It is a question of the other study, which says for what; nothing but a count.
        assert (run.study, run.kind, run.query["title"]) == (
            BASIS,
            "count",
            "Arm na bestraling / Arm after radiotherapy",
        )
        # Nor by who proposed it, nor once the committee lets no ideas count any more.
        with pytest.raises(RunError, match="OWN_QUERY"):
            service.approve(session, run, CHAIR, now)
        run.submitted_by = "somebody-else"
        with pytest.raises(RunError, match="OWN_QUERY"):
            service.approve(session, run, CHAIR, now)
        feasibility.let_ideas_count(session, basis, False, actor=JUDGE)
        with pytest.raises(RunError, match="STUDY_NOT_OPEN"):
            service.approve(session, run, JUDGE, now)
        feasibility.let_ideas_count(session, basis, True, actor=JUDGE)
        service.approve(session, run, JUDGE, now)
        service.refuse(session, other, JUDGE, now)
        session.commit()
        run_id = run.id
    bench.finish(run_id)
    assert tell_groups(bench.hub.factory, now)
    assert not tell_groups(bench.hub.factory, now)
    with bench.hub.factory() as session:
        told = {each.run_id: each for each in feasibility.list_counts(session, "arm")}
        no = told.pop(other.id)
        assert (no.code, no.numbers, no.released_at) == ("QUERY_NOT_APPROVED", None, None)
        [yes] = told.values()
        # Everybody said yes to the other study; small groups stay hidden, as in any answer.
        assert yes.numbers == {"total": 180}
        shown = [cell["n"] for cell in yes.cells or []]
        assert set(yes.cells[0]["by"]) == {"hormone", "grade"}
        assert all(n is None or n >= 10 for n in shown)
        assert yes.released_by == SYSTEM.id
        outcome = session.get_one(Run, run_id).outcome
        assert yes.cells == counting.cells_of(outcome)
        assert (yes.code, feasibility.unanswered(session)) == (None, [])
        # Somebody else makes it a joint study: the group has seen a count.
        arm = session.get_one(Study, "arm")
        with pytest.raises(StudiesError, match="own_proposal"):
            feasibility.make_joint(session, arm, actor=CHAIR, now=now)
        feasibility.make_joint(session, arm, actor=JUDGE, now=now)
        assert standing_of(session, arm) == "joint"
