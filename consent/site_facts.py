"""Working in what a hospital tells of its own patients. It can speak of nobody else's: a handle is
looked up with the hospital's name, never by itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.bands import BANDS
from consent.closing import CLOSED, is_closed
from consent.errors import ConsentError
from consent.models import Subject
from consent.models_people import DestroyOrder, Fact, FactCorrection, Party, Use
from consent.parties import (
    BEGIN,
    ROLES,
    SELF,
    Age,
    Span,
    Speaker,
    check_age,
    is_party,
    spans,
)
from consent.subjects import add_subject, handle_bytes, invite
from studies.actor import Actor
from studies.base import to_ms
from studies.models import Membership, Participation

_CODE: Final = re.compile(r"[a-z][a-z_]{0,39}")
_QUERY: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST: Final = timedelta(days=366)
_MOMENT: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Told:
    """Who tells: `site` of `network`, with its message `number`."""

    session: Session
    site: str
    network: str
    number: int
    now: datetime

    @property
    def actor(self) -> Actor:
        return Actor(kind="site", id=self.site)

    def subject(self, handle: object) -> Subject:
        """This hospital's patient with a handle, made when it is new. ValueError for no handle."""
        return add_subject(
            self.session,
            site=self.site,
            handle=handle_bytes(text(handle)),
            network=self.network,
            now=self.now,
            actor=self.actor,
        )

    def speakers(self, subject: Subject) -> Mapping[str, Speaker]:
        """Who may speak for a patient, by opaque name: the newest word about each."""
        found = {}
        for fact in self.facts(subject, "representative"):
            value = fact.value
            end = None if value["until"] is None else moment(value["until"])
            found[value["party"]] = Speaker(
                value["party"], value["role"], moment(value["from"]), end
            )
        return found

    def role(self, subject: Subject, party: object, role: object) -> str:
        """The role of a party, as this hospital told it before. ConsentError `unknown_party`."""
        if party == SELF and role == SELF:
            return SELF
        speaker = self.speakers(subject).get(text(party))
        if speaker is None or speaker.role != role:
            raise ConsentError("unknown_party")
        return speaker.role

    def facts(self, subject: Subject, kind: str) -> list[Fact]:
        """The facts of one kind, in the order in which the hospital told them."""
        return list(
            self.session.scalars(
                select(Fact)
                .where(Fact.subject_id == subject.id, Fact.kind == kind)
                .order_by(Fact.number)
            )
        )

    def keep(self, subject: Subject, kind: str, value: Mapping[str, Any], at: datetime) -> None:
        self.session.add(
            Fact(
                subject_id=subject.id,
                kind=kind,
                value=dict(value),
                effective_at=at,
                recorded_at=self.now,
                number=self.number,
            )
        )
        self.session.flush()


def network_of(session: Session, site: str) -> str:
    """The one network of a hospital. ConsentError `unknown_site` without one, or with several."""
    networks = set(
        session.scalars(
            select(Membership.network).where(
                Membership.institution == site, Membership.until.is_(None)
            )
        )
    )
    if len(networks) != 1:
        raise ConsentError("unknown_site")
    return networks.pop()


def invitation(told: Told, content: Mapping[str, Any]) -> None:
    """A letter that the hospital made. ConsentError `unknown_party`, `closed`, and what `invite`
    raises."""
    subject = told.subject(content["handle"])
    role = told.role(subject, content["party"], content["role"])
    if is_closed(told.session, subject.id):
        raise ConsentError("closed")
    studies = content["studies"]
    if not isinstance(studies, list) or not 0 < len(studies) <= 50:
        raise ValueError("studies are a list")
    expires = moment(content["expires"])
    second = content["second_verifier"]
    if not told.now < expires <= told.now + _LONGEST:
        raise ConsentError("invitation_not_valid")
    invite(
        told.session,
        site=told.site,
        handle=handle_bytes(content["handle"]),
        code_id=text(content["code_id"]),
        verifier=text(content["verifier"]),
        second_verifier=None if second is None else text(second),
        studies=[text(study) for study in studies],
        language=text(content["language"]),
        party=text(content["party"]),
        role=role,
        actor=told.actor,
        now=told.now,
        valid_for=expires - told.now,
    )


def age_class(told: Told, content: Mapping[str, Any]) -> None:
    """In which age class a patient is, and the month in which a child leaves it."""
    check_age(content["class"], content["next_month"])
    subject = told.subject(content["handle"])
    value = {"class": content["class"], "next_month": content["next_month"]}
    told.keep(subject, "age_class", value, min(moment(content["since"]), told.now))
    _work_out(told, subject)


def representative(told: Told, content: Mapping[str, Any]) -> None:
    """Somebody who may speak for a patient, from when until when. ConsentError `unknown_party`."""
    party, role, until = content["party"], content["role"], content["until"]
    if not is_party(party) or role not in ROLES:
        raise ConsentError("unknown_party")
    start = moment(content["from"])
    if until is not None and moment(until) < start:
        raise ValueError("an end before the begin")
    subject = told.subject(content["handle"])
    value = {"party": party, "role": role, "from": to_ms(start), "until": until}
    told.keep(subject, "representative", value, told.now)
    _work_out(told, subject)


def contact_stop(told: Told, content: Mapping[str, Any]) -> None:
    """The patient gets no messages any more."""
    told.keep(told.subject(content["handle"]), "contact_stop", {}, told.now)


def closed(told: Told, content: Mapping[str, Any]) -> None:
    """No yes is made or widened from now on, and no message is sent; a no always works."""
    subject = told.subject(content["handle"])
    for kind in (CLOSED, "contact_stop"):
        told.keep(subject, kind, {}, told.now)


def reopened(told: Told, content: Mapping[str, Any]) -> None:
    """The death was entered by mistake: the patient may choose again, and may get messages, but for
    those that were stopped for another reason. Nothing that was said in between comes to count."""
    subject = told.subject(content["handle"])
    facts = told.facts(subject, CLOSED)
    together = {fact.number for fact in facts}
    facts += [fact for fact in told.facts(subject, "contact_stop") if fact.number in together]
    for fact in facts:
        if told.session.get(FactCorrection, fact.id) is None:
            # Later than the fact itself, whatever the clock says.
            at = max(told.now, fact.recorded_at + _MOMENT)
            told.session.add(FactCorrection(fact_id=fact.id, recorded_at=at, number=told.number))
    told.session.flush()


def destroy_report(told: Told, content: Mapping[str, Any]) -> None:
    """What came of an order to destroy. ConsentError `order_not_found`, `order_not_open`."""
    status, reason = content["status"], content["reason_code"]
    if status not in ("done", "partly", "impossible") or (status == "done") != (reason is None):
        raise ValueError("a reason when not all was destroyed, and only then")
    if reason is not None and not _CODE.fullmatch(text(reason)):
        raise ValueError("a reason is a code")
    order = told.session.scalars(
        select(DestroyOrder)
        .join(Subject, Subject.id == DestroyOrder.subject_id)
        .where(DestroyOrder.id == text(content["order"]), Subject.site == told.site)
    ).first()
    if order is None:
        raise ConsentError("order_not_found")
    if order.outcome is not None or order.cancelled_at is not None or told.now < order.grace_until:
        raise ConsentError("order_not_open")
    order.outcome, order.reason, order.reported_at = status, reason, told.now
    told.session.flush()


def use(told: Told, content: Mapping[str, Any]) -> None:
    """A question counted patients of a study; once per question. ConsentError `study_not_found`."""
    study, query, seq = text(content["study"]), text(content["query_id"]), content["snapshot"]
    if not _QUERY.fullmatch(query) or content["band"] not in BANDS or type(seq) is not int:
        raise ValueError("a use has a question, a consent list and a range")
    part = select(Participation.id).where(
        Participation.study == study, Participation.institution == told.site
    )
    if told.session.scalars(part).first() is None:
        raise ConsentError("study_not_found")
    if told.session.get(Use, (told.site, query)) is None:
        told.session.add(
            Use(
                site=told.site,
                query_id=query,
                study=study,
                seq=seq,
                band=content["band"],
                at=told.now,
            )
        )
        told.session.flush()


def _work_out(told: Told, subject: Subject) -> None:
    """Write whose yes is needed from now on; rows that say the same as before are not repeated."""
    ages = told.facts(subject, "age_class")
    age = None
    if ages:
        value = ages[-1].value
        age = Age(value["class"], value["next_month"], ages[-1].effective_at)
    wanted = {span.party: span for span in spans(age, told.speakers(subject).values())}
    newest: dict[str, Party] = {}
    last = BEGIN
    for row in told.session.scalars(
        select(Party).where(Party.subject_id == subject.id).order_by(Party.recorded_at, Party.id)
    ):
        newest[row.party], last = row, row.recorded_at
    for party in newest.keys() - wanted.keys():
        role = newest[party].role
        wanted[party] = Span(party, role, BEGIN, BEGIN)
    # Later than every row before, so that the newest is known whatever the clock says.
    at = max(told.now, last + _MOMENT)
    for party, span in sorted(wanted.items()):
        before = newest.get(party)
        if before is None or (before.role, before.valid_from, before.valid_until) != (
            span.role, span.start, span.end,
        ):  # fmt: skip
            told.session.add(
                Party(
                    subject_id=subject.id,
                    party=party,
                    role=span.role,
                    valid_from=span.start,
                    valid_until=span.end,
                    recorded_at=at,
                )
            )
    told.session.flush()


def text(value: object) -> str:
    """A string of at most 400 signs without line breaks. ValueError for anything else."""
    if not isinstance(value, str) or len(value) > 400 or "\n" in value:
        raise ValueError("a short text")
    return value


def moment(value: object) -> datetime:
    """A moment in milliseconds, from 1970 to 2200. ValueError for anything else."""
    if type(value) is not int or not 0 <= value < 7_258_118_400_000:
        raise ValueError("a moment in milliseconds")
    return datetime.fromtimestamp(value / 1000, UTC)
