"""The decision rule for one item of one patient (design: consent.md 3.4). Pure: no I/O, no clock.

    Permit if there is a counting grant G such that every counting denial D is (a) of the same or
    a broader scope than G and (b) strictly earlier than G. Otherwise deny.

Where several people must agree (both parents, a young person and they), each needs such a grant; a
denial by any of them counts against all. The same rule stands in consent/rule_sql.py for the
database; a property test holds both together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ANY = "*"
SELF = "self"
ALONE = frozenset({SELF})

Kind = Literal["grant", "denial"]
Reason = Literal["granted", "no_grant", "denied"]


@dataclass(frozen=True)
class Scope:
    """What a choice or a request is about; each field a value, or "*" for all.

    A request is fully valued: it has no "*".
    """

    network: str = ANY
    site: str = ANY
    item: str = ANY
    study: str = ANY
    category: str = ANY

    def values(self) -> tuple[str, str, str, str, str]:
        """The five fields, always in this order."""
        return (self.network, self.site, self.item, self.study, self.category)

    def covers(self, other: "Scope") -> bool:
        """Whether this scope is the same as `other` or broader: each field equal or "*"."""
        return all(
            mine in (ANY, theirs)
            for mine, theirs in zip(self.values(), other.values(), strict=True)
        )


@dataclass(frozen=True)
class Choice:
    """One thing said about a scope.

    effective_at: from when it is meant to hold (the date of signature on paper).
    recorded_at:  when the hub wrote it down.
    until:        the end of a grant, None for no end. A denial has no end: `until` is ignored.
    complete:     for a grant whether all it needs is there (valid text version, both parents,
                  paper checked, not suspended). Ignored for a denial, which works at once.
    party:        who said it: "self" or a representative.
    act:          the receipt it belongs to; the rule does not look at it.
    """

    kind: Kind
    scope: Scope
    effective_at: datetime
    recorded_at: datetime
    until: datetime | None = None
    complete: bool = True
    party: str = SELF
    act: str = ""


@dataclass(frozen=True)
class Decision:
    """Whether the request is permitted now, and for how long that is sure without a new choice.

    `until` is None when no choice that is already recorded ends it; else nothing is promised from
    that moment on. `grounds`: per person whose yes is needed the newest grant that stands.
    """

    permit: bool
    reason: Reason
    until: datetime | None = None
    grounds: tuple[Choice, ...] = ()


def decide(
    request: Scope,
    choices: Iterable[Choice],
    now: datetime,
    *,
    known_at: datetime | None = None,
    needs: frozenset[str] = ALONE,
) -> Decision:
    """Apply the rule to `request` (fully valued) at the moment `now`.

    A grant counts if it covers the request, neither of its two times lies after `now`, `now` is
    before its end, and it is complete. A denial counts if it covers the request and neither of
    its times lies after `now`. A denial's time is the later of the two, a grant's the earlier, so
    that late paperwork can close but not open. The order and repeats of `choices` do not matter.
    known_at: judge by what was written down until then; None for everything.
    needs: who must all have said yes; nobody means that nothing is permitted.

    Raises ValueError for a request with "*": a broad question has no single answer.
    """
    if ANY in request.values():
        raise ValueError("a request names every field; '*' is for choices only")
    grants: list[Choice] = []
    denials: list[Choice] = []
    coming: list[datetime] = []
    for choice in choices:
        if not choice.scope.covers(request):
            continue
        if known_at is not None and choice.recorded_at > known_at:
            continue
        starts = max(choice.effective_at, choice.recorded_at)
        if choice.kind != "grant":
            # Whatever is not known to be a grant closes.
            if starts <= now:
                denials.append(choice)
            else:
                coming.append(starts)
        elif starts <= now and choice.complete and (choice.until is None or now < choice.until):
            grants.append(choice)
    agreed = {grant.party for grant in grants}
    if not needs or not needs <= agreed:
        return Decision(permit=False, reason="no_grant")
    standing = [grant for grant in grants if all(_yields(denial, grant) for denial in denials)]
    ends: list[datetime] = []
    grounds: list[Choice] = []
    for party in sorted(needs):
        own = [grant for grant in standing if grant.party == party]
        if not own:
            return Decision(permit=False, reason="denied")
        grounds.append(max(own, key=_said_at))
        limits = [grant.until for grant in own if grant.until is not None]
        if len(limits) == len(own):
            ends.append(max(limits))
    return Decision(True, "granted", min([*ends, *coming], default=None), tuple(grounds))


def _yields(denial: Choice, grant: Choice) -> bool:
    denied_at = max(denial.effective_at, denial.recorded_at)
    return denial.scope.covers(grant.scope) and denied_at < _said_at(grant)


def _said_at(grant: Choice) -> datetime:
    return min(grant.effective_at, grant.recorded_at)
