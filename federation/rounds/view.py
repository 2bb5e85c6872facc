"""What one reader may see of a snapshot.

In a hospital: everything, the own hospital by name and the others by the letter of this round,
unless the round agreed to names. Representatives of patients: the numbers of all hospitals together
and words without jargon; no hospital at all.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, Final

from federation.rounds.snapshot import (
    FEW_HOSPITALS,
    LEAST_HOSPITALS,
    REASONS,
    Network,
    Snapshot,
    json_of,
)

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
    del made["salt"]  # with it the hash would tell whose letter is whose
    said: dict[str, str] = {}
    words: list[tuple[str, str]] = []
    for hospital in made["hospitals"]:
        hospital["own"] = hospital["site"] in own
        if not (hospital["own"] or snapshot.round.names):
            said[hospital["site"]] = hospital["letter"]
            words.append((hospital["name"], hospital["letter"]))
            hospital["name"] = None
            hospital["site"] = hospital["letter"]
    # Every list goes by letter: the order of short names would tell whose letter is whose.
    made["hospitals"].sort(key=lambda each: (not each["own"], each["letter"]))
    order = {each["site"]: place for place, each in enumerate(made["hospitals"])}
    made["indicators"] = [_lettered(each, said, words, order) for each in made["indicators"]]
    if made["duplicates"] is not None:
        made["duplicates"] = _renamed(made["duplicates"], said, order)
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
        "indicators": [
            _lay(each, found.network)
            for each, found in zip(made["indicators"], snapshot.indicators, strict=True)
        ],
        "duplicates": _lay_duplicates(made["duplicates"], about["hospitals_in"]),
        "supersedes": made["supersedes"],
        "sha256": made["sha256"],
    }


def _lay_duplicates(found: Json | None, hospitals_in: int) -> Json | None:
    """What may be counted twice, in words: all hospitals together, so no hospital is in it."""
    if found is None or hospitals_in < LEAST_HOSPITALS:
        return None
    return {"state": found["state"], "sentence": dict(found["sentence"])}


def _lay(indicator: Mapping[str, Any], network: Network) -> Json:
    shown = network.for_outsiders()
    headline = dict(indicator["headline_lay"] if shown == network else REASONS[FEW_HOSPITALS])
    definition = {
        name: indicator["definition"][name]
        for name in _LAY_DEFINITION
        if name in indicator["definition"]
    }
    return {
        **{name: indicator[name] for name in ("id", "version", "status", "code")},
        "network": json_of(shown),
        "target": copy.deepcopy(indicator["target"]),
        "definition": definition,
        "headline": headline,
        "headline_lay": dict(headline),
        "rows": [],
        "spread": None,
        "trend": None,
        "strata": [],
        "difference": None,
        "runs": [],
        "hidden": [],
        "warnings": [],
    }


def _lettered(
    indicator: Json,
    said: Mapping[str, str],
    words: list[tuple[str, str]],
    order: Mapping[str, int],
) -> Json:
    made: Json = _renamed(indicator, said, order)
    for asked in made["runs"]:
        # The number of a hospital's consent list stands on other pages beside its name.
        asked["consent"] = {s: seq for s, seq in asked["consent"].items() if s not in said}
    for language, sentence in made["headline"].items():
        # The longest name first: one may be a part of another.
        for name, letter in sorted(words, key=lambda pair: -len(pair[0])):
            sentence = sentence.replace(name, f"{_A_HOSPITAL[language]} {letter}")
        made["headline"][language] = sentence[:1].upper() + sentence[1:]
    return made


def _renamed(value: Any, said: Mapping[str, str], order: Mapping[str, int]) -> Any:
    """The same JSON with each `site` by the word that this reader knows it by, and each list of
    hospitals in the reader's order."""
    if isinstance(value, dict):
        return {
            key: said.get(part, part) if key == _SITE and isinstance(part, str)
            else _renamed(part, said, order)
            for key, part in value.items()
        }  # fmt: skip
    if not isinstance(value, list):
        return value
    made = [_renamed(each, said, order) for each in value]
    if made and all(isinstance(each, dict) and _SITE in each for each in made):
        made.sort(key=lambda each: order.get(each[_SITE], len(order)))
    return made
