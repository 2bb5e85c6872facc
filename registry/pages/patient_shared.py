"""Leaving a computer that others use."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from registry.access import rule
from registry.accounts import visitor

blueprint = Blueprint("patient_shared", __name__, url_prefix="/mijn")


@blueprint.post("/uit")
@rule(roles={"patient"})
def leave() -> Response:
    """Sign out, and have the browser forget what it kept of this site."""
    visitor.sign_out()
    response = redirect(url_for("door.sign_in"), 303)
    # "executionContexts" is left out: it would reload pages and lose the answer to this request.
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
