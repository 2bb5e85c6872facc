"""The demo's run from nothing to a report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from federation.protocol.keys import SigningKey
from migrations.run import upgrade
from registry.database import engine_of, open_database
from registry.demo.network import DemoNetwork, build
from registry.demo.oncology.report import RoundReport
from registry.demo.oncology.round_printing import print_rounds
from registry.demo.oncology.rounds import Rounds
from registry.demo.printing import print_answer, print_choices, print_withdrawal
from registry.demo.questions import QUESTIONS
from registry.demo.running import Answer, RunningDemo, Withdrawal, distance_to_exact_times

DATABASE = "hub.sqlite"


@contextmanager
def run_demo(
    folder: Path,
    say: Callable[[str], None],
    engine: str = "embedded",
    hospitals: int | None = None,
    *,
    whole: bool = False,
    second_patients: int = 0,
) -> Iterator[RunningDemo]:
    """Build the network in the empty `folder` and start its sites and its worker.

    `engine` "vantage6": the sites are nodes of a vantage6 server that is started here. `whole`:
    with as many studies as the real network has. `second_patients`: see `network.build`.
    """
    if engine == "vantage6":
        # Only here: the demo on one machine does without vantage6's packages.
        from registry.trial.vantage6_network import Vantage6Network, server_python

        server_python()  # or the sentence that there is none, before anything is made
    url = f"sqlite:///{folder / DATABASE}"
    say("Creating the hub's database")
    upgrade(url)
    factory = open_database(url)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    hub_key = SigningKey.generate()
    hub_key.save(keys / "hub.key")
    try:
        network = build(
            folder / "sites",
            factory,
            hub_key,
            say,
            hospitals,
            whole=whole,
            second_patients=second_patients,
        )
        if engine == "embedded":
            say(f"Starting {len(network.sites)} site processes")
            with RunningDemo(network) as running:
                yield running
            return
        paths = {slug: site.path for slug, site in network.sites.items()}
        with (
            Vantage6Network(folder / "vantage6", paths, factory, say) as nodes,
            RunningDemo(network, make_engine=nodes.engine, engine=engine) as running,
        ):
            yield running
    finally:
        engine_of(factory).dispose()


@dataclass(frozen=True)
class Report:
    """All answers of one demo."""

    network: DemoNetwork
    answers: list[Answer]
    grid_distance: float
    withdrawal: Withdrawal
    round: RoundReport | None = None

    @classmethod
    def make(
        cls, running: RunningDemo, say: Callable[[str], None], out: Console | None
    ) -> "Report":
        """Ask everything; print each part to `out` as it comes."""
        network = running.network
        if out is not None:
            print_choices(out, network)
        answers = []
        for question in QUESTIONS:
            say(f"Asking: {question.query['title']}")
            answers.append(running.answer(question))
            if out is not None:
                print_answer(out, answers[-1])
        survival = next(a for a in answers if a.question.name == "survival")
        distance = distance_to_exact_times(network, survival)
        if out is not None:
            out.print(
                "For information: on exact days instead of the public grid the curve differs by "
                f"at most {distance:.4f}.\n"
            )
        say("One patient withdraws")
        withdrawal = running.withdraw_one()
        if out is not None:
            print_withdrawal(out, withdrawal, answers[0])
        found = None
        if network.second is not None:
            say("The hospitals compare a year's outcomes, then a quarter: its cause, an action")
            found = RoundReport.make(Rounds(running).hold(), network)
            if out is not None:
                print_rounds(out, found)
        return cls(network, answers, distance, withdrawal, found)

    @property
    def holds(self) -> bool:
        """Whether every comparison holds."""
        return (
            all(a.holds for a in self.answers)
            and self.withdrawal.holds(self.answers[0])
            and (self.round is None or self.round.holds)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "queries": [answer.to_dict() for answer in self.answers],
            "sites": len(self.network.sites),
            "patients": sum(map(len, self.network.patients.values())),
            "consenting": self.network.shares["yes"],
            "shares": self.network.shares,
            "survival_distance_to_exact_times": self.grid_distance,
            "withdrawal": self.withdrawal.to_dict(self.answers[0]),
            "round": None if self.round is None else self.round.to_dict(),
            "agrees": self.holds,
        }
