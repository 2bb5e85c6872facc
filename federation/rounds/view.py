"""What one reader may see of a snapshot.

In a hospital: everything, the own hospital by name and the others by the letter of this round,
unless the round agreed to names. Representatives of patients: the numbers of all hospitals together
and words without jargon; no hospital at all.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, Final

from federation.rounds.snapshot import Snapshot

Json = dict[str, Any]
#: In which lists of the JSON a hospital is named, and under which key.
_SITE: Final = "site"
_A_HOSPITAL: Final = {"en": "hospital", "nl": "ziekenhuis"}
_LAY_DEFINITION: Final = ("id", "version", "text", "lay", "measure", "better")


def for_hospitals(snapshot: Snapshot, own: Collection[str]) -> Json:
    """The snapshot as somebody of the hospitals `own` sees it.

    Unless the round agreed to names, another hospital has `name` None and its letter in place of
    its short name, wherever it stands; so a row's `site` is always that of one of the `hospitals`.
    Headlines name hospitals by the same words.
    """
    made = snapshot.to_json()
    said: dict[str, str] = {}
    words: list[tuple[str, str]] = []
    for hospital in made["hospitals"]:
        hospital["own"] = hospital["site"] in own
        if not (hospital["own"] or snapshot.round.names):
            said[hospital["site"]] = hospital["letter"]
            words.append((hospital["name"], hospital["letter"]))
            hospital["name"] = None
            # A public reason of one hospital could say who it is, where only one has it.
            hospital["site"] = hospital["letter"]
    made["hospitals"].sort(key=lambda each: (not each["own"], each["letter"]))
    made["indicators"] = [_lettered(each, said, words) for each in made["indicators"]]
    for each in made["indicators"]:
        each["rows"].sort(key=lambda row: _place(made["hospitals"], row["site"]))
    if made["duplicates"] is not None:
        made["duplicates"] = _renamed(made["duplicates"], said)
    return made


def for_patients(snapshot: Snapshot) -> Json:
    """The snapshot as a representative of patients sees it: no hospital, no row, no run."""
    made = snapshot.to_json()
    hospitals = made["hospitals"]
    about = {
        **made["round"],
        "hospitals_in": sum(each["state"] == "in" for each in hospitals),
        "hospitals_asked": len(hospitals),
    }
    return {
        "snapshot": made["snapshot"],
        "round": about,
        "hospitals": [],
        "indicators": [_lay(each) for each in made["indicators"]],
        "duplicates": None,
        "supersedes": made["supersedes"],
        "sha256": made["sha256"],
    }


def _lay(indicator: Mapping[str, Any]) -> Json:
    definition = {
        name: indicator["definition"][name]
        for name in _LAY_DEFINITION
        if name in indicator["definition"]
    }
    return {
        **{name: indicator[name] for name in ("id", "version", "status", "code", "network")},
        "target": copy.deepcopy(indicator["target"]),
        "definition": definition,
        "headline": dict(indicator["headline_lay"]),
        "headline_lay": dict(indicator["headline_lay"]),
        "rows": [],
        "spread": None,
        "trend": None,
        "strata": [],
        "difference": None,
        "runs": [],
        "hidden": [],
        "warnings": [],
    }


def _lettered(indicator: Json, said: Mapping[str, str], words: list[tuple[str, str]]) -> Json:
    made: Json = _renamed(indicator, said)
    for asked in made["runs"]:
        asked["consent"] = {said.get(site, site): seq for site, seq in asked["consent"].items()}
    for language, sentence in made["headline"].items():
        # The longest name first: one may be a part of another.
        for name, letter in sorted(words, key=lambda pair: -len(pair[0])):
            sentence = sentence.replace(name, f"{_A_HOSPITAL[language]} {letter}")
        made["headline"][language] = sentence[:1].upper() + sentence[1:]
    return made


def _renamed(value: Any, said: Mapping[str, str]) -> Any:
    """The same JSON with each `site` by the word that this reader knows it by."""
    if isinstance(value, dict):
        return {
            key: said.get(part, part) if key == _SITE and isinstance(part, str)
            else _renamed(part, said)
            for key, part in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_renamed(each, said) for each in value]
    return value


def _place(hospitals: list[Json], site: str) -> int:
    return next((at for at, each in enumerate(hospitals) if each["site"] == site), len(hospitals))
