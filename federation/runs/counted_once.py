"""What a page says of patients who may be counted twice, wherever hospitals are added up.

Pure: which hospitals, which roles, what a match found and which links patients made are given. The
words say who could be counted twice and how many that are, or that nobody knows (ADR 0039).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

ONE_HOSPITAL: Final = frozenset({"first_visit", "diagnosis", "treatment", "surgery"})
"""Roles that make an indicator count a tumour at one hospital (definition.py); "any" does not."""


@dataclass(frozen=True)
class Found:
    """What became of a private match. `count`: the sum over all pairs of hospitals, None where it
    may not be shown (`hidden` says why) or is not there yet. `as_of`: the day it is of."""

    state: Literal["waiting", "done", "refused"]
    count: int | None = None
    hidden: str | None = None
    as_of: str | None = None
    code: str | None = None


def counted_once(
    *,
    hospitals: int,
    roles: Collection[str],
    match: Found | None,
    linked: int | None,
    threshold: int,
) -> dict[str, Any]:
    """The `duplicates` of a snapshot: state, count, hidden, linked, as_of and the sentence.

    `roles`: of the indicators that are added up. `linked`: how many patients said themselves that
    they are known at two of these hospitals, in tens; None below the threshold. A match counts over
    a role: it says of all patients of the study what a role says of one indicator.
    """
    single = bool(roles) and set(roles) <= ONE_HOSPITAL
    done = match is not None and match.state == "done"
    state = "matched" if done else "roles" if single else "unknown"
    if match is not None and done:
        parts = [_SENTENCES["shared" if match.count is not None else "few"]]
        if single:
            parts.append(_SENTENCES["also_roles"])
    else:
        parts = [_SENTENCES["one" if hospitals < 2 else state]]
    if hospitals > 1 and match is not None and match.state == "refused":
        parts.append(_SENTENCES["not_matched"])
    if linked is not None and hospitals > 1:
        parts.append(_SENTENCES["linked"])
    filled = {
        "count": None if match is None else match.count,
        "hospitals": hospitals,
        "least": threshold,
        "linked": linked,
    }
    return {
        "state": state,
        "count": match.count if match is not None and done else None,
        "hidden": match.hidden if match is not None and done else None,
        "linked": linked,
        "as_of": match.as_of if match is not None and done else None,
        "sentence": {
            language: " ".join(part[language].format(**filled) for part in parts)
            for language in ("nl", "en")
        },
    }


_SENTENCES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "one": {
            "en": "One hospital is shown, so nobody is counted at two.",
            "nl": "Er staat één ziekenhuis in, dus niemand telt bij twee ziekenhuizen mee.",
        },
        "shared": {
            "en": "{count} times a patient of this study is known at two of these {hospitals} "
            "hospitals. In totals over all hospitals such a patient may be counted twice. Records "
            "in which the name or the date of birth differs are not among them.",
            "nl": "{count} keer is een patiënt van dit onderzoek bekend bij twee van deze "
            "{hospitals} ziekenhuizen. In totalen van alle ziekenhuizen kan zo iemand dubbel "
            "tellen. Gegevens waarin de naam of de geboortedatum verschilt, zitten daar niet bij.",
        },
        "few": {
            "en": "These {hospitals} hospitals looked for patients they share, without names. "
            "There are fewer than {least}, perhaps none, so totals are hardly affected.",
            "nl": "Deze {hospitals} ziekenhuizen zochten zonder namen naar patiënten die ze delen. "
            "Het zijn er minder dan {least}, misschien nul. Dat maakt voor totalen weinig uit.",
        },
        "also_roles": {
            "en": "Within one indicator each tumour counts at one hospital only.",
            "nl": "Binnen één indicator telt elke tumor bij één ziekenhuis.",
        },
        "roles": {
            "en": "Each indicator counts a tumour at one hospital only: where the first visit, the "
            "diagnosis, the treatment or the operation was. So no tumour counts twice within an "
            "indicator. Between indicators it may: diagnosed here, treated there.",
            "nl": "Elke indicator telt een tumor bij één ziekenhuis: waar het eerste bezoek, de "
            "diagnose, de behandeling of de operatie was. Binnen een indicator telt dus geen tumor "
            "dubbel. Tussen indicatoren kan dat wel: hier de diagnose, daar de behandeling.",
        },
        "unknown": {
            "en": "A patient who came to two of these {hospitals} hospitals may be counted twice "
            "in totals: diagnosed in one and treated in the other, or in after-care elsewhere. How "
            "many that are is not known.",
            "nl": "Een patiënt die bij twee van deze {hospitals} ziekenhuizen kwam, kan in totalen "
            "dubbel tellen: de diagnose in het ene en de behandeling of de nazorg in het andere. "
            "Hoe vaak dat is, is niet bekend.",
        },
        "not_matched": {
            "en": "The hospitals could not count how many patients they share.",
            "nl": "De ziekenhuizen konden niet tellen hoeveel patiënten ze delen.",
        },
        "linked": {
            "en": "At least {linked} patients linked two of these hospitals themselves.",
            "nl": "Minstens {linked} patiënten koppelden zelf twee van deze ziekenhuizen.",
        },
    }
)
