"""The thresholds that shape a computation: the strictest of every party's wishes.

Names and meaning are those of the policy file (disclosure.md section 4.3). A site derives its own
`Terms` from its policy; the hub takes the strictest of all asked sites; a site refuses a message
whose terms are looser than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_type_hints

from federation.query.errors import did_you_mean, shown

# Which of two values is the stricter one.
HIGHER: Callable[[Any, Any], Any] = max
LOWER: Callable[[Any, Any], Any] = min


def _ranked(*loose_to_strict: Any) -> Callable[[Any, Any], Any]:
    order = {value: rank for rank, value in enumerate(loose_to_strict)}
    return lambda a, b: a if order[a] >= order[b] else b


def term(stricter: Callable[[Any, Any], Any], *allowed: Any) -> Any:
    """Return a dataclass field that knows which of two values is stricter, and what is allowed."""
    return field(metadata={"stricter": stricter, "allowed": allowed})


def choice(*loose_to_strict: Any) -> Any:
    """Return a dataclass field that takes one of these values, the loosest first."""
    return term(_ranked(*loose_to_strict), *loose_to_strict)


@dataclass(frozen=True)
class KmTerms:
    """Publishing rule of survival curves (O11)."""

    min_removed: int = term(HIGHER)
    min_events: int = term(HIGHER)
    min_at_risk_end: int = term(HIGHER)
    s_decimals: int = term(LOWER)


@dataclass(frozen=True)
class DominanceTerms:
    """Largest share of a sum that one patient, or two together, may have (O4)."""

    top1: float = term(LOWER)
    top2: float = term(LOWER)


@dataclass(frozen=True)
class QuantileTerms:
    """Publishing rule of quantiles (O5)."""

    min_each_side: int = term(HIGHER)
    min_in_grid_bin: int = term(HIGHER)


@dataclass(frozen=True)
class HistTerms:
    """Publishing rule of histograms (O6)."""

    min_bin: int = term(HIGHER)
    max_bins: int = term(LOWER)
    tails: Literal["open", "closed"] = choice("closed", "open")


@dataclass(frozen=True)
class ModelTerms:
    """How rich a model may be (O7, O8)."""

    n_per_param: int = term(HIGHER)
    epv: int = term(HIGHER)
    min_resid_df: int = term(HIGHER)
    min_dummy_level: int = term(HIGHER)
    min_dummy_pair: int = term(HIGHER)
    max_leverage: float = term(LOWER)


@dataclass(frozen=True)
class IterTerms:
    """Bounds on an iterative fit (O9)."""

    max_rounds: int = term(LOWER)
    max_abs_eta: float = term(LOWER)
    min_ess: float = term(HIGHER)
    min_rel_info: float = term(HIGHER)
    user_start: bool = choice(True, False)
    user_offset: bool = choice(True, False)


@dataclass(frozen=True)
class DiffTerms:
    """The history auditor (H1-H5)."""

    t_diff: int = term(HIGHER)
    closure: bool = choice(False, True)
    replay_days: int = term(HIGHER)
    scope: Literal["none", "all_users_all_studies"] = choice("none", "all_users_all_studies")


@dataclass(frozen=True)
class NumericTerms:
    """How many digits of a released number are shown."""

    coef_sig: int = term(LOWER)
    sums_sig: int = term(LOWER)
    loglik_decimals: int = term(LOWER)


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Effective thresholds of one computation. `time_grid_days` 0 means exact times."""

    protection: Literal["strict", "none"] = choice("none", "strict")
    t_cell: int = term(HIGHER)
    t_cohort_site: int = term(HIGHER)
    t_complement: int = term(HIGHER)
    min_sites: int = term(HIGHER)
    min_effective_sites: float = term(HIGHER)
    zero_is_small: bool = choice(False, True)
    group_share_max: float = term(LOWER)
    dominance: DominanceTerms
    max_dims: int = term(LOWER)
    max_cells: int = term(LOWER)
    max_filter_terms: int = term(LOWER)
    age_grid_years: int = term(HIGHER)
    date_grid: Literal["day", "month", "year"] = choice("day", "month", "year")
    time_grid_days: int = term(HIGHER)
    km: KmTerms
    quantile: QuantileTerms
    hist: HistTerms
    model: ModelTerms
    iter: IterTerms
    diff: DiffTerms
    numeric: NumericTerms
    max_response_bytes: int = term(LOWER)

    def to_dict(self) -> dict[str, Any]:
        """Return the terms as JSON, nested as in the policy file."""
        return terms_to_dict(self)

    @classmethod
    def from_dict(cls, obj: object) -> Terms:
        """Read `to_dict` back. A missing, unknown or malformed key is a ValueError naming it."""
        return read_terms(cls, obj)

    @classmethod
    def strictest(cls, terms: Iterable[Terms]) -> Terms:
        """Return, for every key, the strictest value among `terms` (at least one is needed)."""
        found = list(terms)
        if not found:
            raise ValueError("the strictest of no terms does not exist")
        result = found[0]
        for other in found[1:]:
            result = _stricter_of(result, other)
        return result

    def tightened(self, wishes: Mapping[str, Any]) -> Terms:
        """Return these terms with each value of `wishes` that is stricter than the present one.

        `wishes` is nested as in the policy file and names the keys it is about only; a looser value
        changes nothing. An unknown or malformed key is a ValueError naming it.
        """
        wanted = Terms.from_dict(_merged(self.to_dict(), wishes))
        return Terms.strictest([self, wanted])

    def at_least_as_strict_as(self, other: Terms) -> bool:
        """Tell whether no single key of these terms is looser than the same key of `other`."""
        return _stricter_of(self, other) == self

    @classmethod
    def strict(cls) -> Terms:
        """Return the defaults of disclosure.md section 4.3."""
        return cls(
            protection="strict",
            t_cell=10,
            t_cohort_site=10,
            t_complement=10,
            min_sites=3,
            min_effective_sites=2.0,
            zero_is_small=True,
            group_share_max=0.90,
            dominance=DominanceTerms(top1=0.50, top2=0.67),
            max_dims=3,
            max_cells=200,
            max_filter_terms=6,
            age_grid_years=5,
            date_grid="month",
            time_grid_days=30,
            km=KmTerms(min_removed=10, min_events=5, min_at_risk_end=10, s_decimals=3),
            quantile=QuantileTerms(min_each_side=10, min_in_grid_bin=10),
            hist=HistTerms(min_bin=10, max_bins=20, tails="open"),
            model=ModelTerms(
                n_per_param=10,
                epv=10,
                min_resid_df=10,
                min_dummy_level=10,
                min_dummy_pair=10,
                max_leverage=0.5,
            ),
            iter=IterTerms(
                max_rounds=25,
                max_abs_eta=15.0,
                min_ess=10.0,
                min_rel_info=0.01,
                user_start=False,
                user_offset=False,
            ),
            diff=DiffTerms(t_diff=10, closure=True, replay_days=90, scope="all_users_all_studies"),
            numeric=NumericTerms(coef_sig=6, sums_sig=6, loglik_decimals=3),
            max_response_bytes=262144,
        )

    @classmethod
    def open_data(cls) -> Terms:
        """Return the terms for public or synthetic data: nothing is held back.

        Every bound is a finite number, because terms travel as JSON.
        """
        return cls(
            protection="none",
            t_cell=0,
            t_cohort_site=0,
            t_complement=0,
            min_sites=1,
            min_effective_sites=0.0,
            zero_is_small=False,
            group_share_max=1.0,
            dominance=DominanceTerms(top1=1.0, top2=1.0),
            max_dims=1000,
            max_cells=1_000_000,
            max_filter_terms=1000,
            age_grid_years=0,
            date_grid="day",
            time_grid_days=0,
            km=KmTerms(min_removed=0, min_events=0, min_at_risk_end=0, s_decimals=17),
            quantile=QuantileTerms(min_each_side=0, min_in_grid_bin=0),
            hist=HistTerms(min_bin=0, max_bins=1000, tails="closed"),
            model=ModelTerms(
                n_per_param=0,
                epv=0,
                min_resid_df=0,
                min_dummy_level=0,
                min_dummy_pair=0,
                max_leverage=1.0,
            ),
            iter=IterTerms(
                max_rounds=100,
                max_abs_eta=1e9,
                min_ess=0.0,
                min_rel_info=0.0,
                user_start=True,
                user_offset=True,
            ),
            diff=DiffTerms(t_diff=0, closure=False, replay_days=0, scope="none"),
            numeric=NumericTerms(coef_sig=17, sums_sig=17, loglik_decimals=17),
            max_response_bytes=64 * 1024 * 1024,
        )


def looser_keys(part: Any, floor: Any, where: str = "") -> Iterator[str]:
    """Yield the name (such as "km.min_events") of each key of `part` looser than in `floor`."""
    for spec in fields(floor):
        value, bound = getattr(part, spec.name), getattr(floor, spec.name)
        path = _path(where, spec.name)
        if is_dataclass(value):
            yield from looser_keys(value, bound, path)
        elif spec.metadata["stricter"](value, bound) != value:
            yield path


def first_looser(part: Any, floor: Any) -> str | None:
    """Return the name of the first key of `part` that is looser than in `floor`, or None."""
    return next(looser_keys(part, floor), None)


def _merged(values: Mapping[str, Any], wishes: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(values)
    for key, wish in wishes.items():
        inner = made.get(key)
        if isinstance(inner, dict) and isinstance(wish, Mapping):
            made[key] = _merged(inner, wish)
        else:
            made[key] = wish
    return made


def _stricter_of(a: T, b: T) -> T:
    chosen: dict[str, Any] = {}
    for part in fields(a):  # type: ignore[arg-type]
        left, right = getattr(a, part.name), getattr(b, part.name)
        if is_dataclass(left):
            chosen[part.name] = _stricter_of(left, right)
        else:
            chosen[part.name] = part.metadata["stricter"](left, right)
    return type(a)(**chosen)


def terms_to_dict(part: Any) -> dict[str, Any]:
    """Return a dataclass of terms, and the ones inside it, as JSON."""
    return {
        f.name: terms_to_dict(value) if is_dataclass(value := getattr(part, f.name)) else value
        for f in fields(part)
    }


@cache
def _hints(cls: type[Any]) -> Mapping[str, Any]:
    """The types of the fields; Python compiles their texts anew each time it is asked."""
    return get_type_hints(cls)


def read_terms(cls: type[T], obj: object, where: str = "") -> T:
    """Build dataclass `cls` from JSON; ValueError names the first key that is wrong."""
    if not isinstance(obj, dict):
        raise ValueError(f"{where or 'the terms'}: an object with named keys is needed")
    hints = _hints(cls)  # type: ignore[arg-type]
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in obj:
        if key not in known:
            hint = did_you_mean(shown(key), known)
            raise ValueError(f"unknown key {_path(where, shown(key))!r}. {hint}")
    values: dict[str, Any] = {}
    for name, spec in known.items():
        path = _path(where, name)
        if name not in obj:
            raise ValueError(f"missing key {path!r}")
        hint = hints[name]
        if is_dataclass(hint):
            values[name] = read_terms(hint, obj[name], path)  # type: ignore[arg-type]
        else:
            values[name] = check_term(hint, spec.metadata.get("allowed", ()), obj[name], path)
    return cls(**values)


def check_term(hint: object, allowed: tuple[Any, ...], value: object, path: str) -> Any:
    """Return `value` as the type of one term, or raise ValueError naming `path`."""
    if allowed:
        if not any(type(value) is type(a) and value == a for a in allowed):
            listed = ", ".join(str(a).lower() for a in allowed)
            raise ValueError(f"key {path!r} must be one of: {listed}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"key {path!r} must be a number")
    if hint is int and not isinstance(value, int):
        raise ValueError(f"key {path!r} must be a whole number")
    if not 0 <= value <= 1e12:  # also refuses nan
        raise ValueError(f"key {path!r} must be between 0 and 1e12")
    return value if hint is int else float(value)


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
