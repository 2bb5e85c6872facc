"""The number that patients of a hospital call; it stands on each of their pages."""

import re
from typing import Final

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Institution

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{5,38}")


def set_phone(session: Session, institution: str, phone: str, *, actor: Actor) -> None:
    """Note the number of a hospital, or with an empty text that there is none.

    Raises StudiesError `not_found`, `bad_phone`.
    """
    found = session.get(Institution, institution)
    if found is None:
        raise StudiesError("not_found")
    if phone and not _PHONE.fullmatch(phone):
        raise StudiesError("bad_phone")
    found.phone = phone
    session.flush()
    announce(
        session, actor=actor, action="institution.phone_set", about=f"institution:{institution}"
    )
