"""A question that was sent: where it stands per hospital, its result, its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from federation.query.codebook import Codebook
from federation.query.refusals import REFUSALS
from federation.runs import service
from federation.runs.errors import RunError
from federation.runs.models import Run
from registry.access import rule
from registry.own_results import IN_A_ROUND, PARTICIPANTS_ONLY, answer_for, progress_for
from registry.pages.connections import connections_of
from registry.pages.consent_origin import consent_origin
from registry.pages.explaining import sentences, thresholds
from registry.pages.figures import figure_of, svg_of
from registry.pages.finding import finding
from registry.pages.naming import Names
from registry.pages.states import (
    has_result,
    hidden_reason,
    is_final,
    run_state,
    site_state,
    unreachable,
)
from registry.pages.tables import tables_of
from registry.pages.tables_hospitals import by_name
from registry.pages.tidy import Shown, to_csv
from registry.pages.warning_words import warning_words
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.events import announce
from studies.models import Institution, Study

blueprint = Blueprint("runs", __name__, url_prefix="/r/query")

READERS = {"researcher", "committee", "coordinator"}
POLL_SECONDS = 3


@dataclass(frozen=True)
class Part:
    """A hospital's part in a question, in words."""

    slug: str
    name: str
    label: str
    tag: str
    sentence: str


def readable(run_id: str) -> Run:
    """The run; the rule's scope has seen to it that this person may look."""
    try:
        return service.get_run(current_session(), run_id)
    except RunError:
        raise NotFound from None


def names_of(run: Run) -> Names:
    """The labels of the codebook the question was written for."""
    return Names(Codebook.from_dict(run.codebook), language(), hospital_names())


def hospital_names() -> dict[str, str]:
    """Slug to name of every institution."""
    rows = current_session().execute(select(Institution.slug, Institution.name))
    return {slug: name for slug, name in rows}


def parts_of(run: Run) -> list[Part]:
    """Each asked hospital's part; empty before the question is opened.

    The step is the question's, the same for all: how far one hospital came before it said no
    would say something about its patients.
    """
    progress = progress_for(run)
    slugs = [site["site"] for site in progress["sites"]]
    links = connections_of(current_session(), slugs, g.now)
    found = []
    for site in progress["sites"]:
        waits = site["state"] in ("waiting", "asked")
        link = links.get(site["site"])
        if waits and is_final(run.state):
            words = site_state("needless")
        elif waits and link is not None and link.state == "down":
            words = unreachable(run.deadline)
        elif is_final(run.state):
            words = site_state(site["state"])
        else:
            words = site_state(site["state"], progress["step"] + 1)
        name = link.name if link is not None else site["site"]
        found.append(Part(site["site"], name, words.label, words.tag, words.sentence))
    return found


def _day_named(run: Run) -> date | None:
    """From when something new may be asked, where the hospitals said so."""
    named = (run.outcome or {}).get("again_from")
    return None if named is None else date.fromisoformat(named)


def refusal_words(code: str | None) -> str:
    """What a public code means, in the language of the page."""
    if not code:
        return ""
    if code in REFUSALS:
        return REFUSALS[code].message(language())
    return {
        "CANCELLED": _("The question was withdrawn before it was answered."),
        PARTICIPANTS_ONLY: _("Only participants of this study see a hospital's own result."),
        IN_A_ROUND: _("This round shows hospitals by letter. Their results stand on its page."),
        "EXPIRED": _("Nobody decided on this question in time. Submit it again."),
        "UNDER_EMBARGO": _(
            "An evaluation round that is not released yet asks this, or asks the same of the same "
            "patients in months that overlap. Wait for its release, or ask about other months, "
            "other patients or something else."
        ),
    }.get(code, _("The hub could not work out an answer. Nothing was released."))


def without_answer(envelope: Mapping[str, Any], names: Names) -> list[tuple[str, str]]:
    """Hospitals of which this page has no numbers of their own, and why."""
    found = []
    for slug, part in by_name(envelope.get("by_site") or {}, names):
        if "sealed" in part:
            sealed = _(
                "Sealed with the study’s key. It opens on the researcher’s own computer, not here."
            )
            found.append((names.hospital(slug), sealed))
        elif "code" in part:
            found.append((names.hospital(slug), refusal_words(str(part["code"]))))
    return found


@blueprint.get("/<uuid:id>")
@rule(roles=READERS, scope="query")
def show(id: Any) -> str:  # noqa: A002 - the name in the address
    """Where the question stands; it renews itself until there is an answer."""
    run = readable(str(id))
    study = current_session().get_one(Study, run.study)
    query = service.query_of(run)
    codebook = Codebook.from_dict(run.codebook)
    terms = thresholds(current_session(), run.study, query)
    return render_template(
        "runs/show.html",
        run=run,
        study=study,
        state=run_state(run.state),
        final=is_final(run.state),
        released=has_result(run.state),
        parts=parts_of(run),
        step=service.progress(current_session(), run)["step"],
        refusal=refusal_words(run.code) if not has_result(run.state) else "",
        again_from=_day_named(run),
        explained=sentences(query, codebook, terms, language()),
        json=json.dumps(run.query, indent=2, ensure_ascii=False),
        poll=POLL_SECONDS,
        just_sent=request.args.get("sent") == "1",
    )


@blueprint.get("/<uuid:id>/status.json")
@rule(roles=READERS, scope="query")
def status(id: Any) -> BaseResponse:  # noqa: A002
    """What the page's small module asks for every few seconds; 304 while nothing changed."""
    run = readable(str(id))
    words = run_state(run.state)
    body = {
        "id": run.id,
        "status": run.state,
        "final": is_final(run.state),
        "label": words.label,
        "sentence": words.sentence,
        "step": service.progress(current_session(), run)["step"],
        "sites": [
            {"site": p.slug, "label": p.label, "tag": p.tag, "sentence": p.sentence}
            for p in parts_of(run)
        ],
    }
    text = json.dumps(body, ensure_ascii=False)
    response = Response(text, mimetype="application/json")
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    return response.make_conditional(request)


@blueprint.post("/<uuid:id>/cancel")
@rule(roles=READERS, scope="query")
def cancel(id: Any) -> BaseResponse:  # noqa: A002
    """Withdraw a question that is not answered yet; a second time changes nothing."""
    run = readable(str(id))
    if not is_final(run.state):
        service.cancel(current_session(), run, g.actor, g.now)
    return redirect(url_for("runs.show", id=run.id), 303)


@blueprint.get("/<uuid:id>/result")
@rule(roles=READERS, scope="query")
def result(id: Any) -> str | BaseResponse:  # noqa: A002
    """The finding, the picture, the table, and where it came from."""
    run = readable(str(id))
    envelope = answer_for(g.actor, run)
    if not has_result(run.state) or envelope is None:
        return redirect(url_for("runs.show", id=run.id), 303)
    _announce_reading(run, "run.viewed")
    names = names_of(run)
    shown = Shown(envelope, names)
    hospitals = hospital_names()
    reasons = list(
        dict.fromkeys(hidden_reason(str(h.get("why"))) for h in envelope.get("hidden") or [])
    )
    return render_template(
        "runs/result.html",
        run=run,
        study=current_session().get_one(Study, run.study),
        envelope=envelope,
        outcome=envelope["result"],
        without=without_answer(envelope, names),
        finding=finding(envelope, run.query, names),
        figure=figure_of(envelope, run.query, names),
        tables=tables_of(envelope, run.query, names),
        small=shown.small,
        reasons=[reason.replace("%(threshold)s", str(shown.threshold)) for reason in reasons],
        sites=envelope["sites"],
        missing=[
            hospitals.get(slug, slug)
            for slug in [*envelope["sites"]["refused"], *envelope["sites"]["silent"]]
        ],
        hospitals=hospitals,
        provenance=envelope["provenance"],
        consent_origin=consent_origin(envelope["provenance"], hospitals, language()),
        warnings=[warning_words(str(w)) for w in envelope.get("warnings") or []],
        state=run_state(run.state),
        json=json.dumps(run.query, indent=2, ensure_ascii=False),
    )


@blueprint.get("/<uuid:id>/result.<any(csv, json, svg):form>")
@rule(roles=READERS, scope="query")
def download(id: Any, form: str) -> Response:  # noqa: A002
    """The result as a file, with the same numbers as the page."""
    run = readable(str(id))
    answer = answer_for(g.actor, run)
    if not has_result(run.state) or answer is None:
        raise NotFound
    names = names_of(run)
    if form == "csv":
        body, kind = to_csv(tables_of(answer, run.query, names)), "text/csv; charset=utf-8"
    elif form == "json":
        body, kind = json.dumps(answer, indent=2, ensure_ascii=False), "application/json"
    else:
        drawn = svg_of(answer, run.query, names)
        if drawn is None:
            raise NotFound
        body, kind = drawn, "image/svg+xml"
    _announce_reading(run, "run.exported", form)
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="result-{run.id[:8]}.{form}"'
    return response


def _announce_reading(run: Run, action: str, form: str = "page") -> None:
    announce(
        current_session(),
        actor=g.actor,
        action=action,
        about=f"run:{run.id}",
        facts={"study": run.study, "form": form},
    )
