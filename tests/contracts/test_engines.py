"""What every engine promises (federation/engines/interface.py), asked of each engine there is.

A new engine joins by adding a fixture parameter; the site behind it is always the real program, and
behind the vantage6 engine a real vantage6 server with each site in a process of its own: once
encrypted and told of everything by events, once not encrypted and without events, so polled.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from vantage6_lab import Collaboration, collaboration, nodes

from federation.carriage.wire import ALLOW_UNENCRYPTED
from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import SITE_UNREACHABLE, Engine, EngineError, Reply
from federation.engines.site_process import MOST_INSIDE
from federation.engines.vantage6 import Vantage6Engine
from federation.engines.vantage6_keys import Connection
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, SigningKey, key_id
from federation.protocol.messages import TYP_REPLY, verify
from federation.query.codebook import Codebook
from federation.site.directory import init_site

CODEBOOK = Codebook.from_dict(
    {"codebook": "small/1", "variables": {"relapse": {"type": "boolean"}}}
)
JUNK = b"not a message"


def make_site(folder: Path, slug: str, hub: str) -> PublicIdentity:
    folder.mkdir(parents=True)
    (folder / "data.csv").write_text("patient_id,relapse\n1,true\n2,false\n")
    site = init_site(
        folder,
        slug=slug,
        name=slug,
        network="net",
        hub_public=hub,
        source={"kind": "csv", "path": "data.csv"},
        mapping=b"codebook: small/1\nkey: patient_id\nvariables: {relapse: {column: relapse}}\n",
        policy=Policy.strict().to_yaml().encode(),
        studies={"s": {"codebook": CODEBOOK, "requires": ["study.join"]}},
    )
    return site.identity


Sites = dict[str, tuple[Path, PublicIdentity]]


def make_sites(root: Path) -> Sites:
    hub = SigningKey.generate().public
    return {slug: (root / slug, make_site(root / slug, slug, hub)) for slug in ("a", "b")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    return make_sites(tmp_path_factory.mktemp("sites"))


def vantage6(together: Collaboration, **options: float) -> Vantage6Engine:
    user, encrypted = together.user, together.encrypted
    connection = Connection(
        together.url,
        user.username,
        user.password,
        together.id,
        key=together.hub.key_file if encrypted else None,
        allow_unencrypted="" if encrypted else ALLOW_UNENCRYPTED,
    )
    return Vantage6Engine(
        connection, together.organizations, together.fingerprints, events=encrypted, **options
    )


@pytest.fixture(scope="module")
def over(
    folders: Sites, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Sites, Engine]]]:
    """The sites and an engine by its name. What that needs is started when it is first wanted."""
    started: dict[str, tuple[Sites, Collaboration]] = {}
    with ExitStack() as running:

        def make(name: str) -> tuple[Sites, Engine]:
            if name == "embedded":
                return folders, EmbeddedEngine({slug: path for slug, (path, _) in folders.items()})
            if name not in started:
                root = tmp_path_factory.mktemp("vantage6")
                sites = make_sites(root)
                together = collaboration(root, list(sites), encrypted=name == "vantage6")
                paths = [path for path, _ in sites.values()]
                running.enter_context(nodes(together, paths))
                started[name] = sites, together
            sites, together = started[name]
            return sites, vantage6(together)

        yield make


@pytest.fixture(
    params=["embedded", "vantage6", "vantage6, polled and not encrypted"], scope="class"
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(name: str, over: Callable[[str], tuple[Sites, Engine]]) -> Iterator[tuple[Sites, Engine]]:
    sites, made = over(name)
    yield sites, made
    made.close()


@pytest.fixture
def engine(pair: tuple[Sites, Engine]) -> Engine:
    return pair[1]


def collect(engine: Engine, count: int, seconds: float = 20.0) -> list[Reply]:
    until = time.monotonic() + seconds
    found: list[Reply] = []
    while len(found) < count and time.monotonic() < until:
        found += engine.replies(0.5)
    return found


def is_signed_by(reply: Reply, identity: PublicIdentity) -> bool:
    assert reply.body is not None
    keys = {key_id(identity.sign): identity.sign}
    try:
        claims = verify(TYP_REPLY, reply.body, keys.get, audience="hub", now=None)
    except ProtocolError:
        return False
    return claims["iss"] == identity.slug


class TestEngine:
    def test_each_message_gets_one_reply_of_its_own_site(self, pair: tuple[Sites, Engine]) -> None:
        sites, engine = pair
        sent = {engine.send(site, JUNK): site for site in ("a", "b", "a")}

        found = collect(engine, 3)

        assert {reply.handle: reply.site for reply in found} == sent
        assert all(is_signed_by(reply, sites[reply.site][1]) for reply in found)
        assert engine.replies(0.2) == []

    def test_send_does_not_wait_for_the_site(self, engine: Engine) -> None:
        start = time.monotonic()
        handles = {engine.send("a", JUNK) for _ in range(20)}
        assert time.monotonic() - start < 0.2
        assert len(handles) == 20
        assert {reply.handle for reply in collect(engine, 20)} == handles

    def test_replies_come_back_after_the_timeout_when_nothing_was_sent(
        self, engine: Engine
    ) -> None:
        start = time.monotonic()
        assert engine.replies(0.1) == []
        assert 0.05 < time.monotonic() - start < 2

    def test_a_cancelled_message_is_not_answered(self, engine: Engine) -> None:
        gone, kept = engine.send("a", JUNK), engine.send("a", JUNK)
        engine.cancel(gone)
        assert [reply.handle for reply in collect(engine, 1)] == [kept]
        assert engine.replies(0.2) == []

    def test_cancelling_what_is_unknown_is_no_error(self, engine: Engine) -> None:
        engine.cancel("no such handle")

    def test_an_unknown_site_is_refused_and_has_an_unknown_state(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as caught:
            engine.send("elsewhere", JUNK)
        assert caught.value.code == "UNKNOWN_SITE"
        assert engine.status("elsewhere").state == "unknown"

    def test_a_site_that_answers_is_up(self, engine: Engine) -> None:
        engine.send("a", JUNK)
        collect(engine, 1)
        assert engine.status("a").state == "up"

    def test_a_large_message_arrives_whole(self, engine: Engine) -> None:
        engine.send("a", b"x" * 5_000_000)
        (reply,) = collect(engine, 1)
        assert reply.body is not None

    def test_after_close_nothing_is_sent_and_close_may_be_called_again(
        self, engine: Engine
    ) -> None:
        engine.close()
        engine.close()
        with pytest.raises(EngineError) as caught:
            engine.send("a", JUNK)
        assert caught.value.code == "ENGINE_CLOSED"


class TestEmbedded:
    """What only this engine can promise: its sites are its own children."""

    def test_a_killed_site_is_started_again_and_gets_the_message(self, folders: Sites) -> None:
        with EmbeddedEngine({"a": folders["a"][0]}) as engine:
            engine.send("a", JUNK)
            collect(engine, 1)
            process = engine.process_id("a")
            assert process is not None
            os.kill(process, signal.SIGKILL)

            engine.send("a", JUNK)
            (reply,) = collect(engine, 1)

            assert reply.body is not None
            assert engine.starts("a") == 2
            assert engine.process_id("a") != process

    def test_a_site_that_cannot_start_is_a_failure_after_bounded_attempts(
        self, tmp_path: Path
    ) -> None:
        with EmbeddedEngine({"a": tmp_path}) as engine:
            engine.send("a", JUNK)
            (reply,) = collect(engine, 1)
            assert (reply.body, reply.failure) == (None, SITE_UNREACHABLE)
            assert 2 <= engine.starts("a") <= 5
            assert engine.status("a").state == "down"

    def test_a_site_does_not_work_on_what_was_cancelled(self, folders: Sites) -> None:
        with EmbeddedEngine({"a": folders["a"][0]}) as engine:
            engine.send("a", JUNK)
            collect(engine, 1)
            process = engine.process_id("a")
            assert process is not None
            os.kill(process, signal.SIGSTOP)  # so that nothing is worked on before it is cancelled
            for handle in [engine.send("a", JUNK) for _ in range(90)]:
                engine.cancel(handle)
            os.kill(process, signal.SIGCONT)
            engine.send("a", JUNK)
            collect(engine, 1)
            # One line of stderr per message that reached the site; those under way reach it.
            assert len(engine.codes("a")) <= MOST_INSIDE + 2 < 90

    def test_no_site_outlives_its_engine(self, folders: Sites) -> None:
        engine = EmbeddedEngine({"a": folders["a"][0]})
        engine.send("a", JUNK)
        collect(engine, 1)
        process = engine.process_id("a")
        assert process is not None
        engine.close()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

    def test_a_site_gets_no_environment_of_ours(
        self, folders: Sites, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONCOKRING_SECRET", "canary-7391")
        with EmbeddedEngine({"a": folders["a"][0]}) as engine:
            engine.send("a", JUNK)
            collect(engine, 1)
            environment = Path(f"/proc/{engine.process_id('a')}/environ").read_bytes()
            assert b"canary-7391" not in environment

    def test_only_codes_of_stderr_are_kept(self, folders: Sites) -> None:
        with EmbeddedEngine({"a": folders["a"][0]}) as engine:
            engine.send("a", JUNK)
            collect(engine, 1)
            engine.send("a", JUNK)
            collect(engine, 1)
            assert set(engine.codes("a")) <= {"PROTOCOL"}
