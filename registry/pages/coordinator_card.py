"""The card of one hospital in one study: where it stands, what is missing, what can be done now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from registry.access import rule
from registry.forms.dates import Days
from registry.pages.coordinator_acts import ACTS, Given, site_kinds, texts, today
from registry.pages.coordinator_conflict import conflict_page
from registry.pages.coordinator_words import brief, marks, owner_name, state_name
from registry.text_roles import names_of
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.hospitals.card import SiteCard, site_card
from studies.hospitals.committee import BODIES, OUTCOMES
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.documents import KINDS, MAX_BYTES, get_document
from studies.hospitals.guards import GUARDS
from studies.hospitals.pathway import MILESTONES, STEPS
from studies.hospitals.versions import VERSION_KINDS
from studies.reading import get_participation
from studies.states import NOTE_CODES

blueprint = Blueprint("coordinator_card", __name__, url_prefix="/c/study/<slug>/hospitals/<site>")
Answer = BaseResponse | str | tuple[str, int]


@dataclass(frozen=True)
class Typed:
    """What came in with an act that could not be carried out: shown again, with what is wrong."""

    act: str = ""
    values: Mapping[str, str] | None = None

    def of(self, act: str, name: str, otherwise: object = "") -> str:
        """What was typed in a field of an act, else what stands there now."""
        if act == self.act and self.values is not None:
            return self.values.get(name, "")
        return "" if otherwise is None else str(otherwise)


@blueprint.get("")
@rule(roles={"coordinator"}, scope="study")
def card(slug: str, site: str) -> str:
    """Steps with their days, documents, annexes, conditions, people, what can be done now."""
    return _page(slug, site, Typed(), {})


@blueprint.post("/<any('" + "', '".join(ACTS) + "'):act>")
@rule(roles={"coordinator"}, scope="study")
def do(slug: str, site: str, act: str) -> Answer:
    """Carry out one act; when somebody else was first, show both and write nothing."""
    session = current_session()
    part = get_participation(session, slug, site)
    given = Given(request.form, Days(request.form))
    typed = Typed(act, request.form)
    try:
        with session.begin_nested():
            ACTS[act].run(session, part, given)
    except StudiesError as error:
        session.expire_all()
        if error.code == "changed_meanwhile":
            shown = site_card(session, slug, site, g.now)
            return conflict_page(session, shown, act, request.form), 409
        return _page(slug, site, typed, {"": _words(error)}), 409
    if given.errors:
        return _page(slug, site, typed, given.errors), 422
    return redirect(url_for(".card", slug=slug, site=site, done=act), 303)


@blueprint.get("/documents/<uuid:document>")
@rule(roles={"coordinator"}, scope="study")
def download(slug: str, site: str, document: Any) -> Response:
    """A document of this hospital or of the study, always as a file, never inside a page."""
    row, body = get_document(current_session(), str(document))
    if row.study != slug or row.institution not in (None, site):
        raise NotFound
    answer = Response(body, mimetype="application/pdf")
    name = f"{row.kind}-{site}-{row.version}.pdf"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _words(error: StudiesError) -> str:
    """What stands in the way: the guards that are not met by name, else the error's sentence."""
    missing = [GUARDS[code].words(language()) for code in error.missing if code in GUARDS]
    return " ".join(missing) or _(error.message)


def _page(slug: str, site: str, typed: Typed, errors: Mapping[str, str]) -> str:
    session = current_session()
    found = site_card(session, slug, site, g.now)
    place = 1 if language() == "nl" else 0
    steps = [bar.step for bar in found.bar]
    return render_template(
        "coordinator/card.html",
        card=found,
        study=found.study,
        part=found.part,
        hospital=found.part.of_institution,
        typed=typed,
        errors=errors,
        names=_people(session, found),
        done=_done() if not errors else "",
        texts=texts(),
        today=today().isoformat(),
        opened=g.now.isoformat(),
        reasons=[(code, words[place]) for code, words in NOTE_CODES.items()],
        note=lambda code: NOTE_CODES[code][place] if code in NOTE_CODES else code,
        milestones=[(code, words[place]) for code, words in MILESTONES.items()],
        departments=[(code, words[place]) for code, words in DEPARTMENTS.items()],
        document_kinds=[(c, w) for c, w in site_kinds().items() if c not in _of_other_roads(found)],
        kind_of_document=lambda code: KINDS[code][1 if language() == "nl" else 0],
        version_kinds={code: words[place] for code, words in VERSION_KINDS.items()},
        outcomes={code: words[place] for code, words in OUTCOMES.items()},
        bodies={code: words[0] for code, words in BODIES.items()},
        plannable=[(step.code, step.name(language())) for step in steps],
        megabytes=MAX_BYTES // 1_000_000,
        state_name=state_name,
        owner_name=owner_name,
        brief=brief,
        marks=marks(),
        is_late=is_late,
    )


def _of_other_roads(card: SiteCard) -> set[str]:
    """The papers that belong to steps which are not on the road of this study."""
    here = {kind for step in card.pathway.steps for kind in step.documents}
    return {kind for step in STEPS for kind in step.documents} - here


def _done() -> str:
    """The act that brought the reader here, when the address names one."""
    act = request.args.get("done", "")
    return act if act in ACTS else ""


def is_late(day: date | None) -> bool:
    """Whether a day that was agreed has passed."""
    return day is not None and day < today()


def _people(session: Session, found: SiteCard) -> dict[str, str]:
    people = {step.by for step in found.history}
    people |= {line.document.uploaded_by for line in found.documents}
    names = names_of(session, people)
    return {**names, "hub": _("the hub")}
