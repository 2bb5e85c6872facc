"""Who gets an answer other than a refusal from which operation of the API, in the test network."""

from __future__ import annotations

from collections.abc import Mapping

_LOOKING = {
    "GET /api/v1/queries",
    "GET /api/v1/queries/{query_id}",
    "GET /api/v1/queries/{query_id}/status",
    "GET /api/v1/queries/{query_id}/result",
    "GET /api/v1/indicators",
    "GET /api/v1/indicators/{indicator}",
    "GET /api/v1/rounds",
    "GET /api/v1/rounds/{round}",
    "GET /api/v1/rounds/{round}/result",
    "GET /api/v1/rounds/{round}/actions",
    "GET /api/v1/rounds/{round}/notes",
}
_TOLD = {
    "GET /api/v1/networks/{network}/agreements",
    "GET /api/v1/announcements",
    "POST /api/v1/announcements/{announcement}/mark",
}
_TEXTS = {
    "GET /api/v1/studies/{study}/texts",
    "GET /api/v1/studies/{study}/texts/drafts/{draft}",
    "GET /api/v1/studies/{study}/texts/{n}/suspensions",
    "GET /api/v1/studies/{study}/use-without-asking",
}
#: Tried with what they are for in test_rounds_planned.py, test_round_pages.py, test_api_groups.py,
#: test_counts_for_ideas.py and test_api_texts.py; here only with what they must refuse.
ELSEWHERE = {
    # By a hospital's token only: test_api_fhir.py.
    "GET /api/v1/fhir/Subscription",
    "GET /api/v1/fhir/Subscription/{site}",
    "GET /api/v1/fhir/Subscription/{site}/$status",
    "GET /api/v1/fhir/Subscription/{site}/$events",
    "PUT /api/v1/studies/{study}/texts/drafts/{draft}",
    "POST /api/v1/studies/{study}/texts/drafts/{draft}/approve",
    "POST /api/v1/studies/{study}/texts/drafts/{draft}/publish",
    "POST /api/v1/studies/{study}/texts/{n}/suspensions",
    "POST /api/v1/studies/{study}/texts/{n}/suspensions/{asked}",
    "POST /api/v1/studies/{study}/use-without-asking",
    "POST /api/v1/studies/{study}/use-without-asking/{decision}",
    "GET /api/v1/audit/events",
    "GET /api/v1/audit/verify",
    "GET /api/v1/audit/result-proofs",
    "GET /api/v1/audit/alarms",
    "POST /api/v1/audit/alarms/{alarm}/seen",
    "POST /api/v1/networks/{network}/groups",
    "PUT /api/v1/networks/{network}/groups/{group}",
    "POST /api/v1/networks/{network}/groups/{group}/seats",
    "POST /api/v1/networks/{network}/groups/{group}/seats/{seat}/end",
    "POST /api/v1/networks/{network}/groups/{group}/decisions",
    "GET /api/v1/networks/{network}/groups/{group}/meetings",
    "PUT /api/v1/networks/{network}/groups/{group}/meetings/{day}",
    "POST /api/v1/networks/{network}/agreements",
    "POST /api/v1/sites/{site}/agreements",
    "POST /api/v1/announcements/{announcement}/withdrawal",
    "POST /api/v1/studies/{study}/counts",
    "POST /api/v1/studies/{study}/joint",
    "GET /api/v1/rounds/{round}/coverage",
    "POST /api/v1/rounds",
    "PUT /api/v1/rounds/{round}/plan",
    "POST /api/v1/rounds/{round}/offer",
    "POST /api/v1/rounds/{round}/approve",
    "POST /api/v1/rounds/{round}/cancel",
    "POST /api/v1/rounds/{round}/actions",
    "POST /api/v1/rounds/{round}/actions/{action}/close",
    "PUT /api/v1/rounds/{round}/actions/{action}",
    "POST /api/v1/rounds/{round}/causes",
    "POST /api/v1/rounds/{round}/notes",
}
#: Who gets an answer other than a refusal; what is in no list is for everybody.
ONLY: Mapping[str, set[str]] = {
    "researcher": _LOOKING
    | _TOLD
    | {
        "POST /api/v1/queries",
        "POST /api/v1/queries/{query_id}/cancel",
        "GET /api/v1/studies/{study}/coverage",
    },
    "committee": _LOOKING
    | _TOLD
    | _TEXTS
    | {
        "POST /api/v1/queries/{query_id}/approve",
        "POST /api/v1/queries/{query_id}/refuse",
        "GET /api/v1/studies/{study}/coverage",
        "GET /api/v1/studies/{study}/file",
        "GET /api/v1/studies/{study}/counts",
        "PUT /api/v1/studies/{study}/counts-ideas",
        "POST /api/v1/studies/{study}/decisions",
        "GET /api/v1/studies/{study}/documents/{document_id}",
    },
    "coordinator": _LOOKING
    | _TOLD
    | _TEXTS
    | {
        "POST /api/v1/studies/{study}/texts/drafts",
        "GET /api/v1/studies/{study}/coverage",
        "POST /api/v1/announcements",
        "GET /api/v1/networks/{network}/groups/{group}/decisions",
        "GET /api/v1/studies/{study}/counts",
        "GET /api/v1/studies/{study}/sites",
        "POST /api/v1/studies/{study}/sites",
        "GET /api/v1/studies/{study}/sites/{site}",
        "POST /api/v1/studies/{study}/sites/{site}/moves",
        "POST /api/v1/studies/{study}/sites/{site}/work",
        "GET /api/v1/studies/{study}/file",
        "POST /api/v1/studies/{study}/decisions",
        "POST /api/v1/studies/{study}/versions",
        "POST /api/v1/studies/{study}/documents",
        "GET /api/v1/studies/{study}/documents/{document_id}",
        "GET /api/v1/fhir/ResearchStudy/{study}",
        "GET /api/v1/studies/{study}/accrual",
        "GET /api/v1/studies/{study}/start-up",
        "GET /api/v1/studies/{study}/consort",
        "GET /api/v1/studies/{study}/screening",
        "GET /api/v1/studies/{study}/sites/{site}/screening/{month}",
        "PUT /api/v1/studies/{study}/sites/{site}/screening/{month}",
        "GET /api/v1/studies/{study}/participants",
        "POST /api/v1/studies/{study}/participants",
        "GET /api/v1/studies/{study}/participants/{pseudonym}",
        "POST /api/v1/studies/{study}/participants/{pseudonym}/moves",
        "POST /api/v1/studies/{study}/participants/{pseudonym}/milestones",
        "POST /api/v1/studies/{study}/participants/{pseudonym}/departure",
    },
    "mine": {
        "GET /api/v1/me/choices",
        "GET /api/v1/me/state",
        "GET /api/v1/me/history",
        "GET /api/v1/me/receipts",
        "GET /api/v1/me/receipts/{receipt_id}",
        "GET /api/v1/me/deliveries",
        "GET /api/v1/me/uses",
        "GET /api/v1/me/studies/{study}/statement",
        "POST /api/v1/me/studies/{study}/choices",
        "POST /api/v1/me/withdrawals",
        "POST /api/v1/me/objections",
        "GET /api/v1/fhir/Consent",
        "GET /api/v1/fhir/Consent/{consent_id}",
        "GET /api/v1/fhir/Provenance",
        "GET /api/v1/fhir/Provenance/{consent_id}",
        "GET /api/v1/dpv/{receipt_id}",
    },
}
