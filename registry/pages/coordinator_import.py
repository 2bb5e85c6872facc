"""A spreadsheet of the past into the registry: send a CSV file, look what it would do, confirm.

Between looking and confirming the file lies in the hub's own folder under its fingerprint, for a
day at most and for the person who sent it only; the page carries a signed word that names it.
Confirming reads and judges the file anew, so what is written is what the database allows then.
"""

from __future__ import annotations

import os
from collections import Counter
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from registry.access import reach, rule
from registry.app import hub
from registry.pages.coordinator_acts import sent_file
from registry.pages.coordinator_words import marks, state_name
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import number
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.exchange import importing
from studies.exchange.importing import Plan, Problem
from studies.exchange.reading_csv import MOST_ROWS, File, FileError, read_file
from studies.models import Institution, Study

blueprint = Blueprint("coordinator_import", __name__, url_prefix="/c/import")
Answer = Response | str | tuple[str, int]
KEPT_S = 24 * 3600
PROBLEMS_SHOWN = 100
PARTS_SHOWN = 50
_SALT = "coordinator-import"


@blueprint.get("")
@rule(roles={"coordinator"})
def page() -> str:
    """What a file looks like, and where to choose one."""
    return _page({})


@blueprint.post("")
@rule(roles={"coordinator"})
def look() -> Answer:
    """What the file would do, line by line; nothing is written."""
    body = sent_file(hub().settings.max_body)
    if not body:
        return _page({"file": _("Choose a file")}), 422
    return _look(body)


@blueprint.post("/confirm")
@rule(roles={"coordinator"})
def confirm() -> Answer:
    """Write what the preview said, but for what has changed since."""
    kept = _kept(request.form.get("kept", ""))
    if kept is None:
        return _page({"file": _("The preview has ended. Choose the file again.")}), 409
    body, seen = kept
    session = current_session()
    found = _plan(read_file(body))
    if seen != importing.digest(found):
        # Somebody changed what the file is about: look again, nothing is written.
        return _look(body, changed=True)
    try:
        written, left = importing.write(session, found, actor=g.actor, now=g.now)
    except StudiesError as error:
        session.rollback()
        return _page({"file": _(error.message)}), 409
    if not left:
        _path(sha256(body).hexdigest()).unlink(missing_ok=True)
    return redirect(url_for(".done", written=written, left=left or None), 303)


@blueprint.get("/done")
@rule(roles={"coordinator"})
def done() -> str:
    """How much was written."""
    return render_template(
        "coordinator/import_done.html",
        written=whole(request.args.get("written", "")) or 0,
        left=whole(request.args.get("left", "")) or 0,
    )


def _look(body: bytes, *, changed: bool = False) -> Answer:
    try:
        file = read_file(body)
    except FileError as error:
        return _page({"file": file_words(error)}), 422
    session = current_session()
    found = _plan(file)
    shown = found.parts[:PARTS_SHOWN]
    studies = {part.study for part in shown}
    titles = {
        row.slug: row
        for row in session.query(Study.slug, Study.title_nl, Study.title_en).where(
            Study.slug.in_(studies)
        )
    }
    places = dict(session.query(Institution.slug, Institution.name).all())
    text = render_template(
        "coordinator/import_preview.html",
        file=file,
        plan=found,
        shown=shown,
        titles={slug: row[1 if g.language == "nl" else 2] for slug, row in titles.items()},
        places=places,
        problems=[(each, problem_words(each, places)) for each in found.problems[:PROBLEMS_SHOWN]],
        kinds=_kinds(found),
        most=importing.AT_ONCE,
        kept=_keep(body, importing.digest(found)) if found.parts else "",
        changed=changed,
        state_name=state_name,
        marks=marks(),
        notes=_notes(file),
    )
    return (text, 409) if changed else text


def _page(errors: dict[str, str]) -> str:
    return render_template("coordinator/import.html", errors=errors, most=MOST_ROWS)


def _plan(file: File) -> Plan:
    mine = reach(g.actor, "coordinator", "study")
    return importing.plan(current_session(), file.rows, g.now, reach=mine, by=g.actor.id)


def _kinds(found: Plan) -> list[tuple[str, int]]:
    """How often each kind of problem occurs, the most first."""
    counted = Counter(each.code for each in found.problems)
    return [(kind_words(code), n) for code, n in counted.most_common()]


def _notes(file: File) -> list[str]:
    notes = []
    if file.encoding != "UTF-8":
        notes.append(
            _(
                "The file was written as %(encoding)s. Look whether letters such as é and ü are "
                "right.",
                encoding=file.encoding,
            )
        )
    if file.ignored:
        notes.append(_("Not used: %(columns)s.", columns=", ".join(file.ignored)))
    return notes


def kind_words(code: str) -> str:
    """What is wrong, for a count of such lines."""
    return {
        "too_few_columns": _("too few columns"),
        "unknown_study": _("no study of yours has this name"),
        "unknown_hospital": _("no hospital has this name"),
        "unknown_state": _("there is no such state"),
        "wrong_date": _("the date cannot be read"),
        "in_the_future": _("the date lies in the future"),
        "bad_contact": _("the contact may hold a patient, or is too long"),
        "twice": _("the line is there twice"),
        "not_a_member": _("the hospital is not in the network of the study"),
        "decided_in_person": _("not from a file"),
        "before_last_step": _("the date lies before the last step"),
        "not_on_road": _("this kind of study has no such step"),
        "cannot_follow": _("the step cannot follow the one before"),
    }[code]


def problem_words(problem: Problem, places: dict[str, str]) -> str:
    """What is wrong with a line, and what to do."""
    value = problem.value
    in_words = problem.code in ("cannot_follow", "not_on_road")
    shown = state_name(value) if in_words else places.get(value, value)
    return {
        "too_few_columns": _("This line has fewer columns than the first. Fill them in."),
        "unknown_study": _(
            "No study of yours is called “%(value)s”. Use its short name, title or number.",
            value=shown,
        ),
        "unknown_hospital": _(
            "No hospital is called “%(value)s”. Use its name here or its AGB code.", value=shown
        ),
        "unknown_state": _(
            "There is no state “%(value)s”. The names are on the page before.", value=shown
        ),
        "wrong_date": _("“%(value)s” is no date. Write it as 23-11-2026.", value=shown),
        "in_the_future": _("%(value)s lies in the future. Give a day that has been.", value=shown),
        # Without the text itself: it may point at a patient.
        "bad_contact": _(
            "The contact is longer than 200 characters, or holds a number of eight digits or more "
            "or a date of birth. Name a desk or a role; write a phone number in parts."
        ),
        "twice": _("The same stands in line %(value)s. Take one away.", value=shown),
        "not_a_member": _(
            "%(value)s is not in the network of this study. Ask the network office.", value=shown
        ),
        "decided_in_person": _(
            "“%(value)s” comes from a file only for a day before the study was made here, never "
            "for a study that asks hospitals for data, and not from whoever proposed the study. "
            "Write it down on the hospital’s own page.",
            value=shown,
        ),
        "before_last_step": _(
            "The last step of this hospital was on %(value)s. Give that day or a later one, or put "
            "the step right on the hospital’s own page.",
            value=shown,
        ),
        "not_on_road": _(
            "A study of this kind has no step “%(value)s”. Leave it out.", value=shown
        ),
        "cannot_follow": _("This step cannot follow “%(value)s”. Look at the order.", value=shown),
    }[problem.code]


def file_words(error: FileError) -> str:
    """Why a file cannot be read at all, and what to do."""
    return {
        "empty": _("The file is empty. Choose another one."),
        "a_workbook": _("This is a workbook. In the spreadsheet, choose “Save as” and then CSV."),
        "not_text": _("This is not a text file. Save the table as CSV."),
        "broken_encoding": _(
            "Line %(line)s holds letters that cannot be read. Save the file as CSV UTF-8.",
            line=error.line or 1,
        ),
        "no_columns": _(
            "The first line must name the columns study, hospital, state and date. Missing: "
            "%(value)s.",
            value=error.value,
        ),
        "column_twice": _("The column “%(value)s” is there twice.", value=error.value),
        "too_many_rows": _(
            "The file has more than %(most)s lines. Cut it in pieces.", most=number(MOST_ROWS)
        ),
        "broken_quotes": _(
            "From line %(line)s on, a quotation mark is missing or stands in a wrong place.",
            line=error.line,
        ),
        "too_long": _("A cell in line %(line)s is too long.", line=error.line),
    }[error.code]


# -- the file between looking and confirming ---------------------------------------------------


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=_SALT)


def _folder() -> Path:
    folder = hub().settings.data / "imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _path(fingerprint: str) -> Path:
    # By person too: what one sent, another cannot confirm or take away.
    owner = sha256(g.actor.id.encode()).hexdigest()[:16]
    return _folder() / f"{owner}-{fingerprint}.csv"


def _keep(body: bytes, shown: str) -> str:
    """Lay the file aside; what names it and what it would do (`shown`), signed."""
    _tidy()
    fingerprint = sha256(body).hexdigest()
    path = _path(fingerprint)
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
    return str(_serializer().dumps([g.actor.id, fingerprint, shown]))


def _kept(word: str) -> tuple[bytes, str] | None:
    """The file that a signed word of this person names, with what was shown of it; None when it
    is gone."""
    try:
        owner, fingerprint, shown = _serializer().loads(word, max_age=KEPT_S)
    except (BadData, ValueError):
        return None  # not of us, too old, or of a version that signed less
    if owner != g.actor.id:
        return None
    try:
        body = _path(fingerprint).read_bytes()
    except FileNotFoundError:
        return None
    return (body, str(shown)) if sha256(body).hexdigest() == fingerprint else None


def _tidy() -> None:
    """Take away what nobody confirmed within a day."""
    oldest = g.now.timestamp() - KEPT_S
    for path in _folder().glob("*.csv"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue  # somebody else was quicker
