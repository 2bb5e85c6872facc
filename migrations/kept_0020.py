"""The triggers that revision 0020 made. Never changed."""

# Tables that nobody may change, and the columns besides the id that name a row. Those of 0015 were
# kept by their id alone: SQLite's INSERT OR REPLACE with another id took the old row away.
KEYS_OF_0015 = {
    "participant_event": ("participant_id", "number"),
    "screening_count": ("study", "institution", "month", "version"),
    "arm_count": ("study", "institution", "arm", "version"),
    "accrual_plan": ("study", "number"),
}
KEPT = {"group_decision": ("group_id", "number")}

_SIGNED = ("id", "agreement_id", "institution", "signed_at", "signatory", "by")


def _differs(*columns: str) -> str:
    return " OR ".join(f'NEW."{column}" <> OLD."{column}"' for column in columns)


# What may change once: which change is refused, which row may not go, which names a row. The keys
# are in it because SQLite's UPDATE OR REPLACE takes the row away that stood on the new key.
ONCE = {
    "group_meeting": (
        f"OLD.frozen_at IS NOT NULL OR {_differs('id', 'group_id', 'held_on')}",
        "OLD.frozen_at IS NOT NULL",
        "group_id = NEW.group_id AND held_on = NEW.held_on",
    ),
    "agreement_signature": (
        f"OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL OR {_differs(*_SIGNED)}",
        "OLD.id IS NOT NULL",
        "agreement_id = NEW.agreement_id AND institution = NEW.institution"
        " AND (signed_at = NEW.signed_at OR (withdrawn_at IS NULL AND NEW.withdrawn_at IS NULL))",
    ),
}


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in columns)


def _stop(table: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"


def _no_replace(table: str, key: str | None) -> str:
    named = "id = NEW.id" if key is None else f"id = NEW.id OR ({key})"
    taken = f"SELECT 1 FROM {table} WHERE {named}"  # noqa: S608  names of our own schema
    return (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
        f" WHEN EXISTS ({taken}) {_stop(table)}"
    )


def _on_sqlite(table: str, change: str, going: str, key: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}{change} {_stop(table)}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}{going} {_stop(table)}",
        _no_replace(table, key),
    ]


def _on_postgresql(table: str, change: str, going: str) -> list[str]:
    stop = f"EXECUTE FUNCTION {table}_append_only()"
    return [
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW{change} {stop}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW{going} {stop}",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {stop}",
    ]


def triggers(dialect: str) -> list[str]:
    """What makes the database refuse to change what was decided, signed, frozen or counted."""
    made = []
    if dialect == "sqlite":
        for table, columns in KEYS_OF_0015.items():
            made += [
                f"DROP TRIGGER IF EXISTS {table}_no_replace",
                _no_replace(table, _same(columns)),
            ]
    for table, columns in KEPT.items():
        made += (
            _on_sqlite(table, "", "", _same(columns))
            if dialect == "sqlite"
            else _on_postgresql(table, "", "")
        )
    for table, (change, going, key) in ONCE.items():
        made += (
            _on_sqlite(table, f" WHEN {change}", f" WHEN {going}", key)
            if dialect == "sqlite"
            else _on_postgresql(table, f" WHEN ({change})", f" WHEN ({going})")
        )
    return made


def free_again(dialect: str) -> list[str]:
    """What takes `triggers` away and puts back what 0015 made."""
    tables = (*KEPT, *ONCE)
    if dialect == "sqlite":
        names = ("no_update", "no_delete", "no_replace")
        made = [f"DROP TRIGGER IF EXISTS {table}_{name}" for table in tables for name in names]
        for table in KEYS_OF_0015:
            made += [f"DROP TRIGGER IF EXISTS {table}_no_replace", _no_replace(table, None)]
        return made
    made = []
    for table in tables:
        made += [
            f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}"
            for name in ("no_update", "no_delete", "no_truncate")
        ]
        made.append(f"DROP FUNCTION IF EXISTS {table}_append_only()")
    return made
