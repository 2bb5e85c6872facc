"""`oncokring site decide`: whether patients count in a study now, and why not. It stays here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from federation.site.cli_consent import at_desk
from federation.site.cli_words import print_json


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--study", required=True, help="A study of site.toml.")
@click.option("--number", default=None, help="One patient; without it all, as ranges.")
@click.option("--any-number", is_flag=True, help="Also when the number is not in the data.")
@click.option("--by", default="site", help="Name of the person who looks a patient up.")
def decide(directory: Path, study: str, number: str | None, any_number: bool, by: str) -> None:
    """Say whether patients count in a study now, and if not, why."""
    from federation.site import audit
    from federation.site.choices.deciding import REASONS, counts_of
    from federation.site.choices.deciding import decide as decided
    from federation.site.choices.handles import list_handles
    from federation.site.errors import SetupError
    from federation.site.store import moment

    now = datetime.now(UTC)
    with at_desk(directory, by) as desk:
        desk.check_study(study)
        if number is None:
            handles = list_handles(desk.directory)
            used, found = decided(desk.directory, desk.database, study, handles, now)
            told: dict[str, object] = {"patients": counts_of(found)}
        else:
            if by == "site":
                raise SetupError("say who looks a patient up, with --by.")
            handle = desk.handle(number, any_number=any_number)
            used, (one,) = decided(desk.directory, desk.database, study, [handle], now)
            with desk.act():
                audit.record(desk.database, "PATIENT_LOOKED_UP", {"names": by}, now)
            told = {"counts": one.counts, "reason": one.reason, "means": REASONS[one.reason]}
            for name, limit in (("data_since", one.since), ("data_until", one.until)):
                if limit is not None:
                    told[name] = moment(limit).isoformat()
        made = None if used is None else {"seq": used.seq, "issued": used.issued.isoformat()}
        print_json({"study": study, "list": made, **told})
