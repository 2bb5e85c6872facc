"""Of which time data count at a hospital: by its own books, so that no hub can widen it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proving_site import ANNA, NOW, SAID, Site, opened

from consent.encoding import from_ms, to_ms
from consent.evidence import Act, Denial, Evidence
from consent.periods import Periods
from consent.rule import ANY, COLLECT_NEW, OLDER_DATA, Choice, Scope, window
from consent.snapshot import NO_END, NO_START, Snapshot, build_claims, parse_claims
from consent.text_id import content_id
from federation.site.choices import denials
from federation.site.store import transaction

STUDY = "study"
PLAIN = {"items": ["use.record"]}
ASKS = {"items": ["use.record", OLDER_DATA]}
COLUMNS = [(STUDY, "use.record"), (STUDY, OLDER_DATA)]
HOUR = timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as site:
        yield site


def act(
    site: Site, *yes: str, at: datetime = SAID, text: Any = PLAIN, name: int = 1, **more: Any
) -> Act:
    statement = site.statement(
        yes=tuple(sorted(yes)), at=at, text_version=content_id(STUDY, text), act=f"{name:032x}"
    )
    return replace(site.act(statement), **more)


def no(item: str, at: datetime, study: str = STUDY) -> Denial:
    return Denial(ANNA, study, item, to_ms(at))


def told(
    site: Site, *acts: Act, texts: Any = (PLAIN, ASKS), columns: Any = COLUMNS, **more: Any
) -> Snapshot:
    words = tuple((STUDY, text) for text in texts)
    return site.told(*acts, columns=columns, texts=words, **more)


def limits(
    site: Site, snapshot: Snapshot, at: datetime = NOW
) -> tuple[datetime | None, datetime | None]:
    """Anna's window for the study under what can be proved; it must be permitted at all."""
    with transaction(site.database):
        site.proving.remember(snapshot, at)
    proven = site.proving.proven(snapshot, at)
    assert proven.permits([ANNA], STUDY, ["use.record"])[0]
    since, until = proven.limits([ANNA], STUDY, ["use.record"])
    return (
        None if since[0] == NO_START else from_ms(int(since[0])),
        None if until[0] == NO_END else from_ms(int(until[0])),
    )


def test_a_text_that_does_not_ask_sets_no_limit(site: Site) -> None:
    assert limits(site, told(site, act(site, "use.record"))) == (None, None)


def test_without_a_yes_to_older_data_only_those_since_the_yes_count(site: Site) -> None:
    yes = act(site, "use.record", text=ASKS)
    assert limits(site, told(site, yes)) == (SAID, None)
    both = act(site, "use.record", OLDER_DATA, text=ASKS)
    assert limits(site, told(site, both)) == (None, None)
    # The column is not there, or the hub says no: it may say less than can be proved.
    assert limits(site, told(site, both, columns=COLUMNS[:1])) == (SAID, None)


def test_the_first_yes_that_still_stands_sets_the_day(site: Site) -> None:
    again = act(site, "use.record", text=ASKS, at=SAID + HOUR, name=2)
    first = act(site, "use.record", text=ASKS)
    assert limits(site, told(site, first, again)) == (SAID, None)
    stopped = no("*", SAID + HOUR / 2)
    assert limits(site, told(site, first, again, denied=(stopped,))) == (SAID + HOUR, None)


@pytest.mark.parametrize("texts", [(), (PLAIN,), ({"items": ["use.record"], "nl": "other"},)])
def test_of_a_text_that_did_not_come_along_nobody_knows_what_it_asks(
    site: Site, texts: tuple[Any, ...]
) -> None:
    """A hub that hides the text, or sends another one under its name, widens nothing."""
    yes = act(site, "use.record", text=ASKS)
    assert limits(site, told(site, yes, texts=texts)) == (SAID, None)


def test_a_hub_cannot_say_that_older_data_were_agreed_to(site: Site) -> None:
    yes = act(site, "use.record", text=ASKS)
    forged = replace(act(site, OLDER_DATA, text=ASKS, name=2), mac=b"\1" * 16)
    assert limits(site, told(site, yes, forged)) == (SAID, None)
    # A text of another study, or one that the patient did not sign.
    other = replace(act(site, "use.record", text=ASKS), text=content_id(STUDY, PLAIN))
    with pytest.raises(AssertionError):
        limits(site, told(site, other))


def test_a_no_to_older_data_stays_when_the_hub_forgets_it(site: Site) -> None:
    both = act(site, "use.record", OLDER_DATA, text=ASKS)
    later = no(OLDER_DATA, SAID + HOUR)
    assert limits(site, told(site, both, denied=(later,))) == (SAID, None)
    assert limits(site, told(site, both)) == (SAID, None)
    # Asked by the answer alone, on a text that does not ask.
    plain = act(site, "use.record", name=3)
    assert limits(site, told(site, plain)) == (SAID, None)
    again = act(site, OLDER_DATA, text=ASKS, at=SAID + 2 * HOUR, name=4)
    assert limits(site, told(site, both, again)) == (None, None)


def test_a_no_to_new_data_ends_the_window_and_stays(site: Site) -> None:
    yes = act(site, "use.record")
    stop = no(COLLECT_NEW, SAID + HOUR)
    assert limits(site, told(site, yes, denied=(stop,))) == (None, SAID + HOUR)
    assert limits(site, told(site, yes)) == (None, SAID + HOUR)
    # A later one, made up or not, does not move the end.
    later = no(COLLECT_NEW, SAID + 3 * HOUR)
    assert limits(site, told(site, yes, denied=(later,))) == (None, SAID + HOUR)
    assert limits(site, told(site, yes, denied=(later, stop))) == (None, SAID + HOUR)


@pytest.mark.parametrize("study", [STUDY, ANY])
def test_only_a_proof_opens_to_new_data_again(site: Site, study: str) -> None:
    yes, stop = act(site, "use.record"), no(COLLECT_NEW, SAID + HOUR, study)
    again = act(site, COLLECT_NEW, at=SAID + 2 * HOUR, name=2)
    forged = replace(again, mac=b"\1" * 16)
    early = act(site, COLLECT_NEW, at=SAID + HOUR, name=3)
    of_bea = site.act(
        site.statement(b"b" * 20, yes=(COLLECT_NEW,), at=SAID + 2 * HOUR), place=1, by=b"b" * 20
    )
    for acts in ((yes,), (yes, forged), (yes, early), (yes, of_bea)):
        assert limits(site, told(site, *acts, denied=(stop,))) == (None, SAID + HOUR)
    assert limits(site, told(site, yes, again, denied=(stop,))) == (None, None)
    third = no(COLLECT_NEW, SAID + 3 * HOUR, study)
    assert limits(site, told(site, yes, again, denied=(third,))) == (None, SAID + 3 * HOUR)


def test_data_of_the_time_between_are_older_data_by_then(site: Site) -> None:
    yes, stop = act(site, "use.record", text=ASKS), no(COLLECT_NEW, SAID + HOUR)
    again = act(site, COLLECT_NEW, at=SAID + 2 * HOUR, name=2)
    assert limits(site, told(site, yes, again, denied=(stop,))) == (SAID + 2 * HOUR, None)


def test_a_no_at_the_desk_works_before_the_hub_knows(site: Site) -> None:
    with transaction(site.database):
        denials.close(site.database, ANNA, STUDY, [COLLECT_NEW], SAID + HOUR, own=True)
    assert limits(site, told(site, act(site, "use.record"))) == (None, SAID + HOUR)


def test_in_another_study_it_means_nothing(site: Site) -> None:
    stops = (no(COLLECT_NEW, SAID + HOUR, "other"), no(OLDER_DATA, SAID + HOUR, "other"))
    assert limits(site, told(site, act(site, "use.record"), denied=stops)) == (None, None)


def test_who_counts_with_some_data_only_is_hidden_from_a_program_that_cannot_tell() -> None:
    """A hospital that was not updated reads `granted` alone, and counts these patients not at all;
    one that was adds them, and works the window out for itself."""
    bits, few = np.array([True, False]), np.array([False, True])
    claims = build_claims(
        network="net",
        seq=1,
        issued=NOW,
        valid_until=NOW + HOUR,
        columns=COLUMNS,
        handles=[ANNA, b"b" * 20],
        granted=[bits, bits],
        within=[few, ~few & False],
    )
    read = parse_claims({**claims, "aud": "here"}, audience="here")
    assert [mask.tolist() for mask in read.granted] == [[True, True], [True, False]]
    assert (
        claims["granted"]
        == build_claims(
            network="net",
            seq=1,
            issued=NOW,
            valid_until=NOW + HOUR,
            columns=COLUMNS,
            handles=[ANNA, b"b" * 20],
            granted=[bits, bits],
            within=[~few & False] * 2,
        )["granted"]
    )
    with pytest.raises(ValueError, match="worked out by the hospital"):
        read.limits([ANNA], STUDY, ["use.record"])
    with pytest.raises(ValueError, match="one mask per column"):
        build_claims(
            network="net",
            seq=1,
            issued=NOW,
            valid_until=NOW + HOUR,
            columns=COLUMNS,
            handles=[ANNA],
            granted=[few[:1]] * 2,
            within=[few[:1]],
        )


def test_hospital_and_hub_say_the_same_over_random_histories(site: Site) -> None:
    """The rule of the hub, and what a hospital works out from proofs, for patients without others
    who speak for them."""
    chance = np.random.default_rng(20_261_123)
    base = Scope("net", "here", "use.record", STUDY, "record")
    kinds: set[object] = set()
    for number in range(150):
        handle = number.to_bytes(2, "big").rjust(20, b"h")
        site.keys[handle] = (f"{number:06d}", b"k" * 32)
        site.write(
            "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
            " VALUES (?, ?, 'self', 'self', ?, 0)",
            f"L{number:05d}",
            handle,
            b"k" * 32,
        )
        choices, acts, noes = _history(site, handle, f"L{number:05d}", chance, base)
        renewal = Periods().renewal
        decided = window(base, choices, NOW, renewal=renewal)
        kinds |= {decided and (decided.since is None, decided.until is None)}
        snapshot = _told(handle, acts, noes)
        with transaction(site.database):
            site.proving.remember(snapshot, NOW)
        proven = site.proving.proven(snapshot, NOW)
        permitted = bool(proven.permits([handle], STUDY, ["use.record"])[0])
        assert permitted == (decided is not None)
        if decided is not None:
            since, until = (int(each[0]) for each in proven.limits([handle], STUDY, ["use.record"]))
            assert since == (NO_START if decided.since is None else to_ms(decided.since))
            assert until == (NO_END if decided.until is None else to_ms(decided.until))
    assert len(kinds) == 5


def _history(
    site: Site, handle: bytes, code: str, chance: np.random.Generator, base: Scope
) -> tuple[list[Choice], list[Act], list[Denial]]:
    choices, acts, noes = [], [], []
    # Half of them over hours, half over so many years that some are to be asked again.
    pace = HOUR if chance.random() < 0.5 else timedelta(days=int(chance.integers(300, 2400)))
    steps = int(chance.integers(1, 7))
    for step in range(steps):
        at = SAID + step * HOUR if pace == HOUR else NOW - (steps - step) * pace
        item = str(chance.choice(["use.record", "use.record", OLDER_DATA, COLLECT_NEW]))
        category = ANY if item == COLLECT_NEW else "record"
        scope = replace(base, item=item, category=category)
        if chance.random() < 0.6:
            text = ASKS if item == OLDER_DATA or chance.random() < 0.4 else PLAIN
            ends = at + Periods().use
            choices.append(Choice("grant", scope, at, at, until=ends, asks_older=text is ASKS))
            statement = site.statement(
                handle,
                yes=(item,),
                at=at,
                text_version=content_id(STUDY, text),
                act=f"{step:032x}",
            )
            acts.append(replace(site.act(statement, by=handle), by=code))
        else:
            choices.append(Choice("denial", scope, at, at))
            noes.append(Denial(handle, STUDY, item, to_ms(at)))
    return choices, acts, noes


def _told(handle: bytes, acts: list[Act], noes: list[Denial]) -> Snapshot:
    claims = build_claims(
        network="net",
        seq=1,
        issued=NOW,
        valid_until=NOW + HOUR,
        columns=COLUMNS,
        handles=[handle],
        granted=[np.ones(1, np.bool_)] * 2,
        evidence=Evidence(acts, noes, texts=[(STUDY, PLAIN), (STUDY, ASKS)]),
    )
    return parse_claims({**claims, "aud": "here"}, audience="here", network="net")
