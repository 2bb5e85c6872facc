"""Planning an evaluation round: what is asked of whom over which months, and when everybody sees
the results; then the committee's one approval of all of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.indicators.definition import Indicator
from federation.indicators.owning import all_of_group
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.rounds import planning
from federation.rounds.coverage import coverage
from federation.rounds.errors import CODES, RoundError
from federation.rounds.models import EvaluationRound
from federation.rounds.states import DRAFT
from registry.access import reaches, rule
from registry.pages.round_form import FIELDS, Typed, differences, empty, of_plan, sent, wish
from registry.pages.round_planned import planned_page
from registry.pages.round_reading import Reading, read
from registry.pages.round_words import own_language
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.models import Institution, Study, WorkingGroup
from studies.reading import open_sites

blueprint = Blueprint("round_plan", __name__, url_prefix="/rounds")
PLANNERS = frozenset({"chair", "coordinator"})
Answer = Response | str | tuple[str, int]


@blueprint.get("/new")
@rule(roles=PLANNERS)
def new() -> str:
    """Choose the study, then an empty form; with one study, the form."""
    mine = _studies()
    chosen = request.args.get("study") or (next(iter(mine)) if len(mine) == 1 else "")
    if chosen not in mine:
        return render_template("rounds/choose.html", studies=list(mine.values()))
    study, group = mine[chosen]
    return _form(study, group, empty(open_sites(current_session(), study.slug, g.now)))


@blueprint.post("/new")
@rule(roles=PLANNERS)
def make() -> Answer:
    """Keep the plan as a draft; nothing is asked of anybody yet."""
    mine = _studies()
    if request.form.get("study") not in mine:
        raise NotFound
    study, group = mine[request.form["study"]]
    typed = sent(request.form)
    wanted = wish(typed, group=group.key, study=study.slug, known=_indicators(group, study))
    if wanted is not None:
        try:
            with current_session().begin_nested():
                made = planning.plan(current_session(), wanted, actor=g.actor, now=g.now)
            return redirect(url_for("rounds.show", round=made.id, done=1), 303)
        except (RoundError, QueryError, StudiesError) as error:
            typed.errors.update(refusal(error))
    return _form(study, group, typed), 422


@blueprint.get("/<uuid:round>/plan")
@rule(roles=PLANNERS, scope="round")
def edit(round: Any) -> str:  # noqa: A002
    """The form of a draft, as it stands."""
    found = _own(round)
    if found.round.state != DRAFT:
        raise NotFound
    return _form(found.study, found.group, of_plan(found.round), found.round)


@blueprint.post("/<uuid:round>/plan")
@rule(roles=PLANNERS, scope="round")
def save(round: Any) -> Answer:  # noqa: A002
    """Another plan for the draft. Who was second sees both plans and loses nothing."""
    found = _own(round)
    typed = sent(request.form)
    known = _indicators(found.group, found.study)
    wanted = wish(typed, group=found.group.key, study=found.study.slug, known=known)
    if wanted is None:
        return _form(found.study, found.group, typed, found.round), 422
    try:
        with current_session().begin_nested():
            planning.change(
                current_session(),
                found.round,
                wanted,
                version=_version(),
                actor=g.actor,
                now=g.now,
            )
    except RoundError as error:
        if error.code == "ROUND_CHANGED":
            theirs = differences(typed, of_plan(found.round))
            return _form(found.study, found.group, typed, found.round, theirs), 409
        typed.errors.update(refusal(error))
        return _form(found.study, found.group, typed, found.round), 422
    except (QueryError, StudiesError) as error:
        typed.errors.update(refusal(error))
        return _form(found.study, found.group, typed, found.round), 422
    return redirect(url_for("rounds.show", round=found.round.id, done=1), 303)


@blueprint.post("/<uuid:round>/offer")
@rule(roles=PLANNERS, scope="round")
def offer(round: Any) -> Answer:  # noqa: A002
    """Freeze the plan and lay it before the study's committee."""
    return _act(_own(round), planning.offer)


@blueprint.post("/<uuid:round>/approve")
@rule(roles={"committee"}, scope="round", fresh=True)
def approve(round: Any) -> Answer:  # noqa: A002
    """The committee says yes to the whole plan at once."""
    return _act(read(round), planning.approve)


@blueprint.post("/<uuid:round>/refuse")
@rule(roles={"committee"}, scope="round", fresh=True)
def refuse(round: Any) -> Answer:  # noqa: A002
    """The committee says no, with a reason; the plan is a draft again."""
    found = read(round)
    why = request.form.get("why", "").strip()
    if not why:
        return planned_page(found, {"why": _("Say why, so that the group can mend it.")}), 422
    return _act(found, planning.refuse, why=why)


@blueprint.post("/<uuid:round>/cancel")
@rule(roles=PLANNERS, scope="round")
def cancel(round: Any) -> Answer:  # noqa: A002
    """Stop a round that is not released."""
    return _act(_own(round), planning.cancel)


def _act(found: Reading, act: Any, **more: Any) -> Answer:
    try:
        with current_session().begin_nested():
            act(
                current_session(),
                found.round,
                version=_version(),
                actor=g.actor,
                now=g.now,
                **more,
            )
    except (RoundError, StudiesError) as error:
        if found.round.state not in ("draft", "offered"):
            return redirect(url_for("rounds.show", round=found.round.id), 303)
        return planned_page(found, {"": next(iter(refusal(error).values()))}), 409
    return redirect(url_for("rounds.show", round=found.round.id, done=1), 303)


def _own(number: object) -> Reading:
    """A round that the reader may plan: as chair of its group or coordinator of its study."""
    found = read(number)
    if not found.chair:
        raise NotFound
    return found


def _version() -> int:
    return whole(request.form.get("version", "")) or 0


def refusal(error: RoundError | QueryError | StudiesError) -> dict[str, str]:
    """Field -> sentence, in the reader's language; the detail of a round's code behind it."""
    if isinstance(error, RoundError):
        detail = str(error.message).removeprefix(CODES[error.code]).strip()
        sentence = _(CODES[error.code])
        return {FIELDS.get(error.code, ""): f"{sentence} {detail}".strip()}
    if isinstance(error, QueryError):
        place = str(getattr(error, "where", "") or "")
        field = place if place in ("first", "last") else "indicators"
        return {field: _(error.message)}
    return {"": _(error.message)}


def _studies() -> dict[str, tuple[Study, WorkingGroup]]:
    """The studies for which the reader may plan a round: of the groups that they chair, or that
    they coordinate; open, asking data, and with a group."""
    wanted = select(Study).where(Study.state == "open", Study.asks_data).order_by(Study.title_nl)
    found = {}
    for study in current_session().scalars(wanted):
        group = study.group
        if group is not None and (
            reaches(g.actor, "chair", "group", group.key)
            or reaches(g.actor, "coordinator", "study", study.slug)
        ):
            found[study.slug] = (study, group)
    return found


def _indicators(group: WorkingGroup, study: Study) -> dict[str, Indicator]:
    """The indicators that can be asked of the study's codebook, by id."""
    name = Codebook.from_dict(study.codebook).id if study.codebook else ""
    every = all_of_group(current_session(), group)
    return {key: each for key, each in every.items() if each.codebook == name}


def _can(can: int, unsaid: int, every: int) -> str:
    """How many hospitals can answer, as far as they said."""
    if unsaid == every:
        return ""  # said once, above all of them
    text = _("%(can)s of %(all)s hospitals can answer.", can=can, all=every)
    return text + " " + _("%(n)s have not said.", n=unsaid) if unsaid else text


def _form(
    study: Study,
    group: WorkingGroup,
    typed: Typed,
    row: EvaluationRound | None = None,
    theirs: list[tuple[str, str, str]] | None = None,
) -> str:
    session = current_session()
    sites = open_sites(session, study.slug, g.now)
    places = {site: session.get(Institution, site) for site in sites}
    known = _indicators(group, study)
    told = coverage(session, study, list(known.values()), sites)
    can = {name: sum(one.indicator == name and one.can is True for one in told) for name in known}
    unsaid = {
        name: sum(one.indicator == name and one.can is None for one in told) for name in known
    }
    return render_template(
        "rounds/plan.html",
        study=study,
        group=group,
        row=row,
        typed=typed.values,
        chosen=typed.chosen,
        theirs=theirs,
        indicators=[
            (
                name,
                own_language(each.to_dict()["text"]),
                f"{own_language(each.to_dict()['lay'])} "
                + _can(can[name], unsaid[name], len(sites)),
            )
            for name, each in known.items()
        ],
        unsaid=any(unsaid[name] == len(sites) for name in known),
        sites=sorted(
            ((site, place.name if place else site, "") for site, place in places.items()),
            key=lambda each: str(each[1]).casefold(),
        ),
        errors=typed.errors
        if theirs is None
        else {
            "": _("Somebody changed this plan while you were writing. Nothing of yours is lost.")
        },
    )
