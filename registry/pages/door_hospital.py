"""Coming in through the hospital's own sign-in: there, and back.

The way back is a visit from another site, so what must come back with it stands in a sealed cookie
that may travel then (SameSite=Lax) and is good for ten minutes and once.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Flask, current_app, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent.models import Subject
from consent.subjects import patient
from registry.access import ANONYMOUS, rule
from registry.accounts import attempts, brokers, cookies, oidc, proving, sealing, sessions, visitor
from registry.accounts.brokers import Broker
from registry.accounts.errors import AccountError
from registry.accounts.letter_door import Arrived
from registry.accounts.oidc import Begun, BrokerError
from registry.pages.door import too_many
from registry.pages.shell import local
from registry.transaction import current_session, unit_of_work
from registry.translate import translate as _
from studies.actor import Actor
from studies.events import announce
from studies.models import Institution

blueprint = Blueprint("door_hospital", __name__, url_prefix="/mijn/ziekenhuis")

COOKIE = "oncokring-broker"
COOKIE_FOR = timedelta(minutes=10)
LEVEL = "site-broker-substantial"


def init_app(app: Flask) -> None:
    """Read the brokers once; a mistake in their file stops the start."""
    app.extensions["oncokring_brokers"] = brokers.load(app.extensions["oncokring"].settings.brokers)
    app.jinja_env.globals.update(has_brokers=lambda: bool(_brokers()))


@blueprint.get("")
@rule("public")
def choose() -> str:
    """Which hospitals have a sign-in of their own."""
    return _page({})


@blueprint.get("/<site>")
@rule("public")
def go(site: str) -> Response | tuple[str, int]:
    """To the hospital's sign-in."""
    broker = _brokers().get(site)
    if broker is None:
        raise NotFound
    try:
        begun = oidc.begin(broker, _way_back(site))
    except BrokerError:
        return _page({"": _away()}), 503
    kept = {
        "site": site,
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": local(request.args.get("next")) or "",
        "at": int(g.now.timestamp()),
    }
    cookies.put(COOKIE, sealing.seal(_key(), kept, COOKIE), same_site="Lax", for_=COOKIE_FOR)
    return redirect(begun.address, 303)


@blueprint.get("/terug/<site>")
@rule("public")
def back(site: str) -> Response | tuple[str, int]:
    """Back from the hospital's sign-in: a session, or one sentence.

    Each hospital has an address of its own: else a dishonest broker could send patients on to that
    of another hospital and be handed the code that is theirs (RFC 9700, 4.4).
    """
    if "state" not in request.args:
        return redirect(url_for("door_hospital.choose"), 303)  # nobody comes back like this
    kept = sealing.opened(_key(), cookies.read(COOKIE, proving.settings()), COOKIE)
    cookies.drop(COOKIE)
    try:
        with unit_of_work(g.factory, ANONYMOUS) as session:
            attempts.check(session, proving.trier().keys(), g.now)
            known = kept is not None and _is_ours(kept)
            once = known and attempts.use_once(session, f"broker|{request.args['state']}", g.now)
    except AccountError as error:
        return _page({"": too_many(error)}), 429
    broker = _brokers().get(site)
    if kept is None or not once or broker is None or kept["site"] != site:
        return _refused("state_refused", "")
    begun = Begun("", kept["state"], kept["nonce"], kept["verifier"])
    try:
        handle = oidc.finish(
            broker,
            begun=begun,
            given=request.args.to_dict(),
            redirect_uri=_way_back(site),
            now=g.now,
        )
    except BrokerError as error:
        return _refused(error.why, broker.site)
    arrived = _arrived(broker, handle)
    if arrived is None:
        return _refused("unknown", broker.site)
    visitor.arrive(arrived)
    return redirect(local(kept["next"]) or url_for("patient.choices"), 303)


def _is_ours(kept: dict[str, object]) -> bool:
    """Whether this browser began this sign-in, less than ten minutes ago."""
    at = kept.get("at")
    if not isinstance(at, int) or not 0 <= g.now.timestamp() - at <= COOKIE_FOR.total_seconds():
        return False
    return attempts.same(str(kept.get("state")), request.args.get("state", ""))


def _arrived(broker: Broker, handle: str) -> Arrived | None:
    """The session of the patient with this handle at this hospital; None when there is none."""
    with unit_of_work(g.factory, ANONYMOUS) as session:
        subject = session.scalars(
            select(Subject).where(Subject.site == broker.site, Subject.handle == handle)
        ).first()
        if subject is None:
            return None
        actor = patient(subject)
        previous = None if g.visit is None else g.visit.session_id
        made = sessions.start(
            session, now=g.now, subject_id=subject.id, previous=previous, level=LEVEL
        )
        about = f"institution:{subject.site}"
        announce(session, actor=actor, action="consent.signed_in", about=about)
    return Arrived(made, actor, None)


def _refused(why: str, site: str) -> tuple[str, int]:
    """One more wrong try, a line in the audit, and a sentence."""
    if why != "broker_away":
        with unit_of_work(g.factory, ANONYMOUS) as session:
            attempts.count(session, proving.trier().keys(), g.now)
            announce(
                session,
                actor=Actor(kind="patient", id="unknown"),
                action="consent.sign_in_refused",
                about=f"institution:{site}" if site else "broker",
                facts={"why": why},
            )
    if why == "broker_away":
        return _page({"": _away()}), 503
    if why == "too_unsure":
        told = _(
            "Your hospital is not sure enough that this is you. Sign in there with a safer way, "
            "for example the DigiD app with a check of your passport"
        )
    else:
        told = _(
            "Signing in through your hospital did not work. Try again, or use the code from your "
            "letter"
        )
    return _page({"": told}), 401


def _page(errors: dict[str, str]) -> str:
    session = current_session()
    names = {
        site: place.name
        for site in _brokers()
        if (place := session.get(Institution, site)) is not None
    }
    return render_template(
        "patient/hospital_door.html",
        errors=errors,
        hospitals=sorted(names.items(), key=lambda item: item[1]),
        next=local(request.args.get("next")) or "",
    )


def _away() -> str:
    return _(
        "The sign-in of your hospital cannot be reached now. Try again later, or use the code "
        "from your letter"
    )


def _way_back(site: str) -> str:
    return proving.settings().address.rstrip("/") + url_for("door_hospital.back", site=site)


def _brokers() -> dict[str, Broker]:
    found: dict[str, Broker] = current_app.extensions["oncokring_brokers"]
    return found


def _key() -> bytes:
    return sealing.derived(proving.settings().secret_key, COOKIE)
