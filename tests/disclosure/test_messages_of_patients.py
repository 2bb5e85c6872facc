"""What a hospital says of its own patients rides with its acknowledgements and says little."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hospitals import STUDY, Net, patients

from consent.bands import BANDS
from federation.disclosure.policy import Policy
from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_SITE_MESSAGE, verify
from federation.protocol.transparency import open_witness
from federation.site.choices.outbox import counts
from federation.site.desk.doing import opened
from federation.site.steward.overview import Overview
from federation.site.steward.sent import COVERAGE, MESSAGES

SITE = "h0"
COUNT = {"kind": "count"}


def invite(net: Net, number: int = 0, site: str = SITE) -> str:
    """A letter to one patient; its printed code."""
    with opened(net.folder / site, "Anna", net.now) as desk, desk.act():
        handle = desk.handle(net.rows[site][number]["HDR_PATIENT_NO"])
        return desk.letters.make(handle, [STUDY], net.now).printed


def acknowledged(net: Net, site: str = SITE, **claims: Any) -> dict[str, Any]:
    net.seq += 1
    ack = net.claims(site, net.snapshot(site, **claims))
    assert ack["status"] == "applied", ack
    return ack


def said(net: Net, ack: dict[str, Any], site: str = SITE) -> list[dict[str, Any]]:
    public = net.directories[site].sign.public
    keys = {key_id(public): public}
    return [
        verify(TYP_SITE_MESSAGE, text.encode(), keys.get, audience="hub", now=None)
        for text in ack.get("messages", [])
    ]


def test_a_message_rides_until_the_hub_says_that_it_has_it(net: Net) -> None:
    code = invite(net)
    ack = acknowledged(net)
    assert [(each["seq"], each["kind"]) for each in said(net, ack)] == [(1, "invitation")]
    assert ack["messages"] == acknowledged(net, site_seq=0)["messages"]
    net.start(SITE)
    assert ack["messages"] == acknowledged(net, site_seq="x")["messages"]
    assert "messages" not in acknowledged(net, site_seq=1)
    assert "messages" not in acknowledged(net, site_seq=1)
    # The secret is in nothing that left, nor is the number of a patient.
    left = b"".join(net.bodies)
    secret = code.replace("-", "")[6:]
    number = net.rows[SITE][0]["HDR_PATIENT_NO"]
    for body in (left, json.dumps(said(net, ack)).encode()):
        assert secret.encode() not in body
        assert number.encode() not in body


def test_the_hub_hears_it_refused_and_the_people_here_see_it(net: Net) -> None:
    invite(net)
    acknowledged(net)
    acknowledged(net, site_seq=1, site_refused=[[1, "study_not_found"]])
    with opened(net.folder / SITE, "Anna", net.now) as desk:
        (each,) = desk.outbox.listed()
        assert each.refused == "study_not_found"
        assert counts(desk.database) == {"waiting": 0, "refused": 1}


def test_many_messages_go_in_parts_beside_the_coverage(build: Any) -> None:
    net = build({f"h{n}": patients(f"h{n}", 120, n) for n in range(3)})
    with opened(net.folder / SITE, "Anna", net.now) as desk, desk.act():
        for number in range(250):
            desk.people.stop_contact(desk.directory.handles.handle(str(number)), net.now)
    net.now += timedelta(days=1.1)
    seen: list[int] = []
    ack = acknowledged(net)
    assert "coverage" in ack
    while "messages" in ack:
        seen += [each["seq"] for each in said(net, ack)]
        ack = acknowledged(net, site_seq=seen[-1])
    assert seen == list(range(1, 251))
    assert all(len(body) < 256_000 for body in net.bodies)


def test_in_words_it_is_seen_what_left(net: Net) -> None:
    invite(net)
    ack = acknowledged(net)
    overview = Overview(net.folder / SITE, "nl")
    message = overview.messages()[0]
    assert message.sent.kind == MESSAGES
    assert message.contents.other == ()
    places = dict(message.contents.readable)
    assert places["messages[0].kind"] == "invitation"
    assert places["messages[0].content.handle"] == said(net, ack)[0]["content"]["handle"]
    assert "1 berichten over uitnodigingen" in " ".join(message.words)
    net.now += timedelta(days=31)
    net.withdrawn = {row["HDR_PATIENT_NO"] for row in net.rows[SITE][50:]}
    acknowledged(net)
    both = Overview(net.folder / SITE, "en").messages()[0]
    assert both.sent.kind == COVERAGE
    assert "1 messages about invitations" in " ".join(both.words)
    assert "messages[0].seq" in dict(both.contents.readable)


def test_a_use_is_told_once_by_study_and_never_by_question(net: Net) -> None:
    """The range is of all who agreed, also when the question picked few of them."""
    assert net.ask(COUNT).status == "complete"
    net.now += timedelta(minutes=1)
    assert net.ask(COUNT, title="again").status in ("complete", "replay")
    told = said(net, acknowledged(net))
    assert {each["kind"] for each in told} == {"use"}
    contents = [each["content"] for each in told]
    assert len({each["query_id"] for each in contents}) == len(contents)
    assert all(each["study"] == STUDY and each["band"] in BANDS for each in contents)
    assert contents[0]["band"] == "100-199"
    assert set(contents[0]) == {"study", "query_id", "snapshot", "band"}


def test_a_hospital_with_few_who_agreed_tells_no_use(build: Any) -> None:
    rows = {f"h{n}": patients(f"h{n}", 120, n) for n in range(5)}
    rows[SITE] = rows[SITE][:8]
    net = build(rows)
    assert net.ask(COUNT).status == "complete"
    assert "messages" not in acknowledged(net)
    assert [each["kind"] for each in said(net, acknowledged(net, "h1"), "h1")] == ["use"]


def test_a_refused_question_tells_no_use(build: Any) -> None:
    rows = {f"h{n}": patients(f"h{n}", 3, n) for n in range(3)}
    net = build(rows, policy=Policy.strict())
    assert net.ask(COUNT).code == "SMALL_GROUP"
    assert "messages" not in acknowledged(net)


def test_orders_come_with_the_list(net: Net) -> None:
    from federation.site.choices.destroying import orders
    from federation.site.choices.pseudonyms import handle_text

    handle = net.directories[SITE].handles.handle("1")
    order = {
        "order": "0" * 32,
        "handle": handle_text(handle),
        "study": STUDY,
        "what": ["use.record"],
        "grace_until": int(net.now.timestamp() * 1000),
        "cancelled": False,
    }
    acknowledged(net, destroy=[order, "x"])
    with opened(net.folder / SITE, "Anna", net.now) as desk:
        (found,) = orders(desk.database)
        assert (found.handle, found.open) == (handle, True)


def test_the_word_about_the_log_is_apart_and_names_the_list_in_use(net: Net) -> None:
    """Other hospitals and everybody see this word, so it holds nothing of patients."""
    invite(net)
    head = {"size": 4, "root": "ab" * 32, "from": 0, "consistency": []}
    ack = acknowledged(net, log=head)
    assert ack["messages"]
    public = net.directories[SITE].sign.public
    word = open_witness(ack["witness"].encode(), SITE, public)
    assert (word["seq"], word["size"], word["root"]) == (net.seq, 4, "ab" * 32)
    common = {"v", "iss", "aud", "iat", "exp", "jti"}
    assert set(word) - common == {"network", "seq", "size", "root"}

    used = net.seq
    net.seq += 1
    other = {**head, "root": "cd" * 32}
    refused = net.claims(SITE, net.snapshot(SITE, log=other))
    assert (refused["status"], refused["code"]) == ("refused", "log_inconsistent")
    word = open_witness(refused["witness"].encode(), SITE, public)
    assert (word["seq"], word["size"]) == (used, 4)
    assert Overview(net.folder / SITE).messages(lists=True)[0].contents.other == ()
