"""The paper of an agreement: the PDF that boards sign, kept with the SHA-256 of its bytes.

The bytes lie where those of study documents lie (studies/hospitals/documents.py). A version that
somebody has signed gets no other paper: they signed what was shown to them then.
"""

import hashlib

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.documents import check_pdf
from studies.hospitals.models import DocumentBody
from studies.network.models import Agreement


def keep_paper(session: Session, agreement: Agreement, body: bytes, *, actor: Actor) -> str:
    """Keep the PDF of a version that nobody has signed yet; its SHA-256 in hexadecimal.

    A version that was added with a SHA-256 takes only the bytes of that number, also once signed.
    Raises StudiesError `not_pdf`, `document_too_large`, `document_exists` (it has another paper),
    `document_altered` (not the bytes that were announced), `paper_too_late`.
    """
    check_pdf(body)
    sha256 = hashlib.sha256(body).hexdigest()
    session.refresh(agreement, with_for_update=True)
    session.expire(agreement, ["signatures"])
    if agreement.sha256 not in (None, sha256):
        kept = session.get(DocumentBody, agreement.sha256) is not None
        raise StudiesError("document_exists" if kept else "document_altered")
    if agreement.sha256 is None and agreement.signatures:
        raise StudiesError("paper_too_late")
    if session.get(DocumentBody, sha256) is None:
        session.add(DocumentBody(sha256=sha256, body=body))
    agreement.sha256 = sha256
    session.flush()
    announce(
        session,
        actor=actor,
        action="agreement.paper_kept",
        about=f"network:{agreement.network}",
        facts={
            "kind": agreement.kind,
            "version": agreement.version,
            "sha256": sha256,
            "size": len(body),
        },
    )
    return sha256


def get_paper(session: Session, agreement: Agreement) -> bytes:
    """The PDF, compared with its SHA-256 each time.

    Raises StudiesError `not_found` (none is kept), `document_altered`.
    """
    found = None if agreement.sha256 is None else session.get(DocumentBody, agreement.sha256)
    if found is None:
        raise StudiesError("not_found")
    if hashlib.sha256(found.body).hexdigest() != agreement.sha256:
        raise StudiesError("document_altered")
    return found.body


def check_shown(agreement: Agreement, sha256: str) -> None:
    """Whether the paper that somebody is about to sign is the one that stands here now.

    Raises StudiesError `document_altered`.
    """
    if (agreement.sha256 or "") != sha256:
        raise StudiesError("document_altered")
