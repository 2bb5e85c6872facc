"""From a submitted question to a stored answer, over real sites and a real database."""

import json
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from consent import service as consent
from consent.models import Subject
from consent.snapshot import build_claims
from federation.protocol.messages import TYP_SNAPSHOT, sign
from federation.runs import service
from federation.runs.coverage import coverage_of
from federation.runs.errors import RunError
from federation.site.agreeing import all_agree
from federation.site.choices.handles import list_handles
from federation.site.directory import SiteDirectory
from studies.actor import Actor
from studies.models import Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NETWORK, STUDY, REQUIRES = ONCOZON.slug, HORMONE_THERAPY.slug, HORMONE_THERAPY.requires
OTHER = Actor("user", "r2", frozenset({"researcher"}), "Rita")


def withdraw(session: Session, subject: Subject, study: str) -> None:
    consent.withdraw(
        session,
        subject=subject,
        study=study,
        language="nl",
        form_key=f"stop-{subject.id}",
        actor=consent.patient(subject),
        now=datetime.now(UTC),
    )


def charges(bench: Any) -> list[int]:
    found = []
    for path in bench.hub.sites.values():
        database = sqlite3.connect(path / "site.sqlite")
        found.append(database.execute("SELECT count(*) FROM ledger_entry").fetchone()[0])
        database.close()
    return found


def test_an_approved_question_is_answered_as_the_contract_says(bench: Any) -> None:
    run = bench.finish(bench.hub.approved())

    answer = run.outcome
    assert (run.state, answer["status"], answer["id"]) == ("complete", "complete", run.id)
    assert answer["query_sha256"] == run.query_sha256
    assert answer["analysis"] == "describe"
    assert answer["result"]["n"] == 180
    assert answer["sites"] == {"asked": 3, "answered": 3, "refused": [], "silent": []}
    assert answer["replayed"] is False
    assert "protection" not in answer
    origin = answer["provenance"]
    assert origin["policy"]["protection"] == "strict"
    assert origin["codebook"] == "gbsg/1"
    assert origin["snapshots"] == dict.fromkeys(bench.hub.sites, 1)
    assert [signed["site"] for signed in origin["signatures"]] == sorted(bench.hub.sites)
    assert answer["warnings"][-1] == (
        "Hospitals with fewer than 10 eligible patients do not contribute."
    )
    assert charges(bench) == [1, 1, 1]


def test_every_act_is_audited_once(bench: Any) -> None:
    run = bench.finish(bench.hub.approved())
    actions = bench.rows(f"SELECT action FROM audit_line WHERE about = 'run:{run.id}' ORDER BY seq")
    assert [action for (action,) in actions] == [
        "run.submitted",
        "run.approved",
        "run.opened",
        "run.complete",
    ]


def test_the_same_question_again_gets_the_stored_answer_with_its_date(
    bench: Any, questions: Any
) -> None:
    first = bench.finish(bench.hub.approved(questions.COUNT))
    second = bench.finish(bench.hub.approved({**questions.COUNT, "title": "In other words"}))

    assert second.outcome["replayed"] is True
    assert second.outcome["id"] == second.id != first.id
    assert second.outcome["replay_of"] == first.id
    for key in ("result", "as_of", "hidden", "provenance"):
        assert second.outcome[key] == first.outcome[key]
    assert charges(bench) == [1, 1, 1]


def test_a_no_is_known_to_the_hospital_before_the_next_question(bench: Any, questions: Any) -> None:
    with bench.hub.factory() as session:
        for subject in session.query(Subject).filter_by(site="catharina").limit(15):
            withdraw(session, subject, questions.STUDY)
        session.commit()

    run = bench.finish(bench.hub.approved(questions.COUNT))

    assert run.outcome["result"]["n"] == 165


def test_a_change_of_choice_reaches_the_hospital_without_any_question(bench: Any) -> None:
    def confirmed() -> bool:
        return bool(
            bench.rows("SELECT 1 FROM consent_ack WHERE site = 'catharina' AND status = 'applied'")
        )

    bench.work(confirmed)


def test_each_hospital_holds_what_the_others_saw_against_its_own_list(bench: Any) -> None:
    """The hub alone would be the one to find that it tells two stories."""

    def with_all(seq: int) -> bool:
        return len(bench.rows(f"SELECT 1 FROM consent_ack WHERE seq = {seq}")) == 3

    def heard(site: str) -> str | None:
        with sqlite3.connect(bench.hub.sites[site] / "site.sqlite") as database:
            [(facts,)] = database.execute(
                "SELECT facts FROM audit WHERE event = 'SNAPSHOT' ORDER BY seq DESC LIMIT 1"
            )
        return json.loads(facts).get("status")

    bench.work(lambda: with_all(1))
    assert {heard(site) for site in bench.hub.sites} == {"alone"}, "nobody had seen anything yet"
    with bench.hub.factory() as session:
        for site in bench.hub.sites:
            subject = session.query(Subject).filter_by(site=site).first()
            withdraw(session, subject, STUDY)
        session.commit()
    bench.work(lambda: with_all(2))
    assert {heard(site) for site in bench.hub.sites} == {None}
    assert bench.rows("SELECT count(*) FROM consent_ack WHERE status != 'applied'") == [(0,)]
    assert bench.rows("SELECT count(*) FROM consent_alarm") == [(0,)]


def test_a_group_that_is_too_small_is_refused_without_a_number(bench: Any, questions: Any) -> None:
    cohort = {"all": [{"var": "age", "op": ">=", "value": 85}]}
    run = bench.finish(bench.hub.approved({**questions.COUNT, "cohort": cohort}))

    assert (run.state, run.code) == ("refused", "SMALL_GROUP")
    assert "result" not in run.outcome
    assert run.outcome["message"].startswith("This question, alone or together")
    assert run.outcome["sites"]["refused"] == []


def test_a_silent_site_means_nothing_is_released(bench: Any) -> None:
    bench.worker = bench.new_worker(deadline=timedelta(seconds=4))
    bench.carrier.dropped = {"elkerliek"}

    run = bench.finish(bench.hub.approved())

    assert (run.state, run.code) == ("insufficient", "SITE_UNREACHABLE")
    assert "result" not in run.outcome
    assert run.outcome["sites"]["silent"] == ["elkerliek"]


def test_a_site_that_comes_back_before_the_deadline_is_waited_for(bench: Any) -> None:
    bench.worker = bench.new_worker(resend=timedelta(seconds=1))
    run_id = bench.hub.approved()
    bench.work(lambda: bench.hub.run(run_id).state == "open")
    bench.carrier.dropped = {"elkerliek"}
    answered = "SELECT count(*) FROM run_reply"
    bench.work(lambda: bench.rows(answered)[0][0] >= 2)
    bench.carrier.dropped = set()

    assert bench.finish(run_id).state == "complete"


def age_snapshots(bench: Any) -> None:
    """Give every site the state of consent it has, but dated twenty minutes ago."""
    issued = datetime.now(UTC) - timedelta(minutes=20)
    waiting = set()
    for site, path in bench.hub.sites.items():
        handles = list_handles(SiteDirectory.load(path))
        columns = [(STUDY, item) for item in REQUIRES]
        claims = build_claims(
            network=NETWORK,
            seq=2,
            issued=issued,
            valid_until=issued + timedelta(hours=1),
            columns=columns,
            handles=handles,
            granted=[np.ones(len(handles), np.bool_)] * len(columns),
            evidence=all_agree(
                path,
                network=NETWORK,
                slug=site,
                handles=handles,
                columns=columns,
                granted=np.ones(len(handles), np.bool_),
                at=issued,
            ),
            further={"log": bench.hub.log_told(site)},
        )
        message = sign(
            TYP_SNAPSHOT,
            claims,
            bench.hub.key,
            issuer="hub",
            audience=site,
            now=issued,
            lifetime=timedelta(hours=1),
        )
        waiting.add(bench.real.send(site, message))
    while waiting:
        waiting -= {reply.handle for reply in bench.real.replies(5)}


def confirmations(bench: Any) -> int:
    return int(bench.rows("SELECT count(*) FROM consent_ack WHERE status = 'applied'")[0][0])


def test_a_snapshot_that_became_too_old_is_renewed_once(bench: Any) -> None:
    bench.worker = bench.new_worker(resend=timedelta(seconds=1))
    bench.carrier.steps_held = True
    run_id = bench.hub.approved()
    bench.work(lambda: confirmations(bench) == 3)
    first = bench.hub.run(run_id).context
    age_snapshots(bench)
    bench.carrier.steps_held = False

    run = bench.finish(run_id)

    assert run.state == "complete"
    assert run.restarts == 1
    assert run.context != first
    assert set(run.outcome["provenance"]["snapshots"].values()) == {2}
    assert charges(bench) == [1, 1, 1]


@pytest.mark.parametrize(
    ("step", "ended"), [(1, ("complete", None)), (2, ("refused", "SMALL_GROUP"))]
)
def test_a_no_between_two_steps_never_gives_a_number_with_the_patient(
    bench: Any, questions: Any, step: int, ended: tuple[str, str | None]
) -> None:
    """After the look nothing has left, and the run begins anew without the patient. Once the hub
    has pooled sums with the patient, sums without would show what differs."""
    bench.worker = bench.new_worker(resend=timedelta(seconds=1))
    run_id = bench.hub.approved()
    bench.work(lambda: bench.rows("SELECT step FROM run_progress") == [(step - 1,)])
    bench.work(lambda: bench.rows("SELECT count(*) FROM run_site WHERE attempts > 0") == [(3,)])
    bench.carrier.steps_held = True
    bench.work(lambda: bench.rows("SELECT step FROM run_progress") == [(step,)])
    with bench.hub.factory() as session:
        subject = session.query(Subject).filter_by(site="catharina").first()
        withdraw(session, subject, questions.STUDY)
        session.commit()
    bench.work(lambda: confirmations(bench) >= 4)
    bench.carrier.steps_held = False

    run = bench.finish(run_id)

    assert (run.state, run.code) == ended
    assert run.outcome.get("result", {"n": 179})["n"] == 179


def test_a_cancelled_run_is_left_alone(bench: Any, questions: Any) -> None:
    bench.carrier.dropped = set(bench.hub.sites)
    run_id = bench.hub.approved()
    bench.work(lambda: bench.hub.run(run_id).state == "open")
    with bench.hub.factory() as session:
        run = service.get_run(session, run_id)
        service.cancel(session, run, questions.RESEARCHER, datetime.now(UTC))
        session.commit()
    bench.carrier.dropped = set()

    bench.work(lambda: not bench.worker.busy)

    run = bench.hub.run(run_id)
    assert (run.state, run.outcome["code"]) == ("cancelled", "CANCELLED")


def test_a_second_worker_takes_over_only_when_the_lease_has_ended(bench: Any) -> None:
    bench.worker = bench.new_worker(lease=timedelta(seconds=3))
    bench.carrier.dropped = set(bench.hub.sites)
    run_id = bench.hub.approved()
    bench.work(lambda: bench.hub.run(run_id).state == "open")
    # On a busy machine making a worker takes longer than the lease.
    just_then = datetime.now(UTC)
    bench.carrier.dropped = set()

    bench.worker = bench.new_worker(lease=timedelta(seconds=3))
    bench.worker.step(just_then)
    assert not bench.worker.busy

    assert bench.finish(run_id).state == "complete"


def test_nobody_approves_their_own_question(bench: Any, questions: Any) -> None:
    both = Actor("user", "r1", frozenset({"researcher", "committee"}), "Rosa")
    now = datetime.now(UTC)
    with bench.hub.factory() as session:
        run = service.submit(
            session, query=questions.COUNT, study=questions.STUDY, by=both, now=now
        )
        with pytest.raises(RunError) as caught:
            service.approve(session, run, both, now)
        assert caught.value.code == "OWN_QUERY"
        with pytest.raises(RunError) as caught:
            service.approve(session, run, OTHER, now)
        assert caught.value.code == "NOT_ALLOWED"
        service.refuse(session, run, questions.COMMITTEE, now)
        with pytest.raises(RunError) as caught:
            service.approve(session, run, questions.COMMITTEE, now)
        assert caught.value.code == "WRONG_STATE"
        assert run.outcome["code"] == "QUERY_NOT_APPROVED"
        session.rollback()


def test_the_same_form_sent_twice_is_one_question(bench: Any, questions: Any) -> None:
    now = datetime.now(UTC)
    with bench.hub.factory() as session:
        runs = [
            service.submit(
                session,
                query=questions.COUNT,
                study=questions.STUDY,
                by=questions.RESEARCHER,
                now=now,
            )
            for _ in range(2)
        ]
        assert runs[0].id == runs[1].id
        session.rollback()


def test_what_is_filled_comes_with_the_first_word_of_each_hospital(bench: Any) -> None:
    """Before anybody asks: inside the confirmation of the first consent list."""

    def told() -> bool:
        with bench.hub.factory() as session:
            found = coverage_of(session, session.get_one(Study, STUDY))
        said = {one.site: one.coverage for one in found if one.coverage is not None}
        return set(said) == set(bench.hub.sites) and all(
            coverage.variables["age"] == "over_90" for coverage in said.values()
        )

    bench.work(told)
    lines = bench.rows("SELECT count(*) FROM audit_line WHERE action = 'site.coverage'")
    assert lines == [(len(bench.hub.sites),)]


def test_the_next_list_waits_for_the_word_on_the_one_before(bench: Any, questions: Any) -> None:
    def stop(number: int) -> None:
        with bench.hub.factory() as session:
            subjects = session.query(Subject).filter_by(site="catharina").order_by(Subject.id)
            withdraw(session, subjects[number], questions.STUDY)
            session.commit()

    def lists() -> list[tuple[int, str | None]]:
        return [
            tuple(row)
            for row in bench.rows(
                "SELECT s.seq, a.status FROM consent_snapshot s LEFT JOIN consent_ack a"
                " ON a.site = s.site AND a.seq = s.seq WHERE s.site = 'catharina' ORDER BY s.seq"
            )
        ]

    def later(seconds: int) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    bench.work(lambda: confirmations(bench) >= 3)
    bench.carrier.replies = lambda timeout: []
    stop(0)
    bench.worker.step(later(3))
    stop(1)
    bench.worker.step(later(6))
    assert lists() == [(1, "applied"), (2, None)]
    del bench.carrier.replies
    bench.work(lambda: lists()[-1] == (3, "applied"))

    # A worker that is killed never hears what became of its list; the next one goes on from too
    # early a head of the log, is refused, learns from that, and makes it right at once.
    stop(2)
    bench.worker.step(later(3))
    time.sleep(0.5)
    bench.carrier.replies(0.0)
    bench.worker = bench.new_worker()
    stop(3)
    bench.work(lambda: lists()[-1][1] == "applied" and lists()[-1][0] > 4)
    assert [status for _, status in lists()[:3]] == ["applied"] * 3
    assert [status for _, status in lists()[4:]].count("refused") <= 1
