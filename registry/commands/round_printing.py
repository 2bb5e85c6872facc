"""How ``oncokring round`` shows a round and what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy.orm import Session

from federation.rounds import reading
from federation.rounds.models import EvaluationRound
from federation.rounds.plan import iso
from federation.rounds.snapshot import reason


def row_of(session: Session, row: EvaluationRound) -> dict[str, Any]:
    """What everybody who may see a round may know of it, whatever its state."""
    plan = row.plan
    return {
        "id": row.id,
        "group": plan["group"],
        "number": row.number,
        "kind": row.kind,
        "parent": row.parent,
        "previous": row.previous,
        "study": row.study,
        "title": plan["title"],
        "state": reading.told(row),
        "version": row.version,
        "indicators": [f"{each['id']}/{each['version']}" for each in plan["indicators"]],
        "period": plan["period"],
        "sites": plan["sites"],
        "names": plan["names"],
        "freeze_at": iso(row.freeze_at),
        "release_at": iso(row.release_at),
        "released_at": None if row.released_at is None else iso(row.released_at),
        "plan_sha256": row.plan_sha256,
        "planned_by": row.planned_by_name or row.planned_by,
        "approved_by": row.decided_by_name or row.decided_by,
        "why": row.why,
    }


def print_row(shown: Mapping[str, Any], as_json: bool) -> None:
    """A round as lines of name and value, or as JSON."""
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for name, value in shown.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            value = ", ".join(str(each) for each in value.values())
        click.echo(f"{name}\t{', '.join(value) if isinstance(value, list) else value}")


def print_snapshot(found: Mapping[str, Any]) -> None:
    """What a round found: per indicator the sentence, then a line per hospital."""
    for each in found["indicators"]:
        click.echo(f"\n{each['definition']['text']['en']} ({each['id']}/{each['version']})")
        click.echo(each["headline"]["en"])
        if each["code"]:
            click.echo(reason(each["code"], "en"))
        for row in each["rows"]:
            click.echo(f"  {row['site']}\t{_words(row)}")
        click.echo(f"  network\t{_words(each['network'])}")


def _words(row: Mapping[str, Any]) -> str:
    if row["hidden"] is not None and row["n"] is None:
        return reason(row["hidden"], "en")
    parts = [f"n {row['n']}"]
    for name in ("observed", "expected", "value"):
        if row.get(name) is not None:
            parts.append(f"{name} {row[name]:.6g}")
    if row.get("low") is not None and row.get("high") is not None:
        parts.append(f"95% {row['low']:.4g} to {row['high']:.4g}")
    if row.get("signal"):
        parts.append("median at least twice that of the others")
    if row.get("outside"):
        parts.append(f"outside {'99.8%' if row['outside'] == 998 else '95%'} limits")
    return ", ".join(parts)
