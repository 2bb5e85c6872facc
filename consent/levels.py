"""How sure the way of signing in must be before a yes to an item is taken.

The catalogue names the lowest level per item; a network may ask for more, or for less where it has
decided so (`Network.consent["login_levels"]`). A "no" needs no level, and at the desk or on paper
the hospital itself vouches for who spoke.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from consent.catalogue import LOGIN_LEVELS
from consent.errors import ConsentError
from consent.items import ITEMS
from studies.models import Network

LOGIN_LEVELS_KEY: Final = "login_levels"
VOUCHED_FOR: Final = frozenset({"paper", "desk"})


def reaches(level: str, needed: str) -> bool:
    """Whether a way of signing in is as sure as `needed`. An unknown one never is."""
    if level not in LOGIN_LEVELS or needed not in LOGIN_LEVELS:
        return False
    return LOGIN_LEVELS.index(level) >= LOGIN_LEVELS.index(needed)


def lowest(network: Network, item: str) -> str:
    """The lowest level at which a yes to this item is taken in this network."""
    own = network.consent.get(LOGIN_LEVELS_KEY)
    settled = own.get(item) if isinstance(own, dict) else None
    return settled if settled in LOGIN_LEVELS else ITEMS[item].level


def too_low(session: Session, network: str, level: str, yes: Iterable[str]) -> tuple[str, ...]:
    """The items of `yes` for which this level is not sure enough, in their order."""
    found = session.get_one(Network, network)
    return tuple(item for item in yes if not reaches(level, lowest(found, item)))


def check(session: Session, network: str, level: str, channel: str, yes: Iterable[str]) -> None:
    """Raise ConsentError `login_level_too_low` when the level does not do for one of `yes`."""
    if channel not in VOUCHED_FOR and too_low(session, network, level, yes):
        raise ConsentError("login_level_too_low")
