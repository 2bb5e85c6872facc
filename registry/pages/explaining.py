"""A question in words, before it is sent and when a committee judges it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.methods.base import Ask
from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.query.terms import Terms
from federation.query.words import explain
from studies.models import Participation, SiteNode, Study


def thresholds(session: Session, study: str, query: Query | None = None) -> Terms:
    """The strictest of the policies of all asked hospitals and of the study itself; the strict
    default while no hospital has said its own. Without a query, of all hospitals that take part."""
    sites = "all" if query is None else query.sites
    told = session.scalars(
        select(SiteNode.terms)
        .join(Participation, Participation.institution == SiteNode.institution)
        .where(
            Participation.study == study,
            Participation.state == "open",
            SiteNode.terms.is_not(None),
            *(() if sites == "all" else (SiteNode.institution.in_(sites),)),
        )
    )
    terms = [Terms.from_dict(each) for each in told if each is not None]
    strictest = Terms.strictest(terms) if terms else Terms.strict()
    found = session.get(Study, study)
    return strictest.tightened((found.terms if found is not None else None) or {})


def sentences(query: Query, codebook: Codebook, terms: Terms, lang: str) -> list[str]:
    """Who is asked, what leaves each hospital, and which thresholds apply.

    Title and purpose are left out: the pages show them above.
    """
    words = KINDS[query.kind].words(Ask(query, codebook, terms), lang)
    return explain(replace(query, title="", purpose=""), codebook, terms, words, lang=lang)
