"""``oncokring study``: how a study's answers may leave the hospitals, within their own policies."""

from __future__ import annotations

from pathlib import Path

import click
import yaml
from sqlalchemy.orm import Session

from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.protocol.sealing import check_result_key
from federation.query.terms import Terms
from federation.query.yaml_data import YamlError, load_yaml
from registry.commands.opening import open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies import service as studies
from studies.errors import StudiesError
from studies.models import Study

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MAX_BYTES = 65_536


@click.group()
def study() -> None:
    """How a study's answers may leave: results per hospital, stricter thresholds."""


@study.command("by-site")
@click.argument("slug")
@click.argument("delivery", type=click.Choice(["none", "sealed", "hub"]))
@click.option("--key", help="Sealed: the public key that 'oncokring result key new' printed.")
@click.option("--benchmark", help="Hub: the agreement by which the hospitals compare themselves.")
def by_site(slug: str, delivery: str, key: str | None, benchmark: str | None) -> None:
    """Choose how results of single hospitals reach the study SLUG.

    sealed: only who holds the study's key reads them. hub: the hub keeps them for the study's
    participants, in a benchmark study whose hospitals' boards signed. none: there are none.
    """
    if key is not None:
        try:
            check_result_key(key)
        except ProtocolError as error:
            raise click.UsageError(
                "--key is not a key for results; copy the 43 characters that "
                "'oncokring result key new' printed."
            ) from error
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        try:
            found = studies.choose_delivery(
                session,
                _study(session, slug),
                None if delivery == "none" else delivery,
                actor=by,
                result_key=key,
                benchmark=benchmark,
            )
        except StudiesError as error:
            raise click.UsageError(error.message) from error
        click.echo(_said(found))


@study.command()
@click.argument("slug")
@click.option("--set", "file", type=_FILE, help="YAML with keys of policy.yaml, not all needed.")
@click.option("--clear", is_flag=True, help="Take the study's own thresholds away.")
def terms(slug: str, file: Path | None, clear: bool) -> None:
    """Show, set or clear the study's own thresholds; they count where they are stricter."""
    if file is not None and clear:
        raise click.UsageError("Give either --set or --clear.")
    if file is None and not clear:
        with reading(open_hub_database()) as session:
            kept = _study(session, slug).terms
        click.echo(yaml.safe_dump(kept, sort_keys=True).strip() if kept else "none")
        return
    wishes = {} if file is None else _wishes(file)
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        studies.tighten_terms(session, _study(session, slug), wishes, actor=by)
    click.echo(f"{slug}: {len(wishes)} of its own")


@study.command()
@click.argument("slug")
def show(slug: str) -> None:
    """Show how results per hospital reach the study, and whose boards signed."""
    with reading(open_hub_database()) as session:
        found = _study(session, slug)
        click.echo(_said(found))
        nodes = studies.list_nodes(session)
        for institution in studies.open_sites(session, found.slug):
            node = nodes.get(institution)
            form = None if node is None else node.form_id
            click.echo(f"{institution}\t{form or 'no form of its board'}")


def _study(session: Session, slug: str) -> Study:
    try:
        return studies.get_study(session, slug)
    except StudiesError as error:
        raise click.UsageError(f"There is no study '{slug}' in this hub.") from error


def _said(found: Study) -> str:
    if found.delivery == "sealed" and found.result_key is not None:
        return f"{found.slug}: results per hospital, sealed to key {key_id(found.result_key)}"
    if found.delivery == "hub":
        return f"{found.slug}: results per hospital, kept at the hub ({found.benchmark})"
    return f"{found.slug}: no results per hospital"


def _wishes(file: Path) -> dict[str, object]:
    try:
        value = load_yaml(file.read_bytes(), _MAX_BYTES, 5)
        if not isinstance(value, dict) or not value or "protection" in value:
            raise ValueError("keys of policy.yaml are needed")
        Terms.strict().tightened(value)
    except (YamlError, ValueError) as error:
        raise click.UsageError(f"{file.name}: {error}") from error
    return value
