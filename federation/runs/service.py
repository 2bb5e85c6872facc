"""What people do with questions: submit, approve, refuse, cancel, look.

Every function takes a Session, may flush and never commits; each act is announced once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError, at, did_you_mean
from federation.query.model import Query
from federation.runs import embargo, envelope
from federation.runs.errors import RunError
from federation.runs.models import Run, RunProgress, RunSite
from federation.runs.states import (
    APPROVED,
    CANCELLED,
    EXPIRED,
    FINAL,
    REFUSED,
    SITE_ANSWERED,
    SITE_REFUSED,
    SUBMITTED,
    TRANSITIONS,
)
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.hospitals.feasibility import ideas_of, proposed_by
from studies.models import SiteNode, Study
from studies.reading import open_sites

OPEN_PARTICIPATION = "open"
DECIDERS = frozenset({"committee"})
CANCELLERS = frozenset({"coordinator", "committee", "administrator"})


@dataclass(frozen=True)
class Limits:
    """How many unfinished questions may wait (security.md 4.2), and for how long undecided."""

    per_study: int = 20
    in_all: int = 100
    per_person_and_hour: int = 30
    undecided: timedelta = timedelta(days=30)


LIMITS = Limits()


def submit(
    session: Session,
    *,
    query: Mapping[str, Any],
    study: str,
    by: Actor,
    now: datetime,
    limits: Limits = LIMITS,
) -> Run:
    """Store a question under a study, for its committee to decide on.

    The same question of the same person that is still unfinished is not stored twice: the first
    one is returned. Raises RunError (STUDY_NOT_FOUND, STUDY_NOT_OPEN, NO_SITES,
    OUTPUT_NOT_ALLOWED, NO_FORM, TOO_MANY_RUNS, UNDER_EMBARGO) or QueryError.
    """
    found, parsed = check(session, query, study)
    if embargo.under_embargo(session, parsed, Codebook.from_dict(found.codebook)):
        raise RunError("UNDER_EMBARGO")
    waiting = session.scalar(
        select(Run).where(
            Run.query_sha256 == parsed.sha256,
            Run.submitted_by == by.id,
            Run.state.not_in(FINAL),
        )
    )
    if waiting is not None:
        return waiting
    _check_limits(session, study, by, now, limits)
    run = stored(found, parsed, by, now)
    session.add(run)
    session.flush()
    _announce(session, by, "run.submitted", run, query_sha256=parsed.sha256, kind=parsed.kind)
    return run


def check(session: Session, query: Mapping[str, Any], study: str) -> tuple[Study, Query]:
    """The study and the checked question, when it may be asked there now. Raises as ``submit``."""
    found = session.get(Study, study)
    if found is None:
        raise RunError("STUDY_NOT_FOUND")
    if found.state != "open":
        raise RunError("STUDY_NOT_OPEN")
    if not isinstance(query, Mapping):
        raise QueryError(BAD_VALUE, "A question is an object with named keys.")
    codebook = Codebook.from_dict(found.codebook)
    parsed = parse({**query, "study": query.get("study") or study}, codebook)
    if parsed.study != study:
        raise QueryError(BAD_VALUE, f"This question is asked in the study '{study}'.", "study")
    sites = asked_sites(session, parsed)
    if parsed.output == "by_site":
        _check_by_site(session, found, sites)
    return found, parsed


def stored(study: Study, query: Query, by: Actor, now: datetime) -> Run:
    """A submitted run of a checked question, not added to the session yet."""
    return Run(
        study=study.slug,
        kind=query.kind,
        title=query.title,
        query=query.to_dict(),
        codebook=study.codebook,
        query_sha256=query.sha256,
        question_sha256=query.question_sha256,
        state=SUBMITTED,
        submitted_by=by.id,
        submitted_by_name=by.name,
        submitted_at=now,
    )


def _check_by_site(session: Session, study: Study, sites: Sequence[str]) -> None:
    """The study chose how results of single hospitals reach it, and every asked board signed.

    The hospitals check the same by themselves. RunError OUTPUT_NOT_ALLOWED or NO_FORM.
    """
    if not study.output_by_site:
        raise RunError("OUTPUT_NOT_ALLOWED")
    nodes = session.scalars(select(SiteNode).where(SiteNode.institution.in_(sites))).all()
    strict = [node for node in nodes if (node.terms or {}).get("protection") != "none"]
    if strict and study.delivery is None:
        raise RunError("OUTPUT_NOT_ALLOWED")
    if any(node.form_id is None for node in strict):
        raise RunError("NO_FORM")


def asked_sites(session: Session, query: Query) -> list[str]:
    """The hospitals that a question goes to: those open in its study, with the agreements that the
    network needs in force (studies.network.agreements), or those of them it names.

    Raises RunError NO_SITES, or QueryError for a name that does not take part.
    """
    taking_part = open_sites(session, query.study)
    if not taking_part:
        raise RunError("NO_SITES")
    if query.sites == "all":
        return taking_part
    for place, site in enumerate(query.sites):
        if site not in taking_part:
            raise QueryError(
                BAD_VALUE,
                f"'{site}' does not take part in this study, or has no valid agreement with the "
                f"network. {did_you_mean(site, taking_part)}",
                at("sites", place),
            )
    return list(query.sites)


def _check_limits(session: Session, study: str, by: Actor, now: datetime, limits: Limits) -> None:
    unfinished = select(func.count()).select_from(Run).where(Run.state.not_in(FINAL))
    recent = (
        select(func.count())
        .select_from(Run)
        .where(Run.submitted_by == by.id, Run.submitted_at > now - timedelta(hours=1))
    )
    if (
        session.scalar(unfinished.where(Run.study == study)) >= limits.per_study  # type: ignore[operator]
        or session.scalar(unfinished) >= limits.in_all  # type: ignore[operator]
        or session.scalar(recent) >= limits.per_person_and_hour  # type: ignore[operator]
    ):
        raise RunError("TOO_MANY_RUNS")


def approve(session: Session, run: Run, by: Actor, now: datetime) -> None:
    """The study's committee says yes; the worker may open the run from here on.

    Of a question that counts patients for an idea, whoever proposed the idea says nothing, and
    nobody once the committee lets no ideas count any more. Raises RunError NOT_ALLOWED, OWN_QUERY,
    STUDY_NOT_OPEN, UNDER_EMBARGO or WRONG_STATE.
    """
    _check_decider(run, by)
    if ideas_of(session, run.id):
        if by.id in proposed_by(session, run.id):
            raise RunError("OWN_QUERY")
        if not session.get_one(Study, run.study).counts_ideas:
            raise RunError("STUDY_NOT_OPEN")
    if embargo.under_embargo(session, query_of(run), Codebook.from_dict(run.codebook)):
        raise RunError("UNDER_EMBARGO")
    move(session, run, APPROVED, decided_by=by.id, decided_by_name=by.name, decided_at=now)
    session.add(RunProgress(run_id=run.id))
    session.flush()
    _announce(session, by, "run.approved", run, query_sha256=run.query_sha256)


def refuse(session: Session, run: Run, by: Actor, now: datetime) -> None:
    """The study's committee says no. Raises RunError as ``approve``."""
    _check_decider(run, by)
    code = "QUERY_NOT_APPROVED"
    end(session, run, REFUSED, code, now, decided_by=by.id, decided_by_name=by.name, decided_at=now)
    _announce(session, by, "run.refused", run, code=code)


def _check_decider(run: Run, by: Actor) -> None:
    if by.kind != "user" or not by.roles & DECIDERS:
        raise RunError("NOT_ALLOWED")
    if by.id == run.submitted_by:
        raise RunError("OWN_QUERY")


def cancel(session: Session, run: Run, by: Actor, now: datetime) -> None:
    """Withdraw a question that is not finished: its submitter, or who runs the study.

    Raises RunError NOT_ALLOWED or WRONG_STATE.
    """
    if by.id != run.submitted_by and not by.roles & CANCELLERS:
        raise RunError("NOT_ALLOWED")
    end(session, run, CANCELLED, "CANCELLED", now)
    _announce(session, by, "run.cancelled", run, code="CANCELLED")


def expire_undecided(session: Session, now: datetime, limits: Limits = LIMITS) -> int:
    """End the questions that nobody decided on in time; returns how many."""
    old = session.scalars(
        select(Run).where(Run.state == SUBMITTED, Run.submitted_at < now - limits.undecided)
    ).all()
    for run in old:
        end(session, run, EXPIRED, "EXPIRED", now)
        _announce(session, SYSTEM, "run.expired", run, code="EXPIRED")
    return len(old)


def move(session: Session, run: Run, to: str, **values: Any) -> None:
    """Put ``run`` into state ``to`` if that may follow its state in the database.

    The row count decides, so that of two who try at once exactly one succeeds; the other gets
    RunError WRONG_STATE.
    """
    before = [state for state, after in TRANSITIONS.items() if to in after]
    done = session.execute(
        update(Run)
        .where(Run.id == run.id, Run.state.in_(before))
        .values(state=to, **values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise RunError("WRONG_STATE")
    session.refresh(run)


def end(session: Session, run: Run, state: str, code: str, now: datetime, **values: Any) -> None:
    """Put ``run`` into a final state without a result."""
    query = query_of(run)
    outcome = envelope.withheld(
        run.id, state, code, query, sites=envelope.site_report(len(run.roster or {}), 0)
    )
    move(session, run, state, code=code, outcome=outcome, finished_at=now, **values)


def query_of(run: Run) -> Query:
    """The checked question of a stored run."""
    return parse(run.query, Codebook.from_dict(run.codebook))


def get_run(session: Session, run_id: str) -> Run:
    """The run with this id; RunError RUN_NOT_FOUND."""
    run = session.get(Run, run_id)
    if run is None:
        raise RunError("RUN_NOT_FOUND")
    return run


def result(session: Session, run_id: str) -> dict[str, Any]:
    """The answer as query.md says, or {"id", "status", "step", "sites"} while there is none."""
    run = get_run(session, run_id)
    return run.outcome if run.outcome is not None else progress(session, run)


def progress(session: Session, run: Run) -> dict[str, Any]:
    """Where an unfinished run stands: its state, the step, and each hospital's state."""
    at_step = session.get(RunProgress, run.id)
    sites = session.scalars(
        select(RunSite).where(RunSite.run_id == run.id).order_by(RunSite.site)
    ).all()
    return {
        "id": run.id,
        "status": run.state,
        "query_sha256": run.query_sha256,
        "analysis": run.kind,
        "step": at_step.step if at_step is not None else 0,
        "sites": [
            {"site": s.site, "state": _told(run, s.state), "attempts": s.attempts} for s in sites
        ],
    }


def _told(run: Run, state: str) -> str:
    """A hospital's state as people may see it: who refused says something about its patients,
    unless the reason does not."""
    if state == SITE_REFUSED and run.code not in envelope.NOT_ABOUT_PATIENTS:
        return SITE_ANSWERED
    return state


def list_runs(
    session: Session,
    *,
    study: str | None = None,
    submitted_by: str | None = None,
    states: frozenset[str] | None = None,
    limit: int = 100,
) -> list[Run]:
    """Stored runs, newest first, of a study, a person or in some states."""
    wanted = select(Run).order_by(Run.submitted_at.desc(), Run.id).limit(limit)
    if study is not None:
        wanted = wanted.where(Run.study == study)
    if submitted_by is not None:
        wanted = wanted.where(Run.submitted_by == submitted_by)
    if states is not None:
        wanted = wanted.where(Run.state.in_(states))
    return list(session.scalars(wanted))


def _announce(
    session: Session, by: Actor, action: str, run: Run, **facts: str | int | None
) -> None:
    announce(
        session, actor=by, action=action, about=f"run:{run.id}", facts={"study": run.study, **facts}
    )
