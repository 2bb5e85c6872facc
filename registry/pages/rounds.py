"""Evaluation rounds as people read them: the list, a round before and after its release, one
indicator, and the locked result as PDF and CSV.

Before the release a round shows what was planned and when everybody sees the results: the same to
every reader, whatever has come in. From the release on every number is from the snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from federation.rounds import exporting, reading, rolling_up, states
from federation.rounds.models import EvaluationRound
from registry.access import ROUND_READERS, may_see_round, rule
from registry.pages.round_beside import references, regions, together, without
from registry.pages.round_cards import card_of, cards_of
from registry.pages.round_figures import intervals_of
from registry.pages.round_history import history_of, series_of
from registry.pages.round_notes import deeds_of, said_of
from registry.pages.round_planned import planned_page
from registry.pages.round_reading import Reading, read, reading_of
from registry.pages.round_strata import strata_of, trend_of
from registry.pages.round_watch import watch_of
from registry.pages.round_what_if import what_if
from registry.pages.round_words import (
    own_language,
    period,
    state_text,
    when,
    why_text,
)
from registry.pages.tidy import to_csv
from registry.receipts import pdf
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.events import announce

blueprint = Blueprint("rounds", __name__, url_prefix="/rounds")
MOST_LISTED = 200


@blueprint.get("")
@rule(roles=ROUND_READERS)
def overview() -> str:
    """The rounds that the reader may see: planned, running, released."""
    session = current_session()
    every = session.scalars(
        select(EvaluationRound)
        .where(EvaluationRound.kind == "round")
        .order_by(EvaluationRound.release_at.desc(), EvaluationRound.id)
        .limit(MOST_LISTED)
    )
    mine = [reading_of(session, r) for r in every if may_see_round(g.actor, r, g.actor.roles)]
    parts = (
        (_("Being planned"), (states.DRAFT, states.OFFERED)),
        (_("Under way"), tuple(states.UNDER_EMBARGO)),
        (_("Released"), tuple(states.READABLE)),
        (_("Cancelled"), (states.CANCELLED,)),
    )
    return render_template(
        "rounds/list.html",
        parts=[(name, [r for r in mine if r.round.state in among]) for name, among in parts],
        may_plan=bool(g.actor.roles & {"chair", "coordinator"}),
        may_bring="coordinator" in g.actor.roles,
        words=own_language,
        period=period,
    )


@blueprint.get("/<uuid:round>")
@rule(roles=ROUND_READERS, scope="round")
def show(round: Any) -> str:  # noqa: A002 - the name in the address
    """A round: its plan, that it is under way, or what came out."""
    found = read(round)
    if found.round.state in (states.DRAFT, states.OFFERED):
        return planned_page(found, {})
    if not found.released:
        return render_template("rounds/waiting.html", **_waiting(found))
    return released_page(found, {})


def released_page(found: Reading, errors: Mapping[str, str], indicator: str | None = None) -> str:
    """The released round, or one indicator of it; with what a form of it lacked."""
    if found.lay:
        return render_template("rounds/lay.html", **_shown(found), errors=errors)
    if indicator is None:
        return render_template(
            "rounds/released.html",
            **_shown(found),
            said=said_of(found, None),
            history=history_of(found),
            series=series_of(found),
            errors=errors,
        )
    of = found.indicator(indicator)
    left_out = without(found, request.args.get("without", ""))
    return render_template(
        "rounds/indicator.html",
        **_shown(found),
        of=of,
        card=card_of(found, of),
        intervals=intervals_of(of, found.places),
        beside=[each for each in (references(found, of), regions(found, of, left_out)) if each],
        left_out=left_out,
        what_if=what_if(of, found.places, found.view["round"]["period"], request.args),
        together=together(found, indicator),
        trend=trend_of(of, found.places, deeds_of(found, indicator)),
        watch=watch_of(of, found.places),
        strata=strata_of(of, found.places, found.level_name),
        said=said_of(found, indicator),
        errors=errors,
    )


@blueprint.get("/<uuid:round>/<indicator>")
@rule(roles=ROUND_READERS - {"representative", "observer"}, scope="round")
def indicator(round: Any, indicator: str) -> str:  # noqa: A002
    """One indicator of a released round, with its course, its groups and what was said."""
    found = read(round)
    if not found.released or found.lay:
        raise NotFound
    return released_page(found, {}, indicator)


@blueprint.get("/<uuid:round>/round.pdf")
@rule(roles=ROUND_READERS, scope="round")
def pdf_file(round: Any) -> Response:  # noqa: A002
    """The locked result as tagged PDF, where this hub can make one."""
    found = read(round)
    if not found.released or not pdf.available():
        raise NotFound
    html = render_template("rounds/paper.html", **_shown(found))
    return _file(found, pdf.make(html), "application/pdf", "pdf")


@blueprint.get("/<uuid:round>/round.csv")
@rule(roles=ROUND_READERS - {"representative", "observer"}, scope="round")
def csv_file(round: Any) -> Response:  # noqa: A002
    """The tables of the page, one below the other."""
    found = read(round)
    if not found.released or found.lay:
        raise NotFound
    tables = [table for card in cards_of(found) for table in card.tables]
    return _file(found, to_csv(tables).encode(), "text/csv; charset=utf-8", "csv")


@blueprint.get("/<uuid:round>/export.<any(csv, json):form>")
@rule(roles=ROUND_READERS - {"representative", "observer"}, scope="round")
def export_file(round: Any, form: str) -> Response:  # noqa: A002
    """The figures of the region for a national body, with the definitions or their fingerprints."""
    found, session = read(round), current_session()
    if not found.released or found.lay:
        raise NotFound
    parts = rolling_up.parts_of(session, found.round.network, found.round.freeze_at)
    left_out = without(found, request.args.get("without", ""))
    made = exporting.export(
        reading.snapshot(session, found.round),
        parts,
        without=[left_out] if left_out else [],
        hospitals=bool(found.round.plan["names"]),
    )
    if form == "csv":
        text, kind = exporting.as_csv(made, language()), "text/csv; charset=utf-8"
    else:
        text, kind = json.dumps(made, ensure_ascii=False, indent=2), "application/json"
    return _file(found, text.encode(), kind, form, "region")


def _file(found: Reading, body: bytes, kind: str, ending: str, what: str = "round") -> Response:
    announce(
        current_session(),
        actor=g.actor,
        action="round.exported",
        about=f"round:{found.round.id}",
        facts={"study": found.round.study, "form": ending, "what": what},
    )
    response = Response(body, content_type=kind)
    name = f"{what}-{found.group.slug}-{found.round.number}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _shown(found: Reading) -> dict[str, Any]:
    """What every page of a released round has."""
    about = found.view["round"]
    hospitals = [
        (
            found.places.label(str(h["site"])),
            state_text(h),
            # The state says it already, unless the hospital gave a reason of its own.
            "" if h["why"] in states.PARTS else why_text(h["why"]),
            h["own"],
        )
        for h in found.places.hospitals
    ]
    taking = about.get("hospitals_in", sum(h["state"] == "in" for h in found.view["hospitals"]))
    asked = about.get("hospitals_asked", len(found.view["hospitals"]))
    return {
        "found": found,
        "about": about,
        "title": own_language(about["title"]),
        "period": period(about["period"]),
        "frozen": when(about["frozen_at"]),
        "released": when(about["released_at"]),
        "hospitals": hospitals,
        "taking": taking,
        "asked": asked,
        "cards": cards_of(found),
        "twice": twice(found.view.get("duplicates")),
        "runs": [(each["id"], run) for each in found.view["indicators"] for run in each["runs"]],
        "sha256": found.view["sha256"],
        "has_pdf": pdf.available(),
        "done": request.args.get("done") == "1",
    }


def twice(duplicates: Mapping[str, Any] | None) -> str:
    """What may be counted twice."""
    if duplicates and duplicates.get("sentence"):
        return own_language(duplicates["sentence"])
    return _(
        "It is not known which patients came to two hospitals. Somebody who did can be counted "
        "in both."
    )


def _waiting(found: Reading) -> dict[str, Any]:
    """What everybody may know before the release: the plan, and when the results are there."""
    plan = found.round.plan
    return {
        "found": found,
        "title": own_language(plan["title"]),
        "state": states.told(found.round.state),
        "period": period(plan["period"]),
        "indicators": [
            (own_language(each["text"]), own_language(each["lay"])) for each in plan["indicators"]
        ],
        "hospitals": len(plan["sites"]),
        "names": plan["names"],
        "address": url_for("rounds.show", round=found.round.id),
        "done": request.args.get("done") == "1",
    }
