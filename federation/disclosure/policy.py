"""A hospital's own disclosure policy: one file, every key present, nothing below the floor.

Keys, defaults and floors are those of disclosure.md section 4.3. Only a site may loosen a value,
with a decision of two of its people beside it (`loosening`), and never below the floor that is
compiled in here; for keys without a floor in that table the default is the floor. A file with a
missing, unknown or malformed key is refused, because a policy that is silently ignored in part is
the commonest way such systems fail.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

import yaml

from federation.disclosure.loosening import Loosening, PolicyError, read_loosenings
from federation.query.canonical import sha256_hex
from federation.query.errors import did_you_mean, shown
from federation.query.terms import (
    HIGHER,
    LOWER,
    DiffTerms,
    DominanceTerms,
    HistTerms,
    IterTerms,
    KmTerms,
    ModelTerms,
    NumericTerms,
    QuantileTerms,
    Terms,
    choice,
    first_looser,
    looser_keys,
    read_terms,
    term,
    terms_to_dict,
)
from federation.query.yaml_data import YamlError, load_yaml

__all__ = ["Policy", "PolicyError", "load_policy", "read_policy"]

POLICY_VERSION: Final = 1
MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 5
MAX_FORM_ID: Final = 100


@dataclass(frozen=True)
class Budget:
    """How much one researcher may learn (H6)."""

    new_sets_per_researcher_30d: int = term(LOWER)
    rank_max_share_of_n: float = term(LOWER)


@dataclass(frozen=True)
class _Rest:
    """The keys that a site applies itself and that do not travel as `Terms`."""

    budget: Budget
    consent_max_age_min: int = term(LOWER)
    timing_bucket_s: int = term(HIGHER)
    after_withdrawal: Literal["replay", "withhold"] = choice("replay", "withhold")
    private_match: bool = choice(True, False)


@dataclass(frozen=True)
class Policy:
    """Every key of the policy file under its own name.

    `protection` is "none" only for the open-data file. `institution_disclosure` is None, or the id
    of the form that the hospital's board signed. Three keys may be left out of the file: then
    `after_withdrawal` is "replay", `private_match` is off, and no key is looser (`loosened`).
    """

    policy_version: int
    protection: Literal["strict", "none"]
    t_cell: int
    t_cohort_site: int
    t_complement: int
    min_sites: int
    min_effective_sites: float
    zero_is_small: bool
    group_share_max: float
    dominance: DominanceTerms
    max_dims: int
    max_cells: int
    max_filter_terms: int
    age_grid_years: int
    date_grid: Literal["day", "month", "year"]
    time_grid_days: int
    km: KmTerms
    quantile: QuantileTerms
    hist: HistTerms
    model: ModelTerms
    iter: IterTerms
    diff: DiffTerms
    budget: Budget
    consent_max_age_min: int
    institution_disclosure: str | None
    site_level_output: bool
    numeric: NumericTerms
    timing_bucket_s: int
    max_response_bytes: int
    after_withdrawal: Literal["replay", "withhold"] = "replay"
    private_match: bool = False
    loosened: tuple[Loosening, ...] = ()

    @classmethod
    def strict(cls) -> Policy:
        """Return the default policy of disclosure.md section 4.3."""
        return _policy(Terms.strict(), _STRICT_REST, None, False)

    @classmethod
    def open_data(cls) -> Policy:
        """Return the policy for public or synthetic data: nothing held back, output by site."""
        return _policy(Terms.open_data(), _OPEN_REST, None, True)

    def terms(self) -> Terms:
        """Return the thresholds that shape a computation and travel to the hub."""
        return Terms(**{spec.name: getattr(self, spec.name) for spec in fields(Terms)})

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as it stands in its file; for open data that is two keys."""
        if self.protection == "none":
            return {"policy_version": self.policy_version, "open_data": True}
        made = terms_to_dict(self)
        del made["protection"], made["loosened"]
        made["institution_disclosure"] = self.institution_disclosure or False
        if self.after_withdrawal == "replay":
            del made["after_withdrawal"]
        if not self.private_match:
            del made["private_match"]
        if self.loosened:
            made["loosened"] = {each.key: each.to_dict() for each in self.loosened}
        return made

    @property
    def looser(self) -> list[str]:
        """Return the keys whose value is looser than the default; each needs a decision."""
        return [*looser_keys(self, Terms.strict()), *looser_keys(self, _STRICT_REST)]

    def check(self, now: datetime) -> None:
        """Raise PolicyError naming a key whose decision to be looser has not begun or has ended."""
        for each in self.loosened:
            each.check(now)

    def to_yaml(self) -> str:
        """Return the text of a policy file that `load_policy` reads back to an equal policy."""
        return str(yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None))

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON of `to_dict()`."""
        return sha256_hex(self.to_dict())


def _policy(terms: Terms, rest: _Rest, form: str | None, by_site: bool) -> Policy:
    return Policy(
        policy_version=POLICY_VERSION,
        institution_disclosure=form,
        site_level_output=by_site,
        **{spec.name: getattr(terms, spec.name) for spec in fields(Terms)},
        **{spec.name: getattr(rest, spec.name) for spec in fields(_Rest)},
    )


_STRICT_REST: Final = _Rest(
    budget=Budget(new_sets_per_researcher_30d=200, rank_max_share_of_n=0.2),
    consent_max_age_min=15,
    timing_bucket_s=5,
    after_withdrawal="replay",
    private_match=False,
)
_OPEN_REST: Final = _Rest(
    budget=Budget(new_sets_per_researcher_30d=1_000_000_000, rank_max_share_of_n=1.0),
    consent_max_age_min=60,
    timing_bucket_s=0,
    after_withdrawal="replay",
    private_match=True,
)

# The loosest value that a site may choose. Where section 4.3 names no floor, the default is it.
FLOOR: Final = replace(
    Terms.strict(),
    t_cell=5,
    t_cohort_site=5,
    t_complement=5,
    min_effective_sites=1.5,
    group_share_max=0.95,
    dominance=DominanceTerms(top1=0.60, top2=0.80),
    max_dims=4,
    max_cells=500,
    max_filter_terms=8,
    age_grid_years=1,
    km=KmTerms(min_removed=5, min_events=3, min_at_risk_end=5, s_decimals=3),
    quantile=QuantileTerms(min_each_side=5, min_in_grid_bin=5),
    hist=HistTerms(min_bin=5, max_bins=40, tails="open"),
    model=ModelTerms(
        n_per_param=5,
        epv=5,
        min_resid_df=10,
        min_dummy_level=5,
        min_dummy_pair=5,
        max_leverage=0.7,
    ),
    diff=replace(Terms.strict().diff, t_diff=5, replay_days=30),
)
FLOOR_REST: Final = _Rest(
    budget=Budget(new_sets_per_researcher_30d=1000, rank_max_share_of_n=0.4),
    consent_max_age_min=60,
    timing_bucket_s=5,
    after_withdrawal="replay",
    private_match=True,
)
# One hospital may weigh this much more when its board has signed a form.
FLOOR_EFFECTIVE_SITES_WITH_FORM: Final = 1.0

_TERM_KEYS: Final = tuple(spec.name for spec in fields(Terms) if spec.name != "protection")
_REST_KEYS: Final = tuple(spec.name for spec in fields(_Rest))
_LEFT_OUT: Final = {"after_withdrawal": "replay", "private_match": False}
_OPTIONAL: Final = (*_LEFT_OUT, "loosened")
_NEEDED: Final = (
    "policy_version",
    *_TERM_KEYS,
    *(key for key in _REST_KEYS if key not in _OPTIONAL),
    "institution_disclosure",
    "site_level_output",
)
_KEYS: Final = (*_NEEDED, *_OPTIONAL)


def load_policy(data: bytes, now: datetime | None = None) -> Policy:
    """Read a policy file (YAML, UTF-8, at most 64 kB). Raises PolicyError naming the key.

    With `now`, decisions to be looser must hold at that moment (`Policy.check`).
    """
    try:
        obj = load_yaml(data, MAX_BYTES, MAX_DEPTH)
    except YamlError as error:
        raise PolicyError(f"The policy file cannot be read: {error}") from None
    policy = read_policy(obj)
    if now is not None:
        policy.check(now)
    return policy


def read_policy(obj: object) -> Policy:
    """Build a policy from plain data. Raises PolicyError naming the key that is wrong."""
    if not isinstance(obj, dict):
        raise PolicyError("The policy file must hold one key and value per line.")
    version = obj.get("policy_version")
    if type(version) is not int or version != POLICY_VERSION:
        raise PolicyError(
            f"The key 'policy_version' must be {POLICY_VERSION}. Write it on the first line.",
            "policy_version",
        )
    if "open_data" in obj:
        return _read_open_data(obj)
    for key in obj:
        if key not in _KEYS:
            name = shown(key)
            raise PolicyError(
                f"The policy has a key '{name}' that does not exist. {did_you_mean(name, _KEYS)}",
                name,
            )
    for key in _NEEDED:
        if key not in obj:
            raise PolicyError(
                f"The policy lacks the key '{key}'. Every key must be present; add it with the "
                "value your hospital has decided.",
                key,
            )
    form, by_site = _institution(obj)
    try:
        terms = Terms.from_dict({"protection": "strict", **{k: obj[k] for k in _TERM_KEYS}})
        given = {key: obj[key] for key in _REST_KEYS if key in obj}
        rest = read_terms(_Rest, {**_LEFT_OUT, **given})
    except ValueError as error:
        raise PolicyError(f"The policy is wrong: {error}", _quoted(str(error))) from None
    floor = FLOOR
    if form is not None:
        floor = replace(FLOOR, min_effective_sites=FLOOR_EFFECTIVE_SITES_WITH_FORM)
    for part, bound in ((terms, floor), (rest, FLOOR_REST)):
        looser = first_looser(part, bound)
        if looser is not None:
            raise PolicyError(
                f"The policy sets '{looser}' to {_at(part, looser)}, which protects less than the "
                f"loosest value allowed, {_at(bound, looser)}. Choose that or a stricter value.",
                looser,
            )
    policy = _policy(terms, rest, form, by_site)
    return replace(policy, loosened=read_loosenings(obj.get("loosened", {}), policy.looser))


def _read_open_data(obj: dict[Any, Any]) -> Policy:
    if obj["open_data"] is not True:
        raise PolicyError(
            "The key 'open_data' may only be true. Leave it out for data about real patients.",
            "open_data",
        )
    for key in obj:
        if key not in ("policy_version", "open_data"):
            raise PolicyError(
                f"An open-data policy holds 'policy_version' and 'open_data' only. "
                f"Remove '{shown(key)}', or remove 'open_data'.",
                shown(key),
            )
    return Policy.open_data()


def _institution(obj: dict[Any, Any]) -> tuple[str | None, bool]:
    form, by_site = obj["institution_disclosure"], obj["site_level_output"]
    if form is not False and not (
        isinstance(form, str) and form.isprintable() and 1 <= len(form.strip()) <= MAX_FORM_ID
    ):
        raise PolicyError(
            "The key 'institution_disclosure' must be false, or the id of the form that the "
            "hospital's board signed.",
            "institution_disclosure",
        )
    if not isinstance(by_site, bool):
        raise PolicyError("The key 'site_level_output' must be true or false.", "site_level_output")
    if by_site and form is False:
        raise PolicyError(
            "The key 'site_level_output' may only be true when 'institution_disclosure' names the "
            "form that the hospital's board signed.",
            "site_level_output",
        )
    return (None if form is False else form.strip()), by_site


def _at(part: Any, path: str) -> str:
    for name in path.split("."):
        part = getattr(part, name)
    return str(part).lower() if isinstance(part, bool) else str(part)


def _quoted(sentence: str) -> str:
    """Return the key that a sentence of `read_terms` names between quotes."""
    return sentence.split("'")[1] if sentence.count("'") >= 2 else ""
