"""A naive reader of FHIR Consents: it looks at `status` and at nothing else but what is permitted.

It knows no period, no tag, no extension and no Provenance. What it believes must be what counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir.resources.bundle import Bundle as BundleR5
from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.provenance import Provenance as ProvenanceR5
from fhir.resources.R4B.bundle import Bundle as BundleR4
from fhir.resources.R4B.consent import Consent as ConsentR4
from fhir.resources.R4B.provenance import Provenance as ProvenanceR4
from fhir_definitions import faults

MODELS = {
    # R4B changed nothing in these three.
    "r4": {"Consent": ConsentR4, "Provenance": ProvenanceR4, "Bundle": BundleR4},
    "r5": {"Consent": ConsentR5, "Provenance": ProvenanceR5, "Bundle": BundleR5},
}


def believed(resources: Iterable[dict[str, Any]], version: str) -> set[tuple[str, str]]:
    """(study, item) that the reader takes for permitted."""
    found = set()
    for resource in resources:
        if resource["resourceType"] != "Consent" or resource["status"] != "active":
            continue
        if version == "r4":
            root = resource["provision"]
            assert root["type"] == "deny"
            permits = [one for one in root.get("provision", []) if one["type"] == "permit"]
        else:
            assert resource["decision"] == "deny"  # so what is under it permits
            permits = resource.get("provision", [])
        for permit in permits:
            (actor,), (code,) = permit["actor"], permit["code"]
            study = actor["reference"]["identifier"]["value"]
            found.add((study, code["coding"][0]["code"]))
    return found


def check(resource: dict[str, Any], version: str) -> None:
    """Against the official definitions, a second implementation, and the invariants by hand."""
    assert faults(resource, version) == []
    MODELS[version][resource["resourceType"]].model_validate(resource)
    if resource["resourceType"] == "Consent" and version == "r4":
        assert "policy" in resource or "policyRule" in resource  # ppc-1
        assert "patient" in resource  # ppc-2 to ppc-5
    if resource["resourceType"] == "Consent" and version == "r5":
        assert "decision" in resource or "provision" not in resource  # con-1 of R6


def states(resource: dict[str, Any]) -> dict[str, str]:
    """Item -> state, from the extension."""
    found = {}
    for extension in resource.get("extension", []):
        if extension["url"] == "urn:oncokring:fhir:item-state":
            parts = {part["url"]: part for part in extension["extension"]}
            found[parts["item"]["valueCoding"]["code"]] = parts["state"]["valueCode"]
    return found
