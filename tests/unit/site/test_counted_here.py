"""Somebody asks whether they count: the command and the desk say so, and why, by the same books as
an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from click.testing import CliRunner, Result
from desk_visitor import desk
from notice_ward import TEXT, Ward, staffed

from federation.site import audit
from federation.site.choices.deciding import REASONS
from federation.site.cli import site as commands
from federation.site.desk.counted_texts import COUNTED_TEXTS
from federation.site.desk.doing import opened
from federation.site.desk.layout import WORDS
from federation.site.desk.paper import Form
from federation.site.store import open_store

SAY = WORDS["nl"]


def run(ward: Ward, *arguments: str) -> Result:
    words = ["decide", str(ward.site.path), "--study", *arguments]
    return CliRunner(mix_stderr=False).invoke(commands, words)


def told(ward: Ward, *arguments: str) -> Any:
    found = run(ward, "onco", *arguments)
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def reason(ward: Ward, number: str) -> str:
    found = told(ward, "--number", number, "--by", "Anna", "--any-number")
    assert found["counts"] is (found["reason"] in ("counts", "counts_in_part"))
    assert found["means"] == REASONS[found["reason"]]
    return str(found["reason"])


def stop(ward: Ward, number: str) -> None:
    form = Form(
        handle=ward.site.handles.handle(number),
        study="onco",
        answers={"*": "no"},
        signed_on=datetime.now(UTC).date(),
        how="phone",
    )
    with opened(ward.site.path, "Bram") as here, here.act():
        here.paper.enter(form, datetime.now(UTC))


def test_each_reason_is_the_one_by_which_an_answer_is_counted(make_site: Any) -> None:
    ward = staffed(make_site)
    now = datetime.now(UTC)
    assert reason(ward, "P1") == "no_list"
    assert told(ward)["list"] is None
    ward.take(ward.act("P1"), now=now - timedelta(hours=2))
    assert reason(ward, "P1") == "list_too_old"
    made_up = replace(ward.act("P2"), mac=b"\1" * 16)
    ward.take(ward.act("P1"), made_up, now=now)
    assert (reason(ward, "P1"), ward.counts("P1", datetime.now(UTC))) == ("counts_in_part", True)
    assert (reason(ward, "P2"), ward.counts("P2", datetime.now(UTC))) == ("not_proved", False)
    assert reason(ward, "P99") == "not_asked"
    whole = told(ward)
    assert whole["list"]["seq"] == 2
    assert whole["patients"]["counts_in_part"] == "1-9"
    assert "P1" not in json.dumps(whole)

    with desk(ward.site.path, "Carla") as carla:
        page = carla.post("counted", {"number": "P1"})[2]
        assert SAY["counted.yes"] in page
        assert SAY["counted.why.counts_in_part"] in page
        english = unescape(carla.post("counted?lang=en", {"number": "P2"})[2])
        assert WORDS["en"]["counted.why.not_proved"] in english
        assert SAY["error.number"] in carla.post("counted", {"number": " "})[2]
        unknown = carla.post("counted", {"number": "P98"})[2]
        assert SAY["error.number_unknown"] in unknown
        assert SAY["counted.found"] not in unknown
        # A no at a desk works before the hub knows of it, and is seen at once.
        stop(ward, "P1")
        page = carla.post("counted", {"number": "P1"})[2]
        assert SAY["counted.no"] in page
        assert SAY["counted.why.stopped"] in page
    assert (reason(ward, "P1"), ward.counts("P1", datetime.now(UTC))) == ("stopped", False)

    ward.take(ward.act("P2", at=now, text_version=TEXT), now=now + timedelta(seconds=1))
    assert reason(ward, "P2") == "counts_in_part"
    with opened(ward.site.path, "Anna") as here, here.act():
        here.people.died(ward.site.handles.handle("P2"), now)
    assert (reason(ward, "P2"), ward.counts("P2", datetime.now(UTC))) == ("died", False)
    assert run(ward, "other", "--number", "P1", "--by", "Anna").exit_code == 2
    assert run(ward, "onco", "--number", "P1").exit_code == 2  # nobody looks without a name

    database = open_store(ward.site.database)
    looked = database.execute(
        "SELECT facts FROM audit WHERE event = 'PATIENT_LOOKED_UP'"
    ).fetchall()
    assert audit.first_break(database) is None
    database.close()
    assert {json.loads(facts)["names"] for (facts,) in looked} == {"Anna", "Carla"}
    assert "P1" not in str(looked)


def test_every_reason_has_words_in_both_languages() -> None:
    for texts in COUNTED_TEXTS.values():
        assert {f"counted.why.{each}" for each in REASONS} <= texts.keys()
    assert COUNTED_TEXTS["nl"].keys() == COUNTED_TEXTS["en"].keys()
