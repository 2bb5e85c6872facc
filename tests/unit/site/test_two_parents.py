"""T21: a patient of fifteen with two parents counts when all three say yes, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from proving_site import ANNA, SAID, Site, opened

from consent.encoding import to_ms
from consent.evidence import Act, Denial

PARTIES = ("self", "p-1", "p-2")
KEYS = {"p-1": b"p" * 32, "p-2": b"q" * 32}
HOUR = timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as made:
        for party in PARTIES:
            role = "self" if party == "self" else "parent"
            made.write(
                "INSERT INTO party (handle, party, role, valid_from, valid_until, at)"
                " VALUES (?, ?, ?, 0, NULL, 0)",
                ANNA,
                party,
                role,
            )
            if party != "self":
                made.write(
                    "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
                    " VALUES (?, ?, ?, ?, ?, 0)",
                    party.upper(),
                    ANNA,
                    party,
                    role,
                    KEYS[party],
                )
        yield made


def yes(site: Site, party: str, at: datetime, number: int) -> Act:
    said = site.statement(party=party, at=at, act=f"{number:02x}" * 16)
    act = site.act(said)
    if party == "self":
        return act
    return replace(act, by=party.upper(), mac=said.mac(KEYS[party]))


@pytest.mark.parametrize("order", list(permutations(PARTIES)), ids="-".join)
def test_each_order_of_three_answers_one_missing_one_no(site: Site, order: tuple[str, ...]) -> None:
    acts = [yes(site, party, SAID + n * HOUR, n + 1) for n, party in enumerate(order)]
    for missing in range(3):
        assert not site.counts(site.told(*(act for n, act in enumerate(acts) if n != missing)))
    assert site.counts(site.told(*acts))
    assert site.counts(site.told(*reversed(acts))), "in the list they stand in any order"
    # One of them says no after that, or takes a yes of before back while the others say theirs.
    no = Denial(ANNA, "study", "use.record", to_ms(SAID + 5 * HOUR))
    assert not site.counts(site.told(*acts, denied=(no,)))


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("who", PARTIES)
def test_a_no_among_the_answers_is_never_overheard(site: Site, who: str, place: int) -> None:
    others = [party for party in PARTIES if party != who]
    times = [SAID + n * HOUR for n in range(3)]
    no = Denial(ANNA, "study", "use.record", to_ms(times.pop(place)))
    acts = [
        yes(site, party, at, n + 1) for n, (party, at) in enumerate(zip(others, times, strict=True))
    ]
    assert not site.counts(site.told(*acts, denied=(no,)))
    # A yes of the same person from before it does not help.
    before = yes(site, who, SAID - HOUR, 9)
    assert not site.counts(site.told(before, *acts, denied=(no,)))
