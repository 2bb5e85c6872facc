"""What a hospital is told of its patients' choices, and the evidence on which each bit rests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import standing
from consent.encoding import b64, to_ms
from consent.evidence import Act, Denial, Evidence
from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, Subject
from consent.models_people import Passkey
from consent.nothing_new import nothing_new_since
from consent.rule import ANY, Choice, Decision, Scope, decide
from consent.standing import Standing
from consent.subjects import handle_bytes

Column = tuple[str, str]


@dataclass
class State:
    """What a site's snapshot says, without number and dates. granted: a mask per column."""

    columns: tuple[Column, ...]
    handles: list[bytes] = field(default_factory=list)
    granted: list[NDArray[np.bool_]] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)


def state_of(
    session: Session,
    site: str,
    network: str,
    columns: tuple[Column, ...],
    moment: datetime,
    sure_until: datetime,
) -> State:
    """The state of consent of one site at `moment`, for (study, item) columns.

    A grant that ends before `sure_until` is left out, so that nobody is counted past an end.
    """
    said = standing.at_site(session, site, moment)
    rows_of_site = session.execute(select(Subject.id, Subject.handle).where(Subject.site == site))
    handle_of = {subject: handle_bytes(handle) for subject, handle in rows_of_site}
    judging = _Judging(network, site, columns, moment, sure_until)
    rows: list[list[bool]] = []
    grounds: list[tuple[int, str]] = []
    handles: list[bytes] = []
    for subject, own in said.items():
        row, decisions = judging.row(own)
        # Whoever is granted nothing is left out: not named means not permitted.
        if any(row):
            place = len(handles)
            handles.append(handle_of[subject])
            rows.append(row)
            acts = {choice.act for decision in decisions for choice in decision.grounds}
            grounds += [(place, act) for act in sorted(acts)]
    bits = np.array(rows, np.bool_).reshape(len(rows), len(columns))
    return State(
        columns,
        handles,
        [bits[:, number] for number in range(len(columns))],
        _evidence(session, site, grounds, _denials(said, handle_of, moment)),
    )


class _Judging:
    """The rule over all columns of one site, for one patient after the other."""

    def __init__(
        self,
        network: str,
        site: str,
        columns: tuple[Column, ...],
        moment: datetime,
        sure_until: datetime,
    ) -> None:
        self._moment = moment
        self._sure_until = sure_until
        self._requests = {
            (study, item): Scope(network, site, item, study, ITEMS[item].category)
            for study, item in columns
        }
        self._studies = {study for study, _ in columns}
        # A closed parent closes its children, also where a study forgets to require the parent.
        self._needs = [
            [columns.index((study, code)) for code in with_parents([item])]
            for study, item in columns
        ]

    def row(self, own: Standing) -> tuple[list[bool], list[Decision]]:
        """The bits of one patient, and the decisions on which those that are set rest."""
        about: dict[Column, list[Choice]] = {}
        wide: list[Choice] = []
        for choice in own.choices:
            place = (choice.scope.study, choice.scope.item)
            if ANY in place:
                wide.append(choice)
            else:
                about.setdefault(place, []).append(choice)
        alone = [
            self._decided(column, request, [*about.get(column, ()), *wide], own)
            for column, request in self._requests.items()
        ]
        closed = {
            study
            for study in self._studies
            if nothing_new_since(own.choices, study, self._moment) is not None
        }
        bits = [
            study not in closed and all(alone[need] is not None for need in self._needs[number])
            for number, (study, _) in enumerate(self._requests)
        ]
        rests = [decision for bit, decision in zip(bits, alone, strict=True) if bit and decision]
        return bits, rests

    def _decided(
        self, column: Column, request: Scope, choices: Sequence[Choice], own: Standing
    ) -> Decision | None:
        if not choices:
            return None
        decision = decide(request, choices, self._moment, needs=own.needs)
        lasts = decision.until is None or decision.until >= self._sure_until
        return decision if decision.permit and lasts else None


def _denials(
    said: Mapping[str, Standing], handle_of: Mapping[str, bytes], moment: datetime
) -> list[Denial]:
    newest: dict[tuple[bytes, str, str], int] = {}
    for subject, own in said.items():
        handle = handle_of[subject]
        for choice in own.choices:
            at = max(choice.effective_at, choice.recorded_at)
            if choice.kind != "grant" and at <= moment:
                place = (handle, choice.scope.study, choice.scope.item)
                newest[place] = max(to_ms(at), newest.get(place, 0))
    return [Denial(*place, at) for place, at in newest.items()]


def _evidence(
    session: Session,
    site: str,
    grounds: Sequence[tuple[int, str]],
    denied: Sequence[Denial],
) -> Evidence:
    proofs = _proofs(session, site, {receipt for _, receipt in grounds})
    acts = [_act(handle, proofs[receipt]) for handle, receipt in grounds]
    keys = {str(act.more["by"]) for act in acts if act.more is not None}
    return Evidence(acts, denied, _passkeys(session, keys))


def _proofs(session: Session, site: str, receipts: set[str]) -> Mapping[str, Any]:
    """The proof of each act, with the text and study it is about; one row per act."""
    event = ConsentEvent
    rows = session.execute(
        select(
            event.receipt_id,
            event.study,
            event.text_version,
            event.party,
            event.effective_at,
            event.proof,
        )
        .join(Subject, Subject.id == event.subject_id)
        .where(Subject.site == site, event.kind == "granted", event.proof.is_not(None))
        .where(event.leaf.in_(_first_leaves(site)))
    )
    return {row[0]: row for row in rows if row[0] in receipts}


def _first_leaves(site: str) -> Any:
    # All yes of an act carry the same proof; reading it once saves most of the work.
    event = ConsentEvent
    return (
        select(func.min(event.leaf))
        .join(Subject, Subject.id == event.subject_id)
        .where(Subject.site == site, event.kind == "granted", event.proof.is_not(None))
        .group_by(event.receipt_id)
    )


def _act(handle: int, row: Any) -> Act:
    _, study, text, party, effective, proof = row
    kind = proof["kind"]
    further = {name: value for name, value in proof.items() if name not in ("act", "yes", "mac")}
    return Act(
        handle=handle,
        study=study,
        text=text,
        party=party,
        kind=kind,
        yes=tuple(proof["yes"]),
        at=to_ms(effective),
        act=proof["act"],
        by=proof["by"] if kind == "letter" else "",
        mac=bytes.fromhex(proof.get("mac", "")),
        more=further if kind == "passkey" else None,
    )


def _passkeys(session: Session, keys: Iterable[str]) -> list[Mapping[str, Any]]:
    """The enrolments of these passkeys, each with the code of the letter that vouches for it."""
    wanted = sorted(keys)
    if not wanted:
        return []
    rows = session.execute(
        select(Passkey, Subject)
        .join(Subject, Subject.id == Passkey.subject_id)
        .where(Passkey.credential_id.in_(wanted))
    )
    return [
        {
            "network": subject.network,
            "site": subject.site,
            "handle": subject.handle,
            "party": key.party,
            "credential_id": key.credential_id,
            "public_key": b64(key.public_key),
            "rp_id": key.enrolled["rp_id"],
            "at": to_ms(key.created_at),
            "by": key.enrolled["by"],
            "mac": key.enrolled["mac"],
        }
        for key, subject in rows
    ]
