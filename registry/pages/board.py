"""The board of a hospital: what waits for its signature, and what it has signed for."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, send_file, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.rounds.reading import visible
from registry.access import may_see_round, reach, rule
from registry.pages.network_words import by_phase, named, state_tag, state_word
from registry.transaction import current_session
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.hospitals.documents import FOR_THE_BOARD, get_document
from studies.hospitals.signing import sign, waiting_for
from studies.models import Institution, Membership, Network, Participation, Study
from studies.network.agreement_paper import check_shown
from studies.network.agreements import (
    agreements_of,
    missing,
    sign_agreement,
    signature_of,
    withdraw_signature,
)
from studies.network.models import Agreement
from studies.network.words import AGREEMENT_KINDS
from studies.periods import holds, in_force

blueprint = Blueprint("board", __name__, url_prefix="/board")


@blueprint.get("")
@rule(roles={"board"})
def overview() -> str | Response:
    """The hospitals that the reader is on the board of; with one, that one."""
    mine = reach(g.actor, "board", "site") or frozenset()
    if len(mine) == 1:
        return redirect(url_for("board.show", site=next(iter(mine))), 302)
    found = current_session().scalars(
        select(Institution).where(Institution.slug.in_(mine)).order_by(Institution.name)
    )
    return render_template("network/boards.html", places=list(found))


@blueprint.get("/<site>")
@rule(roles={"board"}, scope="site")
def show(site: str) -> str:
    """What waits for this board, what it agreed to, and the studies that run on its signature."""
    return _page(site, {})


@blueprint.get("/<site>/document/<uuid:document>")
@rule(roles={"board"}, scope="site")
def document(site: str, document: Any) -> Response:
    """The PDF that is to be signed, as a download."""
    try:
        found, body = get_document(current_session(), str(document))
    except StudiesError:
        raise NotFound from None
    if found.institution != site or found.kind not in FOR_THE_BOARD:
        raise NotFound
    return send_file(
        BytesIO(body),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{found.kind}-{found.study}-{found.version}.pdf",
    )


@blueprint.post("/<site>/document/<uuid:document>")
@rule(roles={"board"}, scope="site", fresh=True)
def sign_document(site: str, document: Any) -> Response | tuple[str, int]:
    """Sign a hospital's VGO or contract: the very bytes whose number was shown."""
    session = current_session()
    try:
        found, _body = get_document(session, str(document))
        if found.institution != site:
            raise NotFound
        sign(
            session,
            found.id,
            sha256=request.form.get("sha256", ""),
            actor=g.actor,
            now=g.now,
            fresh=g.fresh,
        )
    except StudiesError as error:
        if error.code == "not_found":
            raise NotFound from None
        return _page(site, {"": _(error.message)}), 409
    return redirect(url_for("board.show", site=site, done=1), 303)


@blueprint.post("/<site>/agreement")
@rule(roles={"board"}, scope="site", fresh=True)
def agree(site: str) -> Response | tuple[str, int]:
    """Sign a version of an agreement for the hospital, or withdraw that signature."""
    session = current_session()
    act, number = request.form.get("act"), request.form.get("agreement", "")
    found = session.get(Agreement, number)
    if act not in ("sign", "withdraw") or found is None or found.network not in _networks(site):
        return _page(site, {"": _("Choose an agreement and what to do with it.")}), 422
    if act == "withdraw" and request.form.get("sure") != "yes":
        name = f"sure-{found.id}"
        return _page(site, {name: _("Tick the box if you are sure.")}), 422
    try:
        if act == "sign":
            check_shown(found, request.form.get("sha256", ""))
            sign_agreement(session, found, site, signatory=g.actor.name, actor=g.actor, now=g.now)
        else:
            withdraw_signature(session, found, site, actor=g.actor, now=g.now)
    except StudiesError as error:
        return _page(site, {"": _(error.message)}), 409
    return redirect(url_for("board.show", site=site, done=1), 303)


def _networks(site: str) -> list[str]:
    held = select(Membership.network).where(
        Membership.institution == site, in_force(Membership, g.now)
    )
    return list(current_session().scalars(held.order_by(Membership.network)))


def _page(site: str, errors: dict[str, str]) -> str:
    session = current_session()
    place = session.get(Institution, site)
    if place is None:
        raise NotFound
    networks = [session.get_one(Network, slug) for slug in _networks(site)]
    agreements = [
        (agreement, signature_of(agreement, site, g.now), holds(agreement, g.now))
        for network in networks
        for agreement in agreements_of(session, network.slug)
    ]
    running = session.execute(
        select(Participation, Study)
        .join(Study, Study.slug == Participation.study)
        .where(
            Participation.institution == site,
            Participation.state.not_in(("declined", "closed", "invited", "feasibility")),
        )
        .order_by(Study.title_nl)
    ).all()
    return render_template(
        "network/board.html",
        place=place,
        waiting=waiting_for(session, site, g.now),
        unsigned=[a for a, signature, valid in agreements if valid and signature is None],
        signed=[(a, signature, valid) for a, signature, valid in agreements if signature],
        lacking=[
            (network, missing(session, network.slug, [site], g.now)[site]) for network in networks
        ],
        agreement_kind=lambda code: named(AGREEMENT_KINDS, code),
        sections=by_phase([((part, study), part.state) for part, study in running]),
        rounds=[
            each
            for each in visible(session, sites=[site])
            if may_see_round(g.actor, each, {"board"})
        ],
        state_word=state_word,
        state_tag=state_tag,
        fresh=g.fresh,
        errors=errors,
        done=request.args.get("done") == "1",
        document_kind={"vgo": _("Declaration of suitability (VGO)"), "contract": _("Contract")},
    )
