"""Input that no browser sends: it is refused or ignored, and never a failure of the hub."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]

HUGE = "9" * 5000
NUMBERS = ["\u00b2", HUGE, "9" * 25, "-1", "\x00", "1e5", "<script>alert(1)</script>"]
BOMBS = [
    "[" * 100_000,
    '{"answers":' + "[" * 3000 + "]" * 3000 + "}",
    '{"study": ' + HUGE + "}",
    '{"study": 1e999}',
    '{"study": NaN}',
    '{"study": null, "study": "hormone-therapy"}',
    "null",
    "\ud800",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_place_in_the_log_that_is_no_number(signed_in: SignedIn, text: str) -> None:
    response = signed_in("auditor").get("/audit", query_string={"before": text})

    assert response.status_code == 200
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("text", NUMBERS)
def test_a_version_of_the_choices_that_is_no_number(
    signed_in: SignedIn, form_token: FormToken, text: str
) -> None:
    client = signed_in("mine")
    data = {"csrf_token": form_token(client), "based_on": text, "text": text, "key": text}

    assert client.post("/mijn/hormone-therapy/controleer", data=data).status_code < 500


@pytest.mark.parametrize("text", NUMBERS)
def test_a_condition_whose_number_is_none(
    signed_in: SignedIn, form_token: FormToken, text: str
) -> None:
    client = signed_in("researcher")
    data = {
        "csrf_token": form_token(client),
        "study": "hormone-therapy",
        "kind": "count",
        "act": "add",
        "add-var": "age",
        "row": ["1", text],
        f"row-{text}-var": "age",
    }

    assert client.post("/r/query/new", data=data).status_code == 200


@pytest.mark.parametrize("path", ["/me/withdrawals", "/me/studies/hormone-therapy/choices"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_json_that_breaks_readers(
    signed_in: SignedIn, form_token: FormToken, path: str, bomb: str
) -> None:
    client = signed_in("mine")
    headers = {"X-CSRFToken": form_token(client), "Idempotency-Key": "k" * 20}

    response = client.post(
        f"/api/v1{path}",
        data=bomb.encode("utf-8", "surrogatepass"),
        content_type="application/json",
        headers=headers,
    )

    assert response.status_code == 400
    assert response.get_json()["code"]
