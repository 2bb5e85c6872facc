"""The tables of site.sqlite that are about patients' choices: version 7 of the schema.

Handles only, no local number and no name of a patient. What is signed here (a letter's key, a form
on paper, whose yes is needed) is this hospital's own truth: the hub cannot change it.
"""

# letter: proof_key proves a yes made with this letter; its secret is kept nowhere. ended_at: a
# newer letter to the same person took its place.
# denial: the newest "no" ever seen here, from hub or paper; "*" stands for every study or item. It
# only moves forward and never goes away. It stays when consent lists are taken back.
# fact, party: what this hospital knows of who may speak for a patient, and whose yes that makes
# needed from when until when (milliseconds); the newest row of a party counts.
# paper_act: a signed form that was entered here. yes counts when a second person confirmed it.
# outbox: numbered, signed messages to the hub, kept as they were sent. taken_at: the hub has it.
# refused: the code with which the hub turned it down.
# destroy_order: what patients asked to destroy, and what came of it here.
# use_told: which questions the patients' pages were told of, once each.
# unproven: how many patients' yes did not verify with the consent list in use.
VERSION_7 = """
CREATE TABLE letter (
    code_id TEXT PRIMARY KEY,
    handle BLOB NOT NULL,
    party TEXT NOT NULL,
    role TEXT NOT NULL,
    proof_key BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX letter_by_handle ON letter (handle, party);
CREATE TABLE denial (
    handle BLOB NOT NULL,
    study TEXT NOT NULL,
    item TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (handle, study, item)
) STRICT;
CREATE TRIGGER denial_only_later BEFORE UPDATE ON denial
    WHEN NEW.at < OLD.at OR NEW.handle != OLD.handle OR NEW.study != OLD.study
        OR NEW.item != OLD.item
    BEGIN SELECT RAISE(ABORT, 'a no only moves forward'); END;
CREATE TRIGGER denial_no_delete BEFORE DELETE ON denial
    BEGIN SELECT RAISE(ABORT, 'a no is never forgotten'); END;
CREATE TABLE fact (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    handle BLOB NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    by_name TEXT NOT NULL,
    effective_at INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX fact_by_handle ON fact (handle, number);
CREATE TABLE party (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    handle BLOB NOT NULL,
    party TEXT NOT NULL,
    role TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX party_by_handle ON party (handle, number);
CREATE TABLE paper_act (
    form TEXT PRIMARY KEY,
    act TEXT NOT NULL UNIQUE,
    handle BLOB NOT NULL,
    party TEXT NOT NULL,
    study TEXT NOT NULL,
    text_version TEXT NOT NULL,
    language TEXT NOT NULL,
    yes TEXT NOT NULL,
    no TEXT NOT NULL,
    later TEXT NOT NULL,
    signed_at INTEGER NOT NULL,
    scan_sha256 TEXT NOT NULL,
    entered_by TEXT NOT NULL,
    entered_at INTEGER NOT NULL,
    confirmed_by TEXT,
    confirmed_at INTEGER,
    ended_at INTEGER,
    ended_by TEXT,
    ended_why TEXT,
    CHECK (confirmed_by IS NULL OR confirmed_by != entered_by)
) STRICT;
CREATE INDEX paper_act_by_handle ON paper_act (handle);
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    claims TEXT NOT NULL,
    body BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    sent_at INTEGER,
    taken_at INTEGER,
    refused TEXT
) STRICT;
CREATE INDEX outbox_waiting ON outbox (seq) WHERE taken_at IS NULL;
CREATE TABLE destroy_order (
    id TEXT PRIMARY KEY,
    handle BLOB NOT NULL,
    study TEXT NOT NULL,
    what TEXT NOT NULL,
    grace_until INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    cancelled_at INTEGER,
    outcome TEXT,
    reason TEXT,
    by_name TEXT,
    done_at INTEGER
) STRICT;
CREATE TABLE use_told (
    query_id TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE unproven (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    patients INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
"""
# log_seen: the head of the hub's log of choices that was shown last; the next must continue it.
VERSION_8 = """
CREATE TABLE log_seen (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
"""
# nothing_new: every "no" to new data (item collect.new); the first that was not answered by a later
# yes ends the time of which the data count. own: the patient said it in person.
# own_denial: of the "no"s above those that the patient said in person, whoever else may speak.
VERSION_9 = """
CREATE TABLE nothing_new (
    handle BLOB NOT NULL,
    study TEXT NOT NULL,
    at INTEGER NOT NULL,
    own INTEGER NOT NULL CHECK (own IN (0, 1)),
    PRIMARY KEY (handle, study, at, own)
) STRICT;
INSERT INTO nothing_new
    SELECT handle, study, at, 0 FROM denial WHERE item = 'collect.new';
CREATE TRIGGER nothing_new_no_update BEFORE UPDATE ON nothing_new
    BEGIN SELECT RAISE(ABORT, 'a no is never changed'); END;
CREATE TRIGGER nothing_new_no_delete BEFORE DELETE ON nothing_new
    BEGIN SELECT RAISE(ABORT, 'a no is never forgotten'); END;
CREATE TABLE own_denial (
    handle BLOB NOT NULL,
    study TEXT NOT NULL,
    item TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (handle, study, item)
) STRICT;
INSERT INTO own_denial
    SELECT handle, study, item, at FROM denial WHERE handle NOT IN (SELECT handle FROM party);
CREATE TRIGGER own_denial_only_later BEFORE UPDATE ON own_denial
    WHEN NEW.at < OLD.at OR NEW.handle != OLD.handle OR NEW.study != OLD.study
        OR NEW.item != OLD.item
    BEGIN SELECT RAISE(ABORT, 'a no only moves forward'); END;
CREATE TRIGGER own_denial_no_delete BEFORE DELETE ON own_denial
    BEGIN SELECT RAISE(ABORT, 'a no is never forgotten'); END;
"""
# proved: a bit per act of the list, whether a letter or passkey proves it; worked out once, because
# what a letter proves stays true: so a letter never changes but that it ends, and never goes away.
# A list of before was written in another form, which nobody reads any more: without one nobody is
# counted until the next comes, minutes later. Every "no" and the head of the log that it told of
# are kept apart.
VERSION_10 = """
DELETE FROM snapshot;
ALTER TABLE snapshot ADD COLUMN proved BLOB;
CREATE TRIGGER letter_no_other BEFORE UPDATE OF code_id, handle, party, proof_key ON letter
    BEGIN SELECT RAISE(ABORT, 'a letter stays what it was'); END;
CREATE TRIGGER letter_no_delete BEFORE DELETE ON letter
    BEGIN SELECT RAISE(ABORT, 'a letter is never forgotten'); END;
"""
