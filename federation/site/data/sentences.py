"""What is wrong with a hospital's data, in sentences for the person who can repair it."""

from federation.query.errors import shown
from federation.site.errors import DataError, one_line

# What a data manager is told; the codes alone are all that any other program sees.
SENTENCES = {
    "SOURCE_MISSING": "The data file is not there; check source.path in site.toml.",
    "SOURCE_EMPTY": "The data file is empty.",
    "SOURCE_UNREADABLE": "The data cannot be read; is the file locked, damaged or of another kind?",
    "SOURCE_ENCODING": "The file is not in the encoding that site.toml says; try source.encoding.",
    "SOURCE_LOGIN": "The database cannot be reached; check the address in source.dsn_file (mode"
    " 0600) or source.dsn_env, the account and its password.",
    "SOURCE_TOO_SLOW": "Reading the data takes longer than source.timeout_seconds, or longer than"
    " the database allows; narrow the source or raise the limit.",
    "SOURCE_TOO_LARGE": "The data have more rows than source.max_rows; narrow the source or raise"
    " the limit.",
    "DRIVER_MISSING": "The PostgreSQL driver is not installed; install requirements/site.txt.",
    "TABLES_UNJOINED": "Several tables need source.join, or a mapping that names each table.",
    "SOURCE_CHANGED": "The data changed while they were read; check again.",
    "CSV_RAGGED": "A line has more or fewer fields than the header; check source.delimiter.",
    "CSV_BROKEN": "The file is not valid CSV; check quotes and source.delimiter.",
    "COLUMN_MISSING": "The data have no column '{detail}', which the mapping names.",
    "COLUMN_TWICE": "The column '{detail}' is there twice.",
    "TABLE_MISSING": "The database has no table '{detail}'.",
    "MAPPING_UNIT": "The mapping of '{detail}' is about rows of another unit; write the mapping"
    " with tables (version 2).",
    "UNIT_NOT_MAPPED": "The mapping has no table for rows that are a {detail}; add one.",
    "MAPPING_UNKNOWN_VARIABLE": "The mapping names '{detail}', which the codebook does not have.",
    "MAPPING_FORM": "The mapping of '{detail}' has a form that its type cannot have.",
    "MAPPING_LEVEL": "The mapping of '{detail}' leads to a value that is not a level.",
}


def sentence(error: DataError) -> str:
    """What is wrong and what to look at."""
    text = SENTENCES.get(error.code, f"The data cannot be used ({error.code}).")
    return one_line(text.format(detail=shown(error.detail)))
