"""A study with its hospitals and participants as a FHIR bundle, R5 (5.0.0) or R4 (4.0.1).

One ResearchStudy for the whole and one per hospital, `partOf` the whole, since a hospital has a
state and a recruitment of its own. One ResearchSubject per participant, by study number only: the
patient is a logical reference to that number, there is no Patient, no name and no date of birth;
and no Consent, since which letter a participant came in with is told to nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Final, Literal

from sqlalchemy.orm import Session

from studies.days import local_day
from studies.exchange import fhir_parts as parts
from studies.exchange import fhir_words as words
from studies.exchange.fhir_parts import Json
from studies.hospitals import open_time
from studies.models import Network, Participation, Study
from studies.participants.entering import list_participants
from studies.participants.history import dated, fold
from studies.participants.models import Participant, ParticipantEvent, StudyArm
from studies.participants.states import LEAVINGS, MILESTONES, REASONS, STATES, after_leaving
from studies.recruitment import accrual, consort
from studies.recruitment.accrual import Accrual
from studies.study_state import STANDINGS, standing_of

Version = Literal["4.0", "5.0"]
R4: Final = "4.0"
R5: Final = "5.0"
LONGEST: Final = 64


@dataclass(frozen=True)
class _Told:
    """What a bundle is made of."""

    study: Study
    network: str
    standing: str
    numbers: Accrual
    arms: Sequence[StudyArm]
    base: str
    now: datetime

    def address(self, kind: str, name: str) -> str:
        return f"{self.base}fhir/{kind}/{name}"


def bundle(
    session: Session,
    study: Study,
    now: datetime,
    *,
    base: str,
    version: Version = R5,
    participants: bool = True,
) -> Json:
    """The bundle of a study. base: the hub's address with a slash at its end, for full URLs.

    participants: also one ResearchSubject for each; without them it holds nothing about anybody.
    """
    network = session.get_one(Network, study.network)
    told = _Told(
        study,
        network.name,
        standing_of(session, study),
        accrual.accrual(session, study, now),
        consort.arms_of(session, study.slug),
        base,
        now,
    )
    everyone = list_participants(session, study.slug) if participants else []
    say_study, say_site, say_one = (
        (_study_r4, _site_r4, _subject_r4) if version == R4 else (_study_r5, _site_r5, _subject_r5)
    )
    resources = [
        say_study(told),
        *(say_site(told, part) for part in study.participations),
        *(say_one(told, one) for one in everyone),
    ]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": parts.instant(now),
        "entry": [
            {"fullUrl": told.address(one["resourceType"], one["id"]), "resource": one}
            for one in resources
        ],
    }


# -- R5 ------------------------------------------------------------------------------------------


def _study_r5(told: _Told) -> Json:
    study, numbers = told.study, told.numbers
    short = STANDINGS[told.standing][0]
    return parts.filled(
        {
            "resourceType": "ResearchStudy",
            "id": study.slug,
            "identifier": _identifiers(study),
            "title": study.title_en,
            "status": words.PUBLICATION[short],
            "phase": _phase(study),
            "descriptionSummary": study.question_en,
            "description": study.purpose_en,
            "period": parts.period(_started(study, told.now), None),
            "site": [_to_study(_site_id(part)) for part in study.participations],
            "associatedParty": _parties(told),
            "progressStatus": [
                {
                    "state": parts.coded(words.STUDY_STATUS, words.R5_OF_STANDING[told.standing]),
                    "actual": True,
                }
            ],
            "recruitment": _recruitment(numbers.target, numbers.n),
            "comparisonGroup": [{"linkId": arm.code, "name": arm.name_en} for arm in told.arms],
        }
    )


def _site_r5(told: _Told, part: Participation) -> Json:
    site = next(each for each in told.numbers.sites if each.institution == part.institution)
    stays = open_time.stays(part, told.now)
    return parts.filled(
        {
            "resourceType": "ResearchStudy",
            "id": _site_id(part),
            "title": f"{told.study.title_en} ({part.of_institution.name})",
            "partOf": [_to_study(told.study.slug)],
            "status": words.PUBLICATION[STANDINGS[told.standing][0]],
            "site": [parts.organization(words.SITE, part.institution, part.of_institution.name)],
            "progressStatus": [
                {
                    "state": parts.coded(words.STUDY_STATUS, words.R5_OF_STEP[stay.state]),
                    "actual": True,
                    "period": parts.period(local_day(stay.since), parts.day(stay.until)),
                }
                for stay in stays
            ],
            "recruitment": _recruitment(site.target, site.n),
        }
    )


def _subject_r5(told: _Told, one: Participant) -> Json:
    first, last = _first_and_last(one)
    return parts.filled(
        {
            "resourceType": "ResearchSubject",
            "id": one.id,
            "identifier": [_number(one)],
            "status": "active",
            "progress": [*_progress(one)],
            "period": parts.period(first, last),
            "study": _to_study(_named(one.study, one.site)),
            "subject": {"type": "Patient", "identifier": _number(one)},
            "assignedComparisonGroup": one.arm,
        }
    )


def _progress(one: Participant) -> Iterable[Json]:
    """States with begin and end, then what happened once, each in the order of their dates."""
    told = dated(one.events)
    changes = list(_changes(told))
    for place, (state, since, said) in enumerate(changes):
        after = changes[place + 1] if place + 1 < len(changes) else None
        yield parts.filled(
            {
                "type": parts.coded(words.SUBJECT_STATE_TYPE, "Enrollment"),
                "subjectState": parts.coded(words.SUBJECT_STATE, state, STATES[state].name_en),
                "reason": _why(said),
                "startDate": local_day(since).isoformat(),
                "endDate": None if after is None else local_day(after[1]).isoformat(),
            }
        )
    for at, said in told:
        if said.kind in ("milestone", "left"):
            yield {
                "type": parts.coded(words.SUBJECT_STATE_TYPE, "Milestone"),
                "milestone": _milestone(said),
                "startDate": local_day(at).isoformat(),
            }


def _changes(
    told: Sequence[tuple[datetime, ParticipantEvent]],
) -> Iterable[tuple[str, datetime, ParticipantEvent]]:
    """Each change of state: to which, when, by what."""
    state = ""
    for at, said in told:
        if said.kind == "state":
            after = said.value
        elif said.kind == "left":
            after = after_leaving(state, said.value) or state
        else:
            continue
        if after != state:
            state = after
            yield state, at, said


def _why(said: ParticipantEvent) -> Json | None:
    if said.reason is None:
        return None
    return parts.coded(words.REASON, said.reason, REASONS[said.reason][0])


def _milestone(said: ParticipantEvent) -> Json:
    """A milestone, or a way of leaving: both stay true once they happened."""
    if said.kind == "left":
        return parts.coded(words.LEAVING, said.value, LEAVINGS[said.value].name_en)
    own = parts.coding(words.MILESTONE, said.value, MILESTONES[said.value][0])
    theirs = words.MILESTONE_CODES.get(said.value)
    return {
        "coding": [own] if theirs is None else [parts.coding(words.SUBJECT_MILESTONE, theirs), own]
    }


def _parties(told: _Told) -> list[Json]:
    found = [
        {
            "role": parts.coded(words.PARTY_ROLE, "collaborator"),
            "party": parts.organization(words.NETWORK, told.study.network, told.network),
        }
    ]
    if told.study.lead is not None:
        name = next(
            (p.of_institution.name for p in told.study.participations
             if p.institution == told.study.lead),
            told.study.lead,
        )  # fmt: skip
        lead = parts.organization(words.SITE, told.study.lead, name)
        found.append({"role": parts.coded(words.PARTY_ROLE, "lead-sponsor"), "party": lead})
    return found


def _recruitment(target: int | None, actual: int) -> Json:
    return parts.filled({"targetNumber": target, "actualNumber": actual})


# -- R4 ------------------------------------------------------------------------------------------


def _study_r4(told: _Told) -> Json:
    study, numbers = told.study, told.numbers
    lead = [party["party"] for party in _parties(told)[1:]]
    return parts.filled(
        {
            "resourceType": "ResearchStudy",
            "id": study.slug,
            "extension": [_numbers_r4(numbers.target, numbers.n)],
            "identifier": _identifiers(study),
            "title": study.title_en,
            "status": words.R4_OF_STANDING[told.standing],
            "phase": _phase(study),
            "description": study.purpose_en,
            "period": parts.period(_started(study, told.now), None),
            "sponsor": lead[0] if lead else None,
            "arm": [{"name": arm.name_en} for arm in told.arms],
        }
    )


def _site_r4(told: _Told, part: Participation) -> Json:
    site = next(each for each in told.numbers.sites if each.institution == part.institution)
    place = parts.organization(words.SITE, part.institution, part.of_institution.name)
    return parts.filled(
        {
            "resourceType": "ResearchStudy",
            "id": _site_id(part),
            "extension": [_numbers_r4(site.target, site.n)],
            "title": f"{told.study.title_en} ({part.of_institution.name})",
            "partOf": [_to_study(told.study.slug)],
            "status": words.R4_OF_STEP[part.state],
            "site": [{**place, "type": "Location"}],
        }
    )


def _subject_r4(told: _Told, one: Participant) -> Json:
    """R4 has the state of now only; the way there, milestones and leaving are extensions."""
    first, last = _first_and_last(one)
    names = {arm.code: arm.name_en for arm in told.arms}
    return parts.filled(
        {
            "resourceType": "ResearchSubject",
            "id": one.id,
            "extension": [_progress_r4(step) for step in _progress(one)],
            "identifier": [_number(one)],
            "status": one.state,
            "period": parts.period(first, last),
            "study": _to_study(_named(one.study, one.site)),
            "individual": {"type": "Patient", "identifier": _number(one)},
            "assignedArm": None if one.arm is None else names.get(one.arm),
        }
    )


def _progress_r4(step: Json) -> Json:
    said = [
        {"url": name, ("valueDate" if name.endswith("Date") else "valueCodeableConcept"): value}
        for name, value in step.items()
    ]
    return {"url": words.EXTENSION_PROGRESS, "extension": said}


def _numbers_r4(target: int | None, actual: int) -> Json:
    return {
        "url": words.EXTENSION_RECRUITMENT,
        "extension": [
            {"url": name, "valueUnsignedInt": n} for name, n in _recruitment(target, actual).items()
        ],
    }


# -- both ----------------------------------------------------------------------------------------


def _identifiers(study: Study) -> list[Json]:
    own = {"system": words.STUDY, "value": study.slug}
    return [
        own,
        *(
            {"system": words.REGISTERS[register], "value": number}
            for register, number in sorted(study.identifiers.items())
        ),
    ]


def _phase(study: Study) -> Json | None:
    return None if study.phase is None else {"text": study.phase}


def _started(study: Study, now: datetime) -> date | None:
    """The first day on which a hospital of the study was open."""
    days = [
        local_day(stay.since)
        for part in study.participations
        for stay in open_time.open_stays(part, now)
    ]
    return min(days, default=None)


def _first_and_last(one: Participant) -> tuple[date | None, date | None]:
    now = fold(one.events)
    first = next((local_day(at) for at, said in dated(one.events) if said.kind == "state"), None)
    ended = now.state in ("off-study", "withdrawn", "ineligible", "not-registered")
    return first, parts.day(now.since) if ended else None


def _number(one: Participant) -> Json:
    return {"system": f"{words.PARTICIPANT}:{one.study}", "value": one.pseudonym}


def _site_id(part: Participation) -> str:
    return _named(part.study, part.institution)


def _named(study: str, institution: str) -> str:
    """A name of at most 64 signs for a hospital's part; always the same one."""
    name = f"{study}.{institution}"
    if len(name) <= LONGEST:
        return name
    return f"{study[:47]}.{sha256(name.encode()).hexdigest()[:16]}"


def _to_study(name: str) -> Json:
    return {"reference": f"ResearchStudy/{name}"}
