"""What the synthetic patients answered, and the forms that say so, with a letter's proof each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from consent import service as consent
from federation.site.agreeing import letters_for, prover
from federation.site.directory import SiteDirectory
from registry.database import SessionFactory
from registry.demo.oncology.draws import Draws
from registry.demo.oncology.hospitals import PATIENTS
from registry.demo.oncology.records import Records
from registry.demo.oncology.study import QUALITY
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.seeds.oncozon import ONCOZON

SHARES: Final[Mapping[str, float]] = {"yes": 0.86, "no": 0.06, "no answer": 0.05, "withdrew": 0.03}
_YES: Final = dict.fromkeys(QUALITY.requires, "yes")
_NO: Final = dict.fromkeys(QUALITY.requires, "no")


@dataclass(frozen=True)
class Choices:
    """What each person answered, at every hospital that knows them."""

    answers: Sequence[str]

    @classmethod
    def make(cls, patients: int = PATIENTS) -> "Choices":
        """An answer for each person, from a fixed seed, not from anything about the person."""
        turn = Draws("choices").uniform(patients)
        edges = np.cumsum(list(SHARES.values()))
        names = np.array(list(SHARES))
        return cls(names[np.minimum((turn[:, None] >= edges).sum(axis=1), 3)].tolist())

    def agree(self, records: Records) -> list[bool]:
        """Per patient of one hospital whether the answer is yes."""
        return [self.answers[person] == "yes" for person in records.persons]


def record_choices(
    factory: SessionFactory,
    sites: Mapping[str, SiteDirectory],
    records: Mapping[str, Records],
    choices: Choices,
    now: datetime,
) -> int:
    """Write down every answer at the hub as the patients' own acts; give how many acts."""
    when = now - timedelta(days=6)
    acts = 0
    for slug, mine in records.items():
        said, stopped = _forms(sites[slug], mine, choices, when)
        for forms, moment in ((said, when), (stopped, when + timedelta(days=2))):
            with unit_of_work(factory, SYSTEM) as session:
                consent.record_at_once(
                    session,
                    site=slug,
                    network=ONCOZON.slug,
                    study=QUALITY.slug,
                    text_version=consent.text_for(session, QUALITY.slug, now).id,
                    language="nl",
                    forms=forms,
                    actor=SYSTEM,
                    now=moment,
                )
            acts += len(forms)
    return acts


def _forms(
    site: SiteDirectory, records: Records, choices: Choices, when: datetime
) -> tuple[list[consent.Form], list[consent.Form]]:
    """The forms filled in, and those with which somebody stopped later."""
    handles = {
        number: site.handles.handle(number)
        for number, person in zip(records.numbers, records.persons, strict=True)
        if choices.answers[person] != "no answer"
    }
    keys = letters_for(Path(site.path), handles.values(), when)
    said, stopped = [], []
    for number, person in zip(records.numbers, records.persons, strict=True):
        handle = handles.get(number)
        if handle is None:
            continue
        answers = _NO if choices.answers[person] == "no" else _YES
        said.append(
            consent.Form(handle, answers, f"quality-{handle.hex()[:40]}", prover(keys, handle))
        )
        if choices.answers[person] == "withdrew":
            stopped.append(consent.Form(handle, None, f"stop-{handle.hex()[:40]}"))
    return said, stopped
