"""Schemathesis: requests made from our own document, hostile ones too; no answer may surprise.

It reads /api/v1/openapi.json and checks that no request gives a 5xx, that every status, content
type and body is as documented, and that a wrong method names the right ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)
from schemathesis.generation import GenerationMode

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 6
PUBLIC = {
    "GET /api/v1/studies",
    "GET /api/v1/studies/{study}",
    "GET /api/v1/studies/{study}/duo",
    "GET /api/v1/sites",
}
LOOKING = {
    "GET /api/v1/queries",
    "GET /api/v1/queries/{query_id}",
    "GET /api/v1/queries/{query_id}/status",
    "GET /api/v1/queries/{query_id}/result",
}
REACHED = {
    None: PUBLIC,
    "researcher": PUBLIC | LOOKING | {"POST /api/v1/queries/{query_id}/cancel"},
    "committee": PUBLIC | LOOKING | {"POST /api/v1/queries/{query_id}/approve"},
    "mine": PUBLIC
    | {
        "GET /api/v1/me/choices",
        "GET /api/v1/me/state",
        "GET /api/v1/me/history",
        "GET /api/v1/me/receipts",
        "GET /api/v1/me/receipts/{receipt_id}",
        "GET /api/v1/me/deliveries",
        "GET /api/v1/me/uses",
        "GET /api/v1/me/studies/{study}/statement",
        "POST /api/v1/me/withdrawals",
        "POST /api/v1/me/objections",
        "GET /api/v1/fhir/Consent",
        "GET /api/v1/fhir/Consent/{consent_id}",
        "GET /api/v1/fhir/Provenance",
        "GET /api/v1/fhir/Provenance/{consent_id}",
        "GET /api/v1/dpv/{receipt_id}",
    },
}
# Shut to the role as a whole, which the authorization matrix holds for every route.
_OF_PATIENTS = ("/api/v1/me", "/api/v1/fhir", "/api/v1/dpv")
SHUT: dict[str | None, tuple[str, ...]] = {
    None: (*_OF_PATIENTS, "/api/v1/queries"),
    "researcher": _OF_PATIENTS,
    "committee": _OF_PATIENTS,
    "mine": ("/api/v1/queries", "/api/v1/log", "/api/v1/texts"),
}


@pytest.mark.parametrize("name", [None, "researcher", "committee", "mine"])
def test_the_api_is_what_its_document_says(
    app: Any,
    world: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    name: str | None,
) -> None:
    headers, cookies = {}, {}
    if name is not None:
        client = signed_in(name)
        headers["X-CSRFToken"] = form_token(client)
        cookies = {
            cookie.key: cookie.value
            for key in ("oncokring", "oncokring-form")
            if (cookie := client.get_cookie(key)) is not None
        }
        assert len(cookies) == 2
    own = {
        "query_id": world.runs["hormone-therapy"],
        "study": "hormone-therapy",
        "receipt_id": world.receipts["mine"],
        "consent_id": world.receipts["mine"],
    }
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    answered: set[tuple[str, int]] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(SHUT[name]):
            continue
        names = {parameter.name for parameter in operation.path_parameters}
        mine = {key: value for key, value in own.items() if key in names}
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for values in [{}, mine] if mine else [{}]:
                made = operation.as_strategy(generation_mode=mode, **_given(values))
                for status in send_all(made, headers, cookies):
                    answered.add((operation.label, status))
    # The requests must get past the door, or nothing was tested.
    reached = {label for label, status in answered if status < 300}
    assert reached >= REACHED[name], answered


def _given(values: dict[str, str]) -> dict[str, Any]:
    return {"path_parameters": values} if values else {}


def send_all(made: Any, headers: dict[str, str], cookies: dict[str, str]) -> set[int]:
    """Send examples, well-formed or broken on purpose, check each answer, tell the statuses."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=made)
    def send(case: Any) -> None:
        response = case.call(headers=headers, cookies=cookies)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    try:
        send()
    except Unsatisfiable:
        pass  # nothing can be broken in an operation without parameters
    return statuses
