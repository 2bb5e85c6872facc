"""What a representative said before their appointment began counts at no hospital, whatever the hub
tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from proving_site import ANNA, BEA, SAID, Site, opened

from federation.site.store import milliseconds

KEY = b"m" * 32
DAY = timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as site:
        yield site


def test_an_act_of_before_the_appointment_is_none(site: Site) -> None:
    site.write(
        "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
        " VALUES ('MENTOR', ?, 'p-1', 'mentor', ?, 0)",
        ANNA,
        KEY,
    )

    def begins(days: int) -> None:
        site.write(
            "INSERT INTO party (handle, party, role, valid_from, at) VALUES (?, 'p-1', 'mentor',"
            " ?, 0)",
            ANNA,
            milliseconds(SAID + days * DAY),
        )

    statement = site.statement(party="p-1")
    act = replace(site.act(statement), by="MENTOR", mac=statement.mac(KEY))
    told = site.told(act, site.act(site.statement(BEA), 1, BEA))
    for days, counted in ((-1, True), (0, True), (1, False), (-2, True)):
        begins(days)  # the hospital's newest word
        assert site.counts(told) == counted, days
        assert site.counts(told, BEA)
    # Somebody of whom nothing came with the list changes nothing.
    site.write(
        "INSERT INTO party (handle, party, role, valid_from, at) VALUES (?, 'p-9', 'mentor', ?, 0)",
        b"z" * 20,
        milliseconds(SAID + DAY),
    )
    assert site.counts(told)
