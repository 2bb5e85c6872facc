"""Schemathesis: requests made from our own document, hostile ones too; no answer may surprise.

It reads /api/v1/openapi.json and checks that no request gives a 5xx, that every status, content
type and body is as documented, and that a wrong method names the right ones. Every operation is in
it, and each request is sent by everybody: nobody, a researcher, the committee and a patient.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import schemathesis
import shown_round
from api_doors import ELSEWHERE, ONLY
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, note, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)
from schemathesis.generation import GenerationMode

from consent import joining
from consent import service as consent
from consent.models import Receipt
from consent.tree_heads import sign_head
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import head_signer
from federation.runs import service as runs
from registry.accounts import service as accounts
from registry.accounts.models import Account
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.hospitals.documents import add_document
from studies.models import Institution, Membership, Study
from studies.network.groups import find_group
from studies.notices import write_notice
from studies.participants.numbers import settle_prefix
from studies.reading import get_participation
from studies.recruitment import screening
from studies.seeds.oncozon import ONCOZON

from .conftest import NOW, OTHER_SITE, OWN, QUERY, SITE

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 5
WORKSHOP = "viecuri"
PDF = b"%PDF-1.7\n%%EOF\n"
NEWCOMER = "nieuw"
COLLEAGUE = "00000000-0000-4000-8000-000000000001"
_STUDY = "/api/v1/studies/{study}"
_PERSON = f"POST {_STUDY}/participants/{{pseudonym}}"
Given = Mapping[str, Mapping[str, Any]]

PEOPLE = ("nobody", *ONLY)
CLOSED = frozenset(ELSEWHERE).union(*ONLY.values())
PASSERS_BY = ("nobody", "mine")
OUTSIDERS = ("nobody", "researcher")


def sends(name: str, label: str) -> bool:
    """An open route is tried by a stranger and a patient, a closed one by whom it is for and two
    who may be strangers to it. Every role on every route is the authorization matrix's."""
    if label not in CLOSED:
        return name in PASSERS_BY
    return name in OUTSIDERS or label in ONLY.get(name, ())


@dataclass
class Caller:
    """What one person's browser sends with each request."""

    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


def test_the_api_is_what_its_document_says(
    app: Any,
    factory: Any,
    world: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
) -> None:
    callers = {
        name: Caller() if name == "nobody" else caller(signed_in(name), form_token)
        for name in PEOPLE
    }
    known = Known(factory, world)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    answered: set[tuple[str, str, int]] = set()
    labels = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        labels.add(operation.label)
        senders = {name: callers[name] for name in PEOPLE if sends(name, operation.label)}
        for mode, values in ways(operation, known.of(operation.label)):
            made = operation.as_strategy(generation_mode=mode, **values)
            for name, status in send_all(made, senders):
                answered.add((name, operation.label, status))
    # The requests must get past the door, or nothing was tested.
    for name in PEOPLE:
        reached = {label for who, label, status in answered if who == name and status < 300}
        public = labels - CLOSED if name in PASSERS_BY else set()
        missed = (public | ONLY.get(name, set())) ^ (reached - ELSEWHERE)
        assert not missed, (name, [each for each in sorted(answered) if each[1] in missed])


def caller(client: FlaskClient, form_token: Callable[[FlaskClient], str]) -> Caller:
    token = form_token(client)
    cookies = {
        cookie.key: cookie.value
        for key in ("oncokring", "oncokring-form")
        if (cookie := client.get_cookie(key)) is not None
    }
    assert len(cookies) == 2
    return Caller({"X-CSRFToken": token}, cookies)


def _add_round(session: Any) -> str:
    """A released round of the study's group; its id."""
    group = find_group(session, "oncozon.breast")
    assert group is not None
    found = shown_round.whole()
    session.add_all(shown_round.stored(found, group_id=group.id, now=NOW))
    announce(session, actor=SYSTEM, action="round.planned", about="round:shown")
    return found.round.id


class Known:
    """Values with which an operation finds something; a few questions to decide on."""

    def __init__(self, factory: Any, world: Any) -> None:
        self._participants: dict[str, str] = {}
        with unit_of_work(factory, SYSTEM) as session:
            account = session.get_one(Account, world.accounts["researcher"])
            by = accounts.actor_of(account, NOW)
            further = {
                act: runs.submit(
                    session,
                    query={**QUERY, "study": OWN, "title": f"To {act}"},
                    study=OWN,
                    by=by,
                    now=NOW,
                ).id
                for act in ("refuse", "cancel")
            }
            sign_head(session, head_signer(SigningKey.generate(), NOW), ONCOZON.slug, NOW)
            text = consent.text_for(session, OWN, NOW)
            size = session.get_one(Receipt, world.receipts["mine"]).tree_size
            self._versions = self._hospitals_and_people(session, str(text.number))
            held = _add_round(session)
            paper = add_document(
                session,
                session.get_one(Study, OWN),
                kind="decision",
                name="Letter",
                version="1",
                body=PDF,
                valid_from=NOW.date(),
                actor=SYSTEM,
                now=NOW,
            )
            notice = write_notice(
                session,
                network=ONCOZON.slug,
                title=("Nieuws", "News"),
                text=("Er is nieuws.", "There is news."),
                actor=SYSTEM,
                now=NOW,
            )
        self._paths = {
            "query_id": world.runs[OWN],
            "study": OWN,
            "network": ONCOZON.slug,
            "site": SITE,
            "month": "2026-02",
            "pseudonym": "HT-0001",
            "receipt_id": world.receipts["mine"],
            "consent_id": world.receipts["mine"],
            "text": text.id,
            "other": text.id,
            "draft": world.drafts[OWN],
            "n": "1",
            "document_id": paper.id,
            "group": "breast",
            "announcement": notice.id,
            "indicator": "access_time",
            "round": held,
        }
        self._decided = further
        network = {"network": ONCOZON.slug}
        self._queries: Given = {
            "GET /api/v1/log/head": network,
            "GET /api/v1/log/witnesses": network,
            "GET /api/v1/log/proof/inclusion": {**network, "number": 0, "size": size},
            "GET /api/v1/log/proof/consistency": {**network, "old_size": 1, "size": size},
        }
        no = dict.fromkeys(text.content["items"], "no")
        self._bodies: Given = {
            "POST /api/v1/queries": {**QUERY, "study": OWN, "title": "Again"},
            "POST /api/v1/me/studies/{study}/choices": {
                "answers": no,
                "text_version": text.id,
                "language": "nl",
            },
            "POST /api/v1/me/withdrawals": {"study": OWN, "language": "nl"},
            "POST /api/v1/me/objections": {"everything": False, "language": "nl"},
            "POST /api/v1/announcements": {
                "network": ONCOZON.slug,
                **dict.fromkeys(("title_nl", "title_en", "text_nl", "text_en"), "Nieuws"),
            },
            f"PUT {_STUDY}/counts-ideas": {"allowed": True},
            f"POST {_STUDY}/texts/drafts": {"change_class": "editorial"},
            f"POST {_STUDY}/sites": {"site": NEWCOMER},
            f"POST {_STUDY}/sites/{{site}}/moves": {"to": "on_hold", "reason": "no_capacity"},
            f"POST {_STUDY}/sites/{{site}}/work": {"act": "confirm"},
            f"POST {_STUDY}/decisions": {
                "body": "nwmo",
                "outcome": "positive",
                "reference": "W1",
                "decided_on": NOW.date().isoformat(),
                "document_id": paper.id,
            },
            f"POST {_STUDY}/versions": {
                "kind": "protocol",
                "version": "1",
                "in_force_from": NOW.date().isoformat(),
                "adopt_by": NOW.date().isoformat(),
            },
            f"POST {_STUDY}/documents": {
                "kind": "protocol",
                "name": "Protocol",
                "version": "1",
                "valid_from": NOW.date().isoformat(),
                "pdf": b64encode(PDF).decode(),
            },
            f"PUT {_STUDY}/sites/{{site}}/screening/{{month}}": {},
            f"POST {_STUDY}/participants": {
                "site": OTHER_SITE,
                "pseudonym": "HT-0009",
                "form": {"signed_on": NOW.date().isoformat(), "text": str(text.number)},
            },
            f"{_PERSON}/moves": {"to": "eligible"},
            f"{_PERSON}/milestones": {"milestone": "screened"},
            f"{_PERSON}/departure": {"way": "data_all"},
        }

    def _hospitals_and_people(self, session: Any, text: str) -> Mapping[str, str]:
        """A hospital to invite, and a participant for each act; the version of what is changed."""
        study = session.get_one(Study, OWN)
        session.add(Institution(slug=NEWCOMER, name="Nieuw", kind="general", city="Ergens"))
        session.flush()
        session.add(Membership(network=study.network, institution=NEWCOMER, since=NOW))
        announce(session, actor=SYSTEM, action="network.changed", about=f"network:{study.network}")
        settle_prefix(session, study, "HT", actor=SYSTEM, now=NOW)
        versions = {
            f"POST {_STUDY}/sites/{{site}}/moves": get_participation(session, OWN, SITE).version,
            # Works at another hospital, so that both have the version that they saw.
            f"POST {_STUDY}/sites/{{site}}/work": get_participation(session, OWN, WORKSHOP).version,
            f"PUT {_STUDY}/sites/{{site}}/screening/{{month}}": screening.record(
                session, study, SITE, "2026-02", screening.Counts(), actor=SYSTEM, now=NOW
            ).version,
        }
        form = joining.SignedForm(NOW.date(), text, COLLEAGUE)
        for number, act in enumerate(("moves", "milestones", "departure"), start=1):
            made = joining.enter(
                session, OWN, OTHER_SITE, f"HT-000{number}", form, actor=SYSTEM, now=NOW
            )
            versions[f"{_PERSON}/{act}"] = made.version
            self._participants[act] = made.pseudonym
        return {label: f'"v{version}"' for label, version in versions.items()}

    def of(self, label: str) -> dict[str, Any]:
        """What is known for this operation: parts of the path, query and body."""
        path = {name: value for name, value in self._paths.items() if f"{{{name}}}" in label}
        if label.endswith("/work"):
            path["site"] = WORKSHOP
        for act, run in self._decided.items():
            if label.endswith(f"/{act}"):
                path["query_id"] = run
        for act, pseudonym in self._participants.items():
            if label.endswith(f"/participants/{{pseudonym}}/{act}"):
                path["pseudonym"] = pseudonym
        # A key of its own: one that was used for something else is a conflict, as it should be.
        acts = "POST /api/v1/me/" in label
        key = {"Idempotency-Key": uuid5(NAMESPACE_URL, label).hex} if acts else {}
        if label in self._versions:
            key["If-Match"] = self._versions[label]
        found = {
            "path_parameters": path,
            "query": self._queries.get(label),
            "body": self._bodies.get(label),
            "headers": key,
        }
        return {name: value for name, value in found.items() if value}


def ways(operation: Any, known: dict[str, Any]) -> Iterator[tuple[GenerationMode, dict[str, Any]]]:
    """How to make requests: well-formed and broken, of what is there and what is not.

    A path cannot be broken: any text fits in its place.
    """
    yield GenerationMode.POSITIVE, {}
    if known:
        yield GenerationMode.POSITIVE, known
    if [*operation.query, *operation.headers, *operation.cookies, *operation.body]:
        yield GenerationMode.NEGATIVE, {}
        if "path_parameters" in known:
            yield GenerationMode.NEGATIVE, {"path_parameters": known["path_parameters"]}


def send_all(made: Any, callers: Mapping[str, Caller]) -> set[tuple[str, int]]:
    """Send examples, well-formed or broken on purpose, as everybody; check and tell the answers."""
    statuses: set[tuple[str, int]] = set()
    numbers = count()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=made)
    def send(case: Any) -> None:
        number = next(numbers)
        for name, sender in callers.items():
            note(f"request {number} as {name}")
            response = case.call(headers=sender.headers, cookies=sender.cookies)
            statuses.add((name, response.status_code))
            case.validate_response(response, checks=CHECKS)

    send()
    return statuses
