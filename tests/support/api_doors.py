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
}
#: Tried with what they are for in test_rounds_planned.py and test_round_pages.py; here only with
#: what they must refuse.
ELSEWHERE = {
    "GET /api/v1/rounds/{round}/coverage",
    "POST /api/v1/rounds",
    "PUT /api/v1/rounds/{round}/plan",
    "POST /api/v1/rounds/{round}/offer",
    "POST /api/v1/rounds/{round}/approve",
    "POST /api/v1/rounds/{round}/cancel",
    "POST /api/v1/rounds/{round}/actions",
    "POST /api/v1/rounds/{round}/actions/{action}/close",
}
#: Who gets an answer other than a refusal; what is in no list is for everybody.
ONLY: Mapping[str, set[str]] = {
    "researcher": _LOOKING
    | {
        "POST /api/v1/queries",
        "POST /api/v1/queries/{query_id}/cancel",
        "GET /api/v1/studies/{study}/coverage",
    },
    "committee": _LOOKING
    | {
        "POST /api/v1/queries/{query_id}/approve",
        "POST /api/v1/queries/{query_id}/refuse",
        "GET /api/v1/studies/{study}/coverage",
        "GET /api/v1/studies/{study}/file",
        "POST /api/v1/studies/{study}/decisions",
        "GET /api/v1/studies/{study}/documents/{document_id}",
    },
    "coordinator": _LOOKING
    | {
        "GET /api/v1/studies/{study}/coverage",
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
