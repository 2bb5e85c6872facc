"""The study finder: every study in plain words, and which one is open near somebody."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, g, render_template, request
from sqlalchemy import select

from registry.access import rule
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language, number
from registry.translate import translate as _
from studies.models import Institution, Participation, WorkingGroup
from studies.network.places import Place, find_place, place_names
from studies.register.finding import Found, Wish, find_studies
from studies.register.results import list_results
from studies.register.stages import STAGES

blueprint = Blueprint("public_studies", __name__)
PER_PAGE = 20
SHOW = "recruiting"


@dataclass(frozen=True)
class Asked:
    """What was asked in the form, as it stands in the fields, and what is wrong with it."""

    wish: Wish
    place: str
    errors: dict[str, str]


@blueprint.get("/studies")
@rule("public")
def studies() -> str:
    """Find a study: by kind of cancer, how far it has come, hospital and place."""
    session = current_session()
    groups = [
        (group.key, group.name(language())) for group in session.scalars(select(WorkingGroup))
    ]
    hospitals = session.execute(
        select(Institution.slug, Institution.name)
        .where(Institution.slug.in_(select(Participation.institution)))
        .order_by(Institution.name)
    ).all()
    asked = _asked({key for key, _name in groups}, {slug for slug, _name in hospitals})
    found = find_studies(session, asked.wish, g.now)
    page = max(whole(request.args.get("page", "")) or 1, 1)
    return render_template(
        "public/studies.html",
        asked=asked,
        groups=sorted(groups, key=lambda each: each[1].casefold()),
        hospitals=[tuple(each) for each in hospitals],
        stages=stage_words(),
        show_words=show_words(),
        places=place_names(),
        found=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        total=len(found),
        page=page,
        pages=max(-(-len(found) // PER_PAGE), 1),
        chosen=_chosen(asked),
        where=where,
        errors=asked.errors,
    )


@blueprint.get("/results")
@rule("public")
def results() -> str:
    """The results library: what came out of the studies, newest first."""
    found = list_results(current_session())
    return render_template("public/results.html", found=found)


def stage_words() -> list[tuple[str, str]]:
    """The stages in the reader's language."""
    at = 1 if language() == "nl" else 0
    return [(code, words[at]) for code, words in STAGES.items()]


def show_words() -> list[tuple[str, str]]:
    """Which studies to show."""
    return [
        (SHOW, _("Studies that you can join now")),
        ("open", _("All studies that are running")),
        ("closed", _("Studies that have ended")),
        ("all", _("All studies")),
    ]


def where(one: Found) -> str:
    """Where people can take part, nearest first, in one line."""
    told = [
        institution.name
        if far is None
        else _("%(hospital)s (%(km)s km)", hospital=institution.name, km=number(round(far), 0))
        for institution, far in one.places[:3]
    ]
    more = len(one.places) - len(told)
    if more > 0:
        told.append(_("and %(num)s more", num=more))
    return ", ".join(told)


def _asked(groups: set[str], hospitals: set[str]) -> Asked:
    given = request.args
    errors = {}
    place = given.get("place", "").strip()[:60]
    there: Place | None = find_place(place) if place else None
    if place and there is None:
        errors["place"] = _(
            "We do not know this place. Choose a larger place nearby, or leave it empty."
        )
    # A name that is not in the list can only come from an old or a wrong link: leave it open.
    wish = Wish(
        group=_one_of(given.get("group", ""), groups),
        stage=_one_of(given.get("stage", ""), set(STAGES)),
        hospital=_one_of(given.get("hospital", ""), hospitals),
        place=there,
        show=_one_of(given.get("show", ""), {code for code, _words in show_words()}) or SHOW,
        words=given.get("words", "")[:100],
    )
    return Asked(wish, place, errors)


def _one_of(value: str, known: set[str]) -> str | None:
    return value if value in known else None


def _chosen(asked: Asked) -> dict[str, str]:
    """The filters in use, for the links to other pages of the list."""
    wish = asked.wish
    said = {
        "group": wish.group,
        "stage": wish.stage,
        "hospital": wish.hospital,
        "place": asked.place,
        "words": wish.words,
        "show": wish.show if wish.show != SHOW else None,
    }
    return {name: value for name, value in said.items() if value}
