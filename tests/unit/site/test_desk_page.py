"""The desk in the browser over a real socket: who may use it, what it writes, what it refuses."""

from __future__ import annotations

import ast
import http.client
import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from desk_visitor import Visitor, desk

from consent.text_id import content_id
from federation.protocol.encoding import b64
from federation.site.desk import server as desk_server
from federation.site.desk.doing import opened
from federation.site.desk.paper import vouched
from federation.site.desk.server import DeskServer
from federation.site.desk.texts import TEXTS
from federation.site.errors import SetupError

ROOT = Path(__file__).parents[3]
TEXT = "5f2c9a0e" * 8
EVIL = "<script>alert('x')</script>\"'&"
TODAY = datetime.now(UTC).strftime("%d-%m-%Y")
HEAD = {"number": "P3", "study": "onco", "signed_on": TODAY, "text": TEXT, "language": "nl"}
SAID = {"answer-use.record": "yes", "answer-use.network": "yes", "answer-use.ai": "no"}
STOP = {"number": "P4", "what": "study", "study": "onco", "how": "phone", "signed_on": TODAY}
LETTER = {"number": "P5", "study": "onco", "language": "nl", "second": "yes", "days": "90"}
SENDER = 'address = "https://choose.example/mijn"\nphone = "085 123 45 67"\n'


@pytest.fixture
def anna(site) -> Iterator[Visitor]:
    (site.path / "letter.toml").write_text(SENDER)
    with desk(site.path) as visitor:
        yield visitor


def rows(site, sql: str) -> list[Any]:
    with closing(sqlite3.connect(site.database)) as database:
        return database.execute(sql).fetchall()


def written(site) -> int:
    """Everything that a desk can write, counted."""
    tables = ("paper_act", "letter", "denial", "outbox", "audit")
    return sum(rows(site, f"SELECT count(*) FROM {table}")[0][0] for table in tables)


def test_the_address_opens_one_desk_in_one_browser(site, anna):
    server = anna.server
    assert re.fullmatch(
        rf"http://127\.0\.0\.1:\d+/{re.escape(server.word)}/open/\S{{22}}", server.address
    )
    assert server.server_address[0] == "127.0.0.1"
    status, headers, page = anna.get("start")
    assert status == 200
    assert "Anna de Vries" in page
    assert "<script" not in page
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert (headers["Cache-Control"], headers["X-Frame-Options"]) == ("no-store", "DENY")
    assert (headers["Referrer-Policy"], headers["Set-Cookie"]) == ("same-origin", None)

    other = Visitor(server)
    for code in (None, "x", ""):
        assert other.open(code)[0] == 403
    for cookie in ("", "balie=x", "balie=", "other=1; balie=\x7f", "balie"):
        other.cookie = cookie
        assert other.get("start")[0] == 403
    other.cookie = f"balie=old; {anna.cookie}"
    assert other.get("start")[0] == 200
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1:1"):
        assert anna.get("start", Host=host)[0] == 421
    assert anna.send("GET", "/x/start", {})[0] == 404
    assert anna.get("nope")[0] == anna.get("form/paper-x")[0] == 404
    assert anna.send("PUT", f"/{server.word}/start", {})[0] == 405

    fresh = DeskServer(site.path, "Bram")
    cookie = Visitor(fresh)
    thread = threading.Thread(target=fresh.serve, daemon=True)
    thread.start()
    looked = cookie.send("HEAD", f"/{fresh.word}/open/{fresh.gate.start_code}", {})
    assert looked[0] == 403, "to look at the address does not open the desk"
    _, headers, _ = cookie.open()
    marks = headers["Set-Cookie"].split("; ")[1:]
    assert sorted(marks) == ["HttpOnly", f"Path=/{fresh.word}/", "SameSite=Strict"]
    assert fresh.word != server.word
    fresh.over = True
    thread.join(10)
    fresh.end()
    events = rows(site, "SELECT event, facts FROM audit WHERE event LIKE 'DESK%' ORDER BY seq")
    assert [event for event, _ in events] == ["DESK_OPENED", "DESK_OPENED", "DESK_CLOSED"]
    assert json.loads(events[2][1])["names"] == "Bram"


def test_nothing_but_a_form_of_this_desk_writes(site, anna):
    before, key, port = written(site), anna.key(), anna.server.server_port
    record = {**HEAD, **SAID}
    strange: list[dict[str, str | None]] = [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Origin": f"http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": None},
        {"Cookie": "balie=x"},
        {"Cookie": None},
        {"Content_Length": "99999999"},
        {"Content_Length": "-1"},
        {"Content_Length": None, "Transfer_Encoding": "chunked"},
    ]
    for headers in strange:
        assert anna.post("paper/record", record, key, **headers)[0] == 403, headers
    assert (
        anna.post("paper/record", {**record, **{f"x{n}": "1" for n in range(300)}}, key)[0] == 403
    )
    assert anna.post("paper/record", {**record, "number": "é" * 20_000}, key)[0] == 403
    for wrong in ("", "x", key[:-1]):
        assert anna.post("paper/record", record, wrong)[0] == 409
    for place in ("paper/record", "stop/record", "letter/record", "close", "paper", "start"):
        assert anna.get(f"{place}?{urlencode(record)}")[0] in (200, 404)
    assert anna.post("nope", {}, key)[0] == 404
    assert written(site) == before
    assert anna.post("paper/record", record, key)[0] == 303
    assert written(site) > before


def test_a_no_at_once_a_yes_after_a_second_person(site, anna):
    page = anna.post("paper", HEAD)[2]
    assert TEXTS["nl"]["answers.unknown"] in page
    assert "checked" not in page, "nothing is answered beforehand"
    page = anna.post("paper/answers", {**HEAD, **SAID})[2]
    assert "P3" in page
    key = anna.key()
    first = anna.post("paper/record", {**HEAD, **SAID}, key)
    again = anna.post("paper/record", {**HEAD, **SAID, "number": "P9"}, key)
    assert first[1]["Location"] == again[1]["Location"]
    done = anna.follow(first)
    assert TEXTS["nl"]["form.done.no"] in done
    assert TEXTS["nl"]["form.done.yes"] in done

    [(form, act, yes)] = rows(site, "SELECT form, act, yes FROM paper_act")
    assert json.loads(yes) == ["use.network", "use.record"]
    assert [row[0] for row in rows(site, "SELECT item FROM denial")] == ["use.ai"]
    with closing(sqlite3.connect(site.database)) as database:
        assert vouched(database, act) is None

    # The one who entered it, under any spelling of the name, is not asked and cannot.
    assert TEXTS["nl"]["check.own"] in anna.get(f"form/{form}")[2]
    right = {"number": "P3", "same": "yes"}
    with desk(site.path, "  anna  DE vries ") as herself:
        assert "confirm" not in herself.get(f"form/{form}")[2]
        assert TEXTS["nl"]["error.same_person"] in herself.post(f"form/{form}/confirm", right)[2]
    with desk(site.path, "Bram Smit") as bram:
        assert form in bram.get("check")[2]
        place = f"form/{form}/confirm"
        assert TEXTS["nl"]["error.number_differs"] in bram.post(place, {**right, "number": "P4"})[2]
        assert TEXTS["nl"]["error.same"] in bram.post(place, {"number": "P3"})[2]
        with closing(sqlite3.connect(site.database)) as database:
            assert vouched(database, act) is None
        page = bram.follow(bram.post(place, right))
        assert "Bram Smit" in page
        assert TEXTS["nl"]["error.not_waiting"] in bram.post(place, right)[2]
        with closing(sqlite3.connect(site.database)) as database:
            assert vouched(database, act).yes == ("use.network", "use.record")
        end = f"form/{form}/end"
        assert TEXTS["nl"]["error.reason"] in bram.post(end, {"reason": "because"})[2]
        page = bram.follow(bram.post(end, {"reason": "wrong_person"}))
        assert TEXTS["nl"]["state.ended"] in page
    with closing(sqlite3.connect(site.database)) as database:
        assert vouched(database, act) is None
    facts = "".join(row[0] for row in rows(site, "SELECT facts FROM audit"))
    assert '"P3"' not in facts


def test_somebody_stops_and_who_says_so(site, anna):
    assert anna.post("stop", STOP)[0] == 200
    done = anna.follow(anna.post("stop/record", STOP))
    assert TEXTS["nl"]["form.done.no"] in done
    assert TEXTS["nl"]["form.done.yes"] not in done
    assert [tuple(row) for row in rows(site, "SELECT study, item FROM denial")] == [("onco", "*")]

    everywhere = {**STOP, "number": "P6", "what": "all", "study": ""}
    anna.follow(anna.post("stop/record", everywhere))
    nothing_new = {**STOP, "number": "P7", "what": "new"}
    anna.follow(anna.post("stop/record", nothing_new))
    found = set(rows(site, "SELECT study, item FROM denial"))
    assert {("*", "*"), ("onco", "collect.new")} <= found

    now = datetime.now(UTC)
    with opened(site.path, "Anna", now) as books, books.act():
        handle = books.handle("P8")
        party = books.people.add_representative(
            handle, "mentor", now - timedelta(days=9), None, now
        )
    page = anna.post("stop", {**STOP, "number": "P8"})[2]
    assert TEXTS["nl"]["error.party"] in page
    assert TEXTS["nl"]["role.mentor"] in page
    assert anna.post("stop/record", {**STOP, "number": "P8"})[0] == 200, "not without saying who"
    before = len(rows(site, "SELECT * FROM own_denial"))
    anna.follow(anna.post("stop/record", {**STOP, "number": "P8", "party": party}))
    assert len(rows(site, "SELECT * FROM own_denial")) == before, "a mentor's no is not her own"
    anna.follow(anna.post("stop/record", {**STOP, "number": "P8", "party": "self"}))
    assert len(rows(site, "SELECT * FROM own_denial")) == before + 1


def test_a_letter_is_made_once_and_stays_in_memory(site, anna, monkeypatch):
    key = anna.key()
    assert anna.post("letter", LETTER, key)[0] == 200
    first = anna.post("letter/record", LETTER, key)
    page = anna.follow(first)
    assert anna.post("letter/record", LETTER, key)[1]["Location"] == first[1]["Location"]
    [(code,)] = rows(site, "SELECT code_id FROM letter")
    digits = re.search(r'class="digits">(\d{6})<', page)
    link = re.search(r'href="([^"]+/brief-[^"]+)"', page)
    assert digits
    assert link
    status, headers, file = anna.send("GET", link[1], {})
    assert status == 200
    assert headers["Content-Disposition"] == f'attachment; filename="{link[1].split("/")[-1]}"'
    assert code in link[1]
    assert file.startswith(("%PDF", "<!doctype"))
    assert digits[1] not in file
    assert not list(site.path.glob("**/brief-*")), "no file is left behind"

    stranger = Visitor(anna.server)
    assert stranger.send("GET", link[1], {})[0] == 403
    monkeypatch.setattr(desk_server, "LETTER_SECONDS", 0.0)
    assert anna.send("GET", link[1], {})[0] == 404
    assert TEXTS["nl"]["letter.gone"] in anna.follow(first)

    unknown = {**LETTER, "number": "X1"}
    page = anna.post("letter", unknown)[2]
    assert TEXTS["nl"]["error.number_unknown"] in page
    assert TEXTS["nl"]["any"] in page
    assert anna.post("letter/record", {**unknown, "any": "yes"})[0] == 303
    (site.path / "letter.toml").unlink()
    page = anna.post("letter/record", {**LETTER, "number": "P9"})[2]
    assert "give address as a line of text" in page
    assert len(rows(site, "SELECT * FROM letter")) == 2


def test_every_mistake_has_words_at_its_field_in_both_languages(site, anna):
    for lang in ("nl", "en"):
        say, tail = TEXTS[lang], "?lang=en" if lang == "en" else ""
        page = anna.post(f"paper{tail}", {})[2]
        for key in ("number", "study", "signed_on", "text", "language"):
            assert say[f"error.{key}"] in page, key
        assert f"<title>{say['errors.title']}" in page
        assert page.count('aria-invalid="true"') == 3
        page = anna.post(f"stop{tail}", {"signed_on": "31-12-2999"})[2]
        for key in ("what", "how", "signed_when"):
            assert say[f"error.{key}"] in page
        page = anna.post(f"letter{tail}", {})[2]
        for key in ("studies", "second", "days"):
            assert say[f"error.{key}"] in page
        page = anna.post(f"paper/answers{tail}", HEAD)[2]
        assert say["error.answers"] in page
    page = anna.post("paper", {"number": EVIL, "text": EVIL, "answer-x": EVIL, "other": EVIL})[2]
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3, "what no form has is not sent back"
    assert anna.post("paper", {**HEAD, "signed_on": "2026-02-30"})[2].count("Typ een datum") == 2
    assert (
        TEXTS["nl"]["answers.title"] in anna.post("paper", {**HEAD, "signed_on": "2026-03-02"})[2]
    )


def test_a_text_of_the_list_brings_its_own_questions(site, anna):
    words = {
        lang: {
            "title": f"Titel {lang}",
            "questions": {"use.record": {"legend": f"Mag het {lang}?", "explain": ""}},
        }
        for lang in ("nl", "en")
    }
    content = {"items": ["use.record"], **words}
    broken = {"items": ["use.record"], "nl": {}}
    evidence = {
        "words": [{"study": s, "content": c} for s, c in (("onco", content), ("onco", broken))]
    }
    claims = b64(json.dumps({"evidence": evidence}).encode()).encode()
    with closing(sqlite3.connect(site.database)) as database:
        database.execute(
            "INSERT INTO snapshot (one, seq, message, applied_at) VALUES (1, 1, ?, 1)",
            (b"h." + claims + b".s",),
        )
        database.commit()
    number = content_id("onco", content)
    page = anna.post("paper", {**HEAD, "text": f" {number[:8].upper()} "})[2]
    assert "Mag het nl?" in page
    assert TEXTS["nl"]["answers.known"] in page
    assert 'name="answer-use.network"' not in page
    assert "Mag het en?" in anna.post("paper?lang=en", {**HEAD, "text": number})[2]
    assert TEXTS["nl"]["error.text"] in anna.post("paper", {**HEAD, "text": "0" * 8})[2]
    assert TEXTS["nl"]["answers.unknown"] in anna.post("paper", HEAD)[2]


def test_it_closes_by_hand_and_after_half_an_hour(site, monkeypatch):
    with desk(site.path) as anna:
        status, headers, page = anna.post("close", {})
        assert (status, TEXTS["nl"]["closed.title"] in page) == (200, True)
        assert "Max-Age=0" in headers["Set-Cookie"]
        assert anna.get("start")[0] == 403
        assert anna.get("desk.css")[0] == 200
        monkeypatch.setattr(desk_server, "LAST_SECONDS", 0.0)
        anna.server.serve()
    monkeypatch.setattr(desk_server, "IDLE_SECONDS", -1.0)
    idle = DeskServer(site.path, "Anna")
    idle.serve()
    idle.end()
    for name in ("", "x" * 101, "a\x00b"):
        with pytest.raises(SetupError):
            DeskServer(site.path, name)


def broken(*_: object) -> None:
    raise RuntimeError("P17 has tumour X")


def test_a_failure_shows_nothing_of_it(anna, monkeypatch, capfd):
    monkeypatch.setattr("federation.site.desk.acts.Acts.forms", broken)
    status, _, page = anna.get("start")
    assert (status, "P17" in page) == (500, False)
    assert "P17" not in capfd.readouterr().err


def test_the_command_prints_the_address_and_ends_when_the_desk_closes(site):
    import signal

    with subprocess.Popen(
        [sys.executable, "-m", "registry.cli", "site", "desk", str(site.path), "--by", "Anna"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        address = running.stdout.readline().strip()
        port, word, code = re.fullmatch(
            r"http://127\.0\.0\.1:(\d+)/(\S+)/open/(\S+)", address
        ).groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", f"/{word}/open/{code}")
        assert connection.getresponse().status == 303
        running.send_signal(signal.SIGINT)
        try:
            _, words = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 0
    assert "Traceback" not in words
    assert word not in words


def test_both_languages_say_everything_and_every_code_has_words():
    assert TEXTS["nl"].keys() == TEXTS["en"].keys()
    for key, text in TEXTS["nl"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", TEXTS["en"][key]), key
    codes = set()
    for name in ("paper", "letters", "doing", "acts", "forms", "routes"):
        source = (ROOT / f"federation/site/desk/{name}.py").read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SetupError":
                codes |= {each.value for each in node.args[1:] if isinstance(each, ast.Constant)}
            if isinstance(node, ast.Constant) and str(node.value).startswith("error."):
                codes.add(str(node.value).removeprefix("error."))
    codes.discard("")
    assert len(codes) > 15
    assert {code for code in codes if f"error.{code}" not in TEXTS["nl"]} == set()
