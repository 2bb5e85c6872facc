"""The conditions of use of a study's data as an ODRL policy (W3C ODRL 2.2): what DUO cannot say.

DUO has no term for messages, findings, linking, learning by computers or inherited DNA. Here every
item of the catalogue that asks for a yes is one rule: what the study requires is permitted, with
the duty to have each patient's yes; whatever it does not require is prohibited. It follows from the
requirement set alone, as the label does (consent/duo.py), so it tells of no patient. Pure.
"""

from collections.abc import Collection
from typing import Any, Final

from consent.catalogue import Item
from consent.items import ITEMS, with_parents

CONTEXT: Final = "http://www.w3.org/ns/odrl.jsonld"
_WORDS: Final = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "obo": "http://purl.obolibrary.org/obo/",
}


def policy(study: str, network: str, requires: Collection[str], base: str) -> dict[str, Any]:
    """The policy of a study, as JSON-LD. base: the hub's address, without a slash at its end.

    Raises ConsentError `requirement_set_empty`, `unknown_item`: neither may mean "no condition".
    """
    granted = set(with_parents(requires))
    target = f"{base}/api/v1/studies/{study}"
    asked = [item for item in ITEMS.values() if item.regime == "consent"]
    return {
        "@context": [CONTEXT, _WORDS],
        "@type": "Set",
        "uid": f"{target}/odrl",
        "conflict": "prohibit",
        "assigner": f"urn:oncokring:network:{network}",
        "permission": [
            {
                **_rule(item, target, base),
                "duty": [{"action": "obtainConsent", "consentingParty": "dpv:Patient"}],
            }
            for item in asked
            if item.code in granted
        ],
        "prohibition": [_rule(item, target, base) for item in asked if item.code not in granted],
    }


def _rule(item: Item, target: str, base: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "uid": f"{target}/odrl#{item.code}",
        "target": target,
        "action": "use",
        "constraint": [
            {
                "leftOperand": "purpose",
                "operator": "isA",
                "rightOperand": {"@id": f"{base}/api/v1/catalogue#{item.code}"},
            }
        ],
        "dct:title": [
            {"@value": item.label_nl, "@language": "nl"},
            {"@value": item.label_en, "@language": "en"},
        ],
    }
    if item.purposes:
        made["dct:subject"] = [{"@id": purpose} for purpose in item.purposes]
    if item.duo_granted:
        made["dct:relation"] = [
            {"@id": term.replace("DUO:", "obo:DUO_")} for term in item.duo_granted
        ]
    return made
