"""Acts of patients, a hospital and a dishonest hub in any order: the safety of consent holds.

Whatever happens, the hospital counts a patient only on a yes that the patient made with their own
letter, later than every no the hospital was ever told; after an honest consent list it counts
exactly those whose last word is yes; and the log verifies.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consent import service as consent
from consent.evidence import Act, Evidence
from consent.grounds import state_of
from consent.models import ConsentEvent
from consent.proof import Prove, letter_prover
from consent.publishing import publish_snapshots
from consent.recording import as_of, mark
from consent.snapshot import Snapshot, build_claims, parse_claims
from consent.verifying import LogHolds, verify_log
from federation.site.agreeing import letters_for, prover
from federation.site.choices.proving import Proving
from federation.site.directory import DATABASE_FILE
from federation.site.store import open_store, transaction
from migrations import run as migrations
from registry.database import engine_of, open_database
from studies.actor import Actor
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, load

SITE = "zuyderland"
PEOPLE = st.sampled_from([0, 0, 1, 2])  # mostly one of them, so that acts meet
HANDLES = [bytes([65 + n]) * 20 for n in range(3)]
ITEMS = list(HORMONE_THERAPY.requires)
COLUMNS = tuple((STUDY, item) for item in ITEMS)


@cache
def template() -> Path:
    """A migrated hub with one network and its text, made once."""
    path = Path(tempfile.mkdtemp()) / "hub.sqlite"
    url = f"sqlite:///{path}"
    migrations.upgrade(url)
    load(open_database(url, clock=lambda: NOW))
    return path


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(template(), self.folder / "hub.sqlite")
        self.factory = open_database(
            f"sqlite:///{self.folder / 'hub.sqlite'}", clock=lambda: self.now
        )
        self.now = NOW
        self.session = self.factory()
        self.subjects = [
            consent.add_subject(
                self.session, site=SITE, handle=handle, network=ONCOZON.slug, now=NOW
            )
            for handle in HANDLES
        ]
        self.text = consent.text_for(self.session, STUDY, NOW).id
        self.session.commit()
        self.books = open_store(self.folder / DATABASE_FILE)
        self.keys = letters_for(self.folder, HANDLES, NOW)
        self.proving = Proving(self.books, network=ONCOZON.slug, slug=SITE)
        self.seq = 0
        self.words: list[list[tuple[datetime, str]]] = [[], [], []]  # what patients really said
        self.forged = [False] * 3  # whether the hub made something up after that
        self.told_no: list[datetime | None] = [None] * 3
        self.acts: list[list[Act]] = [[], [], []]
        self.counted = [False] * 3

    def pass_time(self) -> None:
        self.now += timedelta(seconds=1)

    def say(self, person: int, answer: str, prove: Prove | None) -> None:
        self.pass_time()
        subject = self.subjects[person]
        consent.record(
            self.session,
            subject=subject,
            study=STUDY,
            answers=dict.fromkeys(ITEMS, answer),
            text_version=self.text,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=self.now,
            circumstances=consent.Circumstances(prove=prove),
        )
        self.session.commit()

    @rule(
        person=PEOPLE,
        answer=st.sampled_from(["yes", "yes", "yes", "no", "later"]),
        listed=st.booleans(),
    )
    def answers(self, person: int, answer: str, listed: bool) -> None:
        self.say(person, answer, prover(self.keys, HANDLES[person]))
        self.words[person].append((self.now, answer))
        self.forged[person] = False
        if listed:
            self.honest_list_arrives()

    @rule(person=PEOPLE, everywhere=st.booleans(), listed=st.booleans())
    def stops(self, person: int, everywhere: bool, listed: bool) -> None:
        self.pass_time()
        subject = self.subjects[person]
        consent.withdraw(
            self.session,
            subject=subject,
            study=None if everywhere else STUDY,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=self.now,
        )
        self.session.commit()
        self.words[person].append((self.now, "no"))
        self.forged[person] = False
        if listed:
            self.honest_list_arrives()

    @rule(person=PEOPLE, how=st.sampled_from(["bare", "letter of another", "invented key"]))
    def hub_makes_a_yes(self, person: int, how: str) -> None:
        """An administrator writes a yes; a proof can only be made up, or be of somebody else."""
        code, _ = self.keys[HANDLES[person]]
        proofs = {
            "bare": None,
            "letter of another": letter_prover(*self.keys[HANDLES[(person + 1) % 3]]),
            "invented key": letter_prover(code, b"x" * 32),
        }
        self.say(person, "yes", proofs[how])
        self.forged[person] = True

    @rule(person=PEOPLE)
    def hospital_takes_a_yes_back(self, person: int) -> None:
        """It was the wrong person: nothing they said yes to ever counted."""
        if self.forged[person] or not self.words[person] or self.words[person][-1][1] != "yes":
            return
        self.pass_time()
        given = self.session.query(ConsentEvent).filter_by(
            subject_id=self.subjects[person].id, kind="granted"
        )
        for event in given.all():
            mark(
                self.session,
                event,
                kind="invalidated",
                reason="wrong_person",
                actor=Actor("site", SITE),
                now=self.now,
            )
        self.session.commit()
        self.words[person].append((self.now, "void"))

    @rule()
    def honest_list_arrives(self) -> None:
        """The hub publishes what it has, as its worker does, and the hospital takes it."""
        self.pass_time()
        kept: dict[str, dict[str, object]] = {}

        def sign(site: str, claims: dict[str, object]) -> bytes:
            kept[site] = claims
            return b"signed"

        publish_snapshots(self.session, sign, [SITE], now=self.now, refresh=timedelta(0))
        moment = as_of(self.session, ONCOZON.slug, self.now)
        state = state_of(self.session, SITE, ONCOZON.slug, COLUMNS, moment, moment)
        self.session.commit()
        told = parse_claims({**kept[SITE], "aud": SITE}, audience=SITE, network=ONCOZON.slug)
        for act in state.evidence.acts:
            person = HANDLES.index(state.handles[act.handle])
            if not self.forged[person]:
                self.acts[person].append(act)
        self.take(told)
        for person in range(3):
            noes = [at for at, word in self.words[person] if word in ("no", "later")]
            if noes:
                self.told_no[person] = noes[-1]
            last = self.words[person][-1][1] if self.words[person] else "no"
            if not self.forged[person]:
                assert self.counted[person] == (last == "yes"), (person, self.words[person])

    @rule(person=PEOPLE)
    def lying_list_arrives(self, person: int) -> None:
        """The hub says yes for somebody, shows an old act of theirs, and is silent about noes."""
        self.seq += 1
        acts = [replace(act, handle=0) for act in self.acts[person]]
        claims = build_claims(
            network=ONCOZON.slug,
            seq=self.seq,
            issued=self.now,
            valid_until=self.now + timedelta(hours=1),
            columns=COLUMNS,
            handles=[HANDLES[person]],
            granted=[np.ones(1, np.bool_)] * len(COLUMNS),
            evidence=Evidence(acts),
        )
        self.take(parse_claims({**claims, "aud": SITE}, audience=SITE))

    def take(self, told: Snapshot) -> None:
        with transaction(self.books):
            self.proving.remember(told, self.now)
        proven = self.proving.proven(told, self.now)
        self.counted = [bool(proven.permits([each], STUDY, ITEMS)[0]) for each in HANDLES]

    @invariant()
    def counts_only_on_the_patients_own_yes(self) -> None:
        for person in range(3):
            if self.counted[person]:
                yes = [at for at, word in self.words[person] if word == "yes"]
                seen = self.told_no[person]
                assert yes, "nobody ever said yes"
                assert seen is None or yes[-1] > seen, "a no that the hospital knew was forgotten"

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        with closing(self.books), closing(self.session):
            assert isinstance(verify_log(self.session, ONCOZON.slug), LogHolds)
        engine_of(self.factory).dispose()
        shutil.rmtree(self.folder)


Machine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    derandomize=True,
    phases=(Phase.generate,),  # shrinking a hub with its database takes minutes
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMachine = Machine.TestCase
