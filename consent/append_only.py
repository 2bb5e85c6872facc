"""SQL that makes the database itself refuse to change or delete a choice or a leaf of the log.

The migration runs UP after it made the tables, and DOWN before it drops them. A write that would
change history fails with a message that names the table and "append-only".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TABLES: Final[tuple[str, ...]] = ("consent_event", "log_leaf")

# SQLite's INSERT OR REPLACE deletes the old row without firing delete triggers, so an insert on a
# taken key is refused as well.
_TAKEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "consent_event": "SELECT 1 FROM consent_event "
        "WHERE id = NEW.id OR (network = NEW.network AND leaf = NEW.leaf)",
        "log_leaf": "SELECT 1 FROM log_leaf WHERE network = NEW.network AND number = NEW.number",
    }
)


def _sqlite_up(table: str) -> tuple[str, ...]:
    stop = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {stop}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {stop}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS ({_TAKEN[table]}) {stop}",
    )


def _sqlite_down(table: str) -> tuple[str, ...]:
    return tuple(
        f"DROP TRIGGER IF EXISTS {table}_{name}"
        for name in ("no_update", "no_delete", "no_replace")
    )


def _postgresql_up(table: str) -> tuple[str, ...]:
    return (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
    )


def _postgresql_down(table: str) -> tuple[str, ...]:
    return (
        f"DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}",
        f"DROP TRIGGER IF EXISTS {table}_no_change ON {table}",
        f"DROP FUNCTION IF EXISTS {table}_append_only()",
    )


UP: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sqlite": tuple(line for table in TABLES for line in _sqlite_up(table)),
        "postgresql": tuple(line for table in TABLES for line in _postgresql_up(table)),
    }
)
DOWN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sqlite": tuple(line for table in reversed(TABLES) for line in _sqlite_down(table)),
        "postgresql": tuple(line for table in reversed(TABLES) for line in _postgresql_down(table)),
    }
)
