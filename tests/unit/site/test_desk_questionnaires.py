"""The desk's pages about questionnaires: asking somebody, seeing what is open, asking no more."""

from __future__ import annotations

import ast
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from desk_visitor import desk

from federation.site.desk.layout import WORDS
from federation.site.desk.prom_texts import PROM_TEXTS

ROOT = Path(__file__).parents[3]
TODAY = datetime.now(UTC).strftime("%d-%m-%Y")
LETTER = {"number": "P5", "study": "onco", "language": "nl", "second": "no", "days": "90"}
ASK = {"number": "P5", "pathway": "standard", "instrument": ["QLQ-C30"], "start": TODAY}
SENDER = 'address = "https://choose.example/mijn"\nphone = "085 123 45 67"\n'
SAY = WORDS["nl"]


def rows(site: Any, sql: str) -> list[Any]:
    with closing(sqlite3.connect(site.database)) as database:
        return database.execute(sql).fetchall()


def test_a_patient_is_asked_seen_as_open_and_asked_no_more(site: Any) -> None:
    (site.path / "letter.toml").write_text(SENDER)
    with desk(site.path) as anna:
        assert SAY["prom.none"] in anna.get("questionnaires")[2]
        assert 'href="' + f"/{anna.server.word}/questionnaires" in anna.get("start")[2]

        # Every mistake has words, in both languages, and nothing is written.
        for lang, tail in (("nl", ""), ("en", "?lang=en")):
            page = anna.post(f"questionnaires/ask{tail}", {})[2]
            for key in (
                "error.number",
                "error.prom.pathway",
                "error.prom.which",
                "error.prom.start",
            ):
                assert WORDS[lang][key] in page, key
            far = {**ASK, "start": "01-01-1999", "instrument": ["EQ-VAS"], "number": "P99"}
            page = anna.post(f"questionnaires/ask{tail}", far)[2]
            for key in ("error.prom.start.far", "error.prom.which", "error.number_unknown", "any"):
                assert WORDS[lang][key] in page, key
            assert WORDS[lang]["error.prom.forget"] in anna.post(f"questionnaires/end{tail}", {})[2]

        # Without a letter nobody sees the questionnaire, so nobody is asked.
        assert SAY["prom.review"] in anna.post("questionnaires/ask", ASK)[2]
        assert SAY["error.prom_no_letter"] in anna.post("questionnaires/ask/record", ASK)[2]
        assert rows(site, "SELECT * FROM prom_ask") == []
        anna.follow(anna.post("letter/record", LETTER))

        page = anna.post("questionnaires/ask", ASK)[2]
        closes = (datetime.now(UTC) + timedelta(days=14)).strftime("%d-%m-%Y")
        assert closes in page
        assert page.count("QLQ-C30") >= 5
        assert "EQ-5D-5L" not in page
        key = anna.key()
        first = anna.post("questionnaires/ask/record", ASK, key)
        again = anna.post("questionnaires/ask/record", ASK, key)
        assert first[1]["Location"] == again[1]["Location"]
        page = anna.follow(first)
        assert SAY["prom.asked"] in page
        assert [tuple(row) for row in rows(site, "SELECT number, instrument FROM prom_ask")] == [
            ("P5", "QLQ-C30")
        ] * 5
        cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page.split(SAY["prom.open"])[-1])
        assert cells[-4:] == ["P5", "QLQ-C30", SAY["T0"], closes]
        assert len(rows(site, "SELECT * FROM outbox WHERE kind = 'prom_ask'")) == 1

        end = {"number": "P5", "forget": "no"}
        assert SAY["prom.forget.no"] in anna.post("questionnaires/end", end)[2]
        page = anna.follow(anna.post("questionnaires/end/record", end))
        assert SAY["prom.ended.done"] in page
        assert SAY["prom.open.none"] in page
        page = anna.follow(anna.post("questionnaires/end/record", end))
        assert SAY["prom.ended.none"] in page
    facts = "".join(row[0] for row in rows(site, "SELECT facts FROM audit"))
    assert '"P5"' not in facts


def test_a_schedule_that_cannot_be_read_says_so_and_writes_nothing(site: Any) -> None:
    (site.path / "prom.yaml").write_text("breast: 1\n")
    with desk(site.path) as anna:
        status, _headers, page = anna.get("questionnaires/ask")
        assert status == 503
        assert "prom.yaml" in page


def test_both_languages_say_everything_about_questionnaires_and_every_code_has_words() -> None:
    assert PROM_TEXTS["nl"].keys() == PROM_TEXTS["en"].keys()
    for key, text in PROM_TEXTS["nl"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", PROM_TEXTS["en"][key]), key
    codes = set()
    for name in ("site/prom/asking", "site/desk/prom_routes"):
        for node in ast.walk(ast.parse((ROOT / f"federation/{name}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SetupError":
                codes |= {
                    f"error.{each.value}"
                    for each in node.args[1:]
                    if isinstance(each, ast.Constant)
                }
            if isinstance(node, ast.Constant) and str(node.value).startswith("error."):
                codes.add(str(node.value))
    codes.discard("error.")  # before a code that is known only then
    assert len(codes) > 6
    assert {code for code in codes if code not in SAY} == set()
