"""Writing a whole network from a seed, and the codebooks that come with the product."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import yaml
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.hospitals.moving import invite, move
from studies.models import Network, Study
from studies.seeds.loading_network import add_meetings, add_network
from studies.seeds.loading_participants import add_recruitment
from studies.seeds.loading_trials import add_trials
from studies.seeds.shape import NetworkSeed, StudySeed
from studies.taking_part import create_study, move_study


def shipped_codebook(name: str) -> dict[str, Any]:
    """A codebook that comes with the product, "gbsg" or "oncomin/1", as plain data."""
    folder = files("studies").joinpath("seeds")
    if "/" in name:
        # The built-in ones lie beside the code that reads data by them; a file, not an import.
        folder, name = files("federation").joinpath("codebooks"), name.replace("/", "-")
    text = folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    codebook: dict[str, Any] = yaml.safe_load(text)
    return codebook


def load_network(
    session: Session, seed: NetworkSeed, actor: Actor, *, now: datetime | None = None
) -> Network:
    """Write a network with its institutions, groups and studies; what is there already stays.

    Studies end up open and each hospital in the state its seed names. `now` is the hub's clock
    unless given. The texts for patients are published by the caller (consent.service).
    """
    moment = datetime.now(UTC) if now is None else now
    network, new = session.get(Network, seed.slug), False
    if network is None:
        network = add_network(session, seed, actor)
        new = True
    for study in seed.studies:
        if session.get(Study, study.slug) is None:
            _add_study(session, seed, study, actor, moment)
    if seed.trials:
        add_trials(session, seed, actor, moment, shipped_codebook("no-data"))
        add_recruitment(session, seed.slug, actor, moment)
    if new and seed.meetings:
        add_meetings(session, seed, actor, moment)
    return network


# The steps that lead to each state a seed may ask for.
_WAY: Mapping[str, tuple[str, ...]] = {
    "invited": (),
    "feasibility": ("feasibility",),
    "approved": ("feasibility", "approved"),
    "open": ("feasibility", "approved", "open"),
    "on_hold": ("feasibility", "approved", "open", "on_hold"),
    "closed": ("closed",),
}


def _add_study(
    session: Session, network: NetworkSeed, seed: StudySeed, actor: Actor, now: datetime
) -> None:
    study = create_study(
        session,
        slug=seed.slug,
        network=network.slug,
        title_nl=seed.title_nl,
        title_en=seed.title_en,
        question_nl=seed.question_nl,
        question_en=seed.question_en,
        purpose_nl=seed.purpose_nl,
        purpose_en=seed.purpose_en,
        codebook=shipped_codebook(seed.codebook),
        requires=seed.requires,
        actor=actor,
        now=now,
        group=seed.group,
        lead=seed.lead,
        lead_name=seed.lead_name,
        output_by_site=seed.output_by_site,
    )
    for institution, state in seed.sites.items():
        part = invite(session, study, institution, actor=actor, now=now)
        for step in _WAY[state]:
            move(session, part, step, actor=actor, now=now)
    move_study(session, study, "open", actor=actor, now=now)
