"""The table of site.sqlite that is about this hospital's own answers (ADR 0043).

A run carries from its first step on whether each hospital answers it alone: its sets are never
those of a pooled answer, also while it is on its way. own_set says what becomes of its sets:

- shown: its number stands in the hospital's own answer
- group: a group of the pooled model, of which no answer shows a number
- silent: the hospital gave no answer of its own while the others gave theirs

released_mark.whole: the mark is of a set of the patients of all hospitals, also of one that gave no
answer.
"""

OWN_SETS = """
ALTER TABLE run ADD COLUMN by_site INTEGER NOT NULL DEFAULT 0 CHECK (by_site IN (0, 1));
UPDATE run SET by_site = 1
    WHERE step_name = 'own' OR step_name LIKE '%.own' OR run IN (
        SELECT run_asked.run FROM run_asked JOIN question USING (query_sha256)
        WHERE json_extract(question.query, '$.output') = 'by_site'
    );
ALTER TABLE released_mark ADD COLUMN whole INTEGER NOT NULL DEFAULT 0 CHECK (whole IN (0, 1));
DROP INDEX run_by_step_name;
CREATE INDEX run_alone ON run (run) WHERE by_site = 1;
CREATE TABLE own_set (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('shown', 'group', 'silent')),
    bits BLOB NOT NULL
) STRICT;
CREATE INDEX own_set_by_run ON own_set (run);
CREATE TRIGGER own_set_no_update BEFORE UPDATE ON own_set
    BEGIN SELECT RAISE(ABORT, 'the ledger is never changed'); END;
CREATE TRIGGER own_set_no_delete BEFORE DELETE ON own_set
    BEGIN SELECT RAISE(ABORT, 'the ledger is never shortened'); END;
"""
