"""What a hospital is told of its patients' choices, and the evidence on which each bit rests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session

from consent import standing
from consent.encoding import b64, to_ms
from consent.evidence import Act, Denial, Evidence
from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, Subject, TextVersion
from consent.models_people import Passkey
from consent.renewing import periods_of
from consent.rule import (
    ALONE,
    ANY,
    COLLECT_NEW,
    OLDER_DATA,
    SELF,
    Choice,
    Decision,
    Scope,
    Window,
    decide,
    window,
)
from consent.standing import Standing
from consent.subjects import handle_bytes

Column = tuple[str, str]
_SOME: Final = 500
_LIMITING: Final = (OLDER_DATA, COLLECT_NEW)


@dataclass
class State:
    """What a site's snapshot says, without number and dates. granted: a mask per column; within:
    the same of those who count with data of some time only."""

    columns: tuple[Column, ...]
    handles: list[bytes] = field(default_factory=list)
    granted: list[NDArray[np.bool_]] = field(default_factory=list)
    within: list[NDArray[np.bool_]] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the hub found of one patient.

    bits: a byte per column, 1 for granted. acts: the receipts on which those rest. denied: the
    newest no per (study, item), in milliseconds, and every no to new data. within: as `bits`, 1
    where it holds with data of some time only (consent.rule.window); b"" for nowhere. own: of the
    noes those that the patient said in person, where others may speak as well.
    """

    bits: bytes
    acts: tuple[str, ...] = ()
    denied: tuple[tuple[str, str, int], ...] = ()
    within: bytes = b""
    own: tuple[tuple[str, str, int], ...] = ()


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
    Everybody is judged anew, one by one; consent/kept.py says the same sooner.
    """
    renewal = periods_of(session, network).renewal
    judging = Judging(network, site, columns, moment, sure_until, renewal)
    found = {
        subject: judging.judged(own)
        for subject, own in standing.at_site(session, site, moment).items()
    }
    resting = {receipt for judged in found.values() for receipt in judged.acts}
    return assemble(session, columns, found, handles_of(session, site), acts_of(session, resting))


def assemble(
    session: Session,
    columns: tuple[Column, ...],
    judged: Mapping[str, Judged],
    handles: Mapping[str, bytes],
    acts: Mapping[str, Act],
) -> State:
    """The state of a site from what was found of each patient. acts: by receipt."""
    # Whoever is granted nothing is left out: not named means not permitted.
    # In the order of the handles, so that nothing has to change places when the list is packed.
    named = sorted(
        ((subject, one) for subject, one in judged.items() if 1 in one.bits or 1 in one.within),
        key=lambda each: handles[each[0]],
    )
    rows = _rows((one.bits for _, one in named), len(columns))
    apart = _rows((one.within or bytes(len(columns)) for _, one in named), len(columns))
    rests = [
        acts[receipt].at_place(place)
        for place, (_, one) in enumerate(named)
        for receipt in one.acts
    ]
    denied = [Denial(handles[subject], *no) for subject, one in judged.items() for no in one.denied]
    own = [Denial(handles[subject], *no) for subject, one in judged.items() for no in one.own]
    keys = {str(act.more["by"]) for act in rests if act.more is not None}
    return State(
        columns,
        [handles[subject] for subject, _ in named],
        [rows[:, number] for number in range(len(columns))],
        [apart[:, number] for number in range(len(columns))],
        Evidence(rests, denied, _passkeys(session, keys), own, _texts(session, rests)),
    )


def _rows(bits: Iterable[bytes], columns: int) -> NDArray[np.bool_]:
    joined = np.frombuffer(b"".join(bits), np.uint8)
    return joined.reshape(-1 if columns else 0, columns).astype(np.bool_)


def _texts(session: Session, acts: Iterable[Act]) -> list[tuple[str, Mapping[str, Any]]]:
    """The texts that these acts name, so that a hospital sees what was asked."""
    wanted = sorted({act.text for act in acts})
    rows: list[Any] = []
    for start in range(0, len(wanted), _SOME):
        rows += session.execute(
            select(TextVersion.study, TextVersion.content)
            .where(TextVersion.id.in_(wanted[start : start + _SOME]))
            .order_by(TextVersion.id)
        ).all()
    return [(study, content) for study, content in rows if "items" in content]


def handles_of(
    session: Session, site: str, subjects: Sequence[str] | None = None
) -> dict[str, bytes]:
    """The handle of each patient of a site, or of these."""
    wanted = select(Subject.id, Subject.handle).where(Subject.site == site)
    if subjects is not None:
        wanted = wanted.where(Subject.id.in_(subjects))
    return {subject: handle_bytes(handle) for subject, handle in session.execute(wanted)}


class Judging:
    """The rule over all columns of one site, for one patient after the other."""

    def __init__(
        self,
        network: str,
        site: str,
        columns: tuple[Column, ...],
        moment: datetime,
        sure_until: datetime,
        renewal: timedelta,
    ) -> None:
        self.moment = moment
        self.sure_until = sure_until
        self.renewal = renewal
        self.site = site
        self._requests = {
            (study, item): Scope(network, site, item, study, ITEMS[item].category)
            for study, item in columns
        }
        # A closed parent closes its children, also where a study forgets to require the parent.
        self._needs = [
            [columns.index((study, code)) for code in with_parents([item])]
            for study, item in columns
        ]

    def judged(self, own: Standing) -> Judged:
        """What is found of one patient, who stands like this."""
        bits, decisions = self.row(own)
        acts = {choice.act for decision in decisions for choice in decision.grounds}
        within = bytes(len(bits))
        if any(self._limits(choice) for choice in own.choices):
            windows = self._windows(own, bits)
            acts |= {act for each in windows if each for act in each.acts}
            within = bytes(each is not None and not each.whole for each in windows)
            bits = [bit and not apart for bit, apart in zip(bits, within, strict=True)]
        in_person = [choice for choice in own.choices if choice.party == SELF]
        return Judged(
            bytes(bits),
            tuple(sorted(acts)),
            _denied(own.choices, self.moment),
            within if any(within) else b"",
            () if own.needs == ALONE else _denied(in_person, self.moment),
        )

    def _limits(self, choice: Choice) -> bool:
        """Whether this may mean that data of some time only count."""
        old = min(choice.effective_at, choice.recorded_at) + self.renewal <= self.sure_until
        return old or choice.asks_older or choice.scope.item in _LIMITING

    def _windows(self, own: Standing, bits: Sequence[bool]) -> list[Window | None]:
        """Per column of which time the data may be; None where nothing is granted."""
        return [
            window(
                request,
                own.choices,
                self.moment,
                needs=own.needs,
                lasting=self.sure_until,
                renewal=self.renewal,
            )
            if bit
            else None
            for request, bit in zip(self._requests.values(), bits, strict=True)
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
        bits = [all(alone[need] is not None for need in needs) for needs in self._needs]
        rests = [decision for bit, decision in zip(bits, alone, strict=True) if bit and decision]
        return bits, rests

    def _decided(
        self, column: Column, request: Scope, choices: Sequence[Choice], own: Standing
    ) -> Decision | None:
        if not choices:
            return None
        decision = decide(request, choices, self.moment, needs=own.needs)
        lasts = decision.until is None or decision.until >= self.sure_until
        return decision if decision.permit and lasts else None


def _denied(choices: Iterable[Choice], moment: datetime) -> tuple[tuple[str, str, int], ...]:
    newest: dict[Column, int] = {}
    every: list[tuple[str, str, int]] = []
    for choice in choices:
        at = max(choice.effective_at, choice.recorded_at)
        if choice.kind != "grant" and at <= moment:
            place = (choice.scope.study, choice.scope.item)
            # The first no to new data that was not answered ends the window: all of them count.
            if choice.scope.item == COLLECT_NEW:
                every.append((*place, to_ms(at)))
            newest[place] = max(to_ms(at), newest.get(place, 0))
    newest = {place: at for place, at in newest.items() if place[1] != COLLECT_NEW}
    return (*((*place, at) for place, at in newest.items()), *dict.fromkeys(every))


def acts_of(session: Session, receipts: Iterable[str]) -> dict[str, Act]:
    """By receipt: its proof, with the text and study it is about. All yes of an act carry the same
    proof; that of the first is taken."""
    event = ConsentEvent
    wanted = sorted(receipts)
    found: dict[str, Any] = {}
    for start in range(0, len(wanted), _SOME):
        rows = session.execute(
            select(
                event.receipt_id,
                event.study,
                event.text_version,
                event.party,
                event.effective_at,
                type_coerce(event.proof, Text),
            )
            .where(
                event.receipt_id.in_(wanted[start : start + _SOME]),
                event.kind == "granted",
                event.proof.is_not(None),
            )
            .order_by(event.leaf.desc())
        )
        found |= {row[0]: row for row in rows}
    # Read once per act, not once per yes.
    return {
        receipt: act_from(study, text, party, effective, json.loads(proof))
        for receipt, study, text, party, effective, proof in found.values()
    }


def act_from(
    study: str, text: str | None, party: str, effective: datetime, proof: Mapping[str, Any]
) -> Act:
    """An act as evidence; its place among the handles is still to be given."""
    kind = proof["kind"]
    further = {name: value for name, value in proof.items() if name not in ("act", "yes", "mac")}
    return Act(
        handle=0,
        study=study,
        text=text or "",
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
    rows: list[Any] = []
    for start in range(0, len(wanted), _SOME):
        rows += session.execute(
            select(Passkey, Subject)
            .join(Subject, Subject.id == Passkey.subject_id)
            .where(Passkey.credential_id.in_(wanted[start : start + _SOME]))
            .order_by(Passkey.credential_id)
        ).all()
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
