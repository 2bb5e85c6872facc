"""What is wrong with a hospital's data, in sentences for the person who can repair it."""

from federation.query.errors import shown
from federation.site.errors import DataError, one_line

# What a data manager is told; the codes alone are all that any other program sees.
SENTENCES = {
    "SOURCE_MISSING": "The data file is not there; check source.path in site.toml.",
    "SOURCE_FOLDER": "source.path in site.toml is a folder; name one file in it, or several with"
    " source.files.",
    "SOURCE_FORBIDDEN": "The account that runs the site may not read the data; give it the right to"
    " read the file, or in a database the table and its schema.",
    "SOURCE_WORKBOOK": "The file is a workbook of a spreadsheet program; save the sheet as CSV.",
    "SOURCE_EMPTY": "The data file is empty.",
    "SOURCE_UNREADABLE": "The data cannot be read; is the file locked, damaged or of another kind?",
    "SOURCE_ENCODING": "The file is not in the encoding that site.toml says; try"
    " source.encoding = 'cp1252'.",
    "SOURCE_ADDRESS": "The address of the database is not there: the file of source.dsn_file or the"
    " environment variable of source.dsn_env is missing, empty or cannot be read.",
    "SOURCE_ADDRESS_OPEN": "Others may read the file of source.dsn_file, which holds a password;"
    " make its mode 0600.",
    "SOURCE_LOGIN": "The database cannot be reached; check the host, port and database in the"
    " address, the account and its password.",
    "SOURCE_STATEMENT": "The database refuses the statement in source.query: it names what is not"
    " there, is not valid SQL, or would write. Try it with psql in a read-only transaction.",
    "SOURCE_TOO_SLOW": "Reading the data takes longer than source.timeout_seconds, or longer than"
    " the database allows; narrow the source or raise the limit.",
    "SOURCE_TOO_LARGE": "The data have more rows than source.max_rows; narrow the source or raise"
    " the limit.",
    "DRIVER_MISSING": "The PostgreSQL driver is not installed; install requirements/site.txt.",
    "TABLES_UNJOINED": "Several tables need source.join, or a mapping that names each table.",
    "SOURCE_CHANGED": "The data changed while they were read; check again.",
    "CSV_RAGGED": "Record {detail} has more or fewer fields than the header; check quotes and"
    " source.delimiter.",
    "CSV_BROKEN": "The file is not valid CSV; reading stopped at line {detail}. Check quotes and"
    " source.delimiter.",
    "CSV_DELIMITER": "The columns of the file are separated by another mark ({detail}) than"
    " source.delimiter says; correct it in site.toml.",
    "COLUMN_MISSING": "The data have no column '{detail}', which the mapping names.",
    "COLUMN_TWICE": "The column '{detail}' is there twice; rename one of them.",
    "TABLE_MISSING": "The database has no table or view '{detail}'; check source.tables and, of"
    " PostgreSQL, source.schema.",
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
    said = text.format(detail=shown(error.detail))
    if error.near:
        said += f" There is '{shown(error.near)}': capitals, spaces and letters count."
    return one_line(said)
