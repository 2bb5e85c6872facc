"""The answer to a query as query.md ``Result`` says it: released, refused or insufficient."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from federation.methods.base import Released
from federation.query.model import Query
from federation.query.refusals import REFUSALS
from federation.query.terms import Terms

#: A refusal with one of these says nothing about patients, so the hospital may be named.
NOT_ABOUT_PATIENTS = frozenset(
    {
        "STUDY_NOT_OPEN",
        "QUERY_NOT_APPROVED",
        "CONSENT_UNAVAILABLE",
        "ROSTER",
        "NOT_IN_CATALOGUE",
        "BUDGET",
        "PAUSED",
        "PROTOCOL",
        "SITE_UNREACHABLE",
        "DATA_MISMATCH",
    }
)

#: Codes of the hub itself, beside those that a site may send.
OWN_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "CANCELLED": "The question was withdrawn before it was answered. Submit it again.",
        "EXPIRED": "The question was not approved in time, so nobody was asked. Submit it again.",
        "FAILED": "The hub could not work out an answer. Nothing was released; tell the network"
        " office the number of this question.",
        "UNDER_EMBARGO": "An evaluation round that is not released yet asks this, or asks the same"
        " of the same patients in months that overlap. Wait for its release, or ask about other"
        " months, other patients or something else.",
    }
)


def code_version() -> str:
    """The version of this program, for provenance."""
    try:
        return f"oncokring {version('oncokring')}"
    except PackageNotFoundError:
        return "oncokring unknown"


def eligible_sentence(terms: Terms) -> str:
    """What every strict result carries (disclosure.md, rule G6)."""
    return f"Hospitals with fewer than {terms.t_cohort_site} eligible patients do not contribute."


def site_report(
    asked: int, answered: int, refused: Sequence[str] = (), silent: Sequence[str] = ()
) -> dict[str, Any]:
    """The ``sites`` part: how many were asked and answered, and who refused or kept silent."""
    return {
        "asked": asked,
        "answered": answered,
        "refused": sorted(refused),
        "silent": sorted(silent),
    }


def provenance(
    query: Query,
    terms: Terms,
    *,
    released_at: datetime | None,
    snapshots: Mapping[str, int],
    signatures: Sequence[Mapping[str, str]],
    consent: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Which question, program, thresholds, consent and signed replies are behind it.

    ``consent``: per hospital by which list, log and items it counted.
    """
    return {
        "codebook": query.codebook,
        "code": code_version(),
        "released_at": None if released_at is None else iso(released_at),
        "policy": terms.to_dict(),
        "snapshots": dict(sorted(snapshots.items())),
        "consent": {site: dict(consent[site]) for site in sorted(consent)},
        "signatures": [dict(signature) for signature in signatures],
    }


def iso(moment: datetime) -> str:
    """A UTC moment as 2026-03-05T09:12:45Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def released(
    run_id: str,
    status: str,
    query: Query,
    terms: Terms,
    answer: Released,
    *,
    sites: Mapping[str, Any],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """The envelope of a result that may be seen."""
    strict = terms.protection == "strict"
    envelope: dict[str, Any] = {
        "id": run_id,
        "status": status,
        "query_sha256": query.sha256,
        "analysis": query.kind,
        "result": answer.result,
        "sites": dict(sites),
        "hidden": answer.hidden,
        "provenance": dict(origin),
        "warnings": [*answer.warnings, *([eligible_sentence(terms)] if strict else [])],
        "replayed": False,
        "as_of": origin["released_at"],
    }
    return envelope if strict else {**envelope, "protection": "none"}


def withheld(
    run_id: str,
    status: str,
    code: str,
    query: Query,
    *,
    sites: Mapping[str, Any],
    names: Sequence[str] = (),
    again_from: date | None = None,
) -> dict[str, Any]:
    """The envelope when nothing is released: ``refused``, ``insufficient``, ``failed`` ….

    ``names`` are codebook names (never text made from data) that the code is about; ``again_from``:
    the day from which something new may be asked, where the hospitals named one.
    """
    message = sentence(code)
    if names:
        message = f"{message} ({', '.join(names)})"
    if again_from is not None:
        message = f"{message} New questions: from {again_from.isoformat()}."
    return {
        "id": run_id,
        "status": status,
        "code": code,
        "message": message,
        "terms": list(names),
        "query_sha256": query.sha256,
        "analysis": query.kind,
        "sites": dict(sites),
        **({} if again_from is None else {"again_from": again_from.isoformat()}),
    }


def sentence(code: str) -> str:
    """What happened and what to do, in English, for a public code."""
    return OWN_SENTENCES[code] if code in OWN_SENTENCES else REFUSALS[code].message("en")


def replayed(earlier: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """The stored earlier answer to the same question, said to be so, with its own date."""
    return {**earlier, "id": run_id, "replayed": True, "replay_of": earlier["id"]}
