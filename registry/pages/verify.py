"""/verify: anyone can check a receipt here, by file or by pasting. Nothing is kept."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from consent.receipt_check import Check
from registry.access import rule
from registry.receipts.checking import MAX_BYTES
from registry.receipts.looking import look
from registry.receipts.words import NAMES, said_in_words, sentence
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("verify", __name__, url_prefix="/verify")


@blueprint.get("")
@rule("public")
def form() -> str:
    """Choose a file or paste a receipt."""
    return render_template("receipts/verify.html", errors={})


@blueprint.post("")
@rule("public")
def check() -> str | tuple[str, int]:
    """What holds and what does not, in words."""
    sent = request.files.get("file")
    data = sent.read(MAX_BYTES + 1) if sent is not None else b""
    pasted = request.form.get("text", "").strip()
    if not data.strip():
        data = pasted.encode("utf-8", "replace")
    if not data.strip():
        errors = {"file": _("Choose the file of your receipt, or paste what is in it")}
        return render_template("receipts/verify.html", errors=errors), 422
    looked = look(data)
    holds = looked.checked.holds
    return render_template(
        "receipts/verify.html",
        errors={},
        looked=looked,
        rows=[_row(each) for each in looked.checked.checks],
        said=said_in_words(looked.checked.document, language()) if holds else [],
    )


def _row(check: Check) -> tuple[str, bool, str]:
    return _(NAMES[check.name]), check.holds, _(sentence(check))
