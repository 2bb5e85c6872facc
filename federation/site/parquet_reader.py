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
        table = memory.execute("SELECT * FROM read_parquet(?) LIMIT 0", [asked["path"]])
        header = [str(column[0]) for column in table.description]
        _write(header)
        if asked["columns"]:
            # Only names that the file has, quoted: a mapping cannot smuggle in an expression.
            wanted = ", ".join(
                'CAST("' + name.replace('"', '""') + '" AS VARCHAR)'
                for name in asked["columns"]
                if name in header
            )
            statement = f"SELECT {wanted} FROM read_parquet(?)"  # noqa: S608
            table = memory.execute(statement, [asked["path"]])
            while rows := table.fetchmany(asked["rows"]):
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
