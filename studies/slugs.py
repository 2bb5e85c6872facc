"""Short names: what addresses, roles and files call a network, a study, a group."""

import re

from studies.errors import StudiesError

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")


def check_slug(slug: str) -> None:
    """Raise StudiesError `bad_name` unless it is small letters, digits and dashes."""
    if not _SLUG.fullmatch(slug):
        raise StudiesError("bad_name")
