"""The file of one study: its numbers, how it came to be, decisions, versions and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from federation.runs.feasibility import cells_of, numbers_of
from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.access import FreshSignInNeeded, may_see_query, reaches, rule
from registry.forms.dates import Days
from registry.pages.coordinator_acts import today
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_new import words_missing
from registry.pages.coordinator_words import brief
from registry.text_roles import names_of
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.hospitals import committee, documents, feasibility, versions
from studies.hospitals.facts import documents_of_study
from studies.hospitals.models import StudyDocument
from studies.identifiers import REGISTERS, address, check_identifiers
from studies.models import Study
from studies.states import STUDY_DESIGNS, STUDY_KINDS, STUDY_PHASES
from studies.study_state import STANDINGS, facts_of, standing_of
from studies.taking_part import describe_study, word_study

blueprint = Blueprint("coordinator_study", __name__, url_prefix="/c/study/<slug>/file")
Answer = BaseResponse | str | tuple[str, int]


@blueprint.get("")
@rule(roles={"coordinator", "committee"}, scope="study")
def show(slug: str) -> str:
    """Everything that belongs to the study as a whole."""
    return _page(study_of(slug), {})


@blueprint.post("")
@rule(roles={"coordinator", "committee"}, scope="study")
def do(slug: str) -> Answer:
    """Carry out one act; what is wrong is said at its field and nothing is written."""
    session = current_session()
    study = study_of(slug)
    act = request.form.get("act", "")
    days = Days(request.form)
    if act not in ACTS or not (act == "decide" or _coordinates(study)):
        return _page(study, {"": _("Choose what you want to do.")}), 422
    try:
        with session.begin_nested():
            ACTS[act](session, study, days)
    except StudiesError as error:
        session.expire_all()
        return _page(study, {_FIELDS.get((act, error.code), ""): _(error.message)}), 422
    if days.errors:
        return _page(study, days.errors), 422
    return redirect(url_for(".show", slug=slug, done=act), 303)


@blueprint.get("/<uuid:document>")
@rule(roles={"coordinator", "committee"}, scope="study")
def download(slug: str, document: Any) -> Response:
    """A document of the study, always as a file, never inside a page."""
    row, body = documents.get_document(current_session(), str(document))
    if row.study != slug or row.institution is not None:
        raise NotFound
    answer = Response(body, mimetype="application/pdf")
    name = f"{row.kind}-{slug}-{row.version}.pdf"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _describe(session: Session, study: Study, days: Days) -> None:
    numbers = {code: request.form.get(f"nr-{code}", "") for code in REGISTERS}
    for code, number in numbers.items():
        try:
            check_identifiers({code: number})
        except StudiesError as error:
            days.errors[f"nr-{code}"] = _(error.message)
    if not days.errors:
        describe_study(
            session,
            study,
            phase=request.form.get("phase") or None,
            design=request.form.get("design") or None,
            identifiers=numbers,
            actor=g.actor,
        )


def _word(session: Session, study: Study, days: Days) -> None:
    days.errors.update(words_missing(request.form))
    if not days.errors:
        word_study(session, study, request.form, actor=g.actor, now=g.now)


def _propose(session: Session, study: Study, _days: Days) -> None:
    feasibility.propose(session, study, actor=g.actor, now=g.now)


def _count(session: Session, study: Study, days: Days) -> None:
    run = session.get(Run, request.form.get("run", "").strip())
    mine = run is not None and may_see_query(g.actor, run, {"coordinator", "researcher"})
    if run is None or not mine or run.kind != "count" or run.state not in RELEASED:
        days.errors["run"] = _("Give the number of an answered question that counts patients")
        return
    feasibility.ask_count(session, study, run.id, actor=g.actor, now=g.now)
    feasibility.release_count(
        session,
        study,
        run.id,
        numbers_of(run.outcome or {}),
        cells=cells_of(run.outcome or {}),
        words_nl=request.form.get("words_nl", ""),
        words_en=request.form.get("words_en", ""),
        actor=g.actor,
        now=g.now,
    )


def _joint(session: Session, study: Study, _days: Days) -> None:
    feasibility.make_joint(session, study, actor=g.actor, now=g.now)


def _decide(session: Session, study: Study, days: Days) -> None:
    decided_on = days.needed("decided_on")
    if request.form.get("body") == "data_access" and not g.fresh:
        # What is decided here, and not only written down, asks who it is again.
        raise FreshSignInNeeded
    if decided_on is not None:
        committee.decide(
            session,
            study,
            body=request.form.get("body", ""),
            outcome=request.form.get("outcome", ""),
            reference=request.form.get("reference", ""),
            decided_on=decided_on,
            conditions=request.form.get("conditions", "").splitlines()[:50],
            document_id=request.form.get("letter") or None,
            actor=g.actor,
            now=g.now,
        )


def _publish(session: Session, study: Study, days: Days) -> None:
    in_force_from, adopt_by = days.needed("in_force_from"), days.needed("adopt_by")
    if in_force_from is not None and adopt_by is not None:
        versions.publish_version(
            session,
            study,
            kind=request.form.get("of", ""),
            version=request.form.get("version", "").strip(),
            in_force_from=in_force_from,
            adopt_by=adopt_by,
            document_id=request.form.get("text") or None,
            actor=g.actor,
            now=g.now,
        )


def _document(session: Session, study: Study, days: Days) -> None:
    valid_from = days.given("valid_from") or today()
    valid_until = days.given("valid_until")
    sent = request.files.get("file")
    body = sent.stream.read(documents.MAX_BYTES + 1) if sent is not None else b""
    if not body:
        days.errors["file"] = _("Choose a PDF file")
    if not days.errors:
        documents.add_document(
            session,
            study,
            kind=request.form.get("kind", ""),
            name=request.form.get("name", ""),
            version=request.form.get("doc_version", "").strip(),
            body=body,
            valid_from=valid_from,
            valid_until=valid_until,
            actor=g.actor,
            now=g.now,
        )


ACTS: Mapping[str, Callable[[Session, Study, Days], None]] = {
    "describe": _describe,
    "word": _word,
    "propose": _propose,
    "count": _count,
    "joint": _joint,
    "decide": _decide,
    "publish": _publish,
    "document": _document,
}
# Where a refusal is shown; the rest stands above the page.
_FIELDS: Mapping[tuple[str, str], str] = {
    ("count", "name_taken"): "run",
    ("decide", "unknown_code"): "body",
    ("decide", "empty_text"): "reference",
    ("decide", "control_sign"): "conditions",
    ("decide", "points_at_somebody"): "conditions",
    ("decide", "in_the_future"): "decided_on",
    ("decide", "own_proposal"): "body",
    ("decide", "wrong_role"): "body",
    ("decide", "letter_needed"): "letter",
    ("publish", "unknown_code"): "of",
    ("publish", "bad_document"): "version",
    ("publish", "document_exists"): "version",
    ("publish", "bad_period"): "in_force_from",
    ("document", "unknown_code"): "kind",
    ("document", "bad_document"): "name",
    ("document", "control_sign"): "name",
    ("document", "points_at_somebody"): "name",
    ("document", "document_exists"): "doc_version",
    ("document", "bad_period"): "valid_until",
    ("document", "not_pdf"): "file",
    ("document", "document_too_large"): "file",
}


def _coordinates(study: Study) -> bool:
    return reaches(g.actor, "coordinator", "study", study.slug)


def _page(study: Study, errors: Mapping[str, str]) -> str:
    session = current_session()
    place = 1 if language() == "nl" else 0
    kept = documents_of_study(session, study.slug)
    decisions = committee.list_decisions(session, study.slug)
    published = versions.list_versions(session, study.slug)
    counts = feasibility.list_counts(session, study.slug)
    people = {each.by for each in decisions} | {each.uploaded_by for each in kept}
    return render_template(
        "coordinator/study_file.html",
        study=study,
        errors=errors,
        typed=request.form if errors else {},
        act=request.form.get("act", "") if errors else "",
        done=request.args.get("done", "") if not errors else "",
        coordinates=_coordinates(study),
        standing=STANDINGS[standing_of(session, study)][1 + place],
        events=facts_of(session, study).events,
        kind=STUDY_KINDS[study.kind][place],
        phases=[(code, words[place]) for code, words in STUDY_PHASES.items()],
        designs=[(code, words[place]) for code, words in STUDY_DESIGNS.items()],
        registers=[(code, words[0]) for code, words in REGISTERS.items()],
        address=address,
        bodies=[(c, name) for c, (name, kinds) in committee.BODIES.items() if study.kind in kinds],
        body_names={code: name for code, (name, _kinds) in committee.BODIES.items()},
        outcomes=[(code, words[place]) for code, words in committee.OUTCOMES.items()],
        decisions=decisions,
        published=published,
        in_force={each.id for each in versions.in_force(published, today()).values()},
        version_kinds=[(code, words[place]) for code, words in versions.VERSION_KINDS.items()],
        documents=kept,
        file_of={each.id: each for each in kept},
        choices=_choices(kept),
        letters=_choices([each for each in kept if each.kind == "decision"]),
        document_kinds=[(c, k[place]) for c, k in documents.KINDS.items() if not k[2]],
        counts=counts,
        names=names_of(session, people),
        megabytes=documents.MAX_BYTES // 1_000_000,
        today=today().isoformat(),
        brief=brief,
    )


def _choices(kept: list[StudyDocument]) -> list[tuple[str, str]]:
    return [(each.id, f"{each.name} {each.version}") for each in kept]
