"""The receipt's page and files, /verify, the transparency API and the auditor's alarms."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from consent import log, receipts
from consent import service as consent
from consent.alarms import raise_alarm
from consent.texts import text_for
from consent.tree_heads import sign_head
from consent.witnessing import note_witness
from federation.protocol.encoding import parse_json
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import keys_from, open_head, sign_witness
from registry import hub_keys
from registry.database import SessionFactory
from registry.receipts import pdf
from registry.receipts.checking import check
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import SiteNode

SignedIn = Callable[..., FlaskClient]
NETWORK = "oncozon"


@pytest.fixture
def mine(world: Any) -> str:
    return str(world.receipts["mine"])


def file_of(client: FlaskClient, receipt: str, ending: str) -> bytes:
    response = client.get(f"/mijn/bewijs/{receipt}/{ending}")
    assert response.status_code == 200
    name = receipts.file_name(receipt, ending)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    return response.data


def test_a_patient_reads_and_keeps_the_receipt(
    signed_in: SignedIn, mine: str, world: Any, browser: FlaskClient
) -> None:
    client = signed_in("mine")
    page = client.get(f"/mijn/bewijs/{mine}").get_data(as_text=True)
    assert receipts.reference(mine) in page
    assert "<svg" in page
    keys = keys_from(parse_json(browser.get("/api/v1/keys").data))
    whole = file_of(client, mine, "json")
    assert check(whole, keys).holds
    assert check(file_of(client, mine, "jws"), keys).holds
    assert b"mine" not in whole  # the handle
    theirs = world.receipts["theirs"]
    assert client.get(f"/mijn/bewijs/{theirs}").status_code == 404
    assert client.get(f"/mijn/bewijs/{theirs}/json").status_code == 404


@pytest.mark.skipif(not pdf.available(), reason="WeasyPrint is not installed")
def test_the_pdf_is_tagged_and_in_the_readers_language(signed_in: SignedIn, mine: str) -> None:
    client = signed_in("mine")
    client.set_cookie("language", "nl")
    made = file_of(client, mine, "pdf")
    assert made.startswith(b"%PDF-")
    inside = made + b"".join(
        zlib.decompress(part.partition(b"\nendstream")[0])
        for part in made.split(b"/FlateDecode")[1:]
        for part in [part.partition(b"stream\n")[2]]
    )
    for mark in (b"/StructTreeRoot", b"/MarkInfo", b"/Lang (nl)", b"/H1", b"pdfuaid"):
        assert mark in inside, mark


def test_without_the_library_the_page_says_to_print(
    signed_in: SignedIn, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "available", lambda: False)
    client = signed_in("mine")
    client.set_cookie("language", "en")
    page = client.get(f"/mijn/bewijs/{mine}").get_data(as_text=True)
    assert "cannot make a PDF" in page
    assert "Save as PDF" not in page
    assert client.get(f"/mijn/bewijs/{mine}/pdf").status_code == 303


def test_anyone_can_check_a_receipt_on_the_page(
    signed_in: SignedIn, mine: str, browser: FlaskClient, form_token: Callable[[FlaskClient], str]
) -> None:
    whole = file_of(signed_in("mine"), mine, "json")
    browser.set_cookie("language", "en")
    token = form_token(browser)

    def send(**fields: Any) -> tuple[int, str]:
        response = browser.post(
            "/verify",
            data={"csrf_token": token, **fields},
            content_type="multipart/form-data",
        )
        return response.status_code, response.get_data(as_text=True)

    assert browser.get("/verify").status_code == 200
    status, page = send(file=(BytesIO(whole), "keuzes.json"))
    assert status == 200
    assert "This receipt is real and unchanged" in page
    assert "It is the latest choice about this study." in page
    status, page = send(text=whole.decode().replace("\n", "\r\n"))
    assert "This receipt is real and unchanged" in page
    spoilt = whole.decode().replace('"answer": "granted"', '"answer": "refused"', 1)
    status, page = send(text=spoilt)
    assert "This receipt does not hold" in page
    assert "An answer is not the one that was sealed in the log." in page
    status, page = send(text="<script>alert(1)</script>")
    assert "This receipt does not hold" in page
    assert "<script>alert" not in page
    assert send(text=" ")[0] == 422


def test_the_transparency_api(
    signed_in: SignedIn,
    mine: str,
    browser: FlaskClient,
    factory: SessionFactory,
    settings: Settings,
    clock: Any,
) -> None:
    assert browser.get("/api/v1/log/head").status_code == 404
    pen = hub_keys.signers(settings, clock.now)
    with unit_of_work(factory, SYSTEM) as session:
        sign_head(session, pen.head, NETWORK, clock.now)
        text = text_for(session, "hormone-therapy", clock.now)
    head = browser.get("/api/v1/log/head").json
    assert head == browser.get(f"/api/v1/log/head?network={NETWORK}").json
    keys = keys_from(browser.get("/api/v1/keys").json)
    said = open_head(head["signed"].encode(), keys)
    assert (said["size"], said["root"]) == (head["size"], head["root"])
    assert browser.get("/api/v1/log/witnesses").json == []
    said = _witnessed(factory, clock)
    words = {each["site"]: each for each in browser.get("/api/v1/log/witnesses").json}
    assert words["catharina"]["signed"] == said
    # A whole confirmation tells the hub of patients: it is kept, and shown to nobody.
    assert words["zuyderland"]["signed"] is None
    size, root = head["size"], bytes.fromhex(head["root"])
    for number in range(size):
        found = browser.get(f"/api/v1/log/proof/inclusion?number={number}&size={size}").json
        path = [bytes.fromhex(beside) for beside in found["path"]]
        assert log.verify_inclusion(bytes.fromhex(found["leaf"]), number, size, path, root)
        found = browser.get(f"/api/v1/log/proof/consistency?old_size={number + 1}&size={size}").json
        path = [bytes.fromhex(beside) for beside in found["path"]]
        old = bytes.fromhex(found["old_root"])
        assert log.verify_consistency(number + 1, old, size, root, path)
    for address in (
        f"inclusion?number={size}&size={size}",
        f"inclusion?number=0&size={size + 1}",
        f"consistency?old_size=0&size={size}",
        "inclusion?number=a&size=1",
    ):
        assert browser.get(f"/api/v1/log/proof/{address}").status_code == 422, address
    assert browser.get("/api/v1/log/head?network=nowhere").status_code == 404
    shown = browser.get(f"/api/v1/texts/{text.id}").json
    assert (shown["id"], shown["content"]) == (text.id, text.content)
    same = browser.get(f"/api/v1/texts/{text.id}/diff/{text.id}").json
    assert {part["kind"] for part in same["parts"]["nl"]} == {"same"}
    assert browser.get(f"/api/v1/texts/{'0' * 64}").status_code == 404
    items = browser.get("/api/v1/catalogue").json["document"]["items"]
    assert "use.network" in {item["code"] for item in items}
    receipt = file_of(signed_in("mine"), mine, "json").decode()
    answer = browser.post("/api/v1/receipts/verify", json={"receipt": receipt}).json
    assert (answer["holds"], answer["known"], answer["latest"]) == (True, True, True)
    assert answer["sha256"] == receipts.document_sha256(json.loads(receipt))
    bad = browser.post("/api/v1/receipts/verify", json={"receipt": receipt[:-9]}).json
    assert (bad["holds"], bad["checks"][0]["why"]) == (False, "not_a_receipt")


def _witnessed(factory: SessionFactory, clock: Any) -> str:
    """Two hospitals saw the head: one in words for everybody, one in a confirmation only."""
    key = SigningKey(bytes(range(32)))
    with unit_of_work(factory, SYSTEM) as session:
        made = consent.publish_snapshots(
            session, lambda *_: b"{}", ("catharina", "zuyderland"), now=clock.now
        )
        for one in made:
            session.add(
                SiteNode(
                    institution=one.site,
                    sign_pub=key.public,
                    box_pub=key.public,
                    enrolled_at=clock.now,
                )
            )
            said = sign_witness(
                key,
                one.site,
                clock.now,
                network=NETWORK,
                seq=one.seq,
                size=one.log_size,
                root=one.log_root,
            )
            note_witness(
                session,
                site=one.site,
                seq=one.seq,
                size=one.log_size,
                root=one.log_root,
                body=said if one.site == "catharina" else b"handles of patients",
                now=clock.now,
            )
            if one.site == "catharina":
                shown = said.decode()
        announce(session, actor=SYSTEM, action="site.enrolled", about="network:oncozon")
    return shown


def test_an_auditor_sees_an_alarm_and_says_so(
    signed_in: SignedIn,
    factory: SessionFactory,
    form_token: Callable[[FlaskClient], str],
    clock: Any,
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        facts = {"sites": ["catharina", "zuyderland"], "size": 3, "roots": ["a", "b"]}
        alarm = raise_alarm(session, NETWORK, "two_histories", facts, clock.now)
        raise_alarm(session, NETWORK, "log_broken", {"leaf": 3, "why": "x"}, clock.now)
    client = signed_in("auditor")
    client.set_cookie("language", "en")
    assert "2 alarms that nobody has seen" in client.get("/audit").get_data(as_text=True)
    page = client.get("/audit/alarms").get_data(as_text=True)
    assert "Two hospitals were told different histories" in page
    assert "The log of choices does not hold" in page
    clock.now += timedelta(minutes=1)
    sent = {"csrf_token": form_token(client)}
    assert client.post(f"/audit/alarms/{alarm.id}/seen", data=sent).status_code == 303
    assert client.post("/audit/alarms/none/seen", data=sent).status_code == 404
    page = client.get("/audit/alarms").get_data(as_text=True)
    assert "Seen by Test auditor" in page
    assert signed_in("coordinator").get("/audit/alarms").status_code == 403
