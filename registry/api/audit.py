"""/api/v1/audit: the log of who did what, whether all logs hold, what stands behind each result,
and alarms. For the auditor; reading it is logged too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, request, url_for
from marshmallow import Schema, fields, validate
from sqlalchemy import literal, select, tuple_

from consent import alarms
from consent.models_trust import Alarm
from consent.verifying import LogBroken
from federation.runs.models import Run
from registry import audit
from registry.access import rule
from registry.api.paging import PAGE
from registry.api.part import Part
from registry.audit import AuditLine
from registry.transaction import current_session
from registry.whole_logs import look
from studies.base import UtcTime
from studies.events import announce

blueprint = Part("api-audit", __name__, description="The auditor's reading")
AUDITOR = frozenset({"auditor"})
_HEAD = re.compile(r"^(\d{1,18}):([0-9a-f]{64})$")


class LogLines(Schema):
    """Which lines of the log."""

    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 1 << 40),
        metadata={"description": "The number of the last line that one has."},
    )
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE))
    actor = fields.String(load_default="", validate=validate.Length(max=64))
    action = fields.String(load_default="", validate=validate.Length(max=64))
    about = fields.String(load_default="", validate=validate.Length(max=200))


class LogLine(Schema):
    """One act or reading, with the hash that chains it to the line before."""

    seq = fields.Integer(required=True)
    at_ms = fields.Integer(required=True, metadata={"description": "Milliseconds since 1970."})
    actor_kind = fields.String(required=True)
    actor_id = fields.String(required=True)
    actor_name = fields.String(required=True)
    roles = fields.String(required=True)
    event_code = fields.String(
        required=True, metadata={"description": "C, R, U, D or E (NEN 7513)."}
    )
    action = fields.String(required=True)
    about = fields.String(required=True)
    outcome = fields.String(required=True)
    facts = fields.Dict(required=True)
    source = fields.String(required=True)
    request_id = fields.String(required=True)
    rule = fields.String(required=True)
    previous = fields.String(required=True)
    hash = fields.String(required=True)


class KnownHead(Schema):
    """A head of the audit log that was kept elsewhere."""

    known = fields.String(
        load_default=None,
        validate=validate.Regexp(_HEAD),
        metadata={"description": "SEQ:HASH, as an earlier look gave it; the log must contain it."},
    )


class LogOfChoices(Schema):
    """A network's log of choices."""

    holds = fields.Boolean(required=True)
    size = fields.Integer(required=True, allow_none=True)
    root = fields.String(required=True, allow_none=True)
    leaf = fields.Integer(required=True, allow_none=True)
    why = fields.String(required=True, allow_none=True)


class WholeLook(Schema):
    """Whether everything holds, and where it does not."""

    holds = fields.Boolean(required=True)
    audit = fields.Dict(
        required=True,
        metadata={"description": "seq and hash of the last line; or seq and why where it breaks."},
    )
    choices = fields.Dict(keys=fields.String(), values=fields.Nested(LogOfChoices), required=True)
    lists = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Lists of consent that are not those that were logged."},
    )
    alarms = fields.Integer(required=True, metadata={"description": "That nobody has seen."})


class WhichResults(Schema):
    """Which results."""

    after = fields.String(
        load_default="",
        validate=validate.Length(max=36),
        metadata={"description": "The number of the last one that one has."},
    )
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE))


class ResultProof(Schema):
    """What stands behind one result; no number of it."""

    query = fields.String(required=True)
    study = fields.String(required=True)
    query_sha256 = fields.String(required=True)
    status = fields.String(required=True)
    finished_at = fields.AwareDateTime(required=True)
    consent = fields.Dict(
        required=True,
        metadata={
            "description": "By hospital: log, requires, software, and `said`, its own signed word."
        },
    )
    snapshots = fields.Dict(required=True, metadata={"description": "By hospital, its list."})
    signatures = fields.List(fields.Dict(), required=True)


class AlarmRow(Schema):
    """What must not happen and did."""

    id = fields.String(required=True)
    network = fields.String(required=True)
    kind = fields.String(required=True)
    facts = fields.Dict(required=True)
    raised_at = fields.AwareDateTime(required=True)
    seen_by = fields.String(required=True, allow_none=True)
    seen_at = fields.AwareDateTime(required=True, allow_none=True)


@blueprint.get("/audit/events")
@rule(roles=AUDITOR)
@blueprint.takes(LogLines, location="query")
@blueprint.gives(200, LogLine(many=True))
def events(query: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], int, Mapping[str, str]]:
    """Lines of the audit log in order, at most a hundred; the Link header leads on."""
    session = current_session()
    wanted = select(AuditLine).where(AuditLine.seq > query["after"])
    if query["actor"]:
        wanted = wanted.where(AuditLine.actor_id == query["actor"])
    for column, given in ((AuditLine.action, query["action"]), (AuditLine.about, query["about"])):
        if given:
            wanted = wanted.where(column.startswith(given, autoescape=True))
    lines = list(session.scalars(wanted.order_by(AuditLine.seq).limit(query["limit"] + 1)))
    shown = lines[: query["limit"]]
    _read("audit", len(shown))
    headers = _next(str(shown[-1].seq)) if len(lines) > len(shown) else {}
    return [audit.as_json(each) for each in shown], 200, headers


@blueprint.get("/audit/verify")
@rule(roles=AUDITOR)
@blueprint.takes(KnownHead, location="query")
@blueprint.gives(200, WholeLook)
def verify(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Recompute the audit log and the logs of choices, and say where they do not hold."""
    found = look(current_session(), None if query["known"] is None else _head(query["known"]))
    _read("audit", 0)
    end = found.audit
    at = {"why": end.why} if isinstance(end, audit.Broken) else {"hash": end.hash}
    return {
        "holds": found.holds,
        "audit": {"seq": end.seq, **at},
        "choices": {
            network: {
                "holds": not isinstance(each, LogBroken),
                **{name: getattr(each, name, None) for name in ("size", "root", "leaf", "why")},
            }
            for network, each in found.choices.items()
        },
        "lists": [{"site": each.site, "seq": each.seq} for each in found.lists],
        "alarms": len(found.alarms),
    }


@blueprint.get("/audit/result-proofs")
@rule(roles=AUDITOR)
@blueprint.takes(WhichResults, location="query")
@blueprint.gives(200, ResultProof(many=True))
def result_proofs(
    query: Mapping[str, Any],
) -> tuple[list[Mapping[str, Any]], int, Mapping[str, str]]:
    """By which consent each result was counted, in the hospitals' own signed words, oldest first.

    A result of a round that is not released is not among them, as for everybody.
    """
    session = current_session()
    wanted = select(Run).where(Run.finished_at.is_not(None))
    last = session.get(Run, query["after"]) if query["after"] else None
    if last is not None:
        later = tuple_(Run.finished_at, Run.id) > tuple_(
            literal(last.finished_at, UtcTime), literal(last.id)
        )
        wanted = wanted.where(later)
    runs = list(session.scalars(wanted.order_by(Run.finished_at, Run.id).limit(query["limit"] + 1)))
    shown = runs[: query["limit"]]
    _read("results", len(shown))
    headers = _next(shown[-1].id) if len(runs) > len(shown) else {}
    return [_proof(each) for each in shown], 200, headers


@blueprint.get("/audit/alarms")
@rule(roles=AUDITOR)
@blueprint.gives(200, AlarmRow(many=True))
def list_alarms() -> Sequence[Alarm]:
    """All alarms about the log of choices, those that nobody has seen first."""
    found = alarms.alarms(current_session())
    _read("alarms", len(found))
    return found


@blueprint.post("/audit/alarms/<alarm>/seen")
@rule(roles=AUDITOR)
@blueprint.also(404)
@blueprint.gives(200, AlarmRow)
def seen(alarm: str) -> Alarm:
    """Say with one's name that an alarm was seen; a second time changes nothing."""
    return alarms.acknowledge(current_session(), alarm, actor=g.actor, now=g.now)


def _proof(run: Run) -> Mapping[str, Any]:
    outcome = run.outcome or {}
    told = outcome.get("provenance") or {}
    return {
        "query": run.id,
        "study": run.study,
        "query_sha256": run.query_sha256,
        "status": run.state,
        "finished_at": run.finished_at,
        "consent": told.get("consent", {}),
        "snapshots": told.get("snapshots", {}),
        "signatures": told.get("signatures", []),
    }


def _read(about: str, lines: int) -> None:
    session = current_session()
    announce(session, actor=g.actor, action="audit.read", about=about, facts={"lines": lines})


def _head(text: str) -> audit.Head:
    seq, _, digest = text.partition(":")
    return audit.Head(int(seq), digest)


def _next(after: str) -> Mapping[str, str]:
    arguments: dict[str, Any] = {**request.args, "after": after}
    address = url_for(request.endpoint or "", **arguments)
    return {"Link": f'<{address}>; rel="next"'}
