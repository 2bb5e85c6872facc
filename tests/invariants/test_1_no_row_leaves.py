"""Invariant 1: no row, identifier or free text from a site's data ever leaves it.

The demo's hospitals hold patient numbers, dates and local words that exist nowhere else: each is
a canary. Everything the engine carried up and the hub's whole database is searched. Canaries in
refusals, broken data and what the process itself says: tests/disclosure/test_canaries.py.
"""

import base64
import json
import sqlite3

import numpy as np
import pytest
from identities import suspicious, texts

from federation.protocol.encoding import unpack_array
from registry.demo.patients import local_number

# Words of the hospitals' own files: headers, levels, table names, paths.
LOCAL_WORDS = [
    "Differentiatiegraad",
    "Positieve klieren",
    "Menopauze",
    "borstkanker.csv",
    "tumour_grade",
    "meno_status",
    "breast.parquet",
    "pos_nodes",
    "last_contact",
    "epd.sqlite",
    "mapping.yaml",
]


def opened(message: bytes) -> bytes:
    payload = message.split(b".")[1]
    return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def canaries(network):
    """Texts of the hospitals' data: every patient number, every date in both spellings."""
    found = set(LOCAL_WORDS)
    for slug, patients in network.patients.items():
        for p in patients:
            found.add(local_number(slug, p))
            for day in (p.diagnosed, p.last_seen, p.died_or_censored):
                found |= {day.isoformat(), f"{day:%d-%m-%Y}"}
    return found


def present(text: str, words) -> list[str]:
    return sorted(word for word in words if word in text)


def test_the_canaries_are_really_in_the_hospitals_files(watched):
    csv_site = next(path for path in (watched.folder / "sites").glob("*/borstkanker.csv"))
    found = present(csv_site.read_text("utf-8"), canaries(watched.running.network))
    assert len(found) > 100


def test_no_canary_in_anything_a_site_sent(watched):
    words = canaries(watched.running.network)
    assert len(watched.carried.up) > 40
    for site, body in watched.carried.up:
        assert present(opened(body).decode(), words) == [], site


def test_no_canary_in_what_the_hub_sent(watched):
    words = canaries(watched.running.network) - {"mapping.yaml"}
    for site, body in watched.carried.down:
        assert present(opened(body).decode(), words) == [], site


def test_no_canary_anywhere_in_the_hubs_database(watched):
    words = canaries(watched.running.network)
    with sqlite3.connect(watched.folder / "hub.sqlite") as database:
        for line in database.iterdump():
            assert present(line, words) == [], line[:80]


def test_one_sites_masked_sums_say_nothing_alone(watched):
    """No number of one reply is small, as every plain count would be."""
    seen = 0
    for _, body in watched.carried.up:
        claims = json.loads(opened(body))
        if "masked" not in claims or claims["masked"] is None:
            continue
        high = unpack_array(claims["masked"])[:, 1]
        # A plain count has a high limb below 2**20; a masked one is uniform over 2**64.
        assert np.mean(high > 2**40) > 0.9
        seen += 1
    assert seen > 40


def test_nothing_in_the_hubs_database_identifies_anybody(watched):
    """T16: numbers that can be a BSN, old dates, e-mail and network addresses."""
    seen = 0
    found = set()
    with sqlite3.connect(watched.folder / "hub.sqlite") as database:
        for place, text in texts(database):
            seen += 1
            found |= {(place, what) for what in suspicious(text)}
    assert seen > 10_000
    assert found == set()


@pytest.mark.parametrize(
    "planted",
    [
        "patient 111222333 said",
        "born 12-03-1958",
        '{"born":"1958-03-12"}',
        "j.jansen@ziekenhuis.nl",
        "from 192.168.1.20 at noon",
    ],
)
def test_what_identifies_somebody_is_found(planted):
    assert suspicious(planted)


def test_what_is_of_the_hub_itself_is_not_taken_for_a_person():
    assert suspicious("2026-11-22T10:00:00Z 123456789 version 1.2.3 uuid 00123456-0000") == []
