"""`python -m federation.site.parquet_reader`: one Parquet file as lines of JSON.

Reads one line {"path", "columns", "rows"} on stdin. Writes the header as a list of names, then
blocks of at most `rows` rows, each a list of columns of texts or null, then "END". Whatever goes
wrong, it ends without "END" and says nothing: an error text may hold data.
"""

import json
import sys


def main() -> int:
    """Read and write as the module says; 0 when "END" was written."""
    asked = json.loads(sys.stdin.readline())
    import duckdb

    with duckdb.connect(config={"threads": 1}) as memory:
        table = memory.read_parquet(asked["path"])
        header = [str(name) for name in table.columns]
        _write(header)
        # Columns as objects, never as text of a statement.
        wanted = [
            duckdb.ColumnExpression(name).cast(duckdb.sqltypes.VARCHAR)
            for name in asked["columns"]
            if name in header
        ]
        if wanted:
            table.select(*wanted).create_view("wanted")
            texts = memory.execute("SELECT * FROM wanted")
            while rows := texts.fetchmany(asked["rows"]):
                _write(list(zip(*rows, strict=True)))
    _write("END")
    return 0


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        sys.exit(1)
