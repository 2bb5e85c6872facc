"""Sign in with name, password and one-time code; confirm again before an approval; sign out."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from registry.access import PROFESSIONAL, rule
from registry.accounts import visitor
from registry.accounts.errors import AccountError
from registry.accounts.secrets import totp_code
from registry.app import hub
from registry.pages.shell import home, local
from registry.translate import translate as _

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/sign-in")
@rule("public")
def sign_in() -> str | Response:
    """The form; somebody who is signed in already goes to their first page."""
    if g.actor.kind == "user" and "public" not in g.actor.roles:
        return redirect(local(request.args.get("next")) or home(), 303)
    return render_template(
        "accounts/sign_in.html", next=request.args.get("next", ""), errors={}, demo=demo_people()
    )


@blueprint.post("/sign-in")
@rule("public")
def sign_in_post() -> tuple[str, int] | Response:
    """Check the three; a wrong one shows the form again with the name kept."""
    errors = missing_of("name", "password", "code")
    status = 422
    if not errors:
        try:
            visitor.sign_in(
                request.form["name"], request.form["password"], digits(request.form["code"])
            )
        except AccountError as error:
            errors = {"name": f"{_(error.message)} {_(error.todo)}"}
            status = 429 if error.code == "LOCKED" else 401
        else:
            return redirect(local(request.form.get("next")) or home(), 303)
    page = render_template(
        "accounts/sign_in.html",
        next=request.form.get("next", ""),
        errors=errors,
        name=request.form.get("name", ""),
        demo=demo_people(),
    )
    return page, status


@blueprint.get("/sign-in/confirm")
@rule(roles=PROFESSIONAL)
def confirm() -> str:
    """Password and code again, before an act that needs a fresh sign-in."""
    return render_template(
        "accounts/confirm.html", next=request.args.get("next", ""), errors={}, demo=demo_people()
    )


@blueprint.post("/sign-in/confirm")
@rule(roles=PROFESSIONAL)
def confirm_post() -> tuple[str, int] | Response:
    """Check both and go back to the page of the act."""
    errors = missing_of("password", "code")
    status = 422
    if not errors:
        try:
            visitor.confirm(request.form["password"], digits(request.form["code"]))
        except AccountError as error:
            errors = {"password": f"{_(error.message)} {_(error.todo)}"}
            status = 429 if error.code == "LOCKED" else 401
        else:
            return redirect(local(request.form.get("next")) or home(), 303)
    page = render_template(
        "accounts/confirm.html",
        next=request.form.get("next", ""),
        errors=errors,
        demo=demo_people(),
    )
    return page, status


@blueprint.post("/sign-out")
@rule("public")
def sign_out() -> Response:
    """End the session; a patient's browser also forgets what it kept of this site."""
    was_patient = g.actor.kind == "patient"
    visitor.sign_out()
    response = redirect(url_for("door.sign_in" if was_patient else "shell.start"), 303)
    if was_patient:
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def demo_people() -> list[dict[str, str]]:
    """The demo's accounts with their present code; empty everywhere but in the demo."""
    return [
        {
            "name": person.name,
            "shown": person.shown,
            "role": person.role,
            "password": person.password,
            "code": totp_code(person.totp_secret, g.now),
        }
        for person in hub().settings.demo_people
    ]


def digits(code: str) -> str:
    """The one-time code without the spaces and dashes people type."""
    return "".join(letter for letter in code if letter.isdigit())


def missing_of(*fields: str) -> dict[str, str]:
    """What to do for each field that was left empty."""
    ask = {
        "name": _("Fill in your account name"),
        "password": _("Fill in your password"),
        "code": _("Fill in the six digits from your app"),
    }
    return {field: ask[field] for field in fields if not request.form.get(field, "").strip()}
