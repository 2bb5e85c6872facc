"""How a patient comes in and goes on: the letter's code, the six digits, more time.

Everything works with plain forms. Passkeys are in door_keys.py, the hospital's own sign-in in
door_hospital.py, the code that links two hospitals in linking.py.
"""

from __future__ import annotations

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from consent.errors import ConsentError
from consent.subjects import SECOND_LEVEL
from registry.access import SignInNeeded, rule
from registry.accounts import proving, signing, visitor
from registry.accounts.errors import AccountError
from registry.accounts.passkeys import PASSKEY_LEVEL
from registry.pages.patient_person import item_label, my_hospital
from registry.pages.shell import local
from registry.transaction import current_session
from registry.translate import translate as _

blueprint = Blueprint("door", __name__, url_prefix="/mijn")

NOT_BEGUN = "not_begun"


def init_app(app: Flask) -> None:
    """What the patient's templates ask about the session."""
    app.jinja_env.globals.update(session_ends=session_ends)


def session_ends() -> object:
    """When this session ends if nothing more is asked of it; None when nobody is signed in."""
    return None if g.visit is None else g.visit.until


@blueprint.get("")
@rule("public")
def sign_in() -> str | Response:
    """The code from the letter, and the other ways in."""
    if "patient" in g.actor.roles:
        return redirect(local(request.args.get("next")) or url_for("patient.choices"), 303)
    return _letter_page({})


@blueprint.post("")
@rule("public")
def sign_in_post() -> Response | tuple[str, int]:
    """Try the code; every kind of wrong gives the same sentence."""
    typed = request.form.get("code", "")
    if not typed.strip():
        return _letter_page({"code": _("Fill in the code from your letter")}), 422
    try:
        whole = visitor.sign_in_patient(typed)
    except ConsentError as error:
        return _refused_letter(error, typed)
    except AccountError as error:
        return _letter_page({"code": too_many(error)}, typed), 429
    following = local(request.form.get("next"))
    if not whole:
        return redirect(url_for("door.digits", next=following), 303)
    return redirect(following or url_for("patient.choices"), 303)


@blueprint.get("/cijfers")
@rule("public")
def digits() -> str | Response:
    """The six digits that came another way than the letter."""
    if proving.half_way() is None:
        return redirect(url_for("door.sign_in"), 303)
    return _digits_page({})


@blueprint.post("/cijfers")
@rule("public")
def digits_post() -> Response | tuple[str, int]:
    """Try the digits; wrong, locked and ended give the same sentence."""
    typed = request.form.get("digits", "")
    if not typed.strip():
        return _digits_page({"digits": _("Fill in the six digits")}), 422
    try:
        visitor.sign_in_digits(typed)
    except SignInNeeded:
        error = {
            "code": _("That took more than ten minutes. Fill in the code of your letter again")
        }
        return _letter_page(error), 401
    except ConsentError as refused:
        if refused.code == NOT_BEGUN:
            return _refused_letter(refused)
        told = _(
            "These digits do not work. Check them, or call your hospital: after several wrong "
            "tries they stop working for a while"
        )
        return _digits_page({"digits": told}), 401
    except AccountError as error:
        return _digits_page({"digits": too_many(error)}), 429
    return redirect(local(request.form.get("next")) or url_for("patient.choices"), 303)


@blueprint.post("/meer-tijd")
@rule(roles={"patient"})
def more_time() -> Response:
    """Another twenty minutes, and back to the same page. As often as somebody needs it."""
    visitor.stay()
    return redirect(local(request.form.get("next")) or url_for("patient.choices"), 303)


@blueprint.get("/zekerder")
@rule(roles={"patient"})
def step_up() -> str:
    """A choice needs a safer way of signing in: which ones there are from here, answers kept."""
    level = g.visit.level
    asked = request.args.getlist("item")
    return render_template(
        "patient/step_up.html",
        may_use_passkey=level in (SECOND_LEVEL, PASSKEY_LEVEL),
        usable=signing.place().usable,
        next=local(request.args.get("next")) or url_for("patient.choices"),
        subjects=[label for label in map(item_label, asked) if label],
        hospital=my_hospital(current_session()),
    )


def wrong_code() -> str:
    """One sentence for a code that is wrong, used up, ended, replaced or resting."""
    return _(
        "This code does not work. Check it against your letter; small or capital letters "
        "and dashes make no difference. Call your hospital if it keeps failing"
    )


def _refused_letter(error: ConsentError, typed: str = "") -> tuple[str, int]:
    if error.code == NOT_BEGUN:
        return _letter_page({"code": not_begun()}), 403
    return _letter_page({"code": wrong_code()}, typed), 401


def not_begun() -> str:
    """To a representative whose letter is right, and who comes too early."""
    return _(
        "Your code is right, but you may not decide for this patient yet. You may from the day on "
        "which your appointment begins. Come back then, or call the hospital"
    )


def too_many(error: AccountError) -> str:
    """What to say when there were too many wrong tries from here."""
    return f"{_(error.message)} {_(error.todo)}"


def _letter_page(errors: dict[str, str], typed: str = "") -> str:
    return render_template(
        "patient/sign_in.html", errors=errors, typed=typed, next=request.values.get("next", "")
    )


def _digits_page(errors: dict[str, str]) -> str:
    return render_template(
        "patient/digits.html", errors=errors, next=request.values.get("next", "")
    )
