"""Two hospitals linked by a code: one answer to every wrong code, a no everywhere, a yes proven."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from consent import links
from consent import service as consent
from consent.acts import Circumstances
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_people import LinkCode
from consent.periods import YEAR

from .conftest import NOW, STUDY, Hub

KEY = b"the hub's secret for link codes!"
LATER = NOW + timedelta(minutes=1)


def code(hub: Hub, subject: Subject) -> str:
    return links.show_code(hub.session, subject, KEY, NOW).printed


def enter(hub: Hub, subject: Subject, typed: str, at: timedelta = timedelta(minutes=1)) -> bool:
    return links.link(hub.session, subject, typed, KEY, NOW + at)


@pytest.fixture
def here(hub: Hub) -> Subject:
    return hub.subject("zuyderland")


@pytest.fixture
def there(hub: Hub) -> Subject:
    return hub.subject("catharina")


def test_a_code_links_two_hospitals_and_neither_side_shows_more(
    hub: Hub, here: Subject, there: Subject
) -> None:
    shown = links.show_code(hub.session, there, KEY, NOW)
    assert len(shown.printed.replace("-", "")) == links.CODE_LENGTH
    assert shown.expires_at == NOW + timedelta(minutes=15)
    row = hub.session.scalars(select(LinkCode)).one()
    assert shown.printed.replace("-", "") not in repr(vars(row))
    assert links.linked(hub.session, here) == []
    assert enter(hub, here, shown.printed.lower().replace("-", " "))
    assert links.linked(hub.session, here) == [there]
    assert links.linked(hub.session, there) == [here]
    links.unlink(hub.session, here, LATER)
    assert links.linked(hub.session, here) == links.linked(hub.session, there) == []
    assert enter(hub, here, code(hub, there))  # and again, if somebody changes their mind
    assert links.linked(hub.session, there) == [here]


def test_reuse_and_every_wrong_code_are_refused_alike(
    hub: Hub, here: Subject, there: Subject
) -> None:
    third = hub.subject("elkerliek")
    used = code(hub, there)
    assert enter(hub, here, used)
    assert not enter(hub, third, used)
    assert links.linked(hub.session, third) == []
    old = code(hub, there)
    assert not enter(hub, third, old, timedelta(minutes=15))
    first = code(hub, there)
    code(hub, there)  # a newer one ends the one before
    assert not enter(hub, third, first)
    for typed in ("", "0000000000", "no code", "A" * 200, "é" * 10):
        assert not enter(hub, third, typed)
    assert not links.link(hub.session, third, code(hub, there), b"another key" * 3, LATER)


def test_a_code_that_was_tried_by_somebody_is_used_up(
    hub: Hub, here: Subject, there: Subject
) -> None:
    neighbour = hub.subject("catharina")  # another patient of the same hospital
    shown = code(hub, there)
    assert not enter(hub, there, shown)
    shown = code(hub, there)
    assert not enter(hub, neighbour, shown)
    assert not enter(hub, here, shown)
    assert links.linked(hub.session, there) == []


def test_three_hospitals_are_one_person_but_never_two_of_the_same(
    hub: Hub, here: Subject, there: Subject
) -> None:
    third = hub.subject("elkerliek")
    assert enter(hub, here, code(hub, there))
    assert enter(hub, third, code(hub, here))
    for one in (here, there, third):
        assert len(links.linked(hub.session, one)) == 2
    assert not enter(hub, hub.subject("catharina"), code(hub, third))
    links.unlink(hub.session, here, LATER)
    assert links.linked(hub.session, there) == [third]
    assert links.linked(hub.session, here) == []


def test_a_no_works_at_both_at_once_and_a_yes_at_one(
    hub: Hub, here: Subject, there: Subject
) -> None:
    enter(hub, here, code(hub, there))
    hub.answer(there, NOW)
    receipt = hub.answer(here, LATER, use_network="no")
    carried = carry(hub, receipt)
    assert [made.subject_id for made in carried] == [there.id]
    events = hub.session.scalars(
        select(ConsentEvent).where(ConsentEvent.receipt_id == carried[0].id)
    ).all()
    assert [(event.kind, event.item, event.site) for event in events] == [
        ("refused", "use.network", "catharina")
    ]
    assert (events[0].channel, events[0].login_level) == ("link", "letter+second")
    mine = {each.study.slug: each for each in consent.choices(hub.session, there, LATER)}
    assert not mine[STUDY].counts
    assert carry(hub, receipt) == carried  # sent twice is said once


def test_stopping_with_all_goes_along_and_a_yes_never_does(
    hub: Hub, here: Subject, there: Subject
) -> None:
    enter(hub, here, code(hub, there))
    assert carry(hub, hub.answer(here, NOW)) == []
    made = carry(hub, hub.stop(here, LATER, None))
    event = hub.session.scalars(
        select(ConsentEvent).where(ConsentEvent.receipt_id == made[0].id)
    ).one()
    assert (event.kind, event.study, event.subject_id) == ("withdrawn", "*", there.id)


def test_nothing_goes_along_after_the_link_ended_or_where_the_study_is_not(
    hub: Hub, here: Subject, there: Subject
) -> None:
    enter(hub, here, code(hub, there))
    links.unlink(hub.session, there, LATER)
    assert carry(hub, hub.stop(here, LATER)) == []


def test_what_can_be_taken_along_is_what_differs(hub: Hub, here: Subject, there: Subject) -> None:
    enter(hub, here, code(hub, there))
    assert links.to_carry(hub.session, here, there, LATER) == {}
    hub.answer(here, NOW, use_network="later")
    found = links.to_carry(hub.session, here, there, LATER)
    assert found[STUDY]["use.network"] == "later"
    assert set(found[STUDY].values()) == {"yes", "later"}
    hub.answer(there, NOW, use_network="later")
    assert links.to_carry(hub.session, here, there, LATER) == {}


def test_a_yes_that_was_said_again_here_can_be_taken_along_to_where_it_is_due(
    hub: Hub, here: Subject, there: Subject
) -> None:
    enter(hub, here, code(hub, there))
    hub.answer(here, NOW)
    hub.answer(there, NOW)
    due = NOW + 5 * YEAR
    assert links.to_carry(hub.session, here, there, due) == {}  # neither hospital was answered
    hub.answer(here, due)
    early = due - timedelta(days=100)
    assert links.to_carry(hub.session, here, there, due + timedelta(days=1))[STUDY]["use.record"]
    assert links.to_carry(hub.session, there, here, due + timedelta(days=1)) == {}
    assert links.to_carry(hub.session, here, there, early) == {}
    hub.answer(there, due + timedelta(days=1))
    assert links.to_carry(hub.session, here, there, due + timedelta(days=2)) == {}


def carry(hub: Hub, receipt: Receipt) -> list[Receipt]:
    return links.carry_no(
        hub.session,
        receipt,
        language="nl",
        circumstances=Circumstances(login_level="letter+second"),
        now=LATER + timedelta(minutes=1),
    )
