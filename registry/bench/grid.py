"""`python3 dev.py bench --grid 1000x100`: how long the coordinator's pages take on a large network.

Studies by hospitals are written straight into the tables, with a full-size codebook in each study,
so that a page which would load codebooks shows it. Then a signed-in coordinator asks for each page
as a browser would; the middle of several visits counts, with the database as it is in production.
"""

from __future__ import annotations

import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from migrations.run import upgrade
from registry.accounts.models import Account
from registry.accounts.secrets import new_totp_secret
from registry.accounts.service import grant_role
from registry.accounts.sessions import start
from registry.app import create_app
from registry.bench.load import database_of
from registry.database import SessionFactory, engine_of, open_database
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.base import new_id
from studies.events import announce
from studies.hospitals.models import SitePlan
from studies.models import Institution, Membership, Network, Participation, Study, WorkingGroup
from studies.seeds.loading import shipped_codebook
from studies.states import PARTICIPATION_STATES, STUDY_KINDS

#: What the design promises: a page of the grid in less than this, in seconds.
PROMISED = 0.3
PAGES = {
    "the grid": "/c",
    "the last page, the last hospitals": "/c?page=9999&side=9999",
    "studies with a hospital in local review": "/c?state=local_review",
    "longest in start-up first": "/c?sort=waiting",
    "newest change first": "/c?sort=changed",
    "most open hospitals first": "/c?sort=open",
    "one hospital": "/c?hospital=hospital-003",
    "words in the title": "/c?q=recovery+17",
    "the list, longest in its state first": "/c/list",
    "the list by state": "/c/list?sort=state&state=on_hold",
    "the picture": "/c/picture",
}
_GROUPS = 16
_AT_ONCE = 5_000
_WEIGHTS = (6, 5, 6, 8, 5, 5, 5, 4, 30, 4, 8, 5, 9)


def fill(session: Session, studies: int, hospitals: int, now: datetime) -> None:
    """A network of that size. Nine in ten hospitals have a part in a study, in all states."""
    chance = random.Random(20_261_123)  # noqa: S311  the same each time
    codebook = shipped_codebook("oncomin/1")
    session.add(Network(slug="large", name="Large network"))
    session.flush()
    places = [f"hospital-{number:03}" for number in range(hospitals)]
    groups = [new_id() for _ in range(_GROUPS)]
    _write(
        session,
        Institution,
        [
            {"slug": slug, "name": f"Hospital {number:03}", "kind": "general"}
            for number, slug in enumerate(places)
        ],
    )
    since = now - timedelta(days=2_000)
    _write(
        session,
        Membership,
        [{"network": "large", "institution": slug, "since": since} for slug in places],
    )
    _write(
        session,
        WorkingGroup,
        [
            {
                "id": key,
                "network": "large",
                "slug": f"group-{number}",
                "name_nl": f"Werkgroep {number}",
                "name_en": f"Group {number}",
            }
            for number, key in enumerate(groups)
        ],
    )
    kinds = tuple(STUDY_KINDS)
    made = [
        _study(number, groups[number % _GROUPS], kinds, codebook, now) for number in range(studies)
    ]
    _write(session, Study, made)
    parts = [
        {
            "id": new_id(),
            "study": each["slug"],
            "institution": place,
            "state": chance.choices(PARTICIPATION_STATES, _WEIGHTS)[0],
            "since": now - timedelta(days=chance.randint(0, 700)),
        }
        for each in made
        for place in places
        if chance.random() < 0.9
    ]
    _write(session, Participation, parts)
    plans = [
        {
            "participation_id": part["id"],
            "step": "open",
            "planned": date(2026, 1, 1) + timedelta(days=chance.randint(0, 700)),
            "set_by": "bench",
            "set_at": now,
        }
        for part in parts
        if part["state"] in ("approved", "initiated")
    ]
    _write(session, SitePlan, plans)
    for action in ("network.created", "study.created", "participation.invited"):
        announce(session, actor=SYSTEM, action=action, about="bench")


def _study(
    number: int, group: str, kinds: tuple[str, ...], codebook: dict[str, Any], now: datetime
) -> dict[str, Any]:
    words = {
        "title_nl": f"Herstel {number} na een operatie aan de darm bij ouderen",
        "title_en": f"Recovery {number} after surgery of the bowel in older people",
        **dict.fromkeys(("question_nl", "question_en", "purpose_nl", "purpose_en"), "Why? " * 40),
    }
    return {
        "slug": f"study-{number:04}",
        "network": "large",
        "group_id": group,
        "lead": "hospital-000",
        "state": "open",
        "kind": kinds[number % len(kinds)],
        "codebook": codebook,
        "codebook_id": codebook["codebook"],
        "requires": ["use.queries"],
        "created_at": now,
        **words,
    }


def _write(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    for begin in range(0, len(rows), _AT_ONCE):
        session.execute(insert(table), rows[begin : begin + _AT_ONCE])


def coordinator(factory: SessionFactory, folder: Path, url: str, now: datetime) -> FlaskClient:
    """A browser in which a coordinator of the whole network is signed in."""
    with unit_of_work(factory, SYSTEM) as session:
        account = Account(
            totp_secret=new_totp_secret(),
            name="bench",
            display_name="Bench",
            password_hash=secrets.token_hex(),
            created_at=now,
        )
        session.add(account)
        session.flush()
        grant_role(session, account, role="coordinator", scope="network", by=SYSTEM, now=now)
        signed_in = start(session, now=now, account_id=account.id)
        announce(session, actor=SYSTEM, action="account.created", about="bench")
    settings = Settings(secret_key=secrets.token_urlsafe(48), data=folder, database_url=url)
    app = create_app(settings, factory=factory, clock=lambda: now)
    client = app.test_client()
    client.set_cookie("oncokring", signed_in)
    return client


def measure(client: FlaskClient, visits: int) -> Iterator[dict[str, Any]]:
    """For each page: what it is, the middle of the seconds and of those of computing (without a
    PostgreSQL server's), its size."""
    for what, address in PAGES.items():
        seconds, computing = [], []
        size = 0
        for _ in range(visits + 1):  # the first visit also reads the template
            began, worked = time.perf_counter(), time.process_time()
            answer = client.get(address)
            if answer.status_code != 200:
                raise RuntimeError(f"{address} answered {answer.status_code}")
            size = len(answer.data)
            seconds.append(time.perf_counter() - began)
            computing.append(time.process_time() - worked)
        yield {
            "page": what,
            "address": address,
            "seconds": median(seconds[1:]),
            "computing_seconds": median(computing[1:]),
            "bytes": size,
        }


def report(
    size: str, kinds: tuple[str, ...], visits: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Each page on each database, for a size such as `1000x100`."""
    studies, hospitals = (int(part) for part in size.split("x"))
    now = datetime.now(UTC).replace(microsecond=0)
    found: dict[str, Any] = {"size": size, "promised": PROMISED, "databases": {}}
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="oncokring-grid-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            with database_of(kind, folder) as url:
                upgrade(url)
                factory = open_database(url)
                say(f"Writing {studies} studies by {hospitals} hospitals into {kind}")
                with unit_of_work(factory, SYSTEM) as session:
                    fill(session, studies, hospitals, now)
                with engine_of(factory).connect() as connection:
                    # What a database that has run for a day has done by itself.
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                    connection.execute(text("ANALYZE"))
                rows = list(measure(coordinator(factory, folder, url, now), visits))
                engine_of(factory).dispose()
        for row in rows:
            worked = f"{row['computing_seconds']:.3f} s of computing"
            say(f"{row['seconds']:7.3f} s, {worked}, {row['bytes'] / 1000:.0f} kB: {row['page']}")
        found["databases"][kind] = rows
    found["holds"] = all(
        row["seconds"] < PROMISED for rows in found["databases"].values() for row in rows
    )
    return found
