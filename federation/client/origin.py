"""Whether what a result says of the consent behind it is what the hospitals themselves said.

Each hospital signs, with every answer, by which list of choices it counted, which head of the log
of choices that list told of, and which items it requires (federation/protocol/basis.py). The hub
only passes these words on: here they are opened with the hospitals' keys and compared with what
the result says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from federation.client.results import ResultError
from federation.protocol.basis import open_basis
from federation.protocol.encoding import canonical
from federation.protocol.errors import ProtocolError

WHY: Mapping[str, str] = {
    "no_key": "the list of hospitals has no key of it",
    "not_signed": "its own word is missing, was changed, or is signed with another key",
    "other_question": "its word is about another question",
    "other_list": "it counted by another list of choices than the result says",
    "other_log": "the log of choices that it saw is not the one the result names",
    "other_items": "it required other items than the result says",
    "other_program": "it ran another program than the result says",
    "other_run": "its word comes from another time this question was asked",
    "other_hospitals": "it answered together with other hospitals than the result names",
    "too_late": "its word is of after the result",
    "two_logs": "the hub showed it another log of choices than it showed another hospital",
    "left_out": "it answered, and the result does not say by which consent",
}
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class SiteOrigin:
    """What came of one hospital. `why`: a key of WHY, "" when everything holds."""

    site: str
    why: str
    snapshot: int | None = None
    log: Mapping[str, Any] | None = None
    requires: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.why


def check_origin(
    answer: Mapping[str, Any], peers: Mapping[str, Mapping[str, str]]
) -> tuple[SiteOrigin, ...]:
    """Compare the JSON that the hub gave out with the hospitals' own words, one hospital after the
    other. `peers`: the network's list of public keys. Raises ResultError for what is no answer."""
    origin = answer.get("provenance")
    consent = origin.get("consent") if isinstance(origin, Mapping) else None
    if not isinstance(origin, Mapping) or not isinstance(consent, Mapping) or not consent:
        raise ResultError("This answer does not say by which consent it was counted.")
    told = {str(site): part for site, part in consent.items() if isinstance(part, Mapping)}
    words = {site: _word(site, part, peers) for site, part in told.items()}
    opened = {site: word for site, word in words.items() if not isinstance(word, str)}
    named = _named(answer, origin)
    runs = {word["run"] for word in opened.values()}
    roots: dict[int, set[str]] = {}
    for word in opened.values():
        if word["log"] is not None:
            roots.setdefault(word["log"]["size"], set()).add(word["log"]["root"])
    found = []
    for site in sorted(named | told.keys()):
        if site not in told:
            found.append(SiteOrigin(site, "left_out"))
            continue
        spoken = words[site]
        if isinstance(spoken, str):
            found.append(SiteOrigin(site, spoken))
            continue
        word = spoken
        why = _differs(answer, origin, site, word)
        if not why and len(runs) > 1:
            why = "other_run"
        if not why and word["roster_sha256"] != _roster(named | told.keys(), peers):
            why = "other_hospitals"
        if not why and word["log"] is not None and len(roots[word["log"]["size"]]) > 1:
            why = "two_logs"
        requires = tuple(word["requires"])
        found.append(SiteOrigin(site, why, word["snapshot"], word["log"], requires))
    return tuple(found)


def _word(
    site: str, part: Mapping[str, Any], peers: Mapping[str, Mapping[str, str]]
) -> dict[str, Any] | str:
    """A hospital's own word, or why there is none."""
    if site not in peers:
        return "no_key"
    said = part.get("said")
    if not isinstance(said, str) or not said.isascii():
        return "not_signed"
    try:
        return open_basis(said.encode("ascii"), site, peers[site]["sign"])
    except ProtocolError:
        return "not_signed"


def _differs(
    answer: Mapping[str, Any], origin: Mapping[str, Any], site: str, word: Mapping[str, Any]
) -> str:
    told, snapshots = origin["consent"][site], origin.get("snapshots")
    listed = snapshots.get(site) if isinstance(snapshots, Mapping) else None
    released = _moment(origin.get("released_at"))
    if word["query_sha256"] != answer.get("query_sha256"):
        return "other_question"
    if listed != word["snapshot"]:
        return "other_list"
    if told.get("log") != word["log"]:
        return "other_log"
    if told.get("requires") != word["requires"]:
        return "other_items"
    if told.get("software") != word["software"]:
        return "other_program"
    said = datetime.fromtimestamp(word["iat"], UTC)
    return "too_late" if released is not None and said > released + _SKEW else ""


def _named(answer: Mapping[str, Any], origin: Mapping[str, Any]) -> set[str]:
    """The hospitals that were asked, as far as the result names them."""
    sites, own, signed = answer.get("sites"), answer.get("by_site"), origin.get("signatures")
    named = set(own) if isinstance(own, Mapping) else set()
    for each in signed if isinstance(signed, list) else ():
        named |= {str(each.get("site"))} if isinstance(each, Mapping) else set()
    silent = sites.get("silent") if isinstance(sites, Mapping) else None
    return named | set(map(str, silent if isinstance(silent, list) else ()))


def _roster(sites: set[str], peers: Mapping[str, Mapping[str, str]]) -> str:
    """The fingerprint of hospitals as each of them signs it with its answer."""
    known = {
        site: {"sign": peers[site]["sign"], "box": peers[site].get("box")}
        for site in sorted(sites)
        if site in peers
    }
    return sha256(canonical(known)).hexdigest()


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
