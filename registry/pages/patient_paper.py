"""The form on paper: to print, fill in and sign with somebody of the hospital.

The hub never takes a paper answer: only the hospital's own program does, and a yes from paper
counts only after a second person there has checked it.
"""

from __future__ import annotations

from flask import Blueprint, g, render_template
from werkzeug.exceptions import NotFound

from consent import service as consent
from consent.errors import ConsentError
from registry.access import rule
from registry.forms.sections import parents_in, sections
from registry.pages.public import visible
from registry.receipts.picture import qr_svg
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("patient_paper", __name__, url_prefix="/studies")


@blueprint.get("/<slug>/paper")
@rule("public")
def paper(slug: str) -> str:
    """The text in force and its questions as a form for paper."""
    study = visible(slug)
    try:
        version = consent.text_for(current_session(), study.slug, g.now)
    except ConsentError:
        raise NotFound from None
    return render_template(
        "patient/paper.html",
        study=study,
        version=version,
        words=version.content[language()],
        pages=sections(version.content["items"]),
        parents_in=parents_in,
        code=qr_svg(version.id, _("Number of the text, to scan")),
    )
