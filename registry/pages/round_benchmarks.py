"""Published figures of others, to stand beside the results of rounds: bring in a file, take one
back. Nothing of it is ever mixed into a result (federation/rounds/benchmarks.py)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.indicators import owning
from federation.indicators.definition import Indicator
from federation.rounds import benchmark_csv, benchmarks
from federation.rounds.benchmark_models import BenchmarkFile
from federation.rounds.errors import RoundError
from registry.access import rule
from registry.forms.dates import Days
from registry.own_networks import coordinating_in
from registry.pages.coordinator_acts import sent_file
from registry.pages.round_plan import refusal
from registry.transaction import current_session
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.models import Network
from studies.reading import list_groups

blueprint = Blueprint("round_benchmarks", __name__, url_prefix="/rounds/figures")
FIELDS = ("network", "source", "published", "link")
Answer = Response | str | tuple[str, int]


@blueprint.get("")
@rule(roles={"coordinator"})
def page() -> str:
    """The files of the networks in which one coordinates, and a form for another."""
    return _page({}, {})


@blueprint.post("")
@rule(roles={"coordinator"})
def bring() -> Answer:
    """Keep the figures of a file: all lines, or none when one is wrong."""
    given = {name: request.form.get(name, "").strip()[:300] for name in FIELDS}
    errors: dict[str, str] = {}
    days, session = Days(request.form, errors), current_session()
    published, body = days.needed("published"), sent_file(benchmark_csv.MAX_BYTES + 1)
    if given["network"] not in coordinating_in(session, g.actor):
        errors["network"] = _("Choose a network in which a study of yours is open")
    if not given["source"]:
        errors["source"] = _("Say who published it")
    if not body:
        errors["file"] = _("Choose a file")
    if errors or published is None:
        return _page(given, errors), 422
    try:
        with session.begin_nested():
            benchmarks.import_file(
                session,
                given["network"],
                body,
                source=given["source"],
                published=published,
                link=given["link"],
                actor=g.actor,
                now=g.now,
                known=_owned(given["network"]),
            )
    except (RoundError, StudiesError) as error:
        field = "source" if isinstance(error, StudiesError) else "file"
        return _page(given, {field: next(iter(refusal(error).values()))}), 422
    return redirect(url_for(".page", done=1), 303)


@blueprint.post("/<uuid:file>/withdraw")
@rule(roles={"coordinator"})
def withdraw(file: object) -> Answer:
    """Show the figures of a file nowhere any more; that it was there stays on record."""
    session = current_session()
    found = session.get(BenchmarkFile, str(file))
    if found is None or found.network not in coordinating_in(session, g.actor):
        raise NotFound
    reason = request.form.get("reason", "").strip()
    if not reason:
        return _page({}, {f"reason-{found.id}": _("Say why")}), 422
    try:
        benchmarks.withdraw(session, found.id, reason=reason, actor=g.actor, now=g.now)
    except (RoundError, StudiesError) as error:
        return _page({}, {f"reason-{found.id}": next(iter(refusal(error).values()))}), 409
    return redirect(url_for(".page", done=1), 303)


def _owned(network: str) -> list[Indicator]:
    """The indicators of the groups of a network, beside those that came with the program."""
    session = current_session()
    return [
        each
        for group in list_groups(session, network)
        for each in owning.all_of_group(session, group).values()
    ]


def _page(given: Mapping[str, str], errors: Mapping[str, str]) -> str:
    session = current_session()
    mine = sorted(coordinating_in(session, g.actor))
    names = [(slug, session.get_one(Network, slug).name) for slug in mine]
    return render_template(
        "rounds/figures.html",
        networks=names,
        files=[(name, benchmarks.files(session, slug)) for slug, name in names],
        given=given,
        errors=errors,
        done=request.args.get("done") == "1",
    )
