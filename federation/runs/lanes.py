"""Results per hospital, for ``output: by_site``.

On open data a hospital's own result is a run of its own with that hospital alone as roster (a
lane): the steps of an iterative method depend on everybody's sums, so they cannot be taken from the
pooled run. Under protection, and for kinds that measure hospitals by what they have in common, each
hospital works its answer out by itself in the last step of the run (``own_answers``).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from federation.disclosure.nesting import ReleasedSet
from federation.methods.own import has_pooled_part
from federation.methods.registry import KINDS
from federation.protocol.keys import SigningKey
from federation.runs.driver import LIFETIME, Driver, Outcome, RunPlan, Status
from federation.runs.own_answers import OwnAnswers


class Asks(Protocol):
    """What asking sites until there is an outcome needs; see ``Driver`` for each promise.

    ``number_of`` a site counts the steps that it has been asked in the whole run; its replies are
    kept under it.
    """

    def number_of(self, site: str) -> int: ...

    def messages(self, now: datetime, lifetime: timedelta = LIFETIME) -> dict[str, bytes]: ...

    def receive(self, site: str, body: bytes, now: datetime | None) -> None: ...

    def advance(self, now: datetime) -> Literal["step"] | Outcome | None: ...

    def at_deadline(self) -> Outcome: ...


class Drives(Asks, Protocol):
    """What the worker needs of a driver. ``number`` is the highest of the steps."""

    @property
    def plan(self) -> RunPlan: ...

    @property
    def number(self) -> int: ...

    @property
    def waiting(self) -> set[str]: ...

    def refused_by(self, site: str) -> bool: ...


def driver_for(
    plan: RunPlan,
    hub_key: SigningKey,
    earlier: Callable[[], Iterable[ReleasedSet]] = list,
    delivery: str | None = None,
) -> Drives:
    """The driver that gives the output which the question asks for.

    ``delivery``: under protection, how the study gets the answers of single hospitals.
    """
    if plan.query.output == "pooled":
        return Driver(plan, hub_key, earlier)
    strict = plan.terms.protection != "none"
    if strict or has_pooled_part(KINDS[plan.query.kind]):
        return OwnAnswers(plan, hub_key, earlier, delivery if strict else "hub")
    return ByHospital(Driver(plan, hub_key, earlier), hub_key)


class ByHospital:
    """The pooled run first; then all lanes side by side, each at its own pace."""

    def __init__(self, pooled: Driver, hub_key: SigningKey) -> None:
        self.plan = pooled.plan
        self._key = hub_key
        self._pooled = pooled
        self._done: Outcome | None = None
        self._lanes: dict[str, Driver] = {}
        self._ended: dict[str, Outcome] = {}

    @property
    def number(self) -> int:
        return max((self.number_of(site) for site in self._lanes), default=self._pooled.number)

    @property
    def waiting(self) -> set[str]:
        if self._done is None:
            return self._pooled.waiting
        return {site for site, lane in self._lanes.items() if lane.waiting}

    def number_of(self, site: str) -> int:
        """Lanes count on where the pooled run ended."""
        lane = self._lanes.get(site)
        return self._pooled.number if lane is None else self._pooled.number + 1 + lane.number

    def refused_by(self, site: str) -> bool:
        return self._of(site).refused_by(site)

    def messages(self, now: datetime, lifetime: timedelta = LIFETIME) -> dict[str, bytes]:
        if self._done is None:
            return self._pooled.messages(now, lifetime)
        return {
            site: message
            for lane in self._lanes.values()
            for site, message in lane.messages(now, lifetime).items()
        }

    def receive(self, site: str, body: bytes, now: datetime | None) -> None:
        self._of(site).receive(site, body, now)

    def _of(self, site: str) -> Driver:
        return self._pooled if self._done is None else self._lanes.get(site, self._pooled)

    def advance(self, now: datetime) -> Literal["step"] | Outcome | None:
        """As ``Driver.advance``; a lane that is refused ends alone."""
        if self._done is None:
            after = self._pooled.advance(now)
            if not isinstance(after, Outcome) or after.status != "complete":
                return after
            self._done = after
            self._lanes = {s: Driver(p, self._key) for s, p in lane_plans(self.plan).items()}
            return "step"
        went_on = False
        for site, lane in list(self._lanes.items()):
            own = lane.advance(now)
            went_on |= own is not None
            if isinstance(own, Outcome):
                self._ended[site] = own
                del self._lanes[site]
        if not self._lanes:
            return self._together(self._done, "complete")
        return "step" if went_on else None

    def at_deadline(self) -> Outcome:
        """Before the pooled result: as ``Driver``. After it: ``partial`` with the lanes that
        have ended."""
        if self._done is None:
            return self._pooled.at_deadline()
        self._ended |= {site: lane.at_deadline() for site, lane in self._lanes.items()}
        return self._together(self._done, "partial")

    def _together(self, pooled: Outcome, status: Status) -> Outcome:
        return replace(pooled, status=status, envelope=with_lanes(pooled.envelope, self._ended))


def lane_plans(plan: RunPlan) -> dict[str, RunPlan]:
    """One plan per site of the roster."""
    return {site: _lane(plan, site, number) for number, site in enumerate(sorted(plan.roster))}


def _lane(plan: RunPlan, site: str, number: int) -> RunPlan:
    query = replace(plan.query, sites=(site,))
    return replace(
        plan,
        run_id=f"{plan.run_id}.{number}",
        query=query,
        roster={site: plan.roster[site]},
        min_snapshots={site: plan.min_snapshots[site]},
        # Who approved a question per hospital approved it for each of them.
        approval={**plan.approval, "query_sha256": query.sha256},
    )


def with_lanes(pooled: Mapping[str, Any], lanes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The pooled envelope with ``by_site``: each site's result, or why there is none.

    ``partial`` when a site that is in the pooled result has none of its own because it fell
    silent afterwards.
    """
    own: dict[str, Any] = {}
    silent = set(pooled["sites"]["silent"])
    for site, outcome in sorted(lanes.items()):
        found = outcome.envelope
        if outcome.status == "complete":
            hidden = {"hidden": found["hidden"]} if found["hidden"] else {}
            own[site] = {**found["result"], **hidden}
        else:
            own[site] = {key: found[key] for key in ("status", "code", "message")}
        if outcome.status == "insufficient":
            silent.add(site)
    return {
        **pooled,
        "status": "partial" if silent else pooled["status"],
        "sites": {**pooled["sites"], "silent": sorted(silent)},
        "by_site": own,
    }
