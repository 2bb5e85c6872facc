"""The locked result of a round, as people read it on every page, in every file and by every client.

A number that is not shown is None beside a reason, never 0. What one reader may see of it is a view
(federation/rounds/view.py); what BENCH adds beside it stands outside, because a snapshot is locked.
"""

from __future__ import annotations

import copy
import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, cast

from federation.query.canonical import sha256_hex
from federation.query.refusals import REFUSALS
from federation.rounds.states import LEFT_AFTER_ANSWER

FORMAT: Final = "oncokring.round/1"
Json = Mapping[str, Any]
Words = Mapping[str, str]
T = TypeVar("T")

_SALT_BYTES: Final = 16
#: Of how many hospitals a sum must be before who sees no hospital may see it.
LEAST_HOSPITALS: Final = 3
FEW_HOSPITALS: Final = "few_hospitals"

#: Why a number of a hospital or of the network is not shown. Beside these: the public codes of
#: refusals (federation.query.refusals).
REASONS: Mapping[str, Words] = MappingProxyType(
    {
        "small": {
            "en": "Too few patients to show.",
            "nl": "Te weinig patiënten om te tonen.",
        },
        FEW_HOSPITALS: {
            "en": "Not shown: fewer than three hospitals have numbers, so it would be about one"
            " hospital.",
            "nl": "Niet getoond: minder dan drie ziekenhuizen hebben getallen, dus dit zou over één"
            " ziekenhuis gaan.",
        },
        "not_close": {
            "en": "The numbers that may be shown do not tell this closely enough.",
            "nl": "De getallen die getoond mogen worden, zeggen dit niet precies genoeg.",
        },
        "derivable": {
            "en": "Not shown: with the other numbers one hospital’s hidden number could be worked"
            " out.",
            "nl": "Niet getoond: met de andere getallen was een verborgen getal van één ziekenhuis"
            " uit te rekenen.",
        },
        "left": {
            "en": "This hospital stopped taking part.",
            "nl": "Dit ziekenhuis doet niet meer mee.",
        },
        LEFT_AFTER_ANSWER: {
            "en": "This hospital stopped taking part after it had sent answers for this round.",
            "nl": "Dit ziekenhuis stopte nadat het voor deze ronde antwoorden had gestuurd.",
        },
        "silent": {
            "en": "This hospital did not answer in time.",
            "nl": "Dit ziekenhuis antwoordde niet op tijd.",
        },
        "refused": {
            "en": "This hospital did not answer this question.",
            "nl": "Dit ziekenhuis beantwoordde deze vraag niet.",
        },
        "no_data": {
            "en": "This hospital does not record what the indicator needs.",
            "nl": "Dit ziekenhuis legt niet vast wat de indicator nodig heeft.",
        },
        "FAILED": {
            "en": "The hub could not work this out. Tell the network office.",
            "nl": "De hub kon dit niet uitrekenen. Meld het bij het netwerkbureau.",
        },
        "not_measured": {
            "en": "This indicator does not give this number.",
            "nl": "Deze indicator geeft dit getal niet.",
        },
    }
)


class SnapshotError(ValueError):
    """What was read is not a snapshot that this program wrote, or was changed since."""


@dataclass(frozen=True)
class Hospital:
    """A hospital of the round. `letter` is drawn at random for this round. `why` it is not in: a
    public code; LEFT_AFTER_ANSWER of one that left and could know by then how it compares."""

    site: str
    name: str
    letter: str
    state: Literal["in", "left", "silent", "refused", "no_data"]
    why: str | None = None


@dataclass(frozen=True)
class Row:
    """One hospital's numbers for one indicator. `value` is in the measure's own unit: a share from
    0 to 1, a median in days as the middle of `median`, a mean, a survival. `hidden`: why numbers
    are missing here, in order of weight the first; None where everything is shown."""

    site: str
    n: int | None = None
    missing: int | None = None
    observed: int | None = None
    expected: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    variance: float | None = None
    limits95: tuple[float, float] | None = None
    limits998: tuple[float, float] | None = None
    widened95: tuple[float, float] | None = None
    widened998: tuple[float, float] | None = None
    shrunken: Json | None = None
    outside: Literal[0, 95, 998] | None = None
    median: tuple[float | None, float | None] | None = None
    p80: tuple[float | None, float | None] | None = None
    within: tuple[Json, ...] = ()
    bins: tuple[Json, ...] = ()
    rule: Json | None = None
    signal: bool | None = None
    attention: bool | None = None
    levels: tuple[Json, ...] = ()
    at: tuple[Json, ...] = ()
    years_combined: tuple[int, int] | None = None
    excluded: int | None = None
    hidden: str | None = None


@dataclass(frozen=True)
class Network:
    """The sums over the hospitals whose numbers are shown, and over no others. `hidden` says why
    there are none: a total beside which one hospital's hidden number could be worked out."""

    hospitals_in: int
    n: int | None = None
    missing: int | None = None
    excluded: int | None = None
    observed: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    median: tuple[float | None, float | None] | None = None
    p80: tuple[float | None, float | None] | None = None
    within: tuple[Json, ...] = ()
    levels: tuple[Json, ...] = ()
    at: tuple[Json, ...] = ()
    hidden: str | None = None

    def for_outsiders(self) -> Network:
        """As somebody may see it who sees no hospital: of one or two, it is not of all together."""
        if self.hospitals_in >= LEAST_HOSPITALS or self.n is None:
            return self
        return Network(self.hospitals_in, hidden=FEW_HOSPITALS)


@dataclass(frozen=True)
class Asked:
    """A run behind an indicator; `consent`: per hospital the number of the list it counted by."""

    id: str
    role: str
    query_sha256: str
    consent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class IndicatorFinding:
    """What a round found for one indicator."""

    id: str
    version: int
    definition: Json
    target: Json | None
    status: Literal["shown", "refused", "not_answered"]
    code: str | None
    network: Network
    rows: tuple[Row, ...]
    spread: Json | None = None
    trend: Json | None = None
    strata: tuple[Json, ...] = ()
    difference: Json | None = None
    headline: Words = field(default_factory=dict)
    headline_lay: Words = field(default_factory=dict)
    runs: tuple[Asked, ...] = ()
    hidden: tuple[Json, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """Which round it is. Moments are UTC as 2026-03-05T09:12:45Z, months as 2026-03."""

    id: str
    number: int
    title: Words
    group: str
    network: str
    study: str
    period: Words
    frozen_at: str
    released_at: str
    names: bool
    previous: str | None = None
    kind: str = "round"
    parent: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """The whole; see the module docstring. `supersedes`: the sha256 of the snapshot of the same
    round that this one adds a cause analysis to.

    `salt` is chance that no view shows. Everybody sees the hash, and everybody in a hospital the
    numbers and who takes part: without it, trying each order of the letters would find the hash,
    and so whose letter is whose.
    """

    round: About
    hospitals: tuple[Hospital, ...]
    indicators: tuple[IndicatorFinding, ...]
    duplicates: Json | None = None
    supersedes: str | None = None
    salt: str = field(default_factory=lambda: secrets.token_hex(_SALT_BYTES))

    def body(self) -> dict[str, Any]:
        """All but the hash, as JSON."""
        return {"snapshot": FORMAT, **json_of(self)}

    @property
    def sha256(self) -> str:
        """SHA-256 over the canonical JSON of all but the hash itself."""
        return sha256_hex(self.body())

    def to_json(self) -> dict[str, Any]:
        """The snapshot as it is stored and travels."""
        return {**self.body(), "sha256": self.sha256}

    @classmethod
    def from_json(cls, value: object) -> Snapshot:
        """Read `to_json` back. SnapshotError when it is another format or its hash is not right."""
        if not isinstance(value, dict) or value.get("snapshot") != FORMAT:
            raise SnapshotError(f"This is not a snapshot of the format {FORMAT}.")
        given = copy.deepcopy(value)
        said = given.pop("sha256", None)
        given.pop("snapshot")
        if said != sha256_hex({"snapshot": FORMAT, **given}):
            raise SnapshotError("The snapshot was changed after it was locked: its hash differs.")
        try:
            return cls(
                round=About(**given["round"]),
                hospitals=tuple(Hospital(**each) for each in given["hospitals"]),
                indicators=tuple(_indicator(each) for each in given["indicators"]),
                duplicates=given.get("duplicates"),
                supersedes=given.get("supersedes"),
                salt=given["salt"],
            )
        except (TypeError, KeyError) as error:
            raise SnapshotError("The snapshot lacks a part, or has one too many.") from error


def _indicator(given: dict[str, Any]) -> IndicatorFinding:
    return IndicatorFinding(
        **{
            **given,
            "network": _read(Network, given["network"]),
            "rows": tuple(_read(Row, each) for each in given["rows"]),
            "strata": tuple(given["strata"]),
            "runs": tuple(_read(Asked, each) for each in given["runs"]),
            "hidden": tuple(given["hidden"]),
            "warnings": tuple(given["warnings"]),
        }
    )


def _read(kind: type[T], given: dict[str, Any]) -> T:
    """A dataclass from JSON; lists become tuples, as the fields say."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def json_of(value: Any) -> Any:
    """A snapshot or a part of it: dataclasses, tuples and read-only mappings as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        return {name: json_of(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): json_of(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [json_of(each) for each in value]
    return cast("Any", value)


def reason(code: str | None, language: str) -> str:
    """Why a number is missing, in words, for a code of REASONS or of a refusal."""
    if code is None:
        return ""
    if code in REASONS:
        return REASONS[code][language]
    return REFUSALS[code].message(language) if code in REFUSALS else code
