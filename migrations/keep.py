"""What a way back must not do: delete consent or audit."""

from sqlalchemy import Connection, text

from migrations.run import MigrationRefused


def check_empty(connection: Connection, table: str) -> None:
    """Raise MigrationRefused when ``table`` (a name that a revision wrote out) has rows."""
    found = connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1"))  # noqa: S608
    if found.first() is not None:
        raise MigrationRefused(
            f"This step back would delete {table}, which must be kept. "
            "Restore a back-up into a new database instead."
        )
