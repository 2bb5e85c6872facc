"""What a coordinator can do on the card of a hospital: each act with its fields and its command.

One table: the card makes its forms from it, an answer is read by it, and when somebody else was
first, the page of the conflict names by it what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from flask import g, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from registry.forms.dates import Days
from registry.pages.shell import whole
from registry.translate import language
from registry.translate import translate as _
from studies.days import local_day
from studies.exchange.importing import moment_of
from studies.hospitals import documents, versions
from studies.hospitals import moving as site_moving
from studies.hospitals import work as site_work
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.documents import KINDS, MAX_BYTES
from studies.hospitals.pathway import BY_CODE, MILESTONES
from studies.models import Participation
from studies.states import NOTE_CODES


@dataclass
class Given:
    """The form as it came in; reading a field that cannot be read notes why."""

    form: Mapping[str, str]
    days: Days

    @property
    def errors(self) -> dict[str, str]:
        """Field -> what is wrong with it."""
        return self.days.errors

    @property
    def expected(self) -> int:
        """The version of the card that the person was looking at."""
        return whole(self.form.get("expected", "")) or 0

    def text(self, name: str) -> str:
        """What stands in a field, without spaces around it."""
        return self.form.get(name, "").strip()

    def chosen(self, name: str, among: Mapping[str, object], why: str) -> str:
        """One of a list; noted as wrong when it is none of it."""
        value = self.form.get(name, "")
        if value not in among:
            self.errors[name] = why
        return value

    def reason(self) -> str | None:
        """The reason that was chosen, None without one."""
        value = self.form.get("reason", "")
        return value if value in NOTE_CODES else None

    def today_or(self, name: str) -> date:
        """The day in a field, today when it is empty."""
        return self.days.given(name) or today()


Run = Callable[[Session, Participation, Given], None]
Label = Callable[[], str]


@dataclass(frozen=True)
class Act:
    """One act: its name, its fields as they are called, and what carries it out."""

    label: Label
    fields: Mapping[str, Label]
    run: Run


def today() -> date:
    """The day it is here."""
    now: datetime = g.now
    return local_day(now)


def _move(session: Session, part: Participation, given: Given) -> None:
    to = given.chosen("to", BY_CODE, _("Choose a step"))
    at = given.today_or("at")
    if given.errors:
        return
    site_moving.move(
        session,
        part,
        to,
        actor=g.actor,
        now=g.now,
        at=None if at == today() else moment_of(at, g.now),
        reason=given.reason(),
        expected=given.expected,
    )


def _correct(session: Session, part: Participation, given: Given) -> None:
    day, reason = given.days.given("real_day"), given.reason()
    number = whole(given.text("of_step"))
    if number is None:
        given.errors["of_step"] = _("Choose a step")
    if reason is None:
        given.errors["why"] = _("Choose a reason")
    if given.errors or number is None or reason is None:
        return
    site_moving.correct(
        session,
        part,
        number,
        at=None if day is None else moment_of(day, g.now),
        reason=reason,
        actor=g.actor,
        now=g.now,
        expected=given.expected,
    )


def _answer(session: Session, part: Participation, given: Given) -> None:
    interest = given.chosen("interest", {"yes": 1, "no": 0}, _("Choose yes or no"))
    text = given.text("expected_per_year")
    per_year = whole(text) if text else None
    if text and per_year is None:
        given.errors["expected_per_year"] = _("Give a whole number, 0 or more")
    if given.errors:
        return
    site_work.answer_invitation(
        session,
        part,
        interest=interest == "yes",
        expected_per_year=per_year,
        actor=g.actor,
        now=g.now,
        expected=given.expected,
    )


#: The days of a hospital's papers, as describe_site takes them.
PAPER_DAYS = ("gcp_until", "insurance_until", "answer_due", "archive_until")


def _describe(session: Session, part: Participation, given: Given) -> None:
    days = {name: given.days.given(name) for name in PAPER_DAYS}
    if given.errors:
        return
    site_work.describe_site(
        session,
        part,
        contact=given.text("contact"),
        investigator=given.text("investigator"),
        actor=g.actor,
        now=g.now,
        expected=given.expected,
        **days,
    )


def _confirm(session: Session, part: Participation, given: Given) -> None:
    site_work.confirm_state(session, part, actor=g.actor, now=g.now, expected=given.expected)


def _plan(session: Session, part: Participation, given: Given) -> None:
    step = given.chosen("step", BY_CODE, _("Choose a step"))
    day = given.days.given("planned")
    if not given.errors:
        site_work.plan_step(
            session, part, step, day, actor=g.actor, now=g.now, expected=given.expected
        )


def _milestone(session: Session, part: Participation, given: Given) -> None:
    kind = given.chosen("milestone", MILESTONES, _("Choose what happened"))
    day = given.days.needed("happened")
    if day is not None and not given.errors:
        site_work.record_milestone(
            session,
            part,
            kind,
            day,
            actor=g.actor,
            now=g.now,
            reason=given.reason(),
            expected=given.expected,
        )


def _ask_annex(session: Session, part: Participation, given: Given) -> None:
    department = given.chosen("department", DEPARTMENTS, _("Choose a department"))
    requested, due = given.today_or("requested"), given.days.given("due")
    if not given.errors:
        site_work.request_annex(
            session,
            part,
            department,
            requested=requested,
            due=due,
            reason=given.reason(),
            actor=g.actor,
            now=g.now,
            expected=given.expected,
        )


def _take_annex(session: Session, part: Participation, given: Given) -> None:
    outcome = given.chosen("outcome", {"ok": 1, "not_ok": 1}, _("Choose what they said"))
    received = given.today_or("received")
    if not given.errors:
        site_work.receive_annex(
            session,
            part,
            given.text("of_department"),
            outcome,
            received=received,
            actor=g.actor,
            now=g.now,
            expected=given.expected,
        )


def _add_condition(session: Session, part: Participation, given: Given) -> None:
    words = given.text("condition")
    if not words:
        given.errors["condition"] = _("Write the condition")
        return
    site_work.add_condition(session, part, words, actor=g.actor, now=g.now, expected=given.expected)


def _meet_condition(session: Session, part: Participation, given: Given) -> None:
    met = given.today_or("met")
    if not given.errors:
        site_work.meet_condition(
            session,
            part,
            given.text("source"),
            whole(given.text("number")) or 0,
            met,
            actor=g.actor,
            now=g.now,
            expected=given.expected,
        )


def _adopt(session: Session, part: Participation, given: Given) -> None:
    since = given.today_or("in_use_since")
    if not given.errors:
        versions.adopt_version(
            session,
            part,
            given.text("version_id"),
            in_use_since=since,
            actor=g.actor,
            now=g.now,
            expected=given.expected,
        )


def _add_document(session: Session, part: Participation, given: Given) -> None:
    kind = given.chosen("kind", site_kinds(), _("Choose what it is"))
    valid_from = given.today_or("valid_from")
    valid_until = given.days.given("valid_until")
    for name, why in (("name", _("Give it a name")), ("doc_version", _("Give its version"))):
        if not given.text(name):
            given.errors[name] = why
    body = sent_file(MAX_BYTES + 1)
    if not body:
        given.errors["file"] = _("Choose a PDF file")
    if not given.errors:
        documents.add_document(
            session,
            part.of_study,
            kind=kind,
            name=given.text("name"),
            version=given.text("doc_version"),
            body=body,
            valid_from=valid_from,
            valid_until=valid_until,
            institution=part.institution,
            actor=g.actor,
            now=g.now,
            expected=given.expected,
        )


def sent_file(most: int) -> bytes:
    """The first bytes of the file that came with the form, empty without one."""
    sent: FileStorage | None = request.files.get("file")
    if sent is None:
        return b""
    with sent.stream as stream:
        return bytes(stream.read(most))


def site_kinds() -> dict[str, str]:
    """The kinds of document that belong to one hospital, by name."""
    place = 1 if language() == "nl" else 0
    return {code: str(words[place]) for code, words in KINDS.items() if words[2]}


def _label(text: str) -> Label:
    # The msgids stand below in _() calls of texts(), so that the catalogue finds them.
    return lambda: texts()[text]


def texts() -> dict[str, str]:
    """What acts and fields are called."""
    return {
        "move": _("Take a step"),
        "correct": _("Put a step right"),
        "real_day": _("Day on which it really was"),
        "to": _("Step"),
        "at": _("On which day"),
        "reason": _("Reason"),
        "answer": _("Answer to the invitation"),
        "interest": _("Wants to take part"),
        "expected_per_year": _("Patients a year, as they expect"),
        "describe": _("People and papers"),
        "contact": _("Contact"),
        "investigator": _("Principal investigator"),
        "gcp_until": _("GCP certificate valid until"),
        "insurance_until": _("Insurance valid until"),
        "answer_due": _("Answer expected by"),
        "archive_until": _("Archive is kept until"),
        "confirm": _("The state is still right"),
        "plan": _("Plan a step"),
        "step": _("Step"),
        "planned": _("Planned day"),
        "milestone": _("Write down what happened"),
        "what": _("What happened"),
        "happened": _("Day on which it happened"),
        "ask-annex": _("Ask a department"),
        "department": _("Department"),
        "requested": _("Asked on"),
        "due": _("Due by"),
        "take-annex": _("Answer of a department"),
        "outcome": _("What they said"),
        "received": _("Received on"),
        "add-condition": _("Add a condition of the contract"),
        "condition": _("Condition"),
        "meet-condition": _("A condition is met"),
        "met": _("Met on"),
        "adopt": _("Take a version into use"),
        "in_use_since": _("In use since"),
        "document": _("Add a document"),
        "kind": _("What it is"),
        "name": _("Name"),
        "doc_version": _("Version"),
        "valid_from": _("Valid from"),
        "valid_until": _("Valid until"),
    }


def _act(name: str, run: Run, /, **fields: str) -> Act:
    return Act(_label(name), {field: _label(text) for field, text in fields.items()}, run)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


ACTS: Mapping[str, Act] = {
    "move": _act("move", _move, **_same("to", "at", "reason")),
    "correct": _act("correct", _correct, of_step="step", **_same("real_day", "reason")),
    "answer": _act("answer", _answer, **_same("interest", "expected_per_year")),
    "describe": _act("describe", _describe, **_same("contact", "investigator", *PAPER_DAYS)),
    "confirm": _act("confirm", _confirm),
    "plan": _act("plan", _plan, **_same("step", "planned")),
    "milestone": _act("milestone", _milestone, milestone="what", **_same("happened", "reason")),
    "ask-annex": _act("ask-annex", _ask_annex, **_same("department", "requested", "due", "reason")),
    "take-annex": _act(
        "take-annex", _take_annex, of_department="department", **_same("outcome", "received")
    ),
    "add-condition": _act("add-condition", _add_condition, **_same("condition")),
    "meet-condition": _act(
        "meet-condition", _meet_condition, source="condition", number="condition", met="met"
    ),
    "adopt": _act("adopt", _adopt, version_id="doc_version", **_same("in_use_since")),
    "document": _act(
        "document",
        _add_document,
        **_same("kind", "name", "doc_version", "valid_from", "valid_until"),
    ),
}
