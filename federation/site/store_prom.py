"""The tables of site.sqlite that are about questionnaires: version 11 of the schema (ADR 0041).

Unlike the tables of choices they hold the local number of a patient: their rows have to meet the
hospital's data. They never leave; what the hub hears is which questionnaires are asked.
"""

# prom_ask: what this hospital asks of its patients, from when until when (ISO days).
# prom_answer: what patients answered, with the item answers as JSON; one per ask.
# prom_seen: every sealed questionnaire that came, and what became of it: a repeat changes nothing.
# prom_own_told: up to which answers a patient has the own scores, sealed with which letter.
# own_answers: what a mapping reads with `from: own_answers`. A row appears when its window is over,
# or when it was answered, from the next day on: two questions of one day see the same rows.
# The items of QLQ-C30 and EQ-5D-5L as they were when this version was made; a test compares.
_ITEMS = (*(f"q{number}" for number in range(1, 31)), "mo", "sc", "ua", "pd", "ad", "vas")

VERSION_11 = (
    """
CREATE TABLE prom_ask (
    handle BLOB NOT NULL,
    number TEXT NOT NULL,
    instrument TEXT NOT NULL,
    timepoint TEXT NOT NULL,
    opens TEXT NOT NULL,
    closes TEXT NOT NULL,
    at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (handle, instrument, timepoint)
) STRICT;
CREATE TABLE prom_answer (
    id TEXT PRIMARY KEY,
    handle BLOB NOT NULL,
    instrument TEXT NOT NULL,
    version TEXT NOT NULL,
    timepoint TEXT NOT NULL,
    day TEXT NOT NULL,
    language TEXT NOT NULL,
    answers TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    UNIQUE (handle, instrument, timepoint)
) STRICT;
CREATE TABLE prom_seen (
    id TEXT PRIMARY KEY,
    code TEXT,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE prom_own_told (
    handle BLOB PRIMARY KEY,
    letter TEXT NOT NULL,
    upto INTEGER NOT NULL
) STRICT;
CREATE VIEW own_answers AS
    SELECT
        hex(ask.handle) || '-' || ask.instrument || '-' || ask.timepoint AS id,
        ask.number AS patient,
        ask.instrument AS instrument,
        coalesce(given.version, '') AS version,
        ask.timepoint AS timepoint,
        coalesce(given.day, ask.opens) AS date,
        'true' AS due,
        CASE WHEN given.id IS NULL THEN 'false' ELSE 'true' END AS completed,
"""
    + ",\n".join(f"coalesce(json_extract(given.answers, '$.{i}'), '') AS {i}" for i in _ITEMS)
    + """
    FROM prom_ask AS ask
    LEFT JOIN prom_answer AS given ON given.handle = ask.handle
        AND given.instrument = ask.instrument AND given.timepoint = ask.timepoint
        AND date(given.taken_at / 1000, 'unixepoch') < date('now')
    WHERE given.id IS NOT NULL OR (ask.ended_at IS NULL AND ask.closes < date('now'));
"""
)
COLUMNS = ("id", "patient", "instrument", "version", "timepoint", "date", "due", "completed")
OWN_COLUMNS = (*COLUMNS, *_ITEMS)
"""The columns of the view own_answers."""
