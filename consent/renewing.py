"""What a network settled about how long a yes lasts, and changing it."""

from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.periods import NAMES, Periods, is_period, settled
from studies.actor import Actor
from studies.events import announce
from studies.models import Network


def periods_of(session: Session, network: str) -> Periods:
    """After how many years patients are reminded, asked again, and a yes ends."""
    return settled(session.get_one(Network, network).consent)


def settle(session: Session, network: Network, *, actor: Actor, **years: int) -> Periods:
    """Change some of `remind_years`, `renewal_years` and `use_years` of a network.

    A yes keeps the end that it was given on; reminding and asking again follow the new numbers at
    once. Raises ConsentError `years_not_valid` for another name or number, or when patients would
    be reminded after they are asked again, or asked again after the end.
    """
    if not years.keys() <= set(NAMES) or not all(map(is_period, years.values())):
        raise ConsentError("years_not_valid")
    found = settled({**network.consent, **years})
    if not found.remind_years <= found.renewal_years <= found.use_years:
        raise ConsentError("years_not_valid")
    network.consent = {**network.consent, **years}
    session.flush()
    announce(
        session,
        actor=actor,
        action="network.consent_years",
        about=f"network:{network.slug}",
        facts={name: years[name] for name in sorted(years)},
    )
    return found
