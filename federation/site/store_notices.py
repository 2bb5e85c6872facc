"""The tables of site.sqlite about the hospital's own notice after each yes.

Handles only, as in the other tables about choices; nothing of what the yes was about but its study.
"""

# notice: one row per yes that was proved here, with the letter or passkey it rests on. mark: names
# the whole act and no other, so that a changed one is a new one. telling: by which it was told.
# telling: one message to one person. done_at: it was sent. failed_at: it was surely not sent, and
# is owed again. Neither: it was begun, and nobody knows; a person has to find out.
NOTICES = """
CREATE TABLE telling (
    id TEXT PRIMARY KEY,
    how TEXT NOT NULL,
    by_name TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    done_at INTEGER,
    failed_at INTEGER,
    sha256 TEXT NOT NULL,
    CHECK (done_at IS NULL OR failed_at IS NULL)
) STRICT;
CREATE TABLE notice (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    mark BLOB NOT NULL UNIQUE,
    handle BLOB NOT NULL,
    party TEXT NOT NULL,
    study TEXT NOT NULL,
    letter TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    telling TEXT REFERENCES telling,
    wrong_at INTEGER,
    wrong_by TEXT
) STRICT;
CREATE INDEX notice_owed ON notice (handle, party) WHERE telling IS NULL;
CREATE INDEX notice_by_telling ON notice (telling);
CREATE TRIGGER notice_no_other
    BEFORE UPDATE OF number, mark, handle, party, study, letter, said_at, seen_at ON notice
    BEGIN SELECT RAISE(ABORT, 'a notice stays what it was'); END;
CREATE TRIGGER notice_no_delete BEFORE DELETE ON notice
    BEGIN SELECT RAISE(ABORT, 'a notice is never forgotten'); END;
CREATE TRIGGER telling_no_delete BEFORE DELETE ON telling
    BEGIN SELECT RAISE(ABORT, 'what was sent is never forgotten'); END;
"""
