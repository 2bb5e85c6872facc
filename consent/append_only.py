"""SQL that makes the database itself refuse to change or delete a choice or a leaf of the log.

The migrations run these lines after they made the tables. A write that would change history fails
with a message that names the table and "append-only". The content of a leaf may go when its time of
keeping has ended, and only after `consent_erasure` names it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Per table the columns that name a row. SQLite's INSERT OR REPLACE deletes the old row without
# firing delete triggers, so an insert on a taken key is refused as well.
_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "consent_event": (("id",), ("network", "leaf")),
        "log_leaf": (("network", "number"),),
        "consent_mark": (("id",), ("network", "leaf")),
        "consent_text_end": (("text_version", "item"),),
        "consent_party": (("id",),),
        "consent_fact": (("id",),),
        "consent_fact_correction": (("fact_id",),),
        "consent_site_message": (("site", "seq"),),
        "consent_tree_head": (("network", "size", "at"),),
        "consent_witness": (("site", "seq"),),
        "consent_erasure": (("network", "leaf"),),
    }
)
TABLES: Final[tuple[str, ...]] = tuple(_KEYS)
ERASABLE: Final[frozenset[str]] = frozenset({"consent_event", "consent_mark"})


def _taken(table: str) -> str:
    keys = [" AND ".join(f"{name} = NEW.{name}" for name in key) for key in _KEYS[table]]
    either = " OR ".join(f"({key})" if " AND " in key and len(keys) > 1 else key for key in keys)
    # Names of our own schema only: nothing from outside comes near this text.
    return f"SELECT 1 FROM {table} WHERE {either}"  # noqa: S608


_ERASED: Final = (
    "EXISTS (SELECT 1 FROM consent_erasure WHERE network = OLD.network AND leaf = OLD.leaf)"
)


def sqlite_up(table: str) -> tuple[str, ...]:
    """The triggers of one table on SQLite."""
    stop = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    kept = f" WHEN NOT {_ERASED}" if table in ERASABLE else ""
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {stop}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}{kept} {stop}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS ({_taken(table)}) {stop}",
    )


def sqlite_down(table: str) -> tuple[str, ...]:
    """What takes `sqlite_up` away."""
    return tuple(
        f"DROP TRIGGER IF EXISTS {table}_{name}"
        for name in ("no_update", "no_delete", "no_replace")
    )


def postgresql_up(table: str) -> tuple[str, ...]:
    """The triggers of one table on PostgreSQL."""
    let_go = f"IF TG_OP = 'DELETE' AND {_ERASED} THEN RETURN OLD; END IF; "
    # A statement trigger has no OLD row, so TRUNCATE has a function of its own.
    return (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {let_go if table in ERASABLE else ''}"
        f"RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE FUNCTION {table}_kept_whole() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept_whole()",
    )


def postgresql_down(table: str) -> tuple[str, ...]:
    """What takes `postgresql_up` away."""
    return (
        f"DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}",
        f"DROP TRIGGER IF EXISTS {table}_no_change ON {table}",
        f"DROP FUNCTION IF EXISTS {table}_append_only()",
        f"DROP FUNCTION IF EXISTS {table}_kept_whole()",
    )


UP: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sqlite": tuple(line for table in TABLES for line in sqlite_up(table)),
        "postgresql": tuple(line for table in TABLES for line in postgresql_up(table)),
    }
)
DOWN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sqlite": tuple(line for table in reversed(TABLES) for line in sqlite_down(table)),
        "postgresql": tuple(line for table in reversed(TABLES) for line in postgresql_down(table)),
    }
)
