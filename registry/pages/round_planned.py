"""A round that is being planned: what would be asked of whom, and who can answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import g, render_template, request

from federation.rounds.models import EvaluationRound
from federation.rounds.planning import covers, plan_of
from federation.rounds.states import OFFERED
from registry.pages.round_reading import Reading
from registry.pages.round_words import own_language, period
from registry.transaction import current_session
from registry.translate import translate as _
from studies.models import Institution


@dataclass(frozen=True)
class Answerable:
    """An indicator of the plan: its words, how many hospitals can answer it, who cannot and why."""

    title: str
    lay: str
    version: int
    can: int
    asked: int
    cannot: list[tuple[str, str]]
    unsaid: list[str]


def planned_page(found: Reading, errors: Mapping[str, str]) -> str:
    """The plan with who can answer what; the forms for who may move it on."""
    session = current_session()
    plan = found.round.plan
    names = {
        site: place.name if (place := session.get(Institution, site)) else site
        for site in plan["sites"]
    }
    return render_template(
        "rounds/planned.html",
        found=found,
        title=own_language(plan["title"]),
        plan=plan,
        period=period(plan["period"]),
        sites=sorted(names.values(), key=str.casefold),
        answerable=answerable(found, found.round),
        offered=found.round.state == OFFERED,
        may_judge=found.judges and found.round.planned_by != g.actor.id,
        fresh=g.fresh,
        errors=errors,
        done=request.args.get("done") == "1",
    )


def answerable(found: Reading, row: EvaluationRound) -> list[Answerable]:
    """Who can answer what of a plan, from what hospitals said of their data."""
    session = current_session()
    every = covers(session, plan_of(session, row))
    made = []
    for each in row.plan["indicators"]:
        told = [one for one in every if one.indicator == each["id"]]
        cannot = [
            (
                one.name,
                _(
                    "does not record: %(names)s",
                    names=", ".join(found.level_name(name, None) for name in one.missing),
                ),
            )
            for one in told
            if one.can is False
        ]
        made.append(
            Answerable(
                own_language(each["text"]),
                own_language(each["lay"]),
                int(each["version"]),
                sum(one.can is True for one in told),
                len(told),
                cannot,
                [one.name for one in told if one.can is None],
            )
        )
    return made
