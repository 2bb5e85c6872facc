"""The one visible transaction: services flush, the edge commits once, every commit is audited.

How code gets a session
- A page or API view: ``registry.transaction.current_session()``. For GET and HEAD it is a reading
  transaction that cannot write; for other methods it is a writing one, committed once after the
  view returned a response below 400 and rolled back otherwise. The actor is ``flask.g.actor``,
  the time ``flask.g.now``.
- Something that must be kept although the view fails (a failed sign-in): its own
  ``with unit_of_work(factory, actor) as session``.
- A generator that outlives the view (server-sent events): ``with reading(factory) as session``
  for each look, never ``current_session()``.
- CLI and worker: ``unit_of_work`` or a plain ``with factory() as session: ...; session.commit()``.

Whichever way, the commit itself (:class:`AuditedSession`) writes an audit line for each
announcement (studies/events.py) and refuses when audited tables changed without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import g, has_request_context, request
from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction

from registry import audit
from registry.audit import AuditFailure
from registry.database import SessionFactory, utc_now
from studies.actor import Actor
from studies.events import announce
from studies.looking import read_only

# Table -> beginnings of the actions that account for a change of its rows. A table that is neither
# here nor in UNAUDITED needs some announcement; a test keeps the two lists complete.
AUDITED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "network",
            "institution",
            "membership",
            "subnetwork",
            "subnetwork_member",
            "office",
            "working_group",
            "working_group_member",
            "working_group_name",
            "professional",
            "agreement",
            "agreement_signature",
            "expertise",
            "group_meeting",
            "group_decision",
        ),
        ("network.", "institution.", "group.", "agreement.", "expertise."),
    ),
    **dict.fromkeys(("study", "study_result"), ("study.",)),
    **dict.fromkeys(
        (
            "participation",
            "participation_step",
            "site_annex",
            "site_condition",
            "site_milestone",
            "site_plan",
            "site_version",
        ),
        ("participation.",),
    ),
    **dict.fromkeys(
        ("committee_decision", "study_event", "study_feasibility", "study_version"), ("study.",)
    ),
    "study_document": ("study.", "participation."),
    "document_body": ("study.", "participation.", "agreement."),
    "signature": ("study.", "participation.", "agreement."),
    **dict.fromkeys(("study_enrolment", "study_arm"), ("study.",)),
    **dict.fromkeys(("participant", "participant_event", "participant_link"), ("participant.",)),
    **dict.fromkeys(("screening_count", "arm_count"), ("screening.",)),
    "accrual_plan": ("accrual.",),
    "reminder_done": ("reminder.",),
    "notice": ("notice.",),
    "mail_address": ("account.",),
    **dict.fromkeys(("site_node", "site_coverage", "vantage6_site"), ("site.",)),
    **dict.fromkeys(
        (
            "consent_ack",
            "consent_alarm",
            "consent_destroy_order",
            "consent_erasure",
            "consent_event",
            "consent_choice_seen",
            "consent_fact",
            "consent_fact_correction",
            "consent_invitation",
            "consent_link",
            "consent_link_code",
            "consent_mark",
            "consent_party",
            "consent_passkey",
            "consent_receipt",
            "consent_route",
            "consent_site_message",
            "consent_snapshot",
            "consent_subject",
            "consent_text",
            "consent_text_draft",
            "consent_text_end",
            "consent_text_seen",
            "consent_text_suspension",
            "consent_tree_head",
            "consent_use",
            "consent_witness",
            "log_head",
            "log_leaf",
        ),
        ("consent.",),
    ),
    "run": ("run.",),
    "private_match": ("match.",),
    # A hospital's messages are announced as such, whatever they are about.
    **dict.fromkeys(("prom_ask", "prom_own", "prom_sealed"), ("prom.", "consent.site_message")),
    "prom_wording": ("prom.",),
    **dict.fromkeys(
        ("evaluation_round", "round_event", "round_snapshot", "round_note", "round_action"),
        ("round.",),
    ),
    **dict.fromkeys(("indicator_version", "indicator_target"), ("indicator.",)),
    **dict.fromkeys(("benchmark_file", "benchmark_row", "benchmark_withdrawal"), ("benchmark.",)),
    **dict.fromkeys(("account", "account_role", "api_token"), ("account.",)),
}
# Tables whose rows may change without an audit line, each with its reason.
UNAUDITED: Mapping[str, str] = {
    "audit_line": "is the audit log",
    "account_session": "sign-in and sign-out are announced; idle time and form drafts are not acts",
    "account_attempt": "counts sign-in attempts; the refusal itself is announced",
    "account_totp_used": "used one-time codes; the sign-in is announced",
    "consent_draft": "a half-filled form, never counted; recording it is announced",
    "prom_draft": "a half-filled questionnaire, open to the patient alone; sending is announced",
    "alembic_version": "belongs to the migrations",
    "run_reply": "bytes of a site's signed reply; opening and finishing the run are announced",
    "run_progress": "the worker's lease and step; opening and finishing the run are announced",
    "run_embargo": "what a round asks; its approval and its release are announced",
    "round_question": "the worker's book under embargo; the release is announced with its hashes",
    "round_part": "who answers is told at the release, which is announced with each of them",
    "private_match_lease": "the worker's lease; opening and finishing the match are announced",
    "private_match_reply": "a site's signed reply; opening and finishing the match are announced",
    "run_site": "progress per site; opening and finishing the run are announced",
    "api_answer": "an answer kept for a repeat of the request; the act itself is announced",
    "heartbeat": "says that a part of the hub works",
    "notice_mark": "who has read a notice; that somebody wants to hear more is announced",
    "mail": "a mail that waits or left; what it says is worked out from what was announced",
    "mail_told": "what a mail that left has said; keeps it from being said twice",
    "site_link": "what the engine says of a hospital, every quarter of a minute",
}

_WRITES = re.compile(
    r"^\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE(?:\s+OR\s+\w+)?|DELETE\s+FROM)\s+[\"`]?(\w+)",
    re.IGNORECASE,
)
PATIENTS_ONLY = "patient"  # the rule as text, see registry/access.py
# Tables whose rows may repeat what was announced, and are covered by a hash in a later line.
COVERED_LATER: Mapping[str, str] = {
    "consent_snapshot": "a list that says nothing new; the next line holds it (consent/refreshing)",
    "consent_ack": "the same word on a list that says nothing new; held with that list",
    "consent_witness": "the same head, seen with a list that says nothing new; held with that list",
    "run": "a run of a round under embargo; the release holds it by the hash of what it gave",
    "private_match": "a match that a round under embargo asks; the release says how it ended, and"
    " holds what it gave by the hash of the snapshot",
    "evaluation_round": "a round whose last answer is in; nobody may know when, before the release",
}
_CHANGED = "oncokring_changed"
_LATER = "accounted_later"
_ANNOUNCED = "announced"
_MARKS = "oncokring_savepoints"


class UnannouncedChange(RuntimeError):
    """Rows of audited tables changed, but no service announced such an act. Nothing was written."""

    def __init__(self, tables: Iterable[str]) -> None:
        self.tables = tuple(sorted(tables))
        super().__init__(
            f"Tables {', '.join(self.tables)} changed without an announcement. "
            "Call studies.events.announce in the service that changes them."
        )


class AuditedSession(Session):
    """A Session whose commit writes the audit lines first, in the same transaction."""


@event.listens_for(AuditedSession, "before_commit")
def _audit_before_commit(session: AuditedSession) -> None:
    if session.in_nested_transaction():
        return  # the end of a savepoint: what it changed and announced is judged with the rest
    session.flush()
    announced = list(session.info.get(_ANNOUNCED, ()))
    changed = set(session.connection().info.get(_CHANGED, ())) - UNAUDITED.keys()
    changed -= set(session.info.get(_LATER, ())) & COVERED_LATER.keys()
    actions = [item.action for item in announced]
    silent = {table for table in changed if not _accounted_for(table, actions)}
    if silent:
        raise UnannouncedChange(silent)
    if announced:
        _write_lines(session, announced)
    _forget(session)


def _accounted_for(table: str, actions: list[str]) -> bool:
    beginnings = AUDITED.get(table, ("",))
    return any(action.startswith(beginnings) for action in actions)


def _write_lines(session: Session, announced: list[Any]) -> None:
    clock = session.info.get("clock", utc_now)
    try:
        for item in announced:
            audit.append(
                session,
                at=clock(),
                actor=item.actor,
                action=item.action,
                about=item.about,
                facts=item.facts,
                request_id=_request_value("request_id"),
                rule=_request_value("rule_text"),
            )
    except SQLAlchemyError as error:
        raise AuditFailure(
            "The audit log could not be written, so nothing was changed. Try again; if it stays, "
            "tell the network office."
        ) from error


def _forget(session: Session) -> None:
    session.info[_ANNOUNCED] = []
    session.info[_LATER] = []
    session.info[_MARKS] = {}


@event.listens_for(AuditedSession, "after_transaction_create")
def _mark_savepoint(session: AuditedSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        marks = session.info.setdefault(_MARKS, {})
        marks[id(transaction)] = [len(session.info.get(key, ())) for key in (_ANNOUNCED, _LATER)]


@event.listens_for(AuditedSession, "after_soft_rollback")
def _forget_rolled_back(session: AuditedSession, previous: SessionTransaction) -> None:
    # What was announced inside a savepoint that is rolled back did not happen.
    if previous.nested:
        starts = session.info.get(_MARKS, {}).pop(id(previous), [0, 0])
        for key, start in zip((_ANNOUNCED, _LATER), starts, strict=True):
            session.info[key] = list(session.info.get(key, ()))[:start]
    elif previous.parent is None:
        _forget(session)


def note_changes(
    connection: Connection,
    _cursor: Any,
    statement: str,
    _parameters: Any,
    _context: Any,
    _many: bool,
) -> None:
    """Engine hook (before_cursor_execute): remember which tables this transaction writes."""
    if match := _WRITES.match(statement):
        connection.info.setdefault(_CHANGED, set()).add(match.group(1).lower())


def forget_changes(connection: Connection) -> None:
    """Engine hook (begin): a new transaction has changed nothing yet."""
    connection.info[_CHANGED] = set()


@contextmanager
def unit_of_work(factory: SessionFactory, actor: Actor) -> Iterator[Session]:
    """A writing transaction that commits once at the end; any exception writes nothing.

    Raises :class:`UnannouncedChange` or :class:`registry.audit.AuditFailure` at the commit.
    """
    with factory() as session:
        session.info["actor"] = actor
        yield session
        session.commit()


@contextmanager
def reading(factory: SessionFactory) -> Iterator[Session]:
    """A reading transaction. Announced readings get their audit lines when it ends."""
    with factory() as session:
        read_only(session)
        yield session
        announced = list(session.info.get(_ANNOUNCED, ()))
        session.rollback()
    if announced:
        # A reading transaction cannot write, so the lines go in one of their own, before the
        # caller hands anything on: when that fails, nothing has been shown.
        with factory() as session:
            session.info[_ANNOUNCED] = announced
            session.commit()


@contextmanager
def request_unit(factory: SessionFactory) -> Iterator[None]:
    """Around one view: its session is made when first asked for, and ended here.

    The view's response decides: ``flask.g.keep`` is set False by the app for a status of 400 and
    above, which rolls back.
    """
    g.pop("unit", None)
    g.keep = True
    try:
        yield
    except BaseException as error:
        unit = g.pop("unit", None)
        if unit is not None:
            unit.__exit__(type(error), error, error.__traceback__)
        raise
    unit = g.pop("unit", None)
    if unit is None:
        return
    if g.keep:
        unit.__exit__(None, None, None)
    else:
        unit.__exit__(_RolledBack, _RolledBack(), None)


class _RolledBack(Exception):
    pass


class _RequestUnit:
    """The session of the request that is being answered."""

    def __init__(self, factory: SessionFactory, *, writing: bool) -> None:
        self._context = unit_of_work(factory, g.actor) if writing else reading(factory)
        self.session = self._context.__enter__()

    def __exit__(self, *failure: Any) -> None:
        try:
            self._context.__exit__(*failure)
        except _RolledBack:
            return


def current_session() -> Session:
    """The session of this request; see the module's docstring for what it promises."""
    if not has_request_context() or "keep" not in g:
        raise RuntimeError("current_session() exists only inside a view; use unit_of_work.")
    if "unit" not in g:
        writing = request.method not in ("GET", "HEAD", "OPTIONS")
        g.unit = _RequestUnit(g.factory, writing=writing)
        if not writing and g.get("rule_text") == PATIENTS_ONLY:
            # What only a patient may open shows that patient's choices: each look is a line.
            about = f"subject:{g.actor.id}"
            announce(g.unit.session, actor=g.actor, action="consent.read", about=about)
    session: Session = g.unit.session
    return session


def _request_value(name: str) -> str:
    return str(g.get(name, "")) if has_request_context() else ""
