"""What people of the hospital do about one patient's choices: letters, paper, who may speak.

Every act is one transaction with a line in the chained log and, where the hub has to know, a
numbered message. All of it can be done while the site program runs.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from federation.site.choices.destroying import Orders
from federation.site.choices.handles import is_known
from federation.site.choices.outbox import Outbox
from federation.site.choices.parties import People
from federation.site.desk.letters import Letters
from federation.site.desk.paper import Paper
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.steward.deciding import check_name
from federation.site.store import open_store, transaction


class Desk:
    """One opened site directory. `by`: the person who acts."""

    def __init__(self, directory: SiteDirectory, database: sqlite3.Connection, by: str) -> None:
        settings = directory.settings
        self.directory = directory
        self.by = by
        self.database = database
        self.outbox = Outbox(database, directory.sign, site=settings.slug, network=settings.network)
        self.letters = Letters(database, self.outbox, by)
        self.people = People(database, self.outbox, by)
        self.paper = Paper(database, self.outbox, directory.handles, by)
        self.orders = Orders(database, self.outbox, by)

    def handle(self, number: str, *, any_number: bool = False) -> bytes:
        """The handle of a local number. SetupError when no patient in the data has it, unless any
        number is good. Raises DataError."""
        wanted = number.strip()
        if not wanted or not (any_number or is_known(self.directory, wanted)):
            raise SetupError("no patient in the data has this number; check it.", "number_unknown")
        return self.directory.handles.handle(wanted)

    def check_study(self, study: str) -> None:
        """SetupError for a study that this hospital did not agree to."""
        if study not in self.directory.settings.studies:
            raise SetupError("this study is not agreed here; see site.toml.", "study_unknown")

    @contextmanager
    def act(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. SetupError when the database is busy or full."""
        try:
            with transaction(self.database):
                yield self.database
        except sqlite3.Error as error:
            raise SetupError(
                "site.sqlite cannot be written now; try again, or free disk space.", "busy"
            ) from error


@contextmanager
def opened(path: Path, by: str = "site", now: datetime | None = None) -> Iterator[Desk]:
    """The desk of the site in `path`. SetupError when the directory is not as it must be or `by`
    is no name."""
    name = check_name(by)
    directory = SiteDirectory.load(path, now)
    database = open_store(directory.database)
    try:
        yield Desk(directory, database, name)
    finally:
        database.close()
