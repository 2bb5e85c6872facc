"""Who may use which route. Every route carries a rule; a route without one is refused.

    @blueprint.get("/r")
    @rule(roles={"researcher", "coordinator"})
    def my_queries() -> str: ...

    @blueprint.get("/c/study/<slug>/hospitals")
    @rule(roles={"coordinator"}, scope="study")
    def hospitals(slug: str) -> str: ...

    @blueprint.get("/studies")
    @rule("public")
    def studies() -> str: ...

``scope`` names an entry of :data:`SCOPES`; it looks at the actor and the route's arguments and
says whether the object is the actor's own. Somebody else's object is answered exactly like an
absent one: 404. ``fresh=True`` asks for a sign-in of less than ten minutes ago (approvals, keys,
roles). Roles carry their scope as text: ``committee@study:<slug>``, ``steward@site:<slug>``,
``chair@group:<network>.<slug>``, ``coordinator@network``; the plain ``committee`` is in
``actor.roles`` as well.

In a working group ``chair`` writes its log and ``group`` reads all of it; a ``representative`` (of
patients) reads its agenda, its studies in lay words and its questions. An ``observer`` (client
council, GP circle) reads what is published and the list of studies, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, g, request
from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from federation.rounds.models import EvaluationRound
from federation.rounds.states import CANCELLED, DRAFT, OFFERED, READABLE
from federation.runs.models import Run
from studies.actor import Actor
from studies.hospitals.models import StudyEvent
from studies.models import Study, WorkingGroup

ROLES = frozenset(
    {
        "administrator",
        "coordinator",
        "researcher",
        "committee",
        "board",
        "steward",
        "auditor",
        "chair",
        "group",
        "representative",
        "observer",
        "patient",
    }
)
PROFESSIONAL = ROLES - {"patient"}
#: Who may look at the network and its hospitals: everybody who works in it.
INSIDE = PROFESSIONAL - {"representative", "observer"}
ANONYMOUS = Actor(kind="user", id="anonymous", roles=frozenset({"public"}), name="")

View = TypeVar("View", bound=Callable[..., Any])
ScopeCheck = Callable[[Session, Actor, Mapping[str, Any], frozenset[str]], bool]
OpenReading = Callable[[], AbstractContextManager[Session]]
SCOPES: dict[str, ScopeCheck] = {}


class SignInNeeded(Exception):
    """Nobody is signed in and the route needs somebody."""

    code = "SIGN_IN_NEEDED"


class NotAllowed(Exception):
    """The actor's roles do not reach this route."""

    code = "NOT_ALLOWED"


class FreshSignInNeeded(Exception):
    """The act needs a sign-in of less than ten minutes ago."""

    code = "FRESH_SIGN_IN_NEEDED"


class NoRule(Exception):
    """A programmer forgot the rule; the route stays shut."""

    code = "NOT_ALLOWED"


@dataclass(frozen=True)
class Rule:
    """What a route asks of its caller."""

    public: bool
    roles: frozenset[str]
    scope: str | None
    fresh: bool

    def __str__(self) -> str:
        if self.public:
            return "public"
        words = "|".join(sorted(self.roles))
        own = f" own {self.scope}" if self.scope else ""
        return f"{words}{own}{' fresh' if self.fresh else ''}"


def rule(
    who: str = "",
    *,
    roles: Collection[str] = frozenset(),
    scope: str | None = None,
    fresh: bool = False,
) -> Callable[[View], View]:
    """Mark a view with its rule: ``rule("public")`` or ``rule(roles={...}, scope=...)``."""
    if who not in ("", "public") or bool(who) == bool(roles):
        raise ValueError('A rule is either rule("public") or rule(roles={...}).')
    if unknown := set(roles) - ROLES:
        raise ValueError(f"Unknown roles {sorted(unknown)}; known are {sorted(ROLES)}.")
    made = Rule(who == "public", frozenset(roles), scope, fresh)

    def mark(view: View) -> View:
        view._rule = made  # type: ignore[attr-defined]
        return view

    return mark


def declare(app: Flask, endpoint: str, made: Rule) -> None:
    """Give a rule to a route that a library registered (static files, OpenAPI document)."""
    app.extensions.setdefault("oncokring_rules", {})[endpoint] = made


PUBLIC = Rule(True, frozenset(), None, False)


def rule_of(app: Flask, endpoint: str, method: str) -> Rule | None:
    """The rule of a route, or None; for a class-based view the rule of its method."""
    declared = app.extensions.get("oncokring_rules", {})
    if endpoint in declared:
        found = declared[endpoint]
    else:
        view: Any = app.view_functions.get(endpoint)
        handler = getattr(view, "view_class", None)
        if handler is not None:
            view = getattr(handler, "get" if method == "HEAD" else method.lower(), None)
        found = getattr(view, "_rule", None)
    return found if isinstance(found, Rule) else None


def check_request(app: Flask, open_reading: OpenReading) -> None:
    """Refuse the present request when its rule says so; runs before every view.

    ``open_reading`` gives a session for scopes that must look at the database.
    """
    if request.endpoint is None or request.method == "OPTIONS":
        return  # 404, 405 and the automatic OPTIONS answer show nothing
    found = rule_of(app, request.endpoint, request.method)
    if found is None:
        raise NoRule
    g.rule_text = str(found)
    check(found, g.actor, request.view_args or {}, fresh=g.fresh, open_reading=open_reading)


def check(
    found: Rule,
    actor: Actor,
    arguments: Mapping[str, Any],
    *,
    fresh: bool,
    open_reading: OpenReading,
) -> None:
    """Raise SignInNeeded, NotAllowed, NotFound or FreshSignInNeeded, in that order."""
    if found.public:
        return
    if actor.id == ANONYMOUS.id:
        raise SignInNeeded
    mine = found.roles & actor.roles
    if not mine:
        raise NotAllowed
    if found.scope is not None:
        with open_reading() as session:
            if not SCOPES[found.scope](session, actor, arguments, frozenset(mine)):
                raise NotFound
    if found.fresh and not fresh:
        raise FreshSignInNeeded


def reaches(actor: Actor, role: str, kind: str, slug: str) -> bool:
    """Whether the actor holds ``role`` for this study or site, or for the whole network."""
    return f"{role}@{kind}:{slug}" in actor.roles or f"{role}@network" in actor.roles


def reaches_any(actor: Actor, roles: Collection[str], kind: str, slug: str) -> bool:
    """:func:`reaches` for at least one of the roles."""
    return any(reaches(actor, role, kind, slug) for role in roles)


def reach(actor: Actor, role: str, kind: str) -> frozenset[str] | None:
    """The slugs of ``kind`` for which the actor holds ``role``; None means all (network)."""
    if f"{role}@network" in actor.roles:
        return None
    start = f"{role}@{kind}:"
    return frozenset(held[len(start) :] for held in actor.roles if held.startswith(start))


def scope(name: str) -> Callable[[ScopeCheck], ScopeCheck]:
    """Register a check under ``name`` for ``rule(scope=name)``."""

    def register(function: ScopeCheck) -> ScopeCheck:
        SCOPES[name] = function
        return function

    return register


@scope("study")
def _own_study(
    _session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    slug = str(arguments.get("study") or arguments.get("slug") or "")
    return reaches_any(actor, roles, "study", slug)


@scope("site")
def _own_site(
    _session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    slug = str(arguments.get("site") or arguments.get("slug") or "")
    return reaches_any(actor, roles, "site", slug)


def may_see_group(session: Session, actor: Actor, key: str, roles: Collection[str]) -> bool:
    """A group is its members', its representatives', and of those who coordinate a study of it.

    An idea that somebody proposed themselves opens no group to them.
    """
    if reaches_any(actor, roles, "group", key):
        return True
    mine = reach(actor, "coordinator", "study") if "coordinator" in roles else None
    if not mine:
        return False
    network, _, slug = key.partition(".")
    own_idea = exists().where(
        StudyEvent.study == Study.slug,
        StudyEvent.kind == "proposed",
        StudyEvent.by == actor.id,
        Study.state == "draft",
    )
    study = (
        select(Study.slug)
        .join(WorkingGroup, WorkingGroup.id == Study.group_id)
        .where(
            WorkingGroup.network == network,
            WorkingGroup.slug == slug,
            Study.slug.in_(mine),
            ~own_idea,
        )
    )
    return session.scalar(study.limit(1)) is not None


@scope("group")
def _own_group(
    session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    key = f"{arguments.get('network', '')}.{arguments.get('group', '')}"
    return may_see_group(session, actor, key, roles)


def may_see_query(actor: Actor, run: Run, roles: Collection[str]) -> bool:
    """A question is its submitter's, and of those who coordinate or decide for its study."""
    if "researcher" in roles and run.submitted_by == actor.id:
        return True
    return reaches_any(actor, set(roles) - {"researcher"}, "study", run.study)


@scope("query")
def _own_query(
    session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    names = ("query_id", "run_id", "query", "run", "id")
    number = next((str(arguments[name]) for name in names if name in arguments), "")
    run = session.get(Run, number)
    return run is not None and may_see_query(actor, run, roles)


#: Who of a round's study or group reads it, and from what; who makes the plan sees it being made.
ROUND_MAKERS = frozenset({"chair", "group", "coordinator", "committee"})
ROUND_READERS = ROUND_MAKERS | {"board", "steward", "researcher", "representative", "observer"}


def may_see_round(actor: Actor, found: EvaluationRound, roles: Collection[str]) -> bool:
    """A round is its group's, its study's and its hospitals'; observers see released ones.

    A hospital is told of it once the plan is approved: until then it is a plan among its makers.
    """
    group = str(found.plan["group"])
    held = frozenset(roles)
    makers = reaches_any(actor, held & {"chair", "group"}, "group", group) or reaches_any(
        actor, held & {"coordinator", "committee"}, "study", found.study
    )
    if makers:
        return True
    if found.state in (DRAFT, OFFERED, CANCELLED):
        return False
    if "observer" in held and found.state in READABLE:
        return True
    return (
        reaches_any(actor, held & {"representative"}, "group", group)
        or reaches_any(actor, held & {"researcher"}, "study", found.study)
        or any(
            reaches_any(actor, held & {"board", "steward"}, "site", site)
            for site in found.plan["sites"]
        )
    )


@scope("round")
def _own_round(
    session: Session, actor: Actor, arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    found = session.get(EvaluationRound, str(arguments.get("round") or ""))
    return found is not None and may_see_round(actor, found, roles)
