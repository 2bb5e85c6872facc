"""The participants of a study by number: who is in, coming in, and what happened to each.

Everything goes through consent/joining.py: nobody comes in before they agreed, and a stop of the
use of data is carried to the hospitals. Which letter a participant came in with is shown nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import joined, joining
from consent.errors import ConsentError
from registry import letters_tried
from registry.access import rule
from registry.accounts.errors import AccountError
from registry.forms.dates import Days
from registry.pages.coordinator_acts import today
from registry.pages.coordinator_consent import study_of
from registry.pages.coordinator_words import brief, marks
from registry.pages.door import too_many
from registry.pages.participant_acts import ACTS, Given, stopped_before
from registry.pages.participant_list import MISTAKES, find, read_wish
from registry.pages.participant_words import (
    Line,
    leaving_choices,
    lines,
    milestone_choices,
    next_states,
    reason_choices,
    state_name,
)
from registry.text_roles import names_of
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.exchange.importing import moment_of
from studies.models import Study
from studies.participants import entering as participants
from studies.participants.handover import TAKING
from studies.participants.history import fold
from studies.participants.models import Participant, StudyEnrolment
from studies.participants.numbers import settle_prefix
from studies.participants.states import ENTRY, STATES
from studies.recruitment.consort import arms_of

#: So many numbers stand in a warning; the list has them all.
NAMED = 20
blueprint = Blueprint("participants", __name__, url_prefix="/c/study/<slug>/participants")
Answer = Response | str | tuple[str, int]


@dataclass(frozen=True)
class Attention:
    """What somebody must do: whose yes is gone, and whose stop reaches no hospital."""

    stopped: tuple[Participant, ...]
    unreached: tuple[Participant, ...]


@blueprint.get("")
@rule(roles={"coordinator"}, scope="study")
def page(slug: str) -> str:
    """Everybody by number, with the state of now, and what needs attention."""
    return _list(study_of(slug), {}, {})


@blueprint.post("/numbering")
@rule(roles={"coordinator"}, scope="study")
def numbering(slug: str) -> Answer:
    """Settle with which letters the numbers of this study begin."""
    study = study_of(slug)
    letters = request.form.get("letters", "").strip().upper()
    try:
        settle_prefix(current_session(), study, letters, actor=g.actor, now=g.now)
    except StudiesError as error:
        return _list(study, request.form, {"letters": _(error.message)}), 422
    return redirect(url_for(".page", slug=slug), 303)


@blueprint.post("")
@rule(roles={"coordinator"}, scope="study")
def enter(slug: str) -> Answer:
    """Enter somebody who agreed: by the number of the hospital's letter, or by a signed form."""
    session, study = current_session(), study_of(slug)
    days = Days(request.form)
    errors = days.errors
    given = {name: request.form.get(name, "").strip() for name in _FIELDS}
    shown = _shown(given, days)
    at = days.given("at")
    if given["hospital"] not in {part.institution for part in study.participations}:
        errors["hospital"] = _("Choose a hospital")
    if not given["pseudonym"]:
        errors["pseudonym"] = _("Fill in the study number")
    if shown is None or errors:
        in_order = {name: errors[name] for name in _FORM if name in errors}
        return _list(study, request.form, in_order), 422
    try:
        with _trying(slug, letter=isinstance(shown, joining.Letter)), session.begin_nested():
            made = joining.enter(
                session,
                slug,
                given["hospital"],
                given["pseudonym"].upper(),
                shown,
                actor=g.actor,
                now=g.now,
                state=given["state"],
                at=None if at in (None, today()) else moment_of(at, g.now),
                reason=given["reason"] or None,
            )
    except AccountError as error:
        return _list(study, request.form, {"letter": too_many(error)}), 429
    except (StudiesError, ConsentError) as error:
        field = _FIELD_OF.get(error.code, "")
        return _list(study, request.form, {field: _(error.message)}), 409
    return redirect(url_for(".one", slug=slug, number=made.pseudonym, done="enter"), 303)


@blueprint.get("/<number>")
@rule(roles={"coordinator"}, scope="study")
def one(slug: str, number: str) -> str:
    """One participant: where they stand, what happened, what can be done now."""
    return _one(study_of(slug), _found(slug, number), "", {}, {})


@blueprint.post("/<number>/<deed>")
@rule(roles={"coordinator"}, scope="study")
def do(slug: str, number: str, deed: str) -> Answer:
    """Carry out one act; when somebody else was first, show what there is and what was typed."""
    session, study = current_session(), study_of(slug)
    if deed not in ACTS:
        raise NotFound
    found = _found(slug, number)
    given = Given(request.form, Days(request.form))
    try:
        with _trying(slug, letter=deed == "letter"), session.begin_nested():
            ACTS[deed](session, found, given)
    except AccountError as error:
        return _one(study, found, deed, request.form, {"": too_many(error)}), 429
    except (StudiesError, ConsentError) as error:
        session.expire_all()
        words = _(error.message)
        if error.code == "changed_meanwhile":
            words = _(
                "Somebody else changed this participant in the meantime. What is there now stands "
                "below, and so does what you typed. Look at it and press the button again."
            )
        return _one(study, _found(slug, number), deed, request.form, {"": words}), 409
    if given.errors:
        return _one(study, found, deed, request.form, _placed(deed, given.errors)), 422
    return redirect(url_for(".one", slug=slug, number=number, done=deed), 303)


_FIELDS = ("hospital", "pseudonym", "how", "letter", "text", "state", "reason")
# In the order of the form, which is that of the summary of errors.
_FORM = ("hospital", "pseudonym", "how", "letter", "signed_on", "text", "state", "at", "reason")
_FIELD_OF = {
    "bad_pseudonym": "pseudonym",
    "pseudonym_taken": "pseudonym",
    "letter_not_found": "letter",
    "not_agreed": "letter",
    "joined_already": "letter",
    "consent_text_differs": "text",
    "not_enrolling": "hospital",
    "reason_needed": "reason",
    "in_the_future": "at",
}


def _shown(given: Mapping[str, str], days: Days) -> joining.Letter | joining.SignedForm | None:
    """How the yes is shown; None with the errors noted."""
    if given["how"] == "letter":
        if not given["letter"]:
            days.errors["letter"] = _("Fill in the number of the letter")
            return None
        return joining.Letter(given["letter"][:20])
    if given["how"] != "form":
        days.errors["how"] = _("Choose how they agreed")
        return None
    signed = days.needed("signed_on")
    if not given["text"]:
        days.errors["text"] = _("Fill in the version that stands on the form")
    if signed is None or not given["text"]:
        return None
    return joining.SignedForm(signed, given["text"][:40])


def _trying(slug: str, *, letter: bool) -> AbstractContextManager[None]:
    return letters_tried.counted(slug) if letter else nullcontext()


def _placed(act: str, errors: Mapping[str, str]) -> dict[str, str]:
    """The errors by the id of their field; day and reason stand in the form of each act."""
    return {
        f"{act}-{name}" if name in ("at", "reason") else name: told for name, told in errors.items()
    }


def _found(slug: str, number: str) -> Participant:
    try:
        return participants.get_participant(current_session(), slug, number)
    except StudiesError as error:
        raise NotFound from error


def _attention(study: Study) -> Attention:
    session = current_session()
    try:
        stopped = joined.without_consent(session, study, g.now)
    except ConsentError:
        stopped = ()
    return Attention(stopped, joined.unreached(session, study.slug))


def _list(study: Study, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    session = current_session()
    place = 1 if language() == "nl" else 0
    names = {part.institution: part.of_institution.name for part in study.participations}
    open_at = [
        (part.institution, names[part.institution])
        for part in study.participations
        if part.state == "open"
    ]
    enrolment = session.get(StudyEnrolment, study.slug)
    wish = read_wish(request.args)
    found = find(session, study.slug, wish)
    return render_template(
        "participants/list.html",
        study=study,
        found=found,
        wish=wish,
        address=_address,
        places=sorted(
            ((site, names.get(site, site)) for site in found.places),
            key=lambda pair: pair[1].casefold(),
        ),
        in_state=[
            (code, f"{_('Entered by mistake') if code == MISTAKES else state_name(code)} ({n})")
            for code, n in found.states
        ],
        names=names,
        attention=_attention(study),
        most=NAMED,
        prefix=None if enrolment is None else enrolment.prefix,
        open_at=sorted(open_at, key=lambda pair: pair[1].casefold()),
        entries=[
            (code, (state.name_en, state.name_nl)[place])
            for code, state in STATES.items()
            if ENTRY in state.follows
        ],
        arms={arm.code: arm.name(language()) for arm in arms_of(session, study.slug)},
        typed=typed,
        errors=errors,
        reasons=reason_choices(),
        state_name=state_name,
        brief=brief,
        marks=marks(),
        today=today().isoformat(),
    )


def _address(endpoint: str, **changes: object) -> str:
    given: dict[str, Any] = {
        name: request.args.get(name) for name in ("hospital", "state", "number")
    }
    given |= {**changes, **(request.view_args or {})}
    return url_for(endpoint, **{name: value for name, value in given.items() if value})


def _one(
    study: Study, found: Participant, act: str, typed: Mapping[str, str], errors: Mapping[str, str]
) -> str:
    session = current_session()
    now, attention = fold(found.events), _attention(study)
    again = bool(now.left) and joined.stops_again(session, found)
    names = {part.institution: part.of_institution.name for part in study.participations}
    arms = {arm.code: arm.name(language()) for arm in arms_of(session, study.slug)}
    people: dict[str, Any] = names_of(session, sorted({event.by for event in found.events}))
    history: list[Line] = lines(found, names, arms)
    return render_template(
        "participants/one.html",
        study=study,
        one=found,
        now=now,
        names=names,
        people=people,
        history=history,
        states=next_states(found.state),
        milestones=[pair for pair in milestone_choices() if pair[0] not in now.milestones],
        arms=arms,
        ways=leaving_choices(found.state, [way for way, _at in now.left], again=again),
        again=again,
        stops=stopped_before(found),
        unlinked=[names.get(site, site) for site in joined.unlinked(found)],
        removable=[(site, names.get(site, site)) for site in joined.removable(session, found)],
        others=sorted(
            (
                (part.institution, names[part.institution])
                for part in study.participations
                if part.state in TAKING and part.institution != found.site
            ),
            key=lambda pair: pair[1].casefold(),
        ),
        unreached=found in attention.unreached,
        stopped=found in attention.stopped,
        left_data=stopped_before(found),
        act=act,
        typed=typed,
        errors=errors,
        done=request.args.get("done", "") if not errors else "",
        just_left=found.events[-1].kind == "left",
        reached=", ".join(names.get(site, site) for site in joined.reached(session, found)),
        reasons=reason_choices(),
        state_name=state_name,
        brief=brief,
        marks=marks(),
        today=today().isoformat(),
    )
