"""Agreements: who signed which version, and whether an institution may be asked anything.

A network says which kinds it needs (`Network.needs`); without each of them in force for it, an
institution is not asked (fail closed: no signature, an ended version and a withdrawal all mean no).
A network that needs none asks as networks did before there was a register.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Membership, Network
from studies.network.models import Agreement, AgreementSignature
from studies.network.words import AGREEMENT_KINDS
from studies.periods import check_period, holds, in_force


def add_agreement(
    session: Session,
    *,
    network: str,
    kind: str,
    version: str,
    title_nl: str,
    title_en: str,
    since: datetime,
    actor: Actor,
    until: datetime | None = None,
    sha256: str | None = None,
) -> Agreement:
    """A version of an agreement that institutions can sign.

    Raises StudiesError `unknown_code`, `not_found`, `bad_period`, `name_taken` (the version).
    """
    if kind not in AGREEMENT_KINDS:
        raise StudiesError("unknown_code")
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    check_period(since, until)
    there = select(Agreement.id).where(
        Agreement.network == network, Agreement.kind == kind, Agreement.version == version
    )
    if session.scalar(there) is not None:
        raise StudiesError("name_taken")
    made = Agreement(
        network=network,
        kind=kind,
        version=version,
        title_nl=title_nl,
        title_en=title_en,
        since=since,
        until=until,
        sha256=sha256,
    )
    session.add(made)
    session.flush()
    announce(
        session,
        actor=actor,
        action="agreement.added",
        about=f"network:{network}",
        facts={"kind": kind, "version": version, "sha256": sha256},
    )
    return made


def sign_agreement(
    session: Session,
    agreement: Agreement,
    institution: str,
    *,
    signatory: str,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
) -> AgreementSignature:
    """Sign for an institution; that the actor may is checked where roles are known.

    Raises StudiesError `not_a_member`, `in_the_future`, `bad_period` (the version is not in force
    then), `already_signed`.
    """
    moment = now if at is None else at
    if moment > now:
        raise StudiesError("in_the_future")
    member = select(Membership.id).where(
        Membership.network == agreement.network,
        Membership.institution == institution,
        in_force(Membership, moment),
    )
    if session.scalar(member.limit(1)) is None:
        raise StudiesError("not_a_member")
    if not holds(agreement, moment):
        raise StudiesError("bad_period")
    stands = _standing(session, agreement, institution)
    if stands or signature_of(agreement, institution, moment) is not None:
        raise StudiesError("already_signed")
    made = AgreementSignature(
        agreement_id=agreement.id,
        institution=institution,
        signed_at=moment,
        signatory=signatory,
        by=actor.id,
    )
    agreement.signatures.append(made)
    session.flush()
    _announce(session, actor, "agreement.signed", agreement, institution)
    return made


def withdraw_signature(
    session: Session, agreement: Agreement, institution: str, *, actor: Actor, now: datetime
) -> AgreementSignature:
    """Take an institution's signature back; from then on it is not asked where this was needed.

    Raises StudiesError `not_signed`.
    """
    held = _standing(session, agreement, institution)
    if held is None:
        raise StudiesError("not_signed")
    held.withdrawn_at, held.withdrawn_by = now, actor.id
    session.flush()
    _announce(session, actor, "agreement.withdrawn", agreement, institution)
    return held


def _standing(
    session: Session, agreement: Agreement, institution: str
) -> AgreementSignature | None:
    """The signature that nobody withdrew, of whatever day; the database keeps it to one.

    Who signs or withdraws at the same time waits for the row of the agreement, and then reads
    what the other one wrote.
    """
    session.refresh(agreement, with_for_update=True)
    session.expire(agreement, ["signatures"])
    for each in agreement.signatures:
        if each.institution == institution and each.withdrawn_at is None:
            return each
    return None


def signature_of(agreement: Agreement, institution: str, at: datetime) -> AgreementSignature | None:
    """The signature of an institution that counts at a moment."""
    for each in agreement.signatures:
        stands = each.withdrawn_at is None or each.withdrawn_at > at
        if each.institution == institution and each.signed_at <= at and stands:
            return each
    return None


def agreements_of(session: Session, network: str) -> list[Agreement]:
    """All versions of all agreements of a network with their signatures, newest first."""
    return list(
        session.scalars(
            select(Agreement)
            .where(Agreement.network == network)
            .options(selectinload(Agreement.signatures))
            .order_by(Agreement.since.desc(), Agreement.kind, Agreement.version)
        )
    )


def missing(
    session: Session, network: str, institutions: Sequence[str], at: datetime
) -> dict[str, tuple[str, ...]]:
    """Which needed kinds of agreement each institution has not in force; empty means none."""
    found = session.get(Network, network)
    needs = tuple(found.needs) if found is not None else tuple(AGREEMENT_KINDS)
    held = {institution: set[str]() for institution in institutions}
    if needs:
        rows = session.execute(
            select(AgreementSignature.institution, Agreement.kind)
            .join(Agreement, Agreement.id == AgreementSignature.agreement_id)
            .where(
                Agreement.network == network,
                AgreementSignature.institution.in_(institutions),
                in_force(Agreement, at),
                AgreementSignature.signed_at <= at,
                AgreementSignature.withdrawn_at.is_(None) | (AgreementSignature.withdrawn_at > at),
            )
        )
        for institution, kind in rows:
            held[institution].add(kind)
    return {
        institution: tuple(kind for kind in needs if kind not in kinds)
        for institution, kinds in held.items()
    }


def valid_for(session: Session, network: str, institution: str, at: datetime) -> bool:
    """Whether nothing that the network needs is missing for this institution at a moment."""
    return not missing(session, network, [institution], at)[institution]


def may_be_asked(
    session: Session, network: str, institutions: Iterable[str], at: datetime
) -> list[str]:
    """Those of the institutions that have every needed agreement in force, sorted."""
    lacking = missing(session, network, sorted(set(institutions)), at)
    return [institution for institution, kinds in lacking.items() if not kinds]


def _announce(
    session: Session, actor: Actor, action: str, agreement: Agreement, institution: str
) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"institution:{institution}",
        facts={
            "network": agreement.network,
            "kind": agreement.kind,
            "version": agreement.version,
        },
    )
