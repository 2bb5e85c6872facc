"""The triggers that revision 0027 made. Never changed."""

TABLE = "working_group_name"
_NAMES = ("no_update", "no_delete", "no_replace")


def triggers(dialect: str) -> list[str]:
    """What makes the database refuse to change how a group was called."""
    refuse = f"'{TABLE} is append-only'"
    if dialect == "sqlite":
        stop = f"BEGIN SELECT RAISE(ABORT, {refuse}); END"
        named = "id = NEW.id OR (group_id = NEW.group_id AND number = NEW.number)"
        taken = f"SELECT 1 FROM {TABLE} WHERE {named}"  # noqa: S608  names of our own schema
        return [
            f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} {stop}",
            f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} {stop}",
            f"CREATE TRIGGER {TABLE}_no_replace BEFORE INSERT ON {TABLE}"
            f" WHEN EXISTS ({taken}) {stop}",
        ]
    stop = f"EXECUTE FUNCTION {TABLE}_append_only()"
    return [
        f"CREATE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION {refuse}; END $$",
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW {stop}",
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT {stop}",
    ]


def free_again(dialect: str) -> list[str]:
    """What takes `triggers` away."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {TABLE}_{name}" for name in _NAMES]
    return [
        *(
            f"DROP TRIGGER IF EXISTS {TABLE}_{name} ON {TABLE}"
            for name in ("no_change", "no_truncate")
        ),
        f"DROP FUNCTION IF EXISTS {TABLE}_append_only()",
    ]
