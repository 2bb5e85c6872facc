"""The check itself must find faults, or a green test says nothing."""

import fhir_definitions as definitions
import pytest

R4 = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"text": "x"},
    "category": [{"text": "c"}],
}
R5 = {"resourceType": "Consent", "status": "active", "decision": "deny", "date": "2026-01-01"}


@pytest.mark.parametrize(
    ("version", "change", "fault"),
    [
        ("r4", {}, None),
        ("r5", {}, None),
        ("r4", {"status": "granted"}, "none of"),
        ("r5", {"status": "rejected"}, "none of"),
        ("r4", {"status": None}, "is no code"),
        ("r4", {"scope": [{"text": "x"}]}, "one value"),
        ("r4", {"category": []}, "empty list"),
        ("r4", {"decision": "deny"}, "not in the definition"),
        ("r5", {"scope": {"text": "x"}}, "not in the definition"),
        ("r4", {"dateTime": "yesterday"}, "is no dateTime"),
        ("r5", {"date": "2026-01-01T10:00:00Z"}, "is no date"),
        ("r4", {"provision": {"type": "allow"}}, "none of"),
        ("r4", {"provision": {"provision": [{"type": "x"}]}}, "none of"),
        ("r5", {"verification": [{}]}, "is needed"),
        ("r4", {"extension": [{"url": "urn:x", "valueCode": "a b  c"}]}, "is no code"),
        ("r4", {"extension": [{"valueString": "a"}]}, "is needed"),
        ("r4", {"sourceReference": {"type": "Consent"}}, None),
        ("r4", {"sourceThing": {}}, "not in the definition"),
    ],
)
def test_it_finds_the_fault(version: str, change: dict[str, object], fault: str | None) -> None:
    found = definitions.faults({**(R4 if version == "r4" else R5), **change}, version)
    assert found == [] if fault is None else any(fault in one for one in found), found


def test_what_is_missing_is_found() -> None:
    assert definitions.faults({"resourceType": "Consent"}, "r4") == [
        "Consent.status: is needed",
        "Consent.scope: is needed",
        "Consent.category: is needed",
    ]
