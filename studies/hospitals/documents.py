"""Documents of a study and of its hospitals: PDF only, by version, with the SHA-256 of their bytes.

The bytes are in the database, so that they are backed up with what refers to them. Nothing in them
is read or carried out; a page gives them as a download, never inside itself.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import one_line
from studies.hospitals.change import begin_change
from studies.hospitals.models import DocumentBody, StudyDocument
from studies.models import Participation, Study
from studies.reading import get_participation

MAX_BYTES: Final = 8_000_000
# kind -> English, Dutch, and whether it belongs to one hospital.
KINDS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "protocol": ("Protocol", "Protocol", False),
    "consent": ("Consent form", "Toestemmingsformulier", False),
    "information": ("Information for patients", "Informatie voor patiënten", False),
    "decision": ("Decision of the committee", "Besluit van de commissie", False),
    "policy": ("Insurance policy", "Verzekeringspolis", False),
    "questionnaire": ("Feasibility questionnaire", "Vragenlijst haalbaarheid", True),
    "gcp": ("GCP certificate", "GCP-certificaat", True),
    "cv": ("CV of the investigator", "CV van de onderzoeker", True),
    "annex": ("Annex of a department", "Bijlage van een afdeling", True),
    "vgo": ("Declaration of suitability (VGO)", "Verklaring geschiktheid (VGO)", True),
    "contract": ("Contract (CTA)", "Contract (CTA)", True),
    "insurance": ("Insurance", "Verzekering", True),
    "delegation_log": ("Delegation log", "Delegatielijst", True),
    "initiation_report": (
        "Report of the initiation visit",
        "Verslag van het initiatiebezoek",
        True,
    ),
    "close_out_report": (
        "Report of the close-out visit",
        "Verslag van het afsluitend bezoek",
        True,
    ),
}
# What the board of a hospital signs.
FOR_THE_BOARD: Final = ("vgo", "contract")

_HEAD: Final = re.compile(rb"%PDF-[12]\.\d")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,19}")


def add_document(
    session: Session,
    study: Study,
    *,
    kind: str,
    name: str,
    version: str,
    body: bytes,
    valid_from: date,
    actor: Actor,
    now: datetime,
    institution: str | None = None,
    valid_until: date | None = None,
    expected: int | None = None,
) -> StudyDocument:
    """Keep a version of a document. An earlier version stays as it is.

    Raises StudiesError `unknown_code` (kind, or a hospital's kind without hospital and the other
    way round), `bad_document` (name or version), `document_exists`, `bad_period`, `not_pdf`,
    `document_too_large`, `not_found`, `changed_meanwhile`, `control_sign`, `points_at_somebody`
    (the name).
    """
    if kind not in KINDS or KINDS[kind][2] != (institution is not None):
        raise StudiesError("unknown_code")
    words = " ".join(name.split())
    if not 1 <= len(words) <= 200 or not _VERSION.fullmatch(version):
        raise StudiesError("bad_document")
    words = one_line(words, 200, now)
    if valid_until is not None and valid_until < valid_from:
        raise StudiesError("bad_period")
    check_pdf(body)
    part = None if institution is None else get_participation(session, study.slug, institution)
    if part is not None:
        begin_change(session, part, expected)
    if _there(session, study.slug, institution, kind, version):
        raise StudiesError("document_exists")
    sha256 = hashlib.sha256(body).hexdigest()
    if session.get(DocumentBody, sha256) is None:
        session.add(DocumentBody(sha256=sha256, body=body))
        session.flush()
    document = StudyDocument(
        study=study.slug,
        institution=institution,
        kind=kind,
        name=words,
        version=version,
        valid_from=valid_from,
        valid_until=valid_until,
        sha256=sha256,
        size=len(body),
        uploaded_at=now,
        uploaded_by=actor.id,
    )
    session.add(document)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.document_added" if part is None else "participation.document_added",
        about=f"study:{study.slug}",
        facts={
            "institution": institution,
            "kind": kind,
            "version": version,
            "sha256": sha256,
            "size": len(body),
        },
    )
    return document


def check_pdf(body: bytes) -> None:
    """Raise StudiesError `document_too_large`, or `not_pdf` for bytes that do not begin and end
    as a PDF file does (ISO 32000-2, 7.5.2 and 7.5.5)."""
    if len(body) > MAX_BYTES:
        raise StudiesError("document_too_large")
    if not _HEAD.match(body) or b"%%EOF" not in body[-1024:]:
        raise StudiesError("not_pdf")


def get_document(session: Session, document_id: str) -> tuple[StudyDocument, bytes]:
    """A document and its bytes, which are compared with their SHA-256 each time.

    Raises StudiesError `not_found`, `document_altered`.
    """
    document = session.get(StudyDocument, document_id)
    body = None if document is None else session.get(DocumentBody, document.sha256)
    if document is None or body is None:
        raise StudiesError("not_found")
    if hashlib.sha256(body.body).hexdigest() != document.sha256:
        raise StudiesError("document_altered")
    return document, body.body


def part_of(session: Session, document: StudyDocument) -> Participation | None:
    """The hospital's part that a document belongs to, None for one of the study."""
    if document.institution is None:
        return None
    return get_participation(session, document.study, document.institution)


def _there(session: Session, study: str, institution: str | None, kind: str, version: str) -> bool:
    found = select(StudyDocument.id).where(
        StudyDocument.study == study,
        StudyDocument.kind == kind,
        StudyDocument.version == version,
        StudyDocument.institution.is_(None)
        if institution is None
        else StudyDocument.institution == institution,
    )
    return session.scalars(found).first() is not None
