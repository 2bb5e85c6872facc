"""The query: one frozen value that refuses to be wrong when built.

A query is data: no expressions, no SQL, no code. Form, JSON API, Python client and command line
all build this value, against a codebook and the kinds of analysis that exist.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

from federation.query.canonical import sha256_hex
from federation.query.codebook import Codebook
from federation.query.cohort import Node, parse_cohort
from federation.query.errors import (
    BAD_VALUE,
    UNKNOWN_KIND,
    QueryError,
    at,
    check_keys,
    did_you_mean,
    shown,
)
from federation.query.meaning import meaning
from federation.query.parameters import Kind, parse_parameters

VERSION: Final = 1
KEYS: Final = (
    "version",
    "study",
    "title",
    "purpose",
    "codebook",
    "unit",
    "sites",
    "cohort",
    "analysis",
    "output",
)
MAX_TITLE: Final = 300
MAX_PURPOSE: Final = 2000
MAX_SITES: Final = 500

SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Query:
    """A checked question. Build it with `parse_query`; `params` holds every parameter.

    `sites` is "all" or the asked slugs, sorted. `cohort` is in canonical form. `params` are
    normalised JSON values with defaults filled in. `unit` is what one row is, `default_unit` what
    it is in this codebook when a query does not say. `cohort_meaning` is that of
    federation.query.meaning. `condition`: who has the outcome, where no variable says so; `needed`
    are then the variables that the other parameters name. `meant` are the parameters of which two
    values can ask the same, each in the one form that all wordings share.
    """

    version: int
    study: str
    title: str
    purpose: str
    codebook: str
    sites: Literal["all"] | tuple[str, ...]
    cohort: Node
    kind: str
    params: Mapping[str, Any]
    output: Literal["pooled", "by_site"]
    named: tuple[str, ...] = field(default=(), repr=False)
    unit: str = "patient"
    default_unit: str = field(default="patient", repr=False)
    cohort_meaning: Any = field(default=None, repr=False, compare=False)
    condition: Node | None = field(default=None, repr=False, compare=False)
    needed: tuple[str, ...] = field(default=(), repr=False, compare=False)
    meant: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(copy.deepcopy(dict(self.params))))

    def __hash__(self) -> int:
        return hash(self.sha256)

    def to_dict(self) -> dict[str, Any]:
        """Return the query as it travels; `parse_query` reads it back to an equal query."""
        return {
            "version": self.version,
            "study": self.study,
            "title": self.title,
            "purpose": self.purpose,
            **self._question(),
        }

    def _question(self) -> dict[str, Any]:
        # left out where it says nothing, so that hashes of older queries stay what they were
        unit = {} if self.unit == self.default_unit else {"unit": self.unit}
        return {
            "codebook": self.codebook,
            **unit,
            "sites": "all" if self.sites == "all" else list(self.sites),
            "cohort": self.cohort.to_dict(),
            "analysis": {"kind": self.kind, **copy.deepcopy(dict(self.params))},
            "output": self.output,
        }

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON: what a committee approves."""
        return sha256_hex(self.to_dict())

    @cached_property
    def question_sha256(self) -> str:
        """Return a hash of what is asked only: the same whoever asks it, in whichever study and
        with whatever wording of cohort and outcome."""
        meant = self.cohort.to_dict() if self.cohort_meaning is None else self.cohort_meaning
        question = self._question()
        question["analysis"] |= self.meant
        return sha256_hex({**question, "cohort": meant})

    def variables(self) -> tuple[str, ...]:
        """Return every variable that cohort and analysis name, sorted, each once."""
        return tuple(sorted({*self.cohort.variables(), *self.named}))


def parse_query(obj: object, codebook: Codebook, kinds: Mapping[str, Kind]) -> Query:
    """Read a query from JSON. Raises QueryError with code, place, sentence and what to do."""
    top = check_keys(obj, KEYS, ("version", "codebook", "analysis"))
    if type(top["version"]) is not int or top["version"] != VERSION:
        raise QueryError(BAD_VALUE, f"This program reads version {VERSION} only.", "version")
    study = top.get("study", "")
    if study != "" and not _is_slug(study):
        raise QueryError(
            BAD_VALUE, "A study is named by its short name, as in its web address.", "study"
        )
    if top["codebook"] != codebook.id:
        raise QueryError(
            BAD_VALUE,
            f"The query is written for codebook '{shown(top['codebook'])}', but this study uses "
            f"'{codebook.id}'. Check the variables, then name this codebook.",
            "codebook",
        )
    output = top.get("output", "pooled")
    if output not in ("pooled", "by_site"):
        raise QueryError(
            BAD_VALUE, f"The output is pooled or by_site, not '{shown(output)}'.", "output"
        )
    view = codebook.at(top.get("unit", codebook.whole.unit))
    cohort = parse_cohort(top.get("cohort", {}), view)
    kind, params = _analysis(top["analysis"], view, kinds)
    asked = _Asked.of(kinds[kind], params, view)
    return Query(
        version=VERSION,
        study=str(study),
        title=_text(top.get("title", ""), MAX_TITLE, "title"),
        purpose=_text(top.get("purpose", ""), MAX_PURPOSE, "purpose"),
        codebook=codebook.id,
        sites=_sites(top.get("sites", "all")),
        cohort=cohort,
        kind=kind,
        params=params,
        output=output,
        named=asked.named,
        unit=view.unit,
        default_unit=codebook.whole.unit,
        cohort_meaning=meaning(cohort, view),
        condition=asked.condition,
        needed=asked.needed,
        meant=asked.meant,
    )


def _is_slug(value: object) -> bool:
    return isinstance(value, str) and SLUG.fullmatch(value) is not None


def _text(value: object, longest: int, where: str) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise QueryError(BAD_VALUE, f"A text of at most {longest} characters is needed.", where)
    if any(not (ch.isprintable() or ch in "\n\t") for ch in value):
        raise QueryError(BAD_VALUE, "The text holds a character that cannot be shown.", where)
    return value


def _sites(value: object) -> Literal["all"] | tuple[str, ...]:
    if value == "all":
        return "all"
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SITES:
        raise QueryError(BAD_VALUE, 'Write "all" or a list of hospitals\' short names.', "sites")
    for i, each in enumerate(value):
        if not _is_slug(each):
            raise QueryError(
                BAD_VALUE, f"'{shown(each)}' is not a hospital's short name.", at("sites", i)
            )
    return tuple(sorted(set(value)))


def _analysis(
    obj: object, codebook: Codebook, kinds: Mapping[str, Kind]
) -> tuple[str, dict[str, Any]]:
    where = "analysis"
    if not isinstance(obj, dict) or "kind" not in obj:
        raise QueryError(BAD_VALUE, "The analysis needs a kind, and its parameters.", where)
    name = obj["kind"]
    if not isinstance(name, str) or name not in kinds:
        raise QueryError(
            UNKNOWN_KIND,
            f"There is no analysis '{shown(name)}'. {did_you_mean(shown(name), kinds)}",
            at(where, "kind"),
        )
    parameters = kinds[name].parameters
    check_keys(obj, ("kind", *(p.name for p in parameters)), (), where)
    params = parse_parameters(obj, parameters, codebook, where)
    check = getattr(kinds[name], "check", None)
    if check is not None:
        check(params, codebook, where)
    return name, params


@dataclass(frozen=True)
class _Asked:
    """What the parameters of an analysis say of patients; see `Query`."""

    named: tuple[str, ...]
    needed: tuple[str, ...]
    condition: Node | None
    meant: dict[str, Any]

    @classmethod
    def of(cls, kind: Kind, params: Mapping[str, Any], codebook: Codebook) -> _Asked:
        named: set[str] = set()
        needed: set[str] = set()
        condition, meant = None, {}
        for parameter in kind.parameters:
            value = params[parameter.name]
            names = parameter.variables(value, codebook)
            named |= set(names)
            found = parameter.condition(value, codebook)
            if found is None:
                needed |= set(names)
                continue
            if condition is not None:
                raise ValueError(f"kind {kind.kind!r} takes more than one condition")
            condition = found
            meant[parameter.name] = parameter.meaning(value, codebook)
        return cls(tuple(sorted(named)), tuple(sorted(needed)), condition, meant)
