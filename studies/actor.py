"""Who does something: passed to every command, never read from a web session."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "patient", "site", "system"]


@dataclass(frozen=True)
class Actor:
    """One person or machine that acts.

    `id` is an account id for a user, the subject id (opaque) for a patient, the slug for a site.
    `name` is for display; it stays empty for patients, whose names the hub never holds.
    """

    kind: ActorKind
    id: str
    roles: frozenset[str] = frozenset()
    name: str = ""


SYSTEM = Actor(kind="system", id="hub", roles=frozenset())
