"""What is entered at the hospital's desk works from the next step on, without the hub."""

from __future__ import annotations

from datetime import timedelta

from hospitals import STUDY, Net

from consent.parties import FROM_12
from federation.site.desk.doing import opened
from federation.site.desk.paper import Form
from federation.site.store import milliseconds

SITE = "h0"
COUNT = {"kind": "count"}


def agreed(net: Net) -> int:
    """How many patients may be counted at the site now."""
    program = net.programs[SITE]
    consenting = program._pipeline._consenting
    consenting.check(0, net.now, timedelta(hours=1))
    (store,) = program._pipeline.stores.values()
    requires = program._directory.settings.studies[STUDY].requires
    return int(consenting.mask(store.table(net.codebook), STUDY, requires).sum())


def at_desk(net: Net, act: str, number: int = 0) -> None:
    with opened(net.folder / SITE, "Anna", net.now) as desk, desk.act():
        handle = desk.handle(net.rows[SITE][number]["HDR_PATIENT_NO"])
        if act == "no":
            form = Form(handle, STUDY, {"*": "no"}, net.now.date(), how="phone")
            desk.paper.enter(form, net.now)
        elif act == "child":
            month = f"{net.now.year + 1}-01"
            desk.people.set_age(handle, FROM_12, month, net.now)
        else:
            desk.letters.make(handle, [STUDY], net.now)


def test_a_no_at_the_desk_works_in_the_next_question(net: Net) -> None:
    before = agreed(net)
    at_desk(net, "no")
    assert agreed(net) == before - 1
    net.start(SITE)
    assert agreed(net) == before - 1


def test_a_slow_clock_at_the_desk_makes_no_no_older_than_the_yes_before_it(net: Net) -> None:
    before, slow = agreed(net), net.now - timedelta(days=1)
    with opened(net.folder / SITE, "Anna", net.now) as desk, desk.act():
        handle = desk.handle(net.rows[SITE][0]["HDR_PATIENT_NO"])
        desk.paper.enter(Form(handle, STUDY, {"*": "no"}, slow.date(), how="phone"), slow)
        # The list is dated by the hub: that may not put the "no" where no yes comes after it.
        [(said,)] = desk.database.execute("SELECT max(at) FROM denial")
        assert said <= milliseconds(net.now + timedelta(minutes=5))
    assert agreed(net) == before - 1


def test_a_no_between_two_steps_stops_the_answer_in_hand(net: Net) -> None:
    driver = net.driver(net.plan(net.query(COUNT)))
    assert net.round(driver) == "step"
    at_desk(net, "no")
    net.round(driver)
    steps = [facts for event, facts in net.audit(SITE) if event == "STEP"]
    assert "CONSENT_UNAVAILABLE" in steps[-1]


def test_whose_yes_is_needed_changes_at_the_desk_and_with_the_month(net: Net) -> None:
    before = agreed(net)
    at_desk(net, "child")
    assert agreed(net) == before - 1
    books = net.programs[SITE]._pipeline._consenting._books
    assert not books.changed(net.now)
    assert books.changed(net.now.replace(year=net.now.year + 1, month=1, day=2))


def test_letters_change_nothing_that_is_counted(net: Net) -> None:
    state = net.programs[SITE]._pipeline._consenting.state
    before = agreed(net)
    at_desk(net, "letter", 5)
    # The first letter of these books ended, a new one began: a yes made before still counts.
    assert agreed(net) == before
    assert net.programs[SITE]._pipeline._consenting.state[0] == state[0]
