"""The steward's page over a real socket: who may reach it, and what it refuses to do."""

import http.client
import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from federation.protocol.encoding import b64
from federation.site import audit
from federation.site.errors import SetupError
from federation.site.program import SiteProgram
from federation.site.serving import utc_now
from federation.site.steward.html import el, join
from federation.site.steward.overview import Overview
from federation.site.steward.page import PageServer
from federation.site.steward.sent import Register
from federation.site.steward.texts import TEXTS
from federation.site.store import transaction

ROOT = Path(__file__).parents[3]
PLACES = ("sent", "waiting", "policy", "status", "")
EVIL = "<script>alert('x')</script>\"'&"


@pytest.fixture
def server(site):
    SiteProgram(site).close()
    made = PageServer(Overview(site.path))
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    made.server_close()


def ask(server, path, *, method="GET", host=None, headers=(), body=None):
    """(status, headers, body) of one request, with the Host header as given."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for value in [f"127.0.0.1:{server.server_port}"] if host is None else host:
        connection.putheader("Host", value)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    reply = connection.getresponse()
    found = reply.status, dict(reply.headers), reply.read()
    connection.close()
    return found


@pytest.mark.parametrize("lang", ["", "?lang=en"])
@pytest.mark.parametrize("place", PLACES)
def test_every_page_opens(server, place, lang):
    status, headers, body = ask(server, f"/{server.word}/{place}{lang}")

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{"en" if lang else "nl"}">'.encode() in body
    assert b"<script" not in body
    assert b"style=" not in body
    assert b"<form" not in body


def test_what_a_browser_is_told(server):
    for path in (f"/{server.word}/sent", f"/{server.word}/page.css", "/x"):
        _, headers, _ = ask(server, path)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"] == "oncokring"
        assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "host",
    [
        [],
        ["evil.example"],
        ["evil.example:{port}"],
        ["127.0.0.1"],
        ["127.0.0.1:1"],
        ["127.0.0.1.evil.example:{port}"],
        ["127.0.0.1:{port}@evil.example"],
        ["[::1]:{port}"],
        ["0.0.0.0:{port}"],
        ["127.0.0.1:{port}", "evil.example"],
        ["127.0.0.1:{port}", "127.0.0.1:{port}"],
    ],
)
def test_another_name_for_this_machine_is_refused(server, host):
    """DNS rebinding: the browser of somebody who works here sends the name of the attacker."""
    given = [value.format(port=server.server_port) for value in host]
    status, _, body = ask(server, f"/{server.word}/sent", host=given)

    assert status == 421
    assert server.word.encode() not in body


def test_localhost_is_this_machine(server):
    host = [f"localhost:{server.server_port}"]
    assert ask(server, f"/{server.word}/sent", host=host)[0] == 200


def test_it_listens_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sent",
        "//sent",
        "/{word}x/sent",
        "/x{word}/sent",
        "/{short}/sent",
        "/%20",
        "/{upper}/",
    ],
)
def test_without_the_word_there_is_nothing(server, path):
    word = server.word
    other = word.swapcase()
    status, _, body = ask(server, path.format(word=word, short=word[:-1], upper=other))

    assert (status, body) == (404, b"Not found.\n")


def test_an_address_with_a_host_in_it_is_no_address_here(server):
    for path in (f"http://127.0.0.1:{server.server_port}/{server.word}/sent", "http://[", "*"):
        assert ask(server, path)[0] == 404


def test_the_word_is_long_and_new_each_time(site):
    words = set()
    for _ in range(3):
        made = PageServer(Overview(site.path))
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{re.escape(made.word)}/sent", made.address)
        words.add(made.word)
        made.server_close()
    assert len(words) == 3
    assert min(map(len, words)) >= 22  # 128 bits


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_do_nothing(server, method):
    status, headers, body = ask(server, f"/{server.word}/sent", method=method, body=b"x")

    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b"")


def test_head_is_get_without_a_body(server):
    _, got, page = ask(server, f"/{server.word}/sent")
    status, headed, body = ask(server, f"/{server.word}/sent", method="HEAD")

    assert (status, body) == (200, b"")
    assert headed["Content-Length"] == got["Content-Length"] == str(len(page))


@pytest.mark.parametrize(
    "place",
    [
        "nope",
        "run/nope",
        "run/../../keys/sign.key",
        "../keys/sign.key",
        "keys/sign.key",
        "run/" + "x" * 200,
        "run/999999999999999999999",
        "sent?page=0",
        "sent?page=-1",
        "sent?page=x",
        "sent?page=" + "9" * 30,
        "page.css/../x",
    ],
)
def test_what_does_not_exist(server, place):
    status, _, body = ask(server, f"/{server.word}/{place}")

    assert status == 404
    assert TEXTS["nl"]["error.404"].encode() in body


@pytest.mark.parametrize("query", ["?lang=xx", "?lang=en&lang=nl", "?" + "a=1&" * 50, "?lang=%00"])
def test_odd_questions_in_the_address(server, query):
    status, _, body = ask(server, f"/{server.word}/sent{query}")

    assert status == 200
    assert b'<html lang="nl">' in body


@pytest.mark.parametrize(
    "raw",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff" * 40 + b"\r\n\r\n",
     b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_nonsense_on_the_socket_gets_no_page(server, raw, capfd):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as pipe:
        pipe.sendall(raw)
        pipe.shutdown(socket.SHUT_WR)
        reply = b""
        while chunk := pipe.recv(65_536):
            reply += chunk
    assert b"<html" not in reply
    assert b"Traceback" not in reply
    assert ask(server, f"/{server.word}/sent")[0] == 200
    assert capfd.readouterr().err == ""


def test_texts_from_outside_are_escaped(site):
    """Title, purpose, reasons and unknown parts of a message: all of them text."""
    program = SiteProgram(site)
    database = sqlite3.connect(site.database, isolation_level=None)
    claims = {"status": "refused", "code": "SMALL_GROUP", EVIL: EVIL, "terms_named": [EVIL]}
    body = b".".join(b64(json.dumps(part).encode()).encode() for part in ({}, claims)) + b".x"
    with transaction(database):
        line = audit.record(database, "STEP", {"code": "SMALL_GROUP", "seq": 1}, utc_now())
        Register(database).keep(
            line, "refusal", run="r1", step_name=EVIL, query_sha256="q", body=body
        )
        query = {"title": EVIL, "purpose": EVIL, "analysis": {"kind": EVIL}}
        database.execute("INSERT INTO codebook VALUES ('c', '{}')")
        database.execute("INSERT INTO question VALUES ('q', ?, 'c', ?)", (EVIL, json.dumps(query)))
        database.execute("INSERT INTO refused_here VALUES ('q', ?, ?, 1)", (EVIL, EVIL))
    program.close()
    database.close()
    (site.path / "STOP").write_text(f"by = 'x'\nreason = '''{EVIL}'''\nat = '''{EVIL}'''\n")

    made = PageServer(Overview(site.path))
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    try:
        for place in ("sent", "run/r1", "waiting", "status", "policy"):
            status, _, page = ask(made, f"/{made.word}/{place}")
            assert status == 200
            assert b"<script" not in page
            assert b"&lt;script&gt;" in page
    finally:
        made.shutdown()
        made.server_close()


def test_the_page_shows_a_running_site_and_takes_no_lock(site, server):
    program = SiteProgram(site)
    program.handle(b"garbage", utc_now())
    status, _, body = ask(server, f"/{server.word}/sent")
    assert status == 200
    assert b"PROTOCOL" in body

    program.handle(b"more", utc_now())
    assert b">2<" in ask(server, f"/{server.word}/sent")[2]
    program.close()


def test_the_page_needs_no_key_and_no_data(site, server):
    for file in [
        *(site.path / "keys").iterdir(),
        site.path / "data.csv",
        site.path / "mapping.yaml",
    ]:
        file.unlink()
    for place in PLACES:
        assert ask(server, f"/{server.word}/{place}")[0] == 200
    assert PageServer(Overview(site.path)).server_close() is None


def test_a_database_that_cannot_be_read_is_a_sentence(site, server):
    (site.path / "site.sqlite").write_bytes(b"nonsense" * 1000)
    status, _, body = ask(server, f"/{server.word}/sent")

    assert status == 503
    assert b"site.sqlite cannot be read" in body
    assert str(site.path).encode() not in body


def test_a_mistake_of_the_program_shows_nothing_of_it(server, monkeypatch, capfd):
    def broken(*_):
        raise RuntimeError("P17 has tumour X")

    monkeypatch.setattr("federation.site.steward.views.Views.sent", broken)
    status, _, body = ask(server, f"/{server.word}/sent")

    assert status == 500
    assert b"P17" not in body
    assert "P17" not in capfd.readouterr().err


def test_a_port_that_is_taken(site, server):
    with pytest.raises(SetupError, match="port"):
        PageServer(Overview(site.path), server.server_port)


def test_many_at_once(server):
    """Slow browsers do not keep others waiting."""
    held = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(20)]
    assert ask(server, f"/{server.word}/sent")[0] == 200
    for pipe in held:
        pipe.close()


def test_the_command_prints_the_address_and_ends_with_ctrl_c(site):
    import signal

    with subprocess.Popen(
        [sys.executable, "-m", "registry.cli", "site", "page", str(site.path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        address = running.stdout.readline().strip()
        port, word = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/(\S+)/sent", address).groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("GET", f"/{word}/sent")
        assert connection.getresponse().status == 200
        running.send_signal(signal.SIGINT)
        try:
            _, words = running.communicate(timeout=20)
        finally:
            running.kill()

    assert running.returncode == 0
    assert "Traceback" not in words
    assert word not in words


def test_both_languages_say_everything():
    assert TEXTS["nl"].keys() == TEXTS["en"].keys()
    for key, text in TEXTS["nl"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", TEXTS["en"][key]), key


def test_html_is_escaped_unless_it_was_made_here():
    made = el("a", EVIL, el("b", "1 < 2"), None, href=EVIL, hidden=True, title=None, cls="x")

    assert made == (
        '<a class="x" href="&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&#x27;&amp;"'
        " hidden>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&#x27;&amp;"
        "<b>1 &lt; 2</b></a>"
    )
    assert join(["<", [el("i", ">")]]) == "&lt;<i>&gt;</i>"
