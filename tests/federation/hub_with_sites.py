"""A hub database and real site directories with consenting patients, on disk in one folder.

Used by the tests of this folder and, as separate processes, by tests/faults.
"""

import csv
import random
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent import service as consent
from consent.further import further_claims
from consent.models import LogHead
from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine, Environment
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook
from federation.runs import service
from federation.runs.models import Run
from federation.site.agreeing import Keys, letters_for, prover
from federation.site.choices.handles import list_handles
from federation.site.directory import SiteDirectory, init_site, pin_peers
from migrations import run as migrations
from registry.database import SessionFactory, engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.models import SiteNode, Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

STUDY = HORMONE_THERAPY.slug
RESEARCHER = Actor("user", "r1", frozenset({"researcher"}), "Rosa")
COMMITTEE = Actor("user", "c1", frozenset({"committee"}), "Cees")
QUESTION: Mapping[str, Any] = {
    "version": 1,
    "title": "Age by hormone therapy",
    "purpose": "A test.",
    "codebook": "gbsg/1",
    "analysis": {"kind": "describe", "variables": ["age"], "by": "hormone"},
}
COX: Mapping[str, Any] = {
    **QUESTION,
    "analysis": {
        "kind": "cox",
        "time": "rfs_days",
        "event": "relapse",
        "formula": "age + hormone",
    },
}
COUNT: Mapping[str, Any] = {**QUESTION, "analysis": {"kind": "count", "by": ["hormone"]}}
COLUMNS = ("patient_id", "age", "menopause", "hormone", "grade", "rfs_days", "relapse")


@dataclass
class HubWithSites:
    """One folder: hub.sqlite, hub.key, sites/<slug>."""

    folder: Path

    def __post_init__(self) -> None:
        self.factory: SessionFactory = open_database(f"sqlite:///{self.folder / 'hub.sqlite'}")
        self.key = SigningKey.load(self.folder / "hub.key")

    @property
    def sites(self) -> dict[str, Path]:
        return {path.name: path for path in sorted((self.folder / "sites").iterdir())}

    def engine(self, environment: Environment | None = None) -> EmbeddedEngine:
        return EmbeddedEngine(self.sites, environment=environment)

    def approved(self, query: Mapping[str, Any] = QUESTION, now: datetime | None = None) -> str:
        """Submit and approve a question; its id."""
        moment = now or datetime.now(UTC)
        with self.factory() as session:
            run = service.submit(session, query=query, study=STUDY, by=RESEARCHER, now=moment)
            service.approve(session, run, COMMITTEE, moment)
            session.commit()
            return run.id

    def run(self, run_id: str) -> Run:
        with self.factory() as session:
            return service.get_run(session, run_id)

    def log_told(self, site: str) -> dict[str, Any]:
        """The head of the log as the next snapshot of a site would tell it."""
        with self.factory() as session:
            head = session.get(LogHead, ONCOZON.slug)
            told: dict[str, Any] = further_claims(
                session, site, ONCOZON.slug, head, datetime.now(UTC)
            )["log"]
            return told

    def close(self) -> None:
        engine_of(self.factory).dispose()


def build(
    folder: Path,
    *,
    sites: int = 3,
    rows: int = 60,
    policy: Policy | None = None,
    agreed: Mapping[str, str] | None = None,
) -> None:
    """Fill ``folder``; open it with ``HubWithSites``. Every patient consents. With an open-data
    policy the study allows results per hospital. ``agreed``: what each hospital agreed to for its
    own results (by_site, result_key), and the study with it."""
    policy = policy or Policy.strict()
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    migrations.upgrade(url)
    key = SigningKey.generate()
    key.save(folder / "hub.key")
    names = sorted(each.slug for each in ONCOZON.institutions)[:sites]
    by_site = policy.terms().protection == "none"
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(names, "open"), output_by_site=by_site)
    factory = open_database(url)
    now = datetime.now(UTC)
    with factory() as session:
        studies.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=now)
        text = consent.publish_text(
            session,
            study=STUDY,
            content=study.text,
            approved_by=study.text_approved_by,
            actor=SYSTEM,
            now=now,
        )
        if agreed is not None:
            studies.choose_delivery(
                session,
                session.get_one(Study, STUDY),
                agreed["by_site"],
                actor=SYSTEM,
                result_key=agreed.get("result_key"),
                benchmark="agreement 2026-17",
            )
        codebook = Codebook.from_dict(session.get_one(Study, STUDY).codebook)
        made = [
            _site(folder / "sites" / name, name, number, rows, codebook, key, policy, agreed or {})
            for number, name in enumerate(names)
        ]
        for site in made:
            pin_peers(site.path, {other.slug: other.identity for other in made})
            _enrol(session, site, policy, now)
            handles = list_handles(site)[:, None]  # rows keep their trailing zero bytes
            keys = letters_for(site.path, [handle.tobytes() for handle in handles], now)
            for handle in handles:
                _consent(session, site.slug, handle, text.id, now, keys)
        session.commit()
    engine_of(factory).dispose()


def copy(source: Path, target: Path) -> HubWithSites:
    """The same hub and sites in another folder, for a comparison from the same start."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    return HubWithSites(target)


def _site(
    path: Path,
    name: str,
    number: int,
    rows: int,
    codebook: Codebook,
    key: SigningKey,
    policy: Policy,
    agreed: Mapping[str, str],
) -> SiteDirectory:
    path.mkdir(parents=True)
    _write_patients(path / "data.csv", number, rows)
    mapping = {"codebook": codebook.id, "key": "patient_id", "variables": _by_name(COLUMNS[1:])}
    return init_site(
        path,
        slug=name,
        name=name,
        network=ONCOZON.slug,
        hub_public=key.public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=repr(mapping).replace("'", '"').encode(),
        policy=policy.to_yaml().encode(),
        studies={
            STUDY: {"codebook": codebook, "requires": list(HORMONE_THERAPY.requires), **agreed}
        },
    )


def _by_name(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    return {name: {"column": name} for name in columns}


def _write_patients(path: Path, number: int, rows: int) -> None:
    chance = random.Random(number)  # noqa: S311  invented patients
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(rows):
            writer.writerow(
                [
                    f"{number}-{row}",
                    chance.randint(30, 85),
                    chance.choice(["pre", "post"]),
                    chance.choice(["no", "yes"]),
                    chance.choice("123"),
                    chance.randint(30, 2500),
                    chance.choice(["true", "true", "false"]),
                ]
            )


def _enrol(session: Any, site: SiteDirectory, policy: Policy, now: datetime) -> None:
    node: SiteNode = studies.enrol_node(
        session,
        institution=site.slug,
        sign_pub=site.identity.sign,
        box_pub=site.identity.box,
        engine="embedded",
        actor=SYSTEM,
        now=now,
    )
    studies.note_node(
        session,
        node,
        terms=policy.terms().to_dict(),
        policy_sha256=policy.sha256,
        software="test",
        actor=SYSTEM,
        now=now,
        form_id=policy.institution_disclosure,
    )


def _consent(session: Any, site: str, handle: Any, text: str, now: datetime, keys: Keys) -> None:
    subject = consent.add_subject(
        session, site=site, handle=handle.tobytes(), network=ONCOZON.slug, now=now
    )
    consent.record(
        session,
        subject=subject,
        study=STUDY,
        answers={item: "yes" for item in HORMONE_THERAPY.text["items"]},
        text_version=text,
        language="nl",
        form_key=secrets.token_hex(8),
        actor=consent.patient(subject),
        now=now,
        circumstances=consent.Circumstances(prove=prover(keys, handle.tobytes())),
    )
