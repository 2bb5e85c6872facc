"""For tests of the coordinator's pages: a study under the WMO with hospitals on their way."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.hospitals import moving as site_moving
from studies.models import Participation, ParticipationStep, Study

STUDY = "hormone-therapy"
#: Hospital -> its steps, each so many days ago.
ROADS = {
    "catharina": [("invited", 200), ("feasibility", 180), ("local_review", 150)],
    "elkerliek": [("invited", 300), ("feasibility", 250), ("approved", 120), ("open", 90)],
    "laurentius": [("invited", 300), ("open", 100), ("on_hold", 10)],
    "maxima-mc": [("invited", 30)],
    "viecuri": [("invited", 60), ("declined", 50)],
}


def make_trial(factory: SessionFactory, now: datetime) -> None:
    """Turn the study of the test network into one under the WMO, with hospitals on ROADS."""
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, STUDY)
        study.kind, study.asks_data = "wmo", False
        _forget_parts(session)
        site_moving.take_over(
            session,
            study,
            {
                place: [(state, now - timedelta(days=days)) for state, days in road]
                for place, road in ROADS.items()
            },
            actor=SYSTEM,
            now=now,
            contacts={"catharina": "trialbureau"},
        )
        announce(session, actor=SYSTEM, action="study.changed", about=f"study:{STUDY}")


def _forget_parts(session: Session) -> None:
    # Only a test may: the database keeps the steps of a hospital for good.
    connection = session.connection()
    found = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'participation_step'"
    )
    for (name,) in found.all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    parts = select(Participation.id).where(Participation.study == STUDY)
    session.execute(delete(ParticipationStep).where(ParticipationStep.participation_id.in_(parts)))
    session.execute(delete(Participation).where(Participation.study == STUDY))
    session.expire_all()


def words_of(html: str) -> str:
    """What a reader sees of a page, on one line."""
    body = re.sub(r"<svg.*?</svg>|<script.*?</script>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def rows_of(html: str, caption: str) -> list[list[str]]:
    """The cells of a table's body, by the id of its caption."""
    table = re.search(rf'<caption id="{caption}".*?</table>', html, re.DOTALL)
    assert table, f"no table {caption}"
    body = re.search(r"<tbody>(.*?)</tbody>", table[0], re.DOTALL)
    assert body
    return [
        [words_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body[1], re.DOTALL)
    ]


def field(html: str, name: str) -> str:
    """The value of the first hidden or text field with this name."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


def with_file(body: bytes, **fields: str) -> dict[str, Any]:
    """What a client posts for a form with a file, as bytes: werkzeug's own way leaves a file open
    when it is large."""
    edge = "--edge-of-the-form"
    parts = [
        f'{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    sent = b"".join(parts) + head.encode() + body + f"\r\n{edge}--\r\n".encode()
    return {"data": sent, "content_type": f"multipart/form-data; boundary={edge[2:]}"}
