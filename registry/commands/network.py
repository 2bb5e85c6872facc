"""``oncokring network``: set up a network and accept its sites' keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from consent import service as consent
from federation.disclosure.policy import PolicyError, load_policy
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.query.files import read_at_most
from registry.commands.network_agreements import agreement, needs
from registry.commands.network_groups import expertise, group, rename, seat, unseat
from registry.commands.network_members import join, leave, leave_office, office, part
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies import service as studies
from studies.errors import StudiesError
from studies.hospitals.pathway import pathway
from studies.hospitals.road_settings import leave_out
from studies.models import Network
from studies.seeds.oncozon_whole import ONCOZON_WHOLE
from studies.seeds.shape import NetworkSeed
from studies.seeds.west import WEST
from studies.seeds.zuidwest import ZUIDWEST
from studies.states import STUDY_KINDS

SEEDS: Mapping[str, NetworkSeed] = {seed.slug: seed for seed in (ONCOZON_WHOLE, ZUIDWEST, WEST)}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MAX_BYTES = 1_000_000


@click.group()
def network() -> None:
    """Networks and the keys of their sites."""


for each_command in (
    *(agreement, needs, join, leave, part, office, leave_office),
    *(group, rename, seat, unseat, expertise),
):
    network.add_command(each_command)


@network.command()
@click.argument("name", type=click.Choice(sorted(SEEDS)))
def load(name: str) -> None:
    """Write the network NAME with its hospitals, groups and studies; what is there stays."""
    seed, by, moment = SEEDS[name], operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        studies.load_network(session, seed, by, now=moment)
        for study in seed.studies:
            consent.publish_text(
                session,
                study=study.slug,
                content=study.text,
                approved_by=study.text_approved_by,
                actor=by,
                now=moment,
            )
    count = len(seed.studies) + len(seed.trials)
    click.echo(f"{name}: {len(seed.institutions)} hospitals, {count} studies")


@network.command()
@click.argument("identity", type=_FILE)
@click.option("--policy", type=_FILE, required=True, help="The policy.yaml of this hospital.")
def enrol(identity: Path, policy: Path) -> None:
    """Accept a hospital's program: IDENTITY is the file that `oncokring site init` printed.

    Compare the printed key numbers with the hospital by phone before you go on.
    """
    try:
        terms = load_policy(_bytes(policy), now())
    except PolicyError as error:
        raise click.UsageError(f"{policy.name}: {error}") from error
    by, moment = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        for slug, keys in _identities(identity).items():
            try:
                node = studies.enrol_node(
                    session,
                    institution=slug,
                    sign_pub=keys["sign"],
                    box_pub=keys["box"],
                    engine="embedded",
                    actor=by,
                    now=moment,
                )
            except StudiesError as error:
                raise click.UsageError(
                    f"There is no hospital '{slug}' in this hub; see the names with: "
                    "oncokring network sites"
                ) from error
            studies.note_node(
                session,
                node,
                terms=terms.terms().to_dict(),
                policy_sha256=terms.sha256,
                software="",
                actor=by,
                now=moment,
                form_id=terms.institution_disclosure if terms.site_level_output else None,
            )
            click.echo(f"{slug}\tsign {key_id(keys['sign'])}\tbox {key_id(keys['box'])}")


@network.command()
def sites() -> None:
    """The hospitals and whether the program of each is accepted."""
    with reading(open_hub_database()) as session:
        nodes = studies.list_nodes(session)
        for each in studies.list_networks(session):
            for institution in studies.list_institutions(session, each.slug, now()):
                state = "accepted" if institution.slug in nodes else "no program"
                click.echo(f"{institution.slug}\t{state}\t{institution.name}")


@network.command()
@click.argument("site")
@click.argument("number", default="")
def phone(site: str, number: str) -> None:
    """Set the number that patients of SITE call; it stands on each of their pages."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        try:
            studies.set_phone(session, site, number.strip(), actor=by)
        except StudiesError as error:
            raise click.UsageError(f"{site}: {error.message}") from error
    click.echo(f"{site}\t{number.strip() or 'no number'}")


@network.command()
@click.argument("name", metavar="NETWORK")
@click.argument("kind", type=click.Choice(sorted(STUDY_KINDS)))
@click.option("--without", multiple=True, help="A step that NETWORK leaves out; may be repeated.")
@click.option("--whole", is_flag=True, help="Leave nothing out any more.")
def road(name: str, kind: str, without: tuple[str, ...], whole: bool) -> None:
    """Show or set the steps of hospitals in studies of KIND in NETWORK."""
    if without and whole:
        raise click.UsageError("Give either --without or --whole.")
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        found = session.get(Network, name)
        if found is None:
            raise click.UsageError(f"There is no network '{name}' in this hub.")
        try:
            if without or whole:
                shown = leave_out(session, found, kind, without, actor=by)
            else:
                shown = pathway(kind, found.pathways.get(kind, ()))
        except StudiesError as error:
            raise click.UsageError(error.message) from error
    for step in shown.steps:
        click.echo(f"{step.number}\t{step.code}\t{step.name_en}")


@network.command()
def peers() -> None:
    """Print the public keys of all accepted programs: the list for `oncokring site pin`."""
    with reading(open_hub_database()) as session:
        found = {
            slug: {"sign": node.sign_pub, "box": node.box_pub}
            for slug, node in studies.list_nodes(session).items()
        }
    click.echo(json.dumps(found, indent=1))


def _identities(path: Path) -> dict[str, dict[str, str]]:
    given = _object(path)
    for slug, keys in given.items():
        try:
            if set(keys) != {"sign", "box"} or not all(key_id(key) for key in keys.values()):
                raise ProtocolError("BAD_KEY")
        except (ProtocolError, TypeError, AttributeError) as error:
            raise click.UsageError(
                f"{path.name} does not hold the public keys of '{slug}'; ask for the file that "
                "'oncokring site init' printed."
            ) from error
    return given


def _bytes(path: Path) -> bytes:
    """The file, one byte more than _MAX_BYTES of it when it is longer."""
    try:
        return read_at_most(path, _MAX_BYTES)
    except OSError as error:
        raise click.UsageError(f"{path.name} cannot be read; give a file.") from error


def _object(path: Path) -> dict[str, Any]:
    data = _bytes(path)
    try:
        value = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value:
        raise click.UsageError(f"{path.name} is not a JSON object; ask for the file again.")
    return value
