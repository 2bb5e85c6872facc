"""Setting up the demo: the network OncoZON, its people, its ten sites and all choices."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from consent import service as consent
from consent.models import Subject
from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook
from federation.runs.site_messages import take_messages
from federation.site.agreeing import letters_for, prover
from federation.site.desk.doing import opened
from federation.site.directory import SiteDirectory, init_site, pin_peers
from registry.accounts import secrets as account_secrets
from registry.accounts import service as accounts
from registry.database import SessionFactory
from registry.demo.hospital_files import shape_of
from registry.demo.oncology.hospitals import TROUBLE
from registry.demo.oncology.second_study import Second, add_study, signed_policy, study_here
from registry.demo.oncology.study import GROUP, QUALITY, QUALITY_GROUP
from registry.demo.patients import Patient, divide, load_patients, local_number
from registry.transaction import unit_of_work
from studies import service as studies
from studies.actor import SYSTEM
from studies.models import SiteNode
from studies.seeds.loading import shipped_codebook
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON
from studies.seeds.oncozon_whole import ONCOZON_WHOLE

STUDY = HORMONE_THERAPY.slug
SEED = 20_161  # OncoZON was founded in the second half of 2016
SHARES: Mapping[str, float] = {"yes": 0.80, "no": 0.08, "no answer": 0.07, "withdrew": 0.05}

# name, shown name, roles with their scope; all invented
PEOPLE: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = (
    ("admin", "Nora Beheer (verzonnen)", [("administrator", "network")]),
    ("coordinator", "Karel Verzint (verzonnen)", [("coordinator", "network")]),
    ("researcher", "Rosa Onderzoek (verzonnen)", [("researcher", f"study:{STUDY}")]),
    ("committee", "Cees Toets (verzonnen)", [("committee", f"study:{STUDY}")]),
    ("board", "Bea Bestuur (verzonnen)", [("board", "site:catharina")]),
    ("steward", "Stef Gegevens (verzonnen)", [("steward", "site:catharina")]),
    ("auditor", "Anna Controle (verzonnen)", [("auditor", "network")]),
    ("chair", "Marieke Voorbeeld-Janssen (verzonnen)", [("chair", "group:oncozon.breast")]),
    ("patients", "Gerda Zogenaamd (verzonnen)", [("representative", "group:oncozon.breast")]),
    ("observer", "Cor Cliënt (verzonnen)", [("observer", "network")]),
)
# Who evaluates care: the chair of that group, and the board of the hospital that lags behind.
PEOPLE_OF_ROUNDS: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = (
    ("chair2", "Bas Verzinsel (verzonnen)", [("chair", f"group:{ONCOZON.slug}.{GROUP}")]),
    (
        "patients2",
        "Ria Denkbeeld (verzonnen)",
        [("representative", f"group:{ONCOZON.slug}.{GROUP}")],
    ),
    ("board2", "Bert Bestuur (verzonnen)", [("board", f"site:{TROUBLE.hospital}")]),
    ("committee2", "Truus Toets (verzonnen)", [("committee", f"study:{QUALITY.slug}")]),
)


@dataclass(frozen=True)
class Account:
    """What somebody needs to sign in to the demo."""

    name: str
    shown: str
    role: str
    password: str
    totp_secret: str


@dataclass(frozen=True)
class LetterCode:
    """A patient's letter: who, from which hospital, the code, what they answered so far."""

    hospital: str
    code: str
    answer: str


@dataclass(frozen=True)
class DemoNetwork:
    """The demo's network, ready to start."""

    factory: SessionFactory
    hub_key: SigningKey
    sites: Mapping[str, SiteDirectory]
    patients: Mapping[str, Sequence[Patient]]  # by hospital
    answers: Mapping[int, str]  # by the patient's number in the published file
    subjects: Mapping[int, str]  # subject id by the same number
    accounts: Sequence[Account]
    letters: Sequence[LetterCode]
    second: Second | None = None

    def consenting(self) -> dict[str, list[Patient]]:
        """The patients whose answer is yes, by hospital."""
        return {
            slug: [p for p in patients if self.answers[p.number] == "yes"]
            for slug, patients in self.patients.items()
        }

    def whole_second(self) -> Second:
        """The second study; ValueError in a demo without it."""
        if self.second is None:
            raise ValueError("this demo has no second study")
        return self.second

    @property
    def shares(self) -> dict[str, int]:
        """How many patients gave each answer."""
        return dict(Counter(self.answers.values()))


def build(
    folder: Path,
    factory: SessionFactory,
    hub_key: SigningKey,
    say: Callable[[str], None],
    hospitals: int | None = None,
    *,
    whole: bool = False,
    second_patients: int = 0,
) -> DemoNetwork:
    """Make everything in an empty `folder` and a migrated, empty database.

    hospitals: only so many of the ten, the largest first, have a program and patients.
    whole: OncoZON at its real size, with 119 invented studies beside the one that asks data.
    second_patients: the size of the study in which hospitals compare their care; 0 for none. It
    needs all ten hospitals.
    """
    seed = ONCOZON_WHOLE if whole else ONCOZON
    second = Second.make(second_patients) if second_patients else None
    if second is not None:
        seed = replace(
            seed,
            studies=(*seed.studies, QUALITY),
            groups=(*seed.groups, QUALITY_GROUP),
        )
    count = len(seed.studies) + len(seed.trials)
    many = "a study" if count == 1 else f"{count} studies"
    say(f"Creating the network OncoZON: ten institutions, their working groups and {many}")
    now = datetime.now(UTC)
    with unit_of_work(factory, SYSTEM) as session:
        studies.load_network(session, seed, SYSTEM, now=now - timedelta(days=30))
        consent.publish_text(
            session,
            study=STUDY,
            content=HORMONE_THERAPY.text,
            approved_by=HORMONE_THERAPY.text_approved_by,
            actor=SYSTEM,
            now=now - timedelta(days=30),
        )
        people = _add_people(session, PEOPLE, now)
        if second is not None:
            add_study(session, now - timedelta(days=30))
            people += _add_people(session, PEOPLE_OF_ROUNDS, now)
    patients = dict(list(divide(load_patients()).items())[:hospitals])
    say(f"Writing ten site directories with {sum(map(len, patients.values()))} patients of GBSG")
    sites = _make_sites(folder, hub_key, patients, second)
    with unit_of_work(factory, SYSTEM) as session:
        for slug, site in sites.items():
            node = studies.enrol_node(
                session,
                institution=slug,
                sign_pub=site.identity.sign,
                box_pub=site.identity.box,
                engine="embedded",
                actor=SYSTEM,
                now=now,
            )
            # The hub asks under the strictest policy of all; each site holds it to its own.
            studies.note_node(
                session,
                node,
                terms=site.policy.terms().to_dict(),
                policy_sha256=site.policy.sha256,
                software="oncokring",
                actor=SYSTEM,
                now=now,
                form_id=site.policy.institution_disclosure or None,
            )
    say("Recording the patients' choices")
    answers = _choose(patients)
    subjects, codes = _record_choices(factory, sites, patients, answers, now)
    if second is not None:
        say(f"Recording the choices of {second.patients:,} patients in the second study")
        second.record(factory, sites, now)
    return DemoNetwork(factory, hub_key, sites, patients, answers, subjects, people, codes, second)


def _add_people(
    session: Session, people: Sequence[tuple[str, str, Sequence[tuple[str, str]]]], now: datetime
) -> list[Account]:
    made = []
    for name, shown, roles in people:
        password = f"demo-{secrets.token_hex(5)}"
        totp_secret = account_secrets.new_totp_secret()
        account = accounts.add_account(
            session,
            name=name,
            display_name=shown,
            password=password,
            by=SYSTEM,
            now=now,
            totp_secret=totp_secret,
        )
        for role, scope in roles:
            accounts.grant_role(session, account, role=role, scope=scope, by=SYSTEM, now=now)
        made.append(Account(name, shown, roles[0][0], password, totp_secret))
    return made


def _make_sites(
    folder: Path,
    hub_key: SigningKey,
    patients: Mapping[str, Sequence[Patient]],
    second: Second | None,
) -> dict[str, SiteDirectory]:
    names = {institution.slug: institution.name for institution in ONCOZON.institutions}
    codebook = Codebook.from_dict(shipped_codebook(HORMONE_THERAPY.codebook))
    sites = {}
    for position, (slug, mine) in enumerate(patients.items()):
        shape = shape_of(position)
        path = folder / slug
        path.mkdir(parents=True)
        shape.write(path, slug, mine)
        first = {"codebook": codebook, "requires": list(HORMONE_THERAPY.requires)}
        others = {} if second is None else {QUALITY.slug: study_here(second, path, slug)}
        sites[slug] = init_site(
            path,
            slug=slug,
            name=names[slug],
            network=ONCOZON.slug,
            hub_public=hub_key.public,
            source=shape.source,
            mapping=shape.mapping.encode(),
            policy=(Policy.strict() if second is None else signed_policy(slug)).to_yaml(),
            studies={STUDY: first, **others},
        )
    peers = {slug: site.identity for slug, site in sites.items()}
    for site in sites.values():
        pin_peers(site.path, peers)
    return sites


def _choose(patients: Mapping[str, Sequence[Patient]]) -> dict[int, str]:
    """An answer for each patient, from a fixed seed, not from anything about the patient."""
    chance = random.Random(SEED)  # noqa: S311  the same demo on every machine
    kinds, weights = list(SHARES), list(SHARES.values())
    numbers = sorted(p.number for mine in patients.values() for p in mine)
    return {number: chance.choices(kinds, weights)[0] for number in numbers}


def _record_choices(
    factory: SessionFactory,
    sites: Mapping[str, SiteDirectory],
    patients: Mapping[str, Sequence[Patient]],
    answers: Mapping[int, str],
    now: datetime,
) -> tuple[dict[int, str], list[LetterCode]]:
    subjects: dict[int, str] = {}
    codes: list[LetterCode] = []
    wanted = {"yes": 1, "no answer": 2}  # letters to hand out, so that both can be tried
    when = now - timedelta(days=7)
    for slug, mine in patients.items():
        site = sites[slug]
        handles = {p.number: site.handles.handle(local_number(slug, p)) for p in mine}
        keys = letters_for(site.path, handles.values(), when)
        said = {
            number: consent.Form(
                handle,
                dict.fromkeys(HORMONE_THERAPY.requires, "no" if answers[number] == "no" else "yes"),
                secrets.token_hex(16),
                prover(keys, handle),
            )
            for number, handle in handles.items()
            if answers[number] != "no answer"
        }
        stopped = [
            consent.Form(handle, None, secrets.token_hex(16))
            for number, handle in handles.items()
            if answers[number] == "withdrew"
        ]
        with unit_of_work(factory, SYSTEM) as session:
            found: dict[bytes, str] = {}
            for forms, at in ((said.values(), when), (stopped, when + timedelta(days=2))):
                found |= _record(session, slug, list(forms), at) if forms else {}
            for number, handle in handles.items():
                if wanted.get(answers[number], 0):
                    wanted[answers[number]] -= 1
                    codes.append(_invite(session, site, handle, answers[number], now))
                if handle not in found:
                    found[handle] = consent.add_subject(
                        session, site=slug, handle=handle, network=ONCOZON.slug, now=now
                    ).id
                subjects[number] = found[handle]
    return subjects, codes


def _record(
    session: Session, slug: str, forms: list[consent.Form], now: datetime
) -> dict[bytes, str]:
    """Write down what patients of one hospital said at one moment; the subjects by handle."""
    return consent.record_at_once(
        session,
        site=slug,
        network=ONCOZON.slug,
        study=STUDY,
        text_version=consent.text_for(session, STUDY, now).id,
        language="nl",
        forms=forms,
        actor=SYSTEM,
        now=now,
    )


def _invite(
    session: Session, site: SiteDirectory, handle: bytes, answer: str, now: datetime
) -> LetterCode:
    """A letter as the hospital makes it, and what the hub is told of it."""
    with opened(site.path, "demo", now) as desk:
        with desk.act():
            letter = desk.letters.make(handle, [STUDY], now, second=False)
        told = desk.outbox.waiting()
    node = session.get_one(SiteNode, site.slug)
    take_messages(session, node, told, now)
    return LetterCode(site.slug, letter.printed, answer)


def withdraw(session: Session, subject: Subject, when: datetime) -> None:
    """Withdraw from the study as the patient would with the button on the page."""
    consent.withdraw(
        session,
        subject=subject,
        study=STUDY,
        language="nl",
        form_key=secrets.token_hex(16),
        actor=consent.patient(subject),
        now=when,
    )
