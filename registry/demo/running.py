"""The running demo: worker thread, questions through the real path, the withdrawal."""

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from consent.models import Subject
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine
from federation.runs import service as runs
from federation.runs.states import FINAL
from registry import worker as program
from registry.accounts import service as accounts
from registry.demo import network as demo_network
from registry.demo.comparing import Line, compare, largest_difference
from registry.demo.network import STUDY, DemoNetwork
from registry.demo.patients import Patient
from registry.demo.questions import AFTER, COUNT, GRID, Question, further, published_times
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor

TOLERANCE = 1e-8
_PATIENCE = 120.0


@dataclass(frozen=True)
class Answer:
    """A question, the network's answer, the pooled one and how far they are apart."""

    question: Question
    envelope: Mapping[str, Any]
    pooled: Mapping[str, Any]
    lines: list[Line]
    seconds: float

    @property
    def difference(self) -> float:
        return largest_difference(self.lines)

    @property
    def holds(self) -> bool:
        return self.difference <= TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.question.name,
            "result": self.envelope,
            "pooled": self.pooled,
            "max_abs_diff": self.difference,
            "seconds": round(self.seconds, 3),
        }


class DemoFailed(Exception):
    """A question of the demo got no answer; the message says which and why."""


class RunningDemo:
    """An engine over the demo's sites and a worker thread, from `__enter__` to `__exit__`."""

    def __init__(
        self,
        network: DemoNetwork,
        carried_by: Callable[[Engine], Engine] = lambda engine: engine,
        make_engine: Callable[[], Engine] | None = None,
        engine: str = "embedded",
    ) -> None:
        """`carried_by` may put something around the engine, to look at what it carries.
        `make_engine` gives another engine than the embedded one, which pages call `engine`."""
        self.network = network
        self._carried_by = carried_by
        self._make_engine = make_engine or self._embedded
        self._name = engine
        self._stop = threading.Event()

    def _embedded(self) -> Engine:
        return EmbeddedEngine({slug: site.path for slug, site in self.network.sites.items()})

    def __enter__(self) -> "RunningDemo":
        self._engine = self._carried_by(self._make_engine())
        # An import that the first test statistic would wait for.
        importlib.import_module("scipy.special")
        self._thread = threading.Thread(
            target=program.run,
            args=(self.network.factory, self._engine, self.network.hub_key, self._stop),
            kwargs={"name": self._name},
            name="worker",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._engine.close()

    @property
    def site_processes(self) -> list[int]:
        """The process ids of the sites where they run on this machine without a server between."""
        engine = self._engine
        if not isinstance(engine, EmbeddedEngine):
            return []
        return [pid for site in engine.sites if (pid := engine.process_id(site)) is not None]

    def actor(self, name: str) -> Actor:
        """The account `name` of the demo as the one who acts."""
        with self.network.factory() as session:
            return accounts.actor_of(accounts.find_account(session, name), datetime.now(UTC))

    def ask(self, question: Question) -> tuple[dict[str, Any], float]:
        """Submit as the researcher, approve as the committee, wait; the envelope and seconds."""
        factory = self.network.factory
        researcher, committee = self.actor("researcher"), self.actor("committee")
        start = time.monotonic()
        with unit_of_work(factory, researcher) as session:
            run = runs.submit(
                session,
                query=question.query,
                study=STUDY,
                by=researcher,
                now=datetime.now(UTC),
            )
            run_id = run.id
        with unit_of_work(factory, committee) as session:
            runs.approve(session, runs.get_run(session, run_id), committee, datetime.now(UTC))
        while time.monotonic() < start + _PATIENCE:
            with factory() as session:
                run = runs.get_run(session, run_id)
                if run.state in FINAL:
                    return runs.result(session, run_id), time.monotonic() - start
            time.sleep(0.01)
        raise DemoFailed(f"'{question.name}' got no answer in {_PATIENCE:.0f} seconds")

    def answer(self, question: Question, rows: Mapping[str, list[Patient]] | None = None) -> Answer:
        """Ask, and lay the answer beside the pooled one on `rows` (default: all consenting)."""
        envelope, seconds = self.ask(question)
        if envelope["status"] != "complete":
            raise DemoFailed(f"'{question.name}' was not answered: {envelope.get('message')}")
        pooled = question.pooled(
            self.network.consenting() if rows is None else rows, envelope["result"]
        )
        return Answer(question, envelope, pooled, compare(envelope["result"], pooled), seconds)

    def withdraw_one(self) -> "Withdrawal":
        """One patient of the later question's cohort withdraws; both halves of the promise."""
        before = self.network.consenting()
        patient, slug = _somebody(further(before))
        with unit_of_work(self.network.factory, SYSTEM) as session:
            subject = session.get_one(Subject, self.network.subjects[patient.number])
            demo_network.withdraw(session, subject, datetime.now(UTC))
        after = {
            name: [p for p in mine if p.number != patient.number] for name, mine in before.items()
        }
        new = self.answer(AFTER, after)
        with_patient = compare(new.envelope["result"], AFTER.pooled(before, {}))
        repeated, _ = self.ask(COUNT)
        return Withdrawal(slug, patient, new, largest_difference(with_patient), repeated)


def _somebody(rows: Mapping[str, list[Patient]]) -> tuple[Patient, str]:
    """The patient with the largest tumour: without her the numbers visibly differ."""
    return max(
        ((patient, slug) for slug, mine in rows.items() for patient in mine),
        key=lambda found: (found[0].tumour_mm, -found[0].number),
    )


@dataclass(frozen=True)
class Withdrawal:
    """What happened after one patient withdrew."""

    hospital: str
    patient: Patient
    new: Answer
    difference_with_patient: float
    repeated: Mapping[str, Any]

    def holds(self, first: Answer) -> bool:
        """The new question leaves the patient out; the old one gives the old answer and date."""
        return (
            self.new.holds
            and self.difference_with_patient > TOLERANCE
            and bool(self.repeated.get("replayed"))
            and self.repeated["result"] == first.envelope["result"]
            and released_at(self.repeated) == released_at(first.envelope)
        )

    def to_dict(self, first: Answer) -> dict[str, Any]:
        return {
            "site": self.hospital,
            "new_question": self.new.to_dict(),
            "difference_if_still_counted": self.difference_with_patient,
            "same_question": {
                "replayed": bool(self.repeated.get("replayed")),
                "released_at": released_at(self.repeated),
                "same_result": self.repeated.get("result") == first.envelope["result"],
            },
            "holds": self.holds(first),
        }


def released_at(envelope: Mapping[str, Any]) -> str:
    """When the numbers of this answer were first released."""
    return str(envelope["provenance"]["released_at"])


def distance_to_exact_times(network: DemoNetwork, survival: Answer) -> float:
    """Largest difference between the curve on the grid and the one on exact times."""
    from registry.demo.pooled import survival as pooled_survival

    times = published_times(survival.envelope["result"])
    rows = network.consenting()
    grid, exact = (pooled_survival(rows, "hormone", times, days) for days in (GRID, 0))
    return max(
        abs(float(a["s"]) - float(b["s"]))
        for group, other in zip(grid["groups"], exact["groups"], strict=True)
        for a, b in zip(group["curve"], other["curve"], strict=True)
    )
