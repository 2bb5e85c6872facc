"""A hub with four hospitals that compare themselves: months, ages and what is counted, on disk."""

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub_with_sites import (
    COMMITTEE,
    RESEARCHER,
    STUDY,
    HubWithSites,
    _by_name,
    _consent,
    _enrol,
)
from sqlalchemy import select

from consent import service as consent
from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook
from federation.rounds import planning, reading
from federation.rounds.models import EvaluationRound
from federation.rounds.plan import Wish
from federation.site.agreeing import letters_for
from federation.site.choices.handles import list_handles
from federation.site.directory import init_site, pin_peers
from migrations import run as migrations
from registry.database import engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM
from studies.models import Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

__all__ = ["COMMITTEE", "RESEARCHER", "STUDY", "HubWithSites"]
WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
COLUMNS = (
    "patient_id",
    "age",
    "menopause",
    "hormone",
    "grade",
    "rfs_days",
    "relapse",
    "diagnosed",
    "survival_days",
)
SHARE: Mapping[str, Any] = {
    "id": "relapse",
    "version": 1,
    "text": {"en": "Recurrence", "nl": "Terugkeer"},
    "lay": {"en": "How often cancer came back.", "nl": "Hoe vaak kanker terugkwam."},
    "codebook": "gbsg/1",
    "unit": "patient",
    "role": "any",
    "measure": "share",
    "cohort": {},
    "date": "diagnosed",
    "numerator": {"var": "relapse", "op": "=", "value": True},
    "better": "lower",
    "strata": ["hormone"],
    "source": "a test",
}
MIX: Mapping[str, Any] = {
    **{key: SHARE[key] for key in SHARE if key not in ("numerator", "strata")},
    "id": "hormone_mix",
    "text": {"en": "Hormone therapy", "nl": "Hormoontherapie"},
    "measure": "mix",
    "variable": "hormone",
    "better": "neither",
}


def build(folder: Path, rows: Sequence[int] = (80, 80, 80, 80)) -> None:
    """A hub in ``folder`` with one hospital per number of patients; the boards signed, the study
    delivers results of single hospitals to the hub. Half of the patients are of 2024."""
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    migrations.upgrade(url)
    key = SigningKey.generate()
    key.save(folder / "hub.key")
    names = sorted(each.slug for each in ONCOZON.institutions)[: len(rows)]
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(names, "open"))
    factory, now = open_database(url), datetime.now(UTC)
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
        kept = session.get_one(Study, STUDY)
        studies.choose_delivery(session, kept, "hub", actor=SYSTEM, benchmark="agreement 2026-17")
        codebook = Codebook.from_dict(kept.codebook)
        made = [
            _site(folder / "sites" / name, name, number, rows[number], codebook, key)
            for number, name in enumerate(names)
        ]
        for site in made:
            pin_peers(site.path, {other.slug: other.identity for other in made})
            _enrol(session, site, WITH_FORM, now)
            handles = list_handles(site)[:, None]
            keys = letters_for(site.path, [handle.tobytes() for handle in handles], now)
            for handle in handles:
                _consent(session, site.slug, handle, text.id, now, keys)
        session.commit()
    engine_of(factory).dispose()


def _site(
    path: Path, name: str, number: int, rows: int, codebook: Codebook, key: SigningKey
) -> Any:
    path.mkdir(parents=True)
    _write(path / "data.csv", number, rows)
    mapping: dict[str, Any] = {"codebook": codebook.id, "key": "patient_id"}
    mapping["variables"] = _by_name(COLUMNS[1:])
    mapping["variables"]["diagnosed"]["format"] = "%Y-%m-%d"
    return init_site(
        path,
        slug=name,
        name=name,
        network=ONCOZON.slug,
        hub_public=key.public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=repr(mapping).replace("'", '"').encode(),
        policy=WITH_FORM.to_yaml().encode(),
        studies={
            STUDY: {
                "codebook": codebook,
                "requires": list(HORMONE_THERAPY.requires),
                "by_site": "hub",
            }
        },
    )


def _write(path: Path, number: int, rows: int) -> None:
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
                    chance.randint(30, 250),
                    "true" if row % 4 < 2 else "false",
                    f"{2024 + row % 2}-{1 + row // 2 % 12:02d}-15",
                    250,
                ]
            )


def wish(now: datetime, sites: Sequence[str], **changes: Any) -> Wish:
    """A round over all of 2024 and 2025, released two hours from now."""
    given: dict[str, Any] = {
        "group": "oncozon.breast",
        "study": STUDY,
        "title": {"en": "Year 2024", "nl": "Jaar 2024"},
        "indicators": [SHARE, MIX],
        "first": "2024-01",
        "last": "2025-12",
        "sites": sites,
        "freeze_at": now,
        "release_at": now + timedelta(hours=2),
        **changes,
    }
    return Wish(**given)


def approved(session: Any, asked: Wish, now: datetime) -> EvaluationRound:
    """Plan, offer and approve a round."""
    row = planning.plan(session, asked, actor=RESEARCHER, now=now)
    planning.offer(session, row, version=row.version, actor=RESEARCHER, now=now)
    planning.approve(session, row, version=row.version, actor=COMMITTEE, now=now)
    return row


def round_of(session: Any) -> EvaluationRound:
    """The one round there is."""
    found: EvaluationRound = session.scalars(select(EvaluationRound)).one()
    return reading.get(session, found.id)
