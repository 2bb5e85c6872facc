"""What a network settled about how long a yes lasts, and changing it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.periods import NAMES, Periods, is_period, settled
from consent.text_periods import unnamed
from consent.texts import text_for
from studies.actor import Actor
from studies.events import announce
from studies.models import Network, Study


def periods_of(session: Session, network: str) -> Periods:
    """After how many years patients are reminded, asked again, and a yes ends."""
    return settled(session.get_one(Network, network).consent)


def texts_otherwise(session: Session, network: str, now: datetime) -> list[str]:
    """The studies that are not closed whose text in force does not name the years after which a yes
    ends in this network, in one language or both."""
    years, found = periods_of(session, network).use_years, []
    for study in session.scalars(
        select(Study.slug)
        .where(Study.network == network, Study.state != "closed")
        .order_by(Study.slug)
    ):
        try:
            text = text_for(session, study, now)
        except ConsentError:
            continue  # without a text nobody is told anything
        if unnamed(text.content, years):
            found.append(study)
    return found


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
