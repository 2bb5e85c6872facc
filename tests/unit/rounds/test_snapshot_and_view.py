"""A snapshot is locked and says what it says; a view shows what one reader may see."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import round_snapshot

from federation.query.canonical import sha256_hex
from federation.rounds import view, wishes
from federation.rounds.errors import RoundError
from federation.rounds.plan import iso, months_later
from federation.rounds.planning import letter_of
from federation.rounds.snapshot import REASONS, Snapshot, SnapshotError, reason
from federation.rounds.states import READY, TRANSITIONS, may_become, told
from federation.runs.counted_once import counted_once


def test_it_reads_itself_back_and_notices_every_change() -> None:
    made = round_snapshot.whole()
    stored = json.loads(json.dumps(made.to_json()))
    assert Snapshot.from_json(stored).to_json() == stored == made.to_json()
    body = {name: part for name, part in stored.items() if name != "sha256"}
    assert stored["sha256"] == sha256_hex(body)
    changed = copy.deepcopy(stored)
    changed["indicators"][0]["rows"][1]["median"] = [27.0, 27.0]
    with pytest.raises(SnapshotError, match="changed"):
        Snapshot.from_json(changed)
    with pytest.raises(SnapshotError, match="format"):
        Snapshot.from_json({**stored, "snapshot": "oncokring.round/2"})
    short = {name: part for name, part in body.items() if name != "hospitals"}
    with pytest.raises(SnapshotError, match="lacks"):
        Snapshot.from_json({**short, "sha256": sha256_hex(short)})


def test_another_hospital_is_a_letter_everywhere_and_the_own_one_has_its_name() -> None:
    made = round_snapshot.whole()
    shown = view.for_hospitals(made, {"mmc"})
    text = json.dumps(shown, ensure_ascii=False)
    for hospital in made.hospitals:
        if hospital.site != "mmc":
            assert hospital.site not in text
            assert hospital.name not in text
    assert {each["letter"] for each in shown["hospitals"]} == set("ABCD")
    known = {each["site"] for each in shown["hospitals"]}
    assert known == {"mmc", "A", "B", "C"}
    access = shown["indicators"][0]
    assert {row["site"] for row in access["rows"]} <= known
    # The order of a list, or the number of a consent list, would tell whose letter it is.
    assert [row["site"] for row in access["rows"]] == ["mmc", "A", "B", "C"]
    assert [each["site"] for each in access["strata"][0]["rows"]] == ["A", "A"]
    assert set(access["runs"][0]["consent"]) == {"mmc"}
    assert access["headline"]["en"].startswith("Hospital A: median 28 days")
    assert access["headline"]["nl"].startswith("Ziekenhuis A: mediaan 28 dagen")
    named = view.for_hospitals(round_snapshot.whole(names=True), {"mmc"})
    assert {each["name"] for each in named["hospitals"]} == {h.name for h in made.hospitals}
    # A view never writes in the snapshot.
    assert made == round_snapshot.whole()


def test_the_hash_that_everybody_sees_does_not_tell_whose_letter_is_whose() -> None:
    """Who sees a view and knows the hospitals can rebuild all but the salt, for each order of the
    letters; the hash is that of none of them."""
    made = round_snapshot.whole()
    shown = view.for_hospitals(made, {"mmc"})
    assert shown["sha256"] == view.for_patients(made)["sha256"] == made.sha256
    assert made.salt not in json.dumps([shown, view.for_patients(made)])
    rebuilt = {name: part for name, part in made.body().items() if name != "salt"}
    assert sha256_hex(rebuilt) != made.sha256
    drawn = {replace(made, salt=Snapshot(made.round, (), ()).salt).sha256 for _ in range(3)}
    assert len(drawn) == 3


def test_representatives_see_all_together_in_plain_words_and_no_hospital() -> None:
    twice = counted_once(hospitals=3, roles=["any"], match=None, linked=None, threshold=20)
    made = replace(round_snapshot.whole(), duplicates=twice)
    told = view.for_patients(made)["duplicates"]
    assert told == {"state": "unknown", "sentence": twice["sentence"]}
    two = replace(made, hospitals=made.hospitals[1:])  # of two, each knows the other's
    assert view.for_patients(two)["duplicates"] is None
    shown = view.for_patients(made)
    text = json.dumps(shown, ensure_ascii=False)
    for hospital in made.hospitals:
        assert hospital.site not in text
        assert hospital.name not in text
    assert shown["round"]["hospitals_in"] == 3
    assert shown["round"]["hospitals_asked"] == 4
    assert all(each["rows"] == [] and each["runs"] == [] for each in shown["indicators"])
    assert shown["indicators"][0]["network"]["n"] == 360
    assert "lay" in shown["indicators"][0]["definition"]
    # Of two hospitals: whoever is one of them, or knows who left, knows the other's numbers.
    deaths = shown["indicators"][1]
    assert (deaths["network"]["n"], deaths["network"]["observed"]) == (None, None)
    assert (deaths["network"]["hospitals_in"], deaths["network"]["hidden"]) == (2, "few_hospitals")
    assert deaths["headline"] == deaths["headline_lay"]
    assert deaths["headline"]["en"].startswith("Not shown: fewer than three hospitals")
    assert view.for_hospitals(made, {"mmc"})["indicators"][1]["network"]["n"] == 620


def test_each_reason_has_words_in_both_languages() -> None:
    for code in (*REASONS, "ROSTER", "SMALL_GROUP", "BUDGET"):
        assert reason(code, "en").endswith(".")
        assert reason(code, "nl").endswith(".")
        assert reason(code, "nl") != reason(code, "en")
    assert reason(None, "en") == ""


def test_states_letters_and_months() -> None:
    assert told(READY) == "running"
    assert not may_become("running", "released")
    assert {each for after in TRANSITIONS.values() for each in after} <= TRANSITIONS.keys()
    assert [letter_of(place) for place in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]
    last = datetime(2027, 11, 30, 8, tzinfo=UTC)
    assert iso(months_later(last, 3)) == "2028-02-29T08:00:00Z"


GIVEN = {
    "group": "oncozon.breast",
    "study": "hormone-therapy",
    "title": {"nl": "Jaar", "en": "Year"},
    "indicators": ["access_time"],
    "period": {"first": "2024-01", "last": "2024-12"},
    "sites": ["a", "b", "c"],
    "freeze_at": "2025-01-02T00:00:00Z",
    "release_at": "2025-01-03T00:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group": 1}, "BAD_ROUND"),
        ({"extra": 1}, "BAD_ROUND"),
        ({"title": {"nl": "x"}}, "BAD_ROUND"),
        ({"period": {}}, "BAD_ROUND"),
        ({"sites": [1]}, "BAD_ROUND"),
        ({"indicators": [3]}, "BAD_ROUND"),
        ({"names": "yes"}, "BAD_ROUND"),
        ({"freeze_at": "soon"}, "BAD_MOMENTS"),
        ({"release_at": 3}, "BAD_MOMENTS"),
        ({"repeats": {"every": "year"}}, "BAD_REPEATS"),
        ({"repeats": {"every": "year", "count": True, "until": "2030-01-01"}}, "BAD_REPEATS"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_place(changes: dict[str, object], code: str) -> None:
    assert wishes.read(GIVEN).sites == ["a", "b", "c"]
    with pytest.raises(RoundError, match=code):
        wishes.read({**GIVEN, **changes})
    with pytest.raises(RoundError, match="BAD_ROUND"):
        wishes.read([GIVEN])
    with pytest.raises(RoundError, match="missing key study"):
        wishes.read({name: part for name, part in GIVEN.items() if name != "study"})
