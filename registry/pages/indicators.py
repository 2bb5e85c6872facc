"""Indicators: what can be measured and how it is defined, the levels that a group agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.indicators import owning
from federation.indicators.catalogue import needs, shipped
from federation.indicators.definition import Indicator
from federation.indicators.models import IndicatorTarget
from federation.indicators.target import Target
from federation.query.builtin import builtin_codebook
from federation.query.errors import QueryError
from federation.runs.coverage import coverage_of
from registry.access import PROFESSIONAL, may_see_group, reaches_any, rule
from registry.pages.coverage import CANNOT, may_see
from registry.pages.indicator_words import (
    definition_lines,
    level_words,
    measure_words,
    role_words,
    target_words,
)
from registry.pages.naming import Names
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.days import local_day
from studies.errors import StudiesError
from studies.models import Study, WorkingGroup
from studies.network.groups import find_group
from studies.reading import list_groups, list_networks

blueprint = Blueprint("indicators", __name__)

#: Who agrees on the level of a group: its chair, and who coordinates a study of it.
SETTERS = frozenset({"chair", "coordinator"})
LEVELS = ("at_least", "at_most")


@dataclass(frozen=True)
class Answers:
    """One hospital of a study: whether it can answer, and what it lacks. None: nothing told."""

    study: str
    hospital: str
    can: bool | None
    missing: tuple[str, ...]


@blueprint.get("/indicators")
@rule(roles=PROFESSIONAL)
def overview() -> str:
    """Every indicator that there is, or that one working group uses, with its target of today."""
    group = _chosen_group()
    used = shipped() if group is None else owning.all_of_group(current_session(), group)
    day = local_day(g.now).isoformat()
    return render_template(
        "indicators/list.html",
        groups=_groups(),
        group=group,
        indicators=list(used.values()),
        measure=measure_words,
        role=role_words,
        target=lambda each: target_words(each, day),
    )


@blueprint.get("/indicators/<indicator>")
@rule(roles=PROFESSIONAL)
def show(indicator: str) -> str:
    """One indicator: its definition in words, its versions and targets, who can answer."""
    return _page(indicator, _chosen_group(), {}, {})


@blueprint.post("/indicators/<indicator>/target/<network>/<group>")
@rule(roles=SETTERS, scope="group")
def set_target(indicator: str, network: str, group: str) -> Response | tuple[str, int]:
    """Agree on a level for a working group, from a day on."""
    found = find_group(current_session(), f"{network}.{group}")
    if found is None:
        raise NotFound
    used = owning.definition(current_session(), found, indicator)
    if used is None:
        raise NotFound
    given = {name: request.form.get(name, "").strip()[:600] for name in FIELDS}
    target, errors = _read(given, used)
    if not errors:
        try:
            owning.set_target(
                current_session(),
                found,
                indicator,
                target,
                why=given["why"],
                actor=g.actor,
                now=g.now,
            )
        except QueryError as error:
            errors = _wrong(error)
        except StudiesError as error:
            errors = {"source": _(error.message)}
    if errors:
        return _page(indicator, found, given, errors), 422
    address = url_for("indicators.show", indicator=indicator, group=found.key, done=1)
    return redirect(address, 303)


FIELDS = ("kind", "level", "within", "since", "source", "why", "confirmed")


def _read(given: Mapping[str, str], used: Indicator) -> tuple[dict[str, object], dict[str, str]]:
    """The target as data, and what cannot be read as a number at all."""
    errors = {}
    target: dict[str, object] = {
        "since": given["since"],
        "source": given["source"],
        "confirmed": given["confirmed"] == "yes",
    }
    kind = given["kind"] if given["kind"] in LEVELS else LEVELS[0]
    try:
        level = float(given["level"].rstrip("% ").replace(",", "."))
    except ValueError:
        errors["level"] = _level_error(used)
    else:
        target[kind] = level / 100 if used.measure in ("share", "time", "survival") else level
    if used.measure in ("time", "survival"):
        days = given["within"]
        target["within"] = int(days) if days.isascii() and days.isdigit() else 0
    return target, errors


def _level_error(used: Indicator | None) -> str:
    if used is not None and used.measure in ("share", "time", "survival"):
        return _("Give a percentage from 0 to 100.")
    return _("Give a number.")


def _wrong(error: QueryError) -> dict[str, str]:
    """The field of the form that a wrong target is about, in the reader's language."""
    field = "level" if error.where in (*LEVELS, "") else error.where
    sentences = {
        "level": _("Give a level that can be reached: a percentage from 0 to 100, or a number."),
        "within": _("Choose one of the norms."),
        "since": _("Give a date as 2020-01-31."),
        "source": _("Say where the level comes from, on one line of at most 500 characters."),
    }
    return {field: sentences.get(field, sentences["level"])}


def _groups() -> list[WorkingGroup]:
    session = current_session()
    return [group for each in list_networks(session) for group in list_groups(session, each.slug)]


def _chosen_group() -> WorkingGroup | None:
    """The group in the address; a group that is not there is not found."""
    key = request.args.get("group", "")
    if not key:
        return None
    found = find_group(current_session(), key)
    if found is None:
        raise NotFound
    return found


def _may_set(group: WorkingGroup | None) -> bool:
    if group is None:
        return False
    return may_see_group(current_session(), g.actor, group.key, SETTERS & g.actor.roles)


def _page(
    name: str,
    group: WorkingGroup | None,
    given: Mapping[str, str],
    errors: Mapping[str, str],
) -> str:
    session = current_session()
    used = shipped().get(name) if group is None else owning.of_group(session, group, name)
    if used is None:
        raise NotFound
    rows = [] if group is None else owning.target_rows(session, group, name)
    versions = [] if group is None else owning.version_rows(session, group, name)
    book = builtin_codebook(used.codebook)
    assert book is not None  # noqa: S101  definitions here are of built-in codebooks
    names = Names(book, language())
    return render_template(
        "indicators/show.html",
        indicator=used,
        group=group,
        groups=_groups(),
        lines=definition_lines(used, language()),
        level=lambda target: level_words(target, used.measure),
        since=lambda target: date.fromisoformat(target.since),
        own=[(row, _target(row, used)) for row in rows if owning.fits(row, used)],
        others=used.targets[sum(owning.fits(row, used) for row in rows) :],
        versions=versions,
        first=shipped().get(name),
        needs=[(each, names.variable(each)) for each in needs(used)],
        answers=_answers(used, names),
        share=used.measure in ("share", "time", "survival"),
        days=used.norms or used.at,
        may_set=_may_set(group) and used.measure not in ("mix", "difference"),
        given=given,
        errors=errors,
        done=request.args.get("done") == "1",
    )


def _target(row: IndicatorTarget, used: Indicator) -> Target:
    return Target.from_dict(row.target, used.measure, used.norms, used.at)


def _answers(used: Indicator, names: Names) -> list[Answers]:
    """What the hospitals of the reader's studies said of the variables that this needs."""
    session, found = current_session(), []
    studies = session.scalars(select(Study).where(Study.state == "open").order_by(Study.slug))
    for study in studies:
        if study.codebook.get("codebook") != used.codebook or not _may_see(study):
            continue
        for one in coverage_of(session, study):
            told = None if one.coverage is None else one.coverage.variables
            missing = tuple(
                names.variable(name)
                for name in needs(used)
                if told is not None and told.get(name, "absent") in CANNOT
            )
            can = None if told is None else not missing
            found.append(Answers(study.title(language()), one.name, can, missing))
    return found


def _may_see(study: Study) -> bool:
    """Whether the reader works on this study, or sits in its group."""
    group = None if study.group_id is None else current_session().get(WorkingGroup, study.group_id)
    sits = group is not None and reaches_any(g.actor, {"chair", "group"}, "group", group.key)
    return sits or may_see(study.slug)
