"""A Parquet file, or tables of a DuckDB file, read with DuckDB in a short-lived process.

DuckDB in this process would keep some 45 MB for good; ten sites on one machine would pay it ten
times. A process of its own can also be ended when it takes too long. The reader (`duckdb_reader`)
sends every value as text.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import BLOCK_ROWS, Block, file_version, places
from federation.site.errors import DataError

READER = ["-P", "-m", "federation.site.data.duckdb_reader"]
_FROM_READER = frozenset({"TABLE_MISSING", "COLUMN_MISSING", "COLUMN_TWICE", "TABLES_UNJOINED"})


class DuckdbSource:
    """One Parquet file, or one table or several joined of a DuckDB file."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        path = self._options.path
        log = path.with_name(path.name + ".wal")
        return file_version(path) + ("/" + file_version(log) if log.exists() else "")

    def header(self) -> list[str]:
        return [str(name) for name in next(self._lines([]))]

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        lines = self._lines(columns)
        header = [str(name) for name in next(lines)]
        if self._options.kind == "parquet":
            places(header, columns)
        yield from lines

    def _asked(self, columns: Sequence[str]) -> dict[str, Any]:
        options = self._options
        return {
            "kind": options.kind,
            "path": str(options.path.resolve()),
            "tables": list(options.tables),
            "joins": [list(pair) for pair in options.joins],
            "columns": list(columns),
            "rows": BLOCK_ROWS,
        }

    def _lines(self, columns: Sequence[str]) -> Iterator[Block]:
        """First the header, then blocks. Without columns the header only."""
        file_version(self._options.path)
        process = subprocess.Popen(  # noqa: S603  a fixed program, no shell
            [sys.executable, *READER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_reader_environment(),
        )
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        late = threading.Event()
        clock = threading.Timer(self._options.seconds, _end, (process, late))
        clock.daemon = True
        clock.start()
        try:
            process.stdin.write(json.dumps(self._asked(columns)).encode() + b"\n")
            process.stdin.close()
            complete = False
            for line in process.stdout:
                value = json.loads(line)
                if isinstance(value, dict):
                    raise _said(value)
                complete = value == "END"
                if not complete:
                    yield value
            if not complete:
                raise DataError("SOURCE_TOO_SLOW" if late.is_set() else "SOURCE_UNREADABLE")
        except (OSError, ValueError):
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            clock.cancel()
            process.kill()
            process.stdout.close()
            process.wait()


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _said(value: dict[str, Any]) -> DataError:
    """What the reader found wrong with the mapping's names."""
    code = str(value.get("code"))
    if code not in _FROM_READER:
        return DataError("SOURCE_UNREADABLE")
    return DataError(code, str(value.get("detail", "")), str(value.get("near", "")))


def _reader_environment() -> dict[str, str]:
    """No more than Python needs to find our own packages."""
    code = str(Path(__file__).resolve().parents[3])
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": code}
