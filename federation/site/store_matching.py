"""The table of site.sqlite that is about private matching: version 12 of the schema (ADR 0039)."""

# match_run: secret makes this hospital's secret numbers of the run; it is gone once step 2 is
# answered. digest: keyed with it, whom this hospital put in, to see that nobody stopped since.
VERSION_12 = """
CREATE TABLE match_run (
    run TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    run_sha256 TEXT NOT NULL,
    step INTEGER NOT NULL,
    secret BLOB,
    digest BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    CHECK ((secret IS NULL) = (step >= 2)),
    CHECK ((finished_at IS NULL) = (step < 3))
) STRICT;
CREATE INDEX match_run_by_study ON match_run (study, started_at);
"""
