"""What the database itself keeps of a run, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from federation.protocol.keys import PublicIdentity
from federation.query.terms import Terms
from federation.runs import progress, service
from federation.runs.driver import Outcome
from federation.runs.errors import ReplyConflict, RunError
from federation.runs.models import Run, RunReply, RunSite
from federation.runs.progress import LeaseLost
from registry.database import SessionFactory
from studies.actor import Actor
from studies.seeds.oncozon import HORMONE_THERAPY

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LEASE = timedelta(minutes=1)
RESEARCHER = Actor("user", "r1", frozenset({"researcher"}))
COMMITTEE = Actor("user", "c1", frozenset({"committee"}))
SITE = "catharina"
QUERY: dict[str, Any] = {
    "version": 1,
    "codebook": "gbsg/1",
    "sites": [SITE],
    "analysis": {"kind": "count", "by": ["hormone"]},
}


@pytest.fixture
def approved(factory: SessionFactory) -> str:
    """The id of an approved run."""
    with factory() as session:
        run = service.submit(
            session, query=QUERY, study=HORMONE_THERAPY.slug, by=RESEARCHER, now=NOW
        )
        service.approve(session, run, COMMITTEE, NOW)
        session.commit()
        return run.id


@pytest.fixture
def opened(factory: SessionFactory, approved: str) -> Iterator[tuple[Any, Run]]:
    """A session and an open run whose lease belongs to "w1"."""
    with factory() as session:
        progress.claim(session, "w1", NOW, LEASE)
        run = service.get_run(session, approved)
        progress.open_run(
            session,
            run,
            roster={SITE: PublicIdentity(SITE, "s", "b")},
            terms=Terms.strict(),
            snapshots={SITE: 1},
            now=NOW,
            deadline=NOW + timedelta(hours=72),
        )
        yield session, run
        session.rollback()


def store(session: Any, run: Run, body: bytes, step: int = 0) -> bool:
    return progress.store_reply(
        session, run.id, run.context or "", step, SITE, body, NOW, refused=False
    )


class TestLease:
    def test_of_many_workers_at_once_one_gets_the_run(
        self, factory: SessionFactory, approved: str
    ) -> None:
        won: list[str] = []
        start = threading.Barrier(4)

        def work(owner: str) -> None:
            start.wait()
            with factory() as session:
                if progress.claim(session, owner, NOW, LEASE) is not None:
                    session.commit()
                    won.append(owner)

        threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1

    def test_a_run_is_free_again_when_its_lease_has_ended(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        assert progress.claim(session, "w2", NOW + LEASE, LEASE) is None
        later = NOW + LEASE + timedelta(seconds=1)
        taken = progress.claim(session, "w2", later, LEASE)
        assert taken is not None
        assert taken.id == run.id
        with pytest.raises(LeaseLost):
            progress.hold(session, run.id, "w1", later, LEASE)
        progress.hold(session, run.id, "w2", later, LEASE)

    def test_a_run_that_its_owner_forgot_is_taken_up_at_once(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        assert progress.claim(session, "w1", NOW, LEASE, driven={run.id}) is None
        assert progress.claim(session, "w1", NOW, LEASE) is not None

    def test_a_run_that_has_ended_cannot_be_held(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        service.cancel(session, run, RESEARCHER, NOW)
        with pytest.raises(LeaseLost):
            progress.hold(session, run.id, "w1", NOW, LEASE)


class TestReplies:
    def test_the_same_bytes_are_kept_once(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        assert store(session, run, b"one")
        assert not store(session, run, b"one")
        assert len(session.scalars(select(RunReply)).all()) == 1

    def test_other_bytes_for_the_same_step_are_refused(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        store(session, run, b"one")
        with pytest.raises(ReplyConflict):
            store(session, run, b"two")
        assert session.scalars(select(RunReply.body)).all() == [b"one"]

    def test_each_step_and_each_attempt_has_its_own(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        store(session, run, b"one")
        assert store(session, run, b"two", step=1)
        progress.restart(session, run, snapshots={SITE: 2}, again=False, stale=True)
        assert store(session, run, b"three")
        assert len(session.scalars(select(RunReply)).all()) == 3

    def test_the_database_itself_takes_one_per_step(self, opened: tuple[Any, Run]) -> None:
        """The code looks first, so only this test sees the unique key."""
        session, run = opened
        store(session, run, b"one")
        twin = RunReply(
            run_id=run.id,
            context=run.context or "",
            step=0,
            site=SITE,
            body=b"two",
            sha256="0" * 64,
            received_at=NOW,
        )
        session.add(twin)
        with pytest.raises(IntegrityError):
            session.flush()


class TestStates:
    def test_a_final_state_is_final(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        done = Outcome("refused", {"status": "refused", "id": "x"}, code="SMALL_GROUP")
        progress.finish(session, run, done, NOW)
        assert run.outcome == {"status": "refused", "id": run.id}
        with pytest.raises(RunError) as caught:
            progress.finish(session, run, done, NOW)
        assert caught.value.code == "WRONG_STATE"

    @pytest.mark.parametrize(
        "values",
        [
            {"state": "complete"},
            {"state": "complete", "finished_at": NOW},
            {"finished_at": NOW},
            {"state": "lost"},
            {"deadline": None},
            {"context": None},
        ],
    )
    def test_the_database_keeps_state_and_fields_together(
        self, values: dict[str, Any], opened: tuple[Any, Run]
    ) -> None:
        session, run = opened
        with pytest.raises(IntegrityError):
            session.execute(update(Run).where(Run.id == run.id).values(**values))

    def test_silent_sites_are_marked_at_the_end(self, opened: tuple[Any, Run]) -> None:
        session, run = opened
        done = Outcome("insufficient", {"status": "insufficient"}, code="SITE_UNREACHABLE")
        progress.finish(session, run, done, NOW)
        assert session.get_one(RunSite, (run.id, SITE)).state == "silent"

    def test_what_nobody_decides_on_expires(self, factory: SessionFactory, approved: str) -> None:
        with factory() as session:
            other = {**QUERY, "title": "another"}
            run = service.submit(
                session, query=other, study=HORMONE_THERAPY.slug, by=RESEARCHER, now=NOW
            )
            assert service.expire_undecided(session, NOW + timedelta(days=29)) == 0
            assert service.expire_undecided(session, NOW + timedelta(days=31)) == 1
            assert (run.state, run.code) == ("expired", "EXPIRED")
            assert service.get_run(session, approved).state == "approved"
            session.rollback()


class TestSubmitting:
    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({**QUERY, "output": "by_site"}, "OUTPUT_NOT_ALLOWED"),
            ({**QUERY, "sites": ["elsewhere"]}, "BAD_VALUE"),
            ({**QUERY, "study": "another"}, "BAD_VALUE"),
            ({**QUERY, "analysis": {"kind": "count", "by": ["hormon"]}}, "UNKNOWN_VARIABLE"),
        ],
    )
    def test_what_cannot_be_asked_is_refused_at_once(
        self, query: dict[str, Any], code: str, factory: SessionFactory, approved: str
    ) -> None:
        with factory() as session, pytest.raises((RunError, ValueError)) as caught:
            service.submit(session, query=query, study=HORMONE_THERAPY.slug, by=RESEARCHER, now=NOW)
        assert getattr(caught.value, "code", None) == code

    def test_a_person_cannot_fill_the_queue(self, factory: SessionFactory, approved: str) -> None:
        limits = service.Limits(per_person_and_hour=2)
        with factory() as session:
            ask = [{**QUERY, "title": str(number)} for number in range(2)]
            service.submit(
                session,
                query=ask[0],
                study=HORMONE_THERAPY.slug,
                by=RESEARCHER,
                now=NOW,
                limits=limits,
            )
            with pytest.raises(RunError) as caught:
                service.submit(
                    session,
                    query=ask[1],
                    study=HORMONE_THERAPY.slug,
                    by=RESEARCHER,
                    now=NOW,
                    limits=limits,
                )
            assert caught.value.code == "TOO_MANY_RUNS"
            session.rollback()
