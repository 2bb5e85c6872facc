"""Taking in what hospitals tell of their own patients: with an acknowledgement, or from a file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.site_messages import take_message
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_SITE_MESSAGE, verify
from federation.runs.driver import HUB
from studies.actor import Actor
from studies.events import announce
from studies.models import SiteNode

MAX_WITH_ACK = 200
MAX_IN_FILE = 20_000


def take_messages(
    session: Session, node: SiteNode, bodies: Iterable[bytes], now: datetime
) -> Mapping[str, int]:
    """Work in the messages that the program of this hospital signed, in their order.

    How many were taken, refused, known before ("again"), under a number that had other bytes
    ("conflict"), or not this hospital's at all ("foreign"). At a gap it stops: the rest comes
    again when the missing one has come. Never raises for what a message holds.
    """
    keys = {key_id(node.sign_pub): node.sign_pub}
    found: Counter[str] = Counter()
    for body in bodies:
        try:
            # No time is checked: messages are ordered by number, and may wait long.
            claims = verify(TYP_SITE_MESSAGE, body, keys.get, audience=HUB, now=None)
            if claims["iss"] != node.institution:
                raise ProtocolError("WRONG_ISSUER")
            outcome: str = take_message(
                session, site=node.institution, claims=claims, body=body, now=now
            )
        except (ProtocolError, ConsentError) as error:
            outcome = "foreign"
            announce(
                session,
                actor=Actor(kind="site", id=node.institution),
                action="consent.site_message_foreign",
                about=f"institution:{node.institution}",
                facts={"code": error.code},
            )
        found[outcome] += 1
        if outcome == "gap":
            break
    return dict(found)


def bodies_in(value: object, most: int = MAX_WITH_ACK) -> list[bytes]:
    """The messages in an acknowledgement or a file: a list of texts, or nothing.

    What is no list is no message; of a longer list the first are taken, the rest comes again.
    """
    if not isinstance(value, list):
        return []
    texts = [each for each in value[:most] if isinstance(each, str) and each.isascii()]
    return [each.encode("ascii") for each in texts]
