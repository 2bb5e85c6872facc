"""A patient's receipt: the page to keep or print, and its files, named without a diagnosis."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from consent import receipts
from consent import service as consent
from consent.errors import ConsentError
from consent.models import Receipt, Subject
from consent.speakers import may_read
from registry.access import rule
from registry.accounts import proving
from registry.app import hub
from registry.hub_keys import signers
from registry.pages.connections import connection_of
from registry.receipts import pdf, words
from registry.receipts.checking import as_file
from registry.receipts.picture import qr_svg
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _

blueprint = Blueprint("receipts", __name__, url_prefix="/mijn/bewijs")


def document_of(receipt_id: str) -> tuple[Session, Subject, Receipt, dict[str, Any]]:
    """My receipt as signed document; 404 for anyone else's."""
    session = current_session()
    subject = session.get(Subject, g.actor.id)
    if subject is None:
        raise NotFound
    try:
        of = consent.receipt(session, subject, receipt_id)
    except ConsentError as error:
        raise NotFound from error
    if not may_read(session, subject, proving.circumstances("").party, of.party, g.now):
        raise NotFound  # what the other parent said is not for this one
    pen = signers(hub().settings, g.now)
    made = receipts.receipt_document(
        session, of, signers=pen, base=hub().settings.address.rstrip("/")
    )
    return session, subject, of, receipts.signed_document(made, pen)


@blueprint.get("/<receipt>")
@rule(roles={"patient"})
def page(receipt: str) -> str:
    """The receipt to read, print or save."""
    return _shown("receipts/page.html", receipt)


@blueprint.get("/<receipt>/json")
@rule(roles={"patient"})
def json_file(receipt: str) -> Response:
    """The receipt for machines: everything, with the signature."""
    *_rest, of, made = document_of(receipt)
    return _file(as_file(made), "application/json", of, "json")


@blueprint.get("/<receipt>/jws")
@rule(roles={"patient"})
def signed_file(receipt: str) -> Response:
    """The receipt as one signed message."""
    *_rest, of, made = document_of(receipt)
    return _file(made["signature"].encode("ascii"), "application/jose", of, "jws")


@blueprint.get("/<receipt>/pdf")
@rule(roles={"patient"})
def pdf_file(receipt: str) -> BaseResponse:
    """The receipt as tagged PDF; where this hub cannot make one, the page to print."""
    if not pdf.available():
        document_of(receipt)
        return redirect(url_for("receipts.page", receipt=receipt), 303)
    html = _shown("receipts/paper.html", receipt)
    return _file(pdf.make(html), "application/pdf", None, "pdf", receipt)


def _shown(template: str, receipt_id: str) -> str:
    session, subject, of, made = document_of(receipt_id)
    return render_template(
        template,
        document=made,
        receipt=of,
        reference=receipts.reference(of.id),
        lines=[_line(one) for one in made["said"]],
        ask_again=date.fromisoformat(made["ask_again"]) if made["ask_again"] else None,
        ends=date.fromisoformat(made["ends"]) if made["ends"] else None,
        fingerprint=receipts.document_sha256(made),
        qr=qr_svg(receipts.qr_text(made), _("QR code with the number of this receipt")),
        latest=receipts.is_latest(session, of),
        has_pdf=pdf.available(),
        hospital=connection_of(session, subject.site, g.now),
    )


def _line(one: dict[str, Any]) -> tuple[str, str]:
    """Question and answer; what was erased says so."""
    if "erased" in one:
        return _("An answer"), _("Content erased")
    asked = one["question"] or (one["label"] or {}).get(language()) or _("Everything")
    return asked, words.answer(one, language()).capitalize()


def _file(
    data: bytes, mimetype: str, of: Receipt | None, ending: str, receipt_id: str = ""
) -> Response:
    name = receipts.file_name(of.id if of is not None else receipt_id, ending)
    response = Response(data, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
