"""A small network on this machine for ``oncokring try``: real site processes on temporary
directories, a real signed snapshot in which everyone consents, the same driver as the hub's."""

import importlib
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from consent.snapshot import build_claims
from federation.disclosure.nesting import ReleasedSet
from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, SigningKey, key_id
from federation.protocol.messages import TYP_ACK, TYP_SNAPSHOT, sign, verify
from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.runs import envelope
from federation.runs.direct import drive
from federation.runs.driver import HUB, Outcome, RunPlan
from federation.runs.lanes import driver_for
from federation.site.agreeing import all_agree
from federation.site.choices.handles import list_handles
from federation.site.directory import SiteDirectory, init_site, pin_peers
from registry.trial.files import WrongUse

NETWORK = "trial"
REQUIRES = ("study.join",)
#: Seconds for one question, and for all sites to take a snapshot.
SECONDS = 600.0
VALID = timedelta(days=1)


class TrialNetwork:
    """Sites that run until ``close``, and remember what they answered, as in production."""

    def __init__(
        self,
        codebook: Codebook,
        policy: Policy,
        studies: Sequence[str],
        *,
        carried_by: Callable[[Engine], Engine] = lambda engine: engine,
    ) -> None:
        """`carried_by` may put something around the embedded engine, to look at what it carries."""
        self.codebook = codebook
        self.policy = policy
        self._studies = sorted(set(studies))
        self._key = SigningKey.generate()
        # Named here and made in `__enter__`: a signal in between finds nothing to leave behind.
        self._folder = Path(tempfile.gettempdir(), f"oncokring-try-{secrets.token_hex(16)}")
        self._sites: dict[str, SiteDirectory] = {}
        self._carried_by = carried_by
        self._engine: Engine | None = None
        self._seq = 0
        self._released: dict[str, dict[str, Any]] = {}
        self._standing: dict[tuple[str, str], dict[str, Any]] = {}  # the answer that stays (W3)
        self._sets: list[ReleasedSet] = []

    def folder(self, slug: str) -> Path:
        """A new private folder for one site's directory and its tidied data."""
        path = self._folder / slug
        path.mkdir(mode=0o700)
        return path

    def add_site(self, slug: str, source: Mapping[str, Any], mapping: bytes) -> SiteDirectory:
        """Make the directory of one site; SetupError says what is wrong with the mapping."""
        study: dict[str, Any] = {"codebook": self.codebook, "requires": list(REQUIRES)}
        if self.policy.institution_disclosure is not None and self.policy.site_level_output:
            study["by_site"] = "hub"  # the policy that is tried allows results per hospital
        site = init_site(
            self._folder / slug,
            slug=slug,
            name=slug,
            network=NETWORK,
            hub_public=self._key.public,
            source=source,
            mapping=mapping,
            policy=self.policy.to_yaml(),
            studies={name: study for name in self._studies},
        )
        self._sites[slug] = site
        return site

    @property
    def sites(self) -> list[str]:
        return sorted(self._sites)

    def directory(self, slug: str) -> Path:
        """Where the site `slug` lives."""
        return self._sites[slug].path

    def start(self) -> None:
        """Start every site and give it a snapshot in which everyone consents."""
        peers = {slug: site.identity for slug, site in self._sites.items()}
        for site in self._sites.values():
            pin_peers(site.path, peers)
        paths = {slug: site.path for slug, site in self._sites.items()}
        self._engine = self._carried_by(EmbeddedEngine(paths))
        # Half a second of import that the first test statistic would wait for; the sites are
        # still starting.
        importlib.import_module("scipy.special")
        self._publish()

    def restart(self) -> None:
        """Stop every site and start it again from its own directory, as after a power cut."""
        self._running().close()
        paths = {slug: site.path for slug, site in self._sites.items()}
        self._engine = self._carried_by(EmbeddedEngine(paths))

    def ask(self, query: Query, requester: str = "") -> dict[str, Any]:
        """The answer to one question, as query.md says. Never raises for what a site answers."""
        roster = self.sites if query.sites == "all" else list(query.sites)
        now = datetime.now(UTC)
        plan = RunPlan(
            run_id=str(uuid.uuid4()),
            query=query,
            codebook=self.codebook,
            roster={slug: self._sites[slug].identity for slug in roster},
            terms=self.policy.terms(),
            min_snapshots=dict.fromkeys(roster, self._seq),
            approval={"by": "try", "at": envelope.iso(now), "query_sha256": query.sha256},
            requester=requester,
        )
        outcome = self._drive(plan)
        if outcome.code == "CONSENT_UNAVAILABLE":
            self._publish()
            newer = dict.fromkeys(roster, self._seq)
            plan = replace(plan, run_id=str(uuid.uuid4()), min_snapshots=newer)
            outcome = self._drive(plan)
        if outcome.status == "replay":
            for earlier in outcome.replay_of:
                if earlier in self._released:
                    return envelope.replayed(self._released[earlier], plan.run_id)
            # A site answered before, but the question as a whole got no result.
            outcome = self._drive(replace(plan, run_id=str(uuid.uuid4()), again=True))
        self._sets.extend(outcome.sets)  # of a refusal, too: what it held back
        if outcome.status == "replay":
            return envelope.withheld(
                plan.run_id,
                "failed",
                "FAILED",
                query,
                sites=envelope.site_report(len(roster), len(roster)),
            )
        question = (query.study, query.question_sha256)
        if outcome.code == "SMALL_GROUP" and question in self._standing:
            return envelope.replayed(self._standing[question], plan.run_id)
        if outcome.status == "complete":
            self._released[str(outcome.envelope["id"])] = outcome.envelope
            self._standing[question] = outcome.envelope
        return outcome.envelope

    def _drive(self, plan: RunPlan) -> Outcome:
        return drive(
            driver_for(plan, self._key, lambda: self._sets, "hub"),
            self._running(),
            seconds=SECONDS,
        )

    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("start() comes before the first question")
        return self._engine

    def _publish(self) -> None:
        """Give every site the next snapshot and wait until each says it took it."""
        engine = self._running()
        self._seq += 1
        now = datetime.now(UTC)
        waiting = {
            engine.send(slug, self._snapshot(site, now)) for slug, site in self._sites.items()
        }
        while waiting:
            replies = engine.replies(SECONDS)
            if not replies:
                raise WrongUse("The sites did not start in time; try again with fewer sites.")
            for reply in replies:
                waiting.discard(reply.handle)
                self._check_ack(self._sites[reply.site].identity, reply.body)

    def _snapshot(self, site: SiteDirectory, now: datetime) -> bytes:
        handles = list_handles(site)
        everyone = np.ones(len(handles), dtype=np.bool_)
        columns = [(study, item) for study in self._studies for item in REQUIRES]
        claims = build_claims(
            network=NETWORK,
            seq=self._seq,
            issued=now,
            valid_until=now + VALID,
            columns=columns,
            handles=handles,
            granted=[everyone] * len(columns),
            evidence=all_agree(
                site.path,
                network=NETWORK,
                slug=site.slug,
                handles=handles,
                columns=columns,
                granted=everyone,
                at=now,
            ),
        )
        return sign(
            TYP_SNAPSHOT, claims, self._key, issuer=HUB, audience=site.slug, now=now, lifetime=VALID
        )

    def _check_ack(self, site: PublicIdentity, body: bytes | None) -> None:
        keys = {key_id(site.sign): site.sign}
        try:
            if body is None:
                raise ProtocolError("SITE_UNREACHABLE")
            now = datetime.now(UTC)
            claims = verify(TYP_ACK, body, keys.get, audience=HUB, now=now)
        except ProtocolError as error:
            raise WrongUse(f"Site '{site.slug}' did not start ({error.code}).") from error
        if claims.get("seq") != self._seq or claims.get("status") != "applied":
            raise WrongUse(f"Site '{site.slug}' did not start ({claims.get('code')}).")

    def close(self) -> None:
        """End every site and remove every temporary file."""
        if self._engine is not None:
            self._engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "TrialNetwork":
        try:
            self._folder.mkdir(mode=0o700)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
