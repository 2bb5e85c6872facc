"""What every analysis kind promises: a site half, a hub half, and nothing else.

One file in this package is one kind. It holds two pure halves. The site half turns rows into
sums over patients; the hub half turns pooled sums into the next step or into the released
result. Because both are pure and in one place, a site can replay the hub's arithmetic on the
other sites' masked sums and refuse a hub that asks for anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from federation.query.codebook import Codebook
    from federation.query.model import Query
    from federation.query.parameters import Parameter
    from federation.query.terms import Terms
    from federation.query.variables import Variable

T = TypeVar("T")
Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Sums = dict[str, Array]
"""Named arrays (int64 or float64), each a sum over patients, so that sites can be added."""


@dataclass(frozen=True)
class Column:
    """One codebook variable for n patients.

    `values` is, by type of variable: category and boolean int16 codes (index in
    `variable.group_labels`, -1 missing); integer, number, duration float64 with nan missing;
    date float64 months since year 0 (year * 12 + month - 1), nan missing.
    """

    variable: Variable
    values: Array

    @property
    def known(self) -> Mask:
        """Where a value is present, bool (n,)."""
        if self.variable.type in ("category", "boolean"):
            return np.asarray(self.values >= 0)
        return np.asarray(~np.isnan(self.values))

    def codes(self) -> npt.NDArray[np.int64]:
        """Index of each row's group in `variable.group_labels`, int64 (n,), -1 missing.

        Bins are closed left and open right, the last one closed on both sides. A value outside
        the outer edges counts as missing. A variable that cannot be grouped is a ValueError:
        the query parser must not let one through.
        """
        variable = self.variable
        if variable.type in ("category", "boolean"):
            return self.values.astype(np.int64)
        labels = variable.group_labels
        if labels is None:
            raise ValueError(f"variable {variable.name} has no groups in the codebook")
        values = np.asarray(self.values, dtype=np.float64)
        edges = variable.edges
        if edges is None:  # a small integer: each value from the minimum on is a group
            shifted = values - float(variable.min or 0)
            inside = (shifted >= 0) & (shifted < len(labels)) & (shifted == np.floor(shifted))
            return np.where(inside, np.where(inside, shifted, 0.0), -1.0).astype(np.int64)
        return bin_codes(values, edges)


def bin_codes(values: Array, edges: tuple[float, ...]) -> npt.NDArray[np.int64]:
    """Bin index of each value in ascending `edges`, int64, -1 for nan and outside.

    Bin i is [edges[i], edges[i+1]), the last one closed on both sides.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    codes = np.searchsorted(bounds, values, side="right").astype(np.int64) - 1
    last = bounds.size - 2
    codes[values == bounds[-1]] = last
    with np.errstate(invalid="ignore"):
        outside = ~((values >= bounds[0]) & (values <= bounds[-1]))
    codes[outside] = -1
    return codes


@dataclass(frozen=True)
class Rows:
    """The patients a site may use for one query: after consent and after the cohort.

    `people` is None when a row is a patient; where a row is a tumour or a treatment it holds, int64
    (n,), a number of the row's patient that means nothing outside this object. `cache` holds work
    that does not change between the rounds of one run (a sort order, a design matrix). `times`, per
    date variable float (n,): when that was, finer than the month, nan where unknown; only their
    order may be used. None of these is ever sent or compared. `held_back`: labels of the cells that
    this hospital's own answer must hide (output by_site).
    """

    columns: Mapping[str, Column]
    n: int
    people: npt.NDArray[np.int64] | None = None
    cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    times: Mapping[str, Array] = field(default_factory=dict, compare=False, repr=False)
    held_back: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def column(self, name: str) -> Column:
        """The column of variable `name`; KeyError when the site did not load it."""
        return self.columns[name]

    def complete(self, names: Iterable[str] = (), groups: Iterable[str] = ()) -> Mask:
        """Rows with a value in every variable of `names` and a group in every one of `groups`."""
        mask = np.ones(self.n, dtype=bool)
        for name in names:
            mask &= self.columns[name].known
        for name in groups:
            mask &= self.columns[name].codes() >= 0
        return mask

    def select(self, mask: Mask) -> Rows:
        """The rows where bool `mask` (n,) holds, in the same order."""
        places = np.flatnonzero(mask)  # taking by place is several times faster than by mask
        kept = {
            name: Column(column.variable, column.values.take(places))
            for name, column in self.columns.items()
        }
        people = None if self.people is None else self.people.take(places)
        times = {name: values.take(places) for name, values in self.times.items()}
        return Rows(kept, places.size, people, times=times, held_back=self.held_back)

    def patients_in(self, index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
        """Different patients per cell, int64 (size,); `index` (n,) is each row's cell, -1 for none.

        A patient with rows in two cells is counted in both, and once in each.
        """
        inside = index >= 0
        if self.people is None:
            return np.bincount(index[inside], minlength=size).astype(np.int64)
        # One number per pair of cell and patient: numbers are sorted faster than pairs.
        base = int(self.people.max(initial=-1)) + 1
        pairs = np.unique(index[inside] * base + self.people[inside])
        return np.bincount(pairs // max(base, 1), minlength=size).astype(np.int64)


@dataclass(frozen=True)
class Ask:
    """What is asked, under which thresholds. `site` is the own slug at a site, None at the hub.

    `codebook` is always the view for the unit that the query asks for, whatever was given.
    """

    query: Query
    codebook: Codebook
    terms: Terms
    site: str | None = None
    _cache: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codebook", self.codebook.at(self.query.unit))

    def once(self, what: str, make: Callable[[Ask], T]) -> T:
        """`make` of this, worked out once; `what` names it. Only for what follows from the
        question alone and is never changed afterwards, such as a parsed formula."""
        if what not in self._cache:
            self._cache[what] = make(self)
        return self._cache[what]  # type: ignore[no-any-return]

    @property
    def at_hub(self) -> Ask:
        """The same as the hub asks it."""
        return self.once("at hub", lambda ask: replace(ask, site=None))

    @property
    def strict(self) -> bool:
        """True when small-cell, grid and rounding rules apply."""
        return self.terms.protection != "none"

    @property
    def per_patient(self) -> bool:
        """True when each row is a patient; False when a patient may have several rows."""
        return self.codebook.unit == "patient"

    @property
    def params(self) -> Mapping[str, Any]:
        """The analysis parameters as parsed (normalised JSON values)."""
        return self.query.params


@dataclass(frozen=True)
class Step:
    """One round: `params` are JSON only, so a site can keep and replay them.

    A labelled step is not masked and may have another shape at each site. It is used only when
    `terms.protection == "none"`; combine then receives each array joined over the sites (axis 0,
    sites in order of slug).
    """

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    labelled: bool = False


@dataclass(frozen=True)
class Finished:
    """The last pooled sums, and JSON facts carried over from earlier steps."""

    pooled: Sums
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CountTable:
    """Counts the release gate must judge, shape = number of labels of each dim.

    `patients` in the same shape, where a row is not a patient: a cell is small when its rows or
    the patients behind them are few.
    """

    name: str
    dims: tuple[tuple[str, tuple[str, ...]], ...]
    counts: Array
    margins_public: bool = True
    patients: Array | None = None


@dataclass(frozen=True)
class Released:
    """What the researcher sees: strictly JSON types, hidden numbers null and listed."""

    result: dict[str, Any]
    hidden: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@runtime_checkable
class Method(Protocol):
    """One analysis kind. See the module docstring for why both halves are pure.

    `site`: sums of this site's rows; shapes follow from (ask, step) alone, also for 0 rows,
    labelled steps excepted. `combine`: deterministic in (ask without site, step, pooled);
    raises Refused. `sets`: masks over rows of every set of patients the answer describes, the
    first one ("analysis", complete cases). `tables`: counts for the gate. `result`: built from
    released numbers only; rounded per `terms.numeric` only when protection is strict.
    `words`: what leaves each hospital, in English ("en") or Dutch ("nl").
    """

    kind: str
    parameters: tuple[Parameter, ...]
    bounded_rounds: int

    def start(self, ask: Ask) -> Step: ...

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums: ...

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished: ...

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]: ...

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]: ...

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released: ...

    def words(self, ask: Ask, lang: str) -> list[str]: ...
