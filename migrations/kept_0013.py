"""The triggers that revision 0013 made. Never changed."""

# The tables that nobody may change, and the columns besides the id that name a row.
KEPT = {
    "participation_step": "participation_id = NEW.participation_id AND number = NEW.number",
    "site_milestone": "participation_id = NEW.participation_id AND number = NEW.number",
    "committee_decision": "study = NEW.study AND number = NEW.number",
    "study_event": "study = NEW.study AND number = NEW.number",
    "signature": "about = NEW.about AND sha256 = NEW.sha256 AND institution = NEW.institution"
    " AND signed_by = NEW.signed_by",
}


def triggers(dialect: str) -> list[str]:
    """What makes the database refuse to change history."""
    made = []
    for table, key in KEPT.items():
        refuse = f"'{table} is append-only'"
        if dialect == "sqlite":
            stop = f"BEGIN SELECT RAISE(ABORT, {refuse}); END"
            taken = f"SELECT 1 FROM {table} WHERE id = NEW.id OR ({key})"  # noqa: S608
            made += [
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {stop}",
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {stop}",
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
                f" WHEN EXISTS ({taken}) {stop}",
            ]
        else:
            made += [
                f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION {refuse}; END $$",
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
            ]
    return made


def free_again(dialect: str) -> list[str]:
    """What takes `triggers` away."""
    names = ("no_update", "no_delete", "no_replace")
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {table}_{name}" for table in KEPT for name in names]
    made = []
    for table in KEPT:
        made += [
            f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}"
            for name in ("no_change", "no_truncate")
        ]
        made.append(f"DROP FUNCTION IF EXISTS {table}_append_only()")
    return made
