"""The lowest way of signing in per item: the catalogue's, or what the network settled."""

import pytest

from consent import levels
from consent.catalogue import LOGIN_LEVELS
from consent.errors import ConsentError
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Network

from .conftest import Hub


def test_the_levels_are_in_order_and_an_unknown_one_is_never_sure_enough() -> None:
    for place, level in enumerate(LOGIN_LEVELS):
        for other in LOGIN_LEVELS[: place + 1]:
            assert levels.reaches(level, other)
        for other in LOGIN_LEVELS[place + 1 :]:
            assert not levels.reaches(level, other)
    for strange in ("", "desk", "LETTER", "site-broker-high"):
        assert not levels.reaches(strange, "letter")
        assert not levels.reaches("site-broker-substantial", strange)


def test_inherited_dna_and_companies_need_a_passkey_or_the_hospital(hub: Hub) -> None:
    sure = ("dna.inherited", "share.company")
    for level in ("letter", "letter+second"):
        found = levels.too_low(hub.session, "oncozon", level, ("use.record", *sure))
        assert found == sure
        with pytest.raises(ConsentError) as failure:
            levels.check(hub.session, "oncozon", level, "portal", sure)
        assert failure.value.code == "login_level_too_low"
    for level in ("letter+second+passkey", "site-broker-substantial"):
        levels.check(hub.session, "oncozon", level, "portal", sure)
    levels.check(hub.session, "oncozon", "letter", "portal", ())  # a no needs nothing
    for channel in ("paper", "desk"):
        levels.check(hub.session, "oncozon", "letter", channel, sure)


def test_a_network_may_settle_another_level_but_not_an_unknown_one(hub: Hub) -> None:
    network = hub.session.get_one(Network, "oncozon")
    network.consent = {"login_levels": {"use.record": "letter+second", "use.network": "none"}}
    announce(hub.session, actor=SYSTEM, action="network.changed", about="network:oncozon")
    hub.session.flush()
    assert levels.too_low(hub.session, "oncozon", "letter", ("use.record", "use.network")) == (
        "use.record",
    )
