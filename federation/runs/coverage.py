"""What hospitals say about their data before anybody asks, kept and shown by the hub.

It comes inside the signed acknowledgement of a consent snapshot, so it needs no channel of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.query.codebook import Codebook
from federation.query.coverage import Coverage, CoverageError, read_coverages
from federation.runs.service import OPEN_PARTICIPATION
from studies.actor import Actor
from studies.events import announce
from studies.models import Institution, Participation, SiteCoverage, Study


def keep_coverage(session: Session, site: str, claim: object, now: datetime) -> None:
    """Keep what `site` says in place of what it said before; announced when it differs.

    A claim that is None changes nothing: the site could not read its data just now. One that is
    not coverage, or is about a study or codebook that is not this site's, is not kept. What the
    site no longer says is removed.
    """
    if claim is None:
        return
    try:
        told = read_coverages(claim)
    except CoverageError:
        return
    codebooks = _codebooks(session, site)
    known = {
        kept.study: kept
        for kept in session.scalars(select(SiteCoverage).where(SiteCoverage.institution == site))
    }
    fitting = {
        study: coverage
        for study, coverage in told.items()
        if study in codebooks and coverage.fits(codebooks[study])
    }
    for study, kept in known.items():
        if study not in fitting:
            session.delete(kept)
            _announce(session, site, study, "")
    for study, coverage in fitting.items():
        _keep(session, known.get(study), site, study, coverage, now)
    session.flush()


def _codebooks(session: Session, site: str) -> dict[str, Codebook]:
    """The codebook of each study that the site has a part in."""
    found = session.scalars(
        select(Study)
        .join(Participation, Participation.study == Study.slug)
        .where(Participation.institution == site)
    )
    return {study.slug: Codebook.from_dict(study.codebook) for study in found}


def _keep(
    session: Session,
    kept: SiteCoverage | None,
    site: str,
    study: str,
    coverage: Coverage,
    now: datetime,
) -> None:
    if kept is None:
        kept = SiteCoverage(institution=site, study=study)
        session.add(kept)
    elif _coverage(kept) == coverage:
        return
    kept.codebook_sha256 = coverage.codebook_sha256
    kept.as_of = coverage.as_of.isoformat()
    kept.variables = dict(coverage.variables)
    kept.rules = dict(coverage.rules)
    kept.received_at = now
    _announce(session, site, study, kept.as_of)


def _coverage(kept: SiteCoverage) -> Coverage:
    value = {
        "codebook_sha256": kept.codebook_sha256,
        "as_of": kept.as_of,
        "variables": kept.variables,
        "rules": kept.rules,
    }
    return read_coverages({kept.study: value})[kept.study]


def _announce(session: Session, site: str, study: str, as_of: str) -> None:
    announce(
        session,
        actor=Actor(kind="site", id=site),
        action="site.coverage",
        about=f"institution:{site}",
        facts={"study": study, "as_of": as_of},
    )


@dataclass(frozen=True)
class Covered:
    """One hospital in the matrix. coverage: None while it has said nothing that still fits."""

    site: str
    name: str
    coverage: Coverage | None


def coverage_of(session: Session, study: Study, only: Iterable[str] | None = None) -> list[Covered]:
    """What the hospitals that take questions of `study` said, by name; `only` these of them."""
    codebook = Codebook.from_dict(study.codebook)
    rows = session.execute(
        select(Institution.slug, Institution.name, SiteCoverage)
        .join(Participation, Participation.institution == Institution.slug)
        .outerjoin(
            SiteCoverage,
            (SiteCoverage.institution == Institution.slug) & (SiteCoverage.study == study.slug),
        )
        .where(Participation.study == study.slug, Participation.state == OPEN_PARTICIPATION)
    ).all()
    wanted = None if only is None else frozenset(only)
    found = []
    for slug, name, kept in rows:
        if wanted is not None and slug not in wanted:
            continue
        coverage = None if kept is None else _coverage(kept)
        fits = coverage is not None and coverage.fits(codebook)
        found.append(Covered(slug, name, coverage if fits else None))
    return sorted(found, key=lambda one: one.name.casefold())
