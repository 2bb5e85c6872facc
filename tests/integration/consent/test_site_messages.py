"""What hospitals tell of their patients, from their outbox to the hub; hostile messages too."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent import site_messages
from consent.models import Subject
from consent.models_people import Fact, Party, SiteMessage, Use
from consent.subjects import handle_text
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_ACK
from federation.runs.site_messages import bodies_in, take_messages
from federation.site.choices.outbox import Outbox
from federation.site.store import transaction
from studies.actor import SYSTEM
from studies.events import announce, announced
from studies.models import Membership, Network
from studies.seeds.oncozon import ONCOZON

from .conftest import NOW, STUDY, Hub
from .telling import OTHER, SITE, Place, both, count, signed


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    yield from both(hub, tmp_path)


def test_replays_do_nothing_and_other_bytes_under_a_number_are_seen(place):
    here, session = place.here, place.hub.session
    with transaction(here.database):
        here.people.stop_contact(here.handles.handle("1"), NOW)
    bodies = here.outbox.waiting()
    assert take_messages(session, here.node, bodies, NOW) == {"taken": 1}
    assert take_messages(session, here.node, bodies, NOW) == {"again": 1}
    other = signed(here, seq=1, after=0, kind="closed", content={"handle": "A" * 27})
    assert take_messages(session, here.node, [other], NOW) == {"conflict": 1}
    assert "consent.site_message_conflict" in {each.action for each in announced(session)}
    assert (count(place.hub, SiteMessage), count(place.hub, Fact)) == (1, 1)


def test_what_another_signed_is_not_taken_and_uses_up_no_number(place):
    here, there, session = place.here, place.there, place.hub.session
    handle = handle_text(here.handles.handle("1"))
    content = {"handle": handle}
    for body in (
        signed(here, content=content, key=SigningKey.generate()),
        signed(here, content=content, key=there.key),
        signed(here, content=content, issuer=OTHER),
        signed(here, content=content, typ=TYP_ACK),
        signed(here, content=content, seq=0),
        signed(here, content=content, seq=2**40),
        signed(here, content=content, seq="1"),
        signed(here, content=content, after=1),
        b"",
        b"a.b.c",
        b"x" * 300_000,
    ):
        assert take_messages(session, here.node, [body], NOW) == {"foreign": 1}
    assert count(place.hub, SiteMessage) == count(place.hub, Fact) == 0
    # What the other hospital's own program sends goes under its own name only.
    assert take_messages(session, there.node, [signed(here, content=content)], NOW) == {
        "foreign": 1
    }
    assert take_messages(session, there.node, [signed(there, content=content)], NOW) == {"taken": 1}
    subjects = session.scalars(select(Subject)).all()
    assert [each.site for each in subjects] == [OTHER]


def test_what_cannot_be_worked_in_is_kept_with_a_code_and_holds_nothing_up(place):
    here, session = place.here, place.hub.session
    handle = handle_text(here.handles.handle("1"))
    odd: list[dict[str, Any]] = [
        {"kind": "unheard_of"},
        {"kind": 7},
        {"content": []},
        {"content": {"handle": handle, "more": 1}},
        {"content": {"handle": "short"}},
        {"content": {"handle": handle}, "network": "other"},
        {"kind": "age_class",
         "content": {"handle": handle, "class": "16+", "next_month": "2030-01", "since": 0}},
        {"kind": "representative",
         "content": {"handle": handle, "party": "self", "role": "parent",
                     "from": 0, "until": None}},
        {"kind": "representative", "content": {"handle": handle, "party": "p-0123456789abcdef",
                                               "role": "king", "from": 0, "until": None}},
        {"kind": "use",
         "content": {"study": STUDY, "query_id": "0" * 64, "snapshot": 1, "band": "57"}},
        {"kind": "destroy_report",
         "content": {"order": "0" * 32, "status": "done", "reason_code": None}},
        {"kind": "invalidate",
         "content": {"handle": handle, "act": "0" * 32, "reason_code": "wrong_person"}},
        {"content": {"handle": handle, "more": "x" * 9000}},
    ]  # fmt: skip
    for seq, claims in enumerate(odd, start=1):
        body = signed(here, seq=seq, after=seq - 1, **claims)
        assert take_messages(session, here.node, [body], NOW) == {"refused": 1}, claims
        session.commit()
    assert count(place.hub, Fact) == count(place.hub, Party) == count(place.hub, Use) == 0
    good = signed(here, seq=20, after=13, content={"handle": handle})
    assert take_messages(session, here.node, [good], NOW) == {"taken": 1}
    codes = dict(site_messages.refusals(session, SITE))
    assert codes[1] == "message_malformed"
    assert (codes[8], codes[11], codes[12]) == (
        "unknown_party", "order_not_found", "receipt_not_found",
    )  # fmt: skip
    gap = signed(here, seq=22, after=21, content={"handle": handle})
    assert take_messages(session, here.node, [gap, good], NOW) == {"gap": 1}
    assert bodies_in("no list") == bodies_in(None) == []
    assert len(bodies_in(["a"] * 1000)) == 200


def test_a_hospital_put_back_from_an_old_copy_loses_no_message(place):
    here, session = place.here, place.hub.session
    handles = [here.handles.handle(str(number)) for number in range(6)]
    with transaction(here.database):
        here.people.stop_contact(handles[0], NOW)
    here.tell()
    copy = list(here.database.iterdump())
    with transaction(here.database):
        here.people.stop_contact(handles[1], NOW)
        here.people.stop_contact(handles[2], NOW)
    here.tell()

    with transaction(here.database):  # the old copy: numbers 2 and 3 are not remembered
        here.database.execute("DELETE FROM outbox WHERE seq > 1")
        here.people.stop_contact(handles[3], NOW)
    assert len(copy) > 1
    assert take_messages(session, here.node, here.outbox.waiting(), NOW) == {"conflict": 1}
    here.hear()
    assert here.tell() == {"taken": 1}
    assert here.outbox.waiting() == []
    assert [each.seq for each in here.outbox.listed()] == [4, 1]

    with transaction(here.database):  # as many as the hub has, but others
        here.people.stop_contact(handles[4], NOW)
    here.database.execute("UPDATE outbox SET taken_at = NULL, body = ? WHERE seq = 4", (b"",))
    subjects = count(place.hub, Subject)
    here.database.execute("DELETE FROM outbox WHERE seq = 4")
    assert here.tell() == {"taken": 1}
    assert count(place.hub, Subject) == subjects + 1


def test_a_hub_put_back_from_an_old_copy_gets_again_what_it_lost(place):
    here = place.here
    for number in range(3):
        with transaction(here.database):
            here.people.stop_contact(here.handles.handle(str(number)), NOW)
    here.tell()
    with transaction(here.database):
        here.outbox.settle({"site_seq": 1}, NOW)
    assert len(here.outbox.waiting()) == 2
    with transaction(here.database):
        for odd in ({}, {"site_seq": "x"}, {"site_seq": -1}, {"site_seq": 2**40}):
            here.outbox.settle({**odd, "site_refused": "x"}, NOW)
        here.outbox.settle({"site_seq": 3, "site_refused": [[1], ["a", "b"], 3]}, NOW)
    assert here.outbox.waiting() == []


def test_a_new_key_signs_anew_what_waits_and_too_much_goes_in_parts(place):
    here = place.here
    with transaction(here.database):
        for number in range(205):
            here.people.stop_contact(here.handles.handle(str(number)), NOW)
        with pytest.raises(ValueError, match="8 kB"):
            here.outbox.add("paper", {"answers": "x" * 9000}, NOW)
    assert here.tell() == {"taken": 100}
    here.key = SigningKey.generate()
    here.outbox = Outbox(here.database, here.key, site=SITE, network=ONCOZON.slug)
    here.node.sign_pub = here.key.public
    announce(place.hub.session, actor=SYSTEM, action="site.enrolled", about=f"institution:{SITE}")
    assert here.tell() == {"taken": 100}
    assert here.tell() == {"taken": 5}


def test_a_hospital_that_was_in_another_network_before_is_heard(place):
    """Else no "no" on paper of its patients would ever come in."""
    here, session = place.here, place.hub.session
    session.add(Network(slug="before", name="Before"))
    session.flush()
    was = {"since": NOW - timedelta(days=900), "until": NOW - timedelta(days=1)}
    session.add(Membership(network="before", institution=SITE, **was))
    announce(session, actor=SYSTEM, action="network.changed", about="network:before")
    with transaction(here.database):
        here.people.stop_contact(here.handles.handle("1"), NOW)
    assert here.tell() == {"taken": 1}
