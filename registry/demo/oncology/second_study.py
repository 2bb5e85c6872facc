"""The second study at the demo's ten sites: its text, its data and its patients' choices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from consent import service as consent
from federation.disclosure.policy import Policy
from federation.query.codebook import Codebook
from federation.site.directory import SiteDirectory
from registry.database import SessionFactory
from registry.demo.oncology.choices import Choices, record_choices
from registry.demo.oncology.files import MAPPING, write_files
from registry.demo.oncology.hospitals import SLUGS
from registry.demo.oncology.records import Records, make_records
from registry.demo.oncology.study import BENCHMARK, BOARD_FORM, QUALITY
from studies import service as studies
from studies.actor import SYSTEM
from studies.models import Study
from studies.seeds.loading import shipped_codebook


@dataclass(frozen=True)
class Second:
    """What the ten hospitals have of the second study, and what their patients answered."""

    records: Mapping[str, Records]
    choices: Choices
    codebook: Codebook

    @classmethod
    def make(cls, patients: int) -> "Second":
        """The study with so many invented patients."""
        book = Codebook.from_dict(shipped_codebook(QUALITY.codebook))
        return cls(make_records(patients), Choices.make(patients), book)

    @property
    def patients(self) -> int:
        """How many persons there are, each counted once."""
        return len({person for mine in self.records.values() for person in mine.persons})

    def record(
        self, factory: SessionFactory, sites: Mapping[str, SiteDirectory], now: datetime
    ) -> int:
        """Write down every answer at the hub; give how many acts."""
        return record_choices(factory, sites, self.records, self.choices, now)


def add_study(session: Session, now: datetime) -> None:
    """Publish the study's text and write down that its hospitals let themselves be compared."""
    consent.publish_text(
        session,
        study=QUALITY.slug,
        content=QUALITY.text,
        approved_by=QUALITY.text_approved_by,
        actor=SYSTEM,
        now=now,
    )
    study = session.get_one(Study, QUALITY.slug)
    studies.choose_delivery(session, study, "hub", actor=SYSTEM, benchmark=BENCHMARK)


def signed_policy(slug: str) -> Policy:
    """The strict policy of a hospital whose board let its results be seen on their own."""
    form = BOARD_FORM.format(slug=slug)
    return replace(Policy.strict(), institution_disclosure=form, site_level_output=True)


def study_here(second: Second, path: Path, slug: str) -> dict[str, Any]:
    """Write the hospital's files of the study into `path`; give its table for site.toml."""
    return {
        "codebook": second.codebook,
        "requires": list(QUALITY.requires),
        "mapping": MAPPING,
        "source": write_files(path, SLUGS.index(slug), second.records[slug]),
        "by_site": "hub",
    }
