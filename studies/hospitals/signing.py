"""Signing by a board: who signed which bytes, when; and what waits for a signature.

The page asks for a fresh sign-in and says so (`fresh`); without it nothing is signed. The signer
was shown a SHA-256 and gives it back, so that nobody signs something else than they read.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.change import begin_change
from studies.hospitals.documents import FOR_THE_BOARD, get_document, part_of
from studies.hospitals.facts import BOARD, documents_of, facts_of, is_valid, newest, signatures_of
from studies.hospitals.guards import Guard, missing
from studies.hospitals.models import Signature, StudyDocument
from studies.models import Participation
from studies.states import PARTICIPATION_ENDED


@dataclass(frozen=True)
class Waiting:
    """A document that waits for the board of a hospital; `first` is what must be done before."""

    part: Participation
    document: StudyDocument
    first: tuple[Guard, ...]

    @property
    def ready(self) -> bool:
        """Whether the board can sign now."""
        return not self.first


def sign(
    session: Session,
    document_id: str,
    *,
    sha256: str,
    actor: Actor,
    now: datetime,
    fresh: bool,
    expected: int | None = None,
) -> Signature:
    """Sign a hospital's VGO or contract as its board.

    Raises StudiesError `fresh_needed`; `wrong_role` for who is not on the board of that hospital;
    `own_document` for who put it there; `document_outdated` when it is not valid today or not the
    newest; `document_altered` when it is not what was shown; `already_signed`; `not_ready`
    when something must be done first; `not_found`, `changed_meanwhile`.
    """
    if not fresh:
        raise StudiesError("fresh_needed")
    document, _body = get_document(session, document_id)
    part = part_of(session, document)
    if part is None or document.kind not in FOR_THE_BOARD:
        raise StudiesError("not_found")
    if f"{BOARD}@site:{part.institution}" not in actor.roles:
        raise StudiesError("wrong_role")
    if document.uploaded_by == actor.id:
        raise StudiesError("own_document")
    if document.sha256 != sha256:
        raise StudiesError("document_altered")
    begin_change(session, part, expected)
    documents = documents_of(session, part)
    current = newest(documents, document.kind, part.institution)
    if current is not document or not is_valid(document, local_day(now)):
        raise StudiesError("document_outdated")
    if any(each.role == BOARD for each in _under(session, document)):
        raise StudiesError("already_signed")
    if first := _first(session, part, document, now):
        raise StudiesError("not_ready", missing=tuple(guard.code for guard in first))
    signature = Signature(
        about=f"document:{document.id}",
        sha256=document.sha256,
        institution=part.institution,
        role=BOARD,
        signed_by=actor.id,
        name=actor.name,
        signed_at=now,
    )
    session.add(signature)
    session.flush()
    announce(
        session,
        actor=actor,
        action="participation.document_signed",
        about=f"study:{part.study}",
        facts={
            "institution": part.institution,
            "kind": document.kind,
            "version": document.version,
            "sha256": document.sha256,
        },
    )
    return signature


def waiting_for(session: Session, institution: str, now: datetime) -> tuple[Waiting, ...]:
    """What waits for the signature of a hospital's board, by study; what is ready comes first."""
    found = session.scalars(
        select(StudyDocument)
        .where(StudyDocument.institution == institution, StudyDocument.kind.in_(FOR_THE_BOARD))
        .order_by(
            StudyDocument.study,
            StudyDocument.kind,
            StudyDocument.valid_from,
            StudyDocument.uploaded_at,
        )
    )
    latest = {(each.study, each.kind): each for each in found}
    done = {each.about for each in signatures_of(session, list(latest.values()))}
    waiting = []
    for document in latest.values():
        part = part_of(session, document)
        if (
            part is not None
            and f"document:{document.id}" not in done
            and is_valid(document, local_day(now))
            and part.state not in PARTICIPATION_ENDED
        ):
            waiting.append(Waiting(part, document, _first(session, part, document, now)))
    return tuple(sorted(waiting, key=lambda each: (not each.ready, each.part.study)))


def _first(
    session: Session, part: Participation, document: StudyDocument, now: datetime
) -> tuple[Guard, ...]:
    """What the step asks for besides the signature itself, such as the annexes under a VGO."""
    facts = facts_of(session, part, now)
    code = "vgo_signed" if document.kind == "vgo" else "contract_signed"
    if code in facts.taken:
        return ()  # a new version of what was signed before
    unmet = missing(facts.pathway.step(code), facts)
    return tuple(guard for guard in unmet if guard.code != document.kind)


def _under(session: Session, document: StudyDocument) -> list[Signature]:
    return [each for each in signatures_of(session, [document]) if each.sha256 == document.sha256]
