"""Transactions that only look, for every package: the database refuses a write in them.

On SQLite they need no lock, so that whoever writes does not wait for them (registry/database.py).
"""

from typing import Final

from sqlalchemy.orm import Session

READ_ONLY: Final = "oncokring_read_only"


def read_only(session: Session) -> None:
    """Begin this session's transaction as a reading one; a write in it fails."""
    session.connection(execution_options={READ_ONLY: True})
