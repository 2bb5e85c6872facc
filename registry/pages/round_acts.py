"""After the release: writing down what was said, offering help, agreeing on actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.rounds import discussing, following
from federation.rounds.errors import RoundError
from federation.rounds.models import RoundAction
from registry.access import rule
from registry.forms.dates import Days
from registry.pages.round_plan import PLANNERS, refusal
from registry.pages.round_reading import Reading, read
from registry.pages.rounds import released_page
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import translate as _
from studies.days import ZONE, local_day
from studies.errors import StudiesError

blueprint = Blueprint("round_acts", __name__, url_prefix="/rounds/<uuid:round>")
HELPERS = PLANNERS | {"board", "steward"}
FIELDS = ("indicator", "hospital", "text", "cause", "owner", "due", "first", "last", "measure")
#: At what hour the hub measures again: in the night, when hospitals have the room.
MEASURE_TIME = time(2, 0)
#: When the answer by groups is released: in the morning of the day that was chosen.
RELEASE_TIME = time(8, 0)
Answer = Response | str | tuple[str, int]


@blueprint.post("/note")
@rule(roles=PLANNERS, scope="round")
def note(round: Any) -> Answer:  # noqa: A002
    """Write down what was said, or a cause that was found."""
    found, form = _writable(round), request.form
    errors = {} if form.get("text", "").strip() else {"text": _("Write what was said")}
    if form.get("kind") not in ("note", "cause"):
        errors["kind"] = _("Choose what it is")
    if not errors:
        try:
            discussing.say(
                current_session(),
                found.round,
                text=form["text"],
                indicator=form.get("indicator") or None,
                kind=form["kind"],
                actor=g.actor,
                now=g.now,
            )
            return _back(found)
        except (RoundError, StudiesError) as error:
            errors = {"text": next(iter(refusal(error).values()))}
    return released_page(found, errors, form.get("from") or None), 422


@blueprint.post("/help")
@rule(roles=HELPERS, scope="round")
def help_offered(round: Any) -> Answer:  # noqa: A002
    """A hospital offers another to show how it works."""
    found, form = read(round), request.form
    if not found.released or found.lay:
        raise NotFound
    errors = {} if form.get("help", "").strip() else {"help": _("Write what you offer")}
    giver, taker = form.get("from_site", ""), form.get("to_site", "")
    if giver not in {code for code, _label in found.helpers}:
        errors["from_site"] = _("Choose a hospital")
    if taker not in {code for code, _label in found.hospital_options} or taker == giver:
        errors["to_site"] = _("Choose another hospital")
    about = form.get("indicator") or next((code for code, _t in found.indicator_options), "")
    if not errors:
        try:
            discussing.offer_help(
                current_session(),
                found.round,
                indicator=about,
                from_site=found.site_of(giver) or "",
                to_site=found.site_of(taker) or "",
                text=form["help"],
                actor=g.actor,
                now=g.now,
            )
            return _back(found)
        except (RoundError, StudiesError) as error:
            errors = {"help": next(iter(refusal(error).values()))}
    return released_page(found, errors, form.get("from") or None), 422


@blueprint.post("/cause")
@rule(roles=PLANNERS, scope="round")
def ask_cause(round: Any) -> Answer:  # noqa: A002
    """Ask an indicator by groups of patients; what comes back is released to all at one moment."""
    found, form = _writable(round), request.form
    indicator = form.get("indicator", "")
    found.indicator(indicator)
    errors: dict[str, str] = {}
    release = Days(form, errors).needed("cause_release")
    if not form.getlist("variables"):
        errors["variables"] = _("Choose at least one group")
    if release is not None and not errors:
        try:
            with current_session().begin_nested():
                following.ask_cause(
                    current_session(),
                    found.round,
                    indicator=indicator,
                    variables=form.getlist("variables")[:20],
                    release_at=datetime.combine(release, RELEASE_TIME, tzinfo=ZONE).astimezone(UTC),
                    actor=g.actor,
                    now=g.now,
                )
            return _back(found, indicator)
        except RoundError as error:
            field = "cause_release" if error.code == "BAD_MOMENTS" else "variables"
            errors[field] = next(iter(refusal(error).values()))
    return released_page(found, errors, indicator), 422


@blueprint.post("/close")
@rule(roles=PLANNERS, scope="round")
def close(round: Any) -> Answer:  # noqa: A002
    """The group is done with the round; it stays to be read."""
    found = _writable(round)
    try:
        discussing.close_round(current_session(), found.round, actor=g.actor, now=g.now)
    except RoundError as error:
        return released_page(found, {"": next(iter(refusal(error).values()))}), 409
    return _back(found)


@blueprint.get("/action/new")
@rule(roles=PLANNERS, scope="round")
def new_action(round: Any) -> str:  # noqa: A002
    """An empty form for an action."""
    found = _writable(round)
    typed = dict.fromkeys(FIELDS, "") | {"indicator": request.args.get("indicator", "")}
    return _page(found, typed, {})


@blueprint.post("/action/new")
@rule(roles=PLANNERS, scope="round")
def add_action(round: Any) -> Answer:  # noqa: A002
    """Agree on an action; the hub measures again by itself when a moment is given."""
    found = _writable(round)
    typed = _typed()
    given, errors = _read(typed)
    if not errors:
        try:
            with current_session().begin_nested():
                discussing.add_action(
                    current_session(),
                    found.round,
                    indicator=typed["indicator"],
                    site=found.site_of(typed["hospital"]) if typed["hospital"] else None,
                    actor=g.actor,
                    now=g.now,
                    **given,
                )
            return _back(found, typed["indicator"])
        except (RoundError, StudiesError) as error:
            errors = _placed(error)
    return _page(found, typed, errors), 422


@blueprint.get("/action/<uuid:action>")
@rule(roles=PLANNERS, scope="round")
def one_action(round: Any, action: Any) -> str:  # noqa: A002
    """The form of an action, to change or close it."""
    found = _writable(round)
    kept = _action(found, action)
    return _page(found, _of(kept), {}, kept)


@blueprint.post("/action/<uuid:action>")
@rule(roles=PLANNERS, scope="round")
def change_action(round: Any, action: Any) -> Answer:  # noqa: A002
    """Change an action, say that it is done, or that it will not be done."""
    found = _writable(round)
    kept = _action(found, action)
    version = whole(request.form.get("version", "")) or 0
    act = request.form.get("act", "save")
    typed = _typed() if act == "save" else _of(kept)
    given, errors = _read(typed, old=True) if act == "save" else ({}, {})
    if errors:
        return _page(found, typed, errors, kept), 422
    do = {"close": discussing.close_action, "cancel": discussing.cancel_action}.get(
        act, discussing.change_action
    )
    try:
        with current_session().begin_nested():
            do(current_session(), kept, version=version, actor=g.actor, now=g.now, **given)
    except (RoundError, StudiesError) as error:
        code = getattr(error, "code", "")
        if code in ("ROUND_CHANGED", "ROUND_MOVED_ON"):
            return _page(found, typed, {"": _(
                "Somebody changed this action in the meantime. Yours stands in the form; what "
                "stands there now is above it."
            )}, kept, conflict=True), 409  # fmt: skip
        return _page(found, typed, _placed(error), kept), 422
    return _back(found, kept.indicator)


def _writable(number: object) -> Reading:
    """A released round of which the reader is chair or coordinator."""
    found = read(number)
    if not found.released or not found.chair:
        raise NotFound
    return found


def _action(found: Reading, number: object) -> RoundAction:
    try:
        return discussing.get_action(current_session(), found.round, str(number))
    except RoundError:
        raise NotFound from None


def _back(found: Reading, indicator: str | None = None) -> Response:
    wanted = indicator or request.form.get("from")
    if wanted and wanted in {code for code, _label in found.indicator_options}:
        return redirect(
            url_for("rounds.indicator", round=found.round.id, indicator=wanted, done=1), 303
        )
    return redirect(url_for("rounds.show", round=found.round.id, done=1), 303)


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "")[:2000] for name in FIELDS}


def _of(kept: RoundAction) -> dict[str, str]:
    measure = "" if kept.measure_at is None else f"{local_day(kept.measure_at):%d-%m-%Y}"
    return {
        "indicator": kept.indicator,
        "hospital": kept.site or "",
        "text": kept.text,
        "cause": kept.cause,
        "owner": kept.owner,
        "due": f"{kept.due:%d-%m-%Y}",
        "first": kept.first or "",
        "last": kept.last or "",
        "measure": measure,
    }


def _read(typed: Mapping[str, str], *, old: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """What a service takes, and what cannot be read."""
    errors: dict[str, str] = {}
    days = Days(typed, errors)
    if not old and not typed["indicator"]:
        errors["indicator"] = _("Choose an indicator")
    if not typed["text"].strip():
        errors["text"] = _("Write what will be done")
    if not typed["owner"].strip():
        errors["owner"] = _("Say who sees to it")
    due, measure = days.needed("due"), days.given("measure")
    at = None if measure is None else datetime.combine(measure, MEASURE_TIME, tzinfo=ZONE)
    given = {
        "text": typed["text"],
        "cause": typed["cause"],
        "owner": typed["owner"],
        "due": due,
        "first": typed["first"].strip() or None,
        "last": typed["last"].strip() or None,
        "measure_at": None if at is None else at.astimezone(UTC),
    }
    return given, errors


def _placed(error: RoundError | StudiesError) -> dict[str, str]:
    """At which field a refusal stands."""
    code = getattr(error, "code", "")
    field = {"BAD_ACTION": "measure", "too_long_ago": "due", "NOT_OF_THIS_ROUND": "hospital"}
    return {field.get(code, "text"): next(iter(refusal(error).values()))}


def _page(
    found: Reading,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    kept: RoundAction | None = None,
    *,
    conflict: bool = False,
) -> str:
    return render_template(
        "rounds/action.html",
        found=found,
        typed=typed,
        errors=errors,
        kept=kept,
        conflict=conflict,
        now=_of(kept) if kept is not None else {},
    )
