"""The decision rule for one item of one patient (design: consent.md 3.4). Pure: no I/O, no clock.

    Permit if there is a counting grant G such that every counting denial D is (a) of the same or
    a broader scope than G and (b) strictly earlier than G. Otherwise deny.

Where several people must agree (both parents, a young person and they), each needs such a grant; a
denial by any of them counts against all. After a "no" of the patient's own nobody else's yes is
enough: then the patient is one of those who must agree.

What is permitted may hold for data of some time only: the data window, which is not the validity.
Who was asked about older data and did not agree counts with data since the yes; who wants nothing
new counts with data from before that "no". A yes lasts a time for new data, its renewal: once that
has passed without another yes, data recorded after it do not count. The same rule stands in
consent/rule_sql.py for the database; a property test holds both together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

ANY = "*"
SELF = "self"
ALONE = frozenset({SELF})
OLDER_DATA: Final = "use.past"
#: A withdrawal of this ends the data window. It is outside the catalogue; no study requires it.
COLLECT_NEW: Final = "collect.new"
RECORD: Final = "record"
"""The data category of the two items above."""

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
    asks_older:   whether the text it was said on asks about older data.
    """

    kind: Kind
    scope: Scope
    effective_at: datetime
    recorded_at: datetime
    until: datetime | None = None
    complete: bool = True
    party: str = SELF
    act: str = ""
    asks_older: bool = False


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


@dataclass(frozen=True)
class Window:
    """Of which time the data may be that count: `since` or later, and before `until`.

    None is no limit on that side. A record of which the days are not known lies in no window that
    has a limit. acts: what this rests on, beside the grounds of the decision.
    """

    since: datetime | None = None
    until: datetime | None = None
    acts: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def whole(self) -> bool:
        """Whether data of any time count."""
        return self.since is None and self.until is None


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
    about = _About.of(request, choices, now, known_at)
    wanted = about.needed(needs)
    if not wanted or not wanted <= {grant.party for grant in about.grants}:
        return Decision(permit=False, reason="no_grant")
    ends: list[datetime] = []
    grounds: list[Choice] = []
    for party in sorted(wanted):
        own = about.standing(party)
        if not own:
            return Decision(permit=False, reason="denied")
        grounds.append(max(own, key=_said_at))
        limits = [grant.until for grant in own if grant.until is not None]
        if len(limits) == len(own):
            ends.append(max(limits))
    return Decision(True, "granted", min([*ends, *about.coming], default=None), tuple(grounds))


def window(
    request: Scope,
    choices: Iterable[Choice],
    now: datetime,
    *,
    known_at: datetime | None = None,
    needs: frozenset[str] = ALONE,
    lasting: datetime | None = None,
    renewal: timedelta | None = None,
) -> Window | None:
    """Of which time the data may be for `request`; None where `decide` permits nothing at all.

    Who was asked about older data (by a text they agreed on, or by an answer) and does not agree
    counts since the first yes that still stands, of the last of those who are needed. A "no" to
    new data ends the window at its moment, until everyone who is needed says yes to it again; of
    several such the first one ends it. Data of the time between are older data, by then.
    renewal: so long after the newest yes of each person new data count; None for always. The end
    is there only once it has passed: one that is still to come says nothing of data without a day.
    A yes that comes after it begins anew, and what lies before is older data then.
    lasting: a yes to older data that ends before then is none; nor is a renewal still to come that
    does.
    """
    said = list(choices)
    decided = decide(request, said, now, known_at=known_at, needs=needs)
    if not decided.permit:
        return None
    since, acts = _since(request, said, now, known_at, needs, lasting, renewal)
    until, again = _new_data(request, said, now, known_at, needs)
    if since is not None and again is not None:
        since = max(since, again.since)
    renewed = renewed_until(decided, renewal)
    if renewed is not None and renewed <= (now if lasting is None else lasting):
        until = renewed if until is None else min(until, renewed)
    return Window(since, until, frozenset(acts | (set() if again is None else again.acts)))


def renewed_until(decision: Decision, renewal: timedelta | None) -> datetime | None:
    """Until when new data count by what was permitted, unless somebody says yes again; it may have
    passed. None where nothing is permitted or nothing is renewed."""
    if renewal is None:
        return None
    return min((_said_at(yes) + renewal for yes in decision.grounds), default=None)


def nothing_new_since(
    request: Scope,
    choices: Iterable[Choice],
    now: datetime,
    *,
    known_at: datetime | None = None,
    needs: frozenset[str] = ALONE,
) -> datetime | None:
    """The first "no" to new data in the study of `request` that was not answered by a yes to it."""
    return _new_data(request, list(choices), now, known_at, needs)[0]


@dataclass(frozen=True)
class _Again:
    """New data were allowed again: since when, and the acts that say so."""

    since: datetime
    acts: set[str]


def _new_data(
    request: Scope,
    said: Sequence[Choice],
    now: datetime,
    known_at: datetime | None,
    needs: frozenset[str],
) -> tuple[datetime | None, _Again | None]:
    """When the window ends, and what was allowed again after an end that was answered."""
    fresh = _About.of(replace(request, item=COLLECT_NEW, category=RECORD), said, now, known_at)
    noes = [no for no in fresh.denials if no.scope.item == COLLECT_NEW]
    wanted = _with_own(needs, noes)
    yes = [yes for yes in fresh.grants if yes.scope.item == COLLECT_NEW and yes.party in wanted]
    unanswered = [no for no in noes if not _answered(no, yes, wanted)]
    until = min((_denied_at(no) for no in unanswered), default=None)
    if not yes:
        return until, None
    # Without any "no" that was answered, a yes to new data says nothing of the time before it.
    answered = len(unanswered) < len(noes)
    since = max(map(_said_at, yes)) if answered else datetime.min.replace(tzinfo=now.tzinfo)
    return until, _Again(since, {each.act for each in yes})


def _since(
    request: Scope,
    said: Sequence[Choice],
    now: datetime,
    known_at: datetime | None,
    needs: frozenset[str],
    lasting: datetime | None,
    renewal: timedelta | None,
) -> tuple[datetime | None, set[str]]:
    """From when data count, and the acts that show it."""
    older = replace(request, item=OLDER_DATA, category=RECORD)
    if not any(_asks(choice, older, now, known_at) for choice in said):
        return None, set()
    allowed = decide(older, said, now, known_at=known_at, needs=needs)
    lasts = lasting is None or allowed.until is None or allowed.until >= lasting
    if allowed.permit and lasts:
        return None, {choice.act for choice in allowed.grounds}
    about = _About.of(request, said, now, known_at)
    chains = [_unbroken(about.standing(party), renewal) for party in sorted(about.needed(needs))]
    since = max(_said_at(chain[0]) for chain in chains)
    return since, {yes.act for chain in chains for yes in chain}


def _unbroken(standing: Iterable[Choice], renewal: timedelta | None) -> list[Choice]:
    """Of one person's yeses that stand, those that show since when they hold without a gap: the
    first since the last renewal that was missed, and what leads from it to the newest in time."""
    ordered = sorted(standing, key=_said_at)
    chain = ordered[:1]
    for before, yes in pairwise(ordered):
        if renewal is None or _said_at(yes) - _said_at(chain[-1]) < renewal:
            continue
        if _said_at(yes) - _said_at(before) < renewal:
            chain.append(before)
        else:
            chain = [yes]
    return chain


def _asks(choice: Choice, older: Scope, now: datetime, known_at: datetime | None) -> bool:
    """Whether somebody was asked about older data when this was said."""
    if choice.scope.item != OLDER_DATA and not (choice.kind == "grant" and choice.asks_older):
        return False
    about = replace(choice.scope, item=ANY, category=ANY).covers(older)
    return about and _is_heard(choice, now, known_at)


def _answered(no: Choice, again: Sequence[Choice], needs: frozenset[str]) -> bool:
    """Whether everyone who is needed said yes again after this "no"."""
    return needs <= {yes.party for yes in again if _yields(no, yes)}


@dataclass(frozen=True)
class _About:
    """What was said about a request: what counts now, and when a further denial will."""

    grants: Sequence[Choice]
    denials: Sequence[Choice]
    coming: Sequence[datetime]

    @classmethod
    def of(
        cls, request: Scope, choices: Iterable[Choice], now: datetime, known_at: datetime | None
    ) -> "_About":
        grants: list[Choice] = []
        denials: list[Choice] = []
        coming: list[datetime] = []
        for choice in choices:
            if not choice.scope.covers(request):
                continue
            if known_at is not None and choice.recorded_at > known_at:
                continue
            starts = _denied_at(choice)
            if choice.kind != "grant":
                # Whatever is not known to be a grant closes.
                if starts <= now:
                    denials.append(choice)
                else:
                    coming.append(starts)
            elif starts <= now and choice.complete and (choice.until is None or now < choice.until):
                grants.append(choice)
        return cls(grants, denials, coming)

    def needed(self, needs: frozenset[str]) -> frozenset[str]:
        """Who must agree: the patient too, when one of the denials is their own."""
        return _with_own(needs, self.denials)

    def standing(self, party: str) -> list[Choice]:
        """The grants of one person that no denial closes."""
        return [
            grant
            for grant in self.grants
            if grant.party == party and all(_yields(denial, grant) for denial in self.denials)
        ]


def _with_own(needs: frozenset[str], denials: Iterable[Choice]) -> frozenset[str]:
    own = needs and any(denial.party == SELF for denial in denials)
    return needs | {SELF} if own else needs


def _is_heard(choice: Choice, now: datetime, known_at: datetime | None) -> bool:
    known = known_at is None or choice.recorded_at <= known_at
    return known and _denied_at(choice) <= now


def _yields(denial: Choice, grant: Choice) -> bool:
    return denial.scope.covers(grant.scope) and _denied_at(denial) < _said_at(grant)


def _said_at(grant: Choice) -> datetime:
    return min(grant.effective_at, grant.recorded_at)


def _denied_at(choice: Choice) -> datetime:
    """Of a denial when it was said; of a grant from when it is there at all."""
    return max(choice.effective_at, choice.recorded_at)
