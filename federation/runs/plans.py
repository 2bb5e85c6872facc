"""Who is asked under which thresholds, and the plan of a run as it was fixed when it opened."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.protocol.keys import PublicIdentity
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.runs import envelope
from federation.runs.driver import RunPlan
from federation.runs.errors import RunError
from federation.runs.models import Run
from federation.runs.service import asked_sites, query_of
from studies.models import SiteNode, Study


def roster_of(session: Session, run: Run) -> tuple[dict[str, PublicIdentity], Terms]:
    """Who is asked, and under which thresholds; as ``roster_for``."""
    return roster_for(session, asked_sites(session, query_of(run)), run.study)


def roster_for(
    session: Session, sites: Sequence[str], study: str
) -> tuple[dict[str, PublicIdentity], Terms]:
    """These sites with their enrolled keys, and the strictest of their policies and the study.

    A site that has not said its thresholds counts with the strict defaults. RunError NO_NODE when
    one that takes part has no enrolled node: it is not left out silently.
    """
    nodes = {
        node.institution: node
        for node in session.scalars(select(SiteNode).where(SiteNode.institution.in_(sites)))
    }
    if set(nodes) != set(sites):
        raise RunError("NO_NODE")
    roster = {
        site: PublicIdentity(site, nodes[site].sign_pub, nodes[site].box_pub) for site in sites
    }
    terms = Terms.strictest(
        Terms.strict() if node.terms is None else Terms.from_dict(node.terms)
        for node in nodes.values()
    )
    return roster, terms.tightened(session.get_one(Study, study).terms or {})


def plan_of(run: Run) -> RunPlan:
    """The plan of an open run, as it was fixed when it opened."""
    # The CHECK constraint open_has_roster promises these.
    assert run.context is not None  # noqa: S101
    assert run.roster is not None  # noqa: S101
    assert run.terms is not None  # noqa: S101
    assert run.decided_at is not None  # noqa: S101
    return RunPlan(
        run_id=run.context,
        query=query_of(run),
        codebook=Codebook.from_dict(run.codebook),
        roster={s: PublicIdentity(s, k["sign"], k["box"]) for s, k in run.roster.items()},
        terms=Terms.from_dict(run.terms),
        min_snapshots={s: int(seq) for s, seq in (run.min_snapshots or {}).items()},
        approval={
            "by": run.decided_by or "",
            "at": envelope.iso(run.decided_at),
            "query_sha256": run.query_sha256,
        },
        again=run.again,
        requester=_requester(run.submitted_by),
    )


def _requester(account: str) -> str:
    """Who asks, as sites may know it: the same for one account, and nobody's name."""
    return hashlib.sha256(b"requester\0" + account.encode()).hexdigest()[:32]
