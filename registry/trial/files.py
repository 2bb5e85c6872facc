"""Local files for ``oncokring try``: one CSV or Parquet file per hospital, made tidy for a site."""

import csv
import datetime as dt
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federation.query.codebook import Codebook, Variable

MAX_SITES = 50
MAX_SLUG = 63
_KINDS = {".csv": "csv", ".parquet": "parquet"}
_MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "."})
_BOOLEANS: Mapping[str, str] = {
    **dict.fromkeys(("1", "1.0", "1,0", "true", "yes"), "true"),
    **dict.fromkeys(("0", "0.0", "0,0", "false", "no"), "false"),
}
#: What programs make of whole numbers in a column with gaps; Dutch ones write a comma.
_WHOLE = re.compile(r"(-?\d+)(?:\.0+|,0)")
_DECIMAL_COMMA = re.compile(r"(-?\d+),(\d+)")


class WrongUse(Exception):
    """What the user gave cannot be used; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class SiteFile:
    """One hospital's file; ``slug`` is the tidied stem of its name."""

    slug: str
    path: Path
    kind: str


@dataclass(frozen=True)
class TidyFile:
    """A file rewritten with codebook names and texts: which variables it has, how many rows, and
    whether the row number serves as the patient's key."""

    path: Path
    variables: tuple[str, ...]
    rows: int
    numbered: bool


def find_files(folder: Path) -> list[SiteFile]:
    """The CSV and Parquet files of ``folder``, by slug. Other files are left alone.

    WrongUse: no folder, no such file, more than 50, or two that give one slug.
    """
    if not folder.is_dir():
        raise WrongUse(
            f"There is no folder {folder}; --data names a folder with one file per site."
        )
    found: dict[str, SiteFile] = {}
    for path in sorted(folder.iterdir()):
        kind = _KINDS.get(path.suffix.lower())
        if kind is None or path.name.startswith(".") or not path.is_file():
            continue
        slug = site_slug(path.stem)
        if slug in found:
            raise WrongUse(
                f"{found[slug].path.name} and {path.name} would both be the site '{slug}'; "
                "rename one of them."
            )
        found[slug] = SiteFile(slug, path, kind)
    if not found:
        raise WrongUse(f"{folder} holds no .csv or .parquet file; put one file per site there.")
    if len(found) > MAX_SITES:
        raise WrongUse(
            f"{folder} holds {len(found)} files; at most {MAX_SITES} sites fit. Move some away."
        )
    return [found[slug] for slug in sorted(found)]


def site_slug(stem: str) -> str:
    """A file's stem as a site's slug: lower case letters, digits and single hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:MAX_SLUG].strip("-")
    if not slug:
        raise WrongUse(f"The file name {stem!r} holds no letter or digit to call a site by.")
    return slug


def tidy(file: SiteFile, codebook: Codebook, needed: Collection[str], target: Path) -> TidyFile:
    """Write the codebook's columns of ``file`` to the CSV ``target``, in the codebook's spelling.

    Booleans become true/false, category codes lose a trailing ".0" or ",0", numbers a decimal
    comma, absent values become empty. Whether a value is allowed is left to the site.
    WrongUse: unreadable, a needed column is missing, or a key that does not tell rows apart.
    """
    header, rows = _read(file)
    names = [name.strip() for name in header]
    doubles = {name for name in names if names.count(name) > 1 and name in codebook.variables}
    if doubles:
        raise WrongUse(f"{file.path.name} has two columns '{min(doubles)}'; remove one.")
    for name in sorted(needed):
        if name not in names:
            raise WrongUse(
                f"{file.path.name} has no column '{name}', which a query needs; add the column or "
                "name another one with --mapping."
            )
    wanted = [name for name in codebook.variables if name in names]
    places = [(names.index(name), codebook.variables[name]) for name in wanted]
    key = names.index(codebook.key) if codebook.key in names else None
    seen: set[str] = set()
    count = 0
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([codebook.key, *wanted])
        for count, row in enumerate(rows, start=1):
            if len(row) != len(names):
                raise WrongUse(
                    f"{file.path.name}, row {count}: {len(row)} values under {len(names)} columns; "
                    "quote values that hold the separator."
                )
            own = str(count) if key is None else _key_text(row[key], file, codebook.key, count)
            if own in seen:
                raise WrongUse(
                    f"{file.path.name}: two rows have the same {codebook.key}; one row per "
                    f"{codebook.unit} is needed."
                )
            seen.add(own)
            writer.writerow([own, *(text(row[i], variable) for i, variable in places)])
    return TidyFile(target, tuple(wanted), count, key is None)


def text(value: Any, variable: Variable) -> str:
    """One value of a file in the codebook's spelling; "" for what is absent."""
    plain = _plain(value)
    codes = {level.code for level in variable.levels}
    if isinstance(value, bool) and variable.type == "category":
        # Programs that write Parquet take a column of yes and no for truth values.
        words = ("true", "yes", "1") if value else ("false", "no", "0")
        return next((word for word in words if word in codes), plain)
    if plain in codes:
        return plain
    if plain.lower() in _MISSING:
        return ""
    if variable.type == "boolean":
        return _BOOLEANS.get(plain.lower(), plain)
    if variable.type == "category":
        whole = _WHOLE.fullmatch(plain)
        return whole.group(1) if whole else plain
    if variable.type == "date":
        return plain[:10]
    if comma := _DECIMAL_COMMA.fullmatch(plain):
        plain = f"{comma.group(1)}.{comma.group(2)}"
    whole = _WHOLE.fullmatch(plain)
    return whole.group(1) if whole else plain


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return str(value).strip()


def _key_text(value: Any, file: SiteFile, name: str, row: int) -> str:
    plain = _plain(value)
    if not plain:
        raise WrongUse(f"{file.path.name}, row {row}: {name} is empty; every row needs its own.")
    whole = _WHOLE.fullmatch(plain)
    return whole.group(1) if whole else plain


def read_columns(file: SiteFile, delimiter: str | None, encoding: str) -> list[str]:
    """The names of a file's columns; ``delimiter`` and ``encoding`` are those of a CSV file."""
    if file.kind == "parquet":
        return [name.strip() for name in _read_parquet(file)[0]]
    lines = _csv_rows(file, io.StringIO(_first_line(file, encoding)), delimiter or ",")
    return [name.strip() for name in next(lines, [])]


def separator_of(file: SiteFile) -> str:
    """The separator of a CSV file, from its first line."""
    return _separator(_first_line(file, "latin-1"))


def _first_line(file: SiteFile, encoding: str) -> str:
    try:
        with file.path.open(encoding=encoding, errors="replace") as lines:
            return lines.readline()
    except OSError as error:
        raise WrongUse(f"{file.path.name} cannot be read; check that you may read it.") from error


def _read(file: SiteFile) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    return _read_csv(file) if file.kind == "csv" else _read_parquet(file)


def _read_csv(file: SiteFile) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    try:
        content = file.path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongUse(f"{file.path.name} is not UTF-8 text; save it as CSV in UTF-8.") from error
    except OSError as error:
        raise WrongUse(f"{file.path.name} cannot be read; check that you may read it.") from error
    lines = _csv_rows(file, io.StringIO(content, newline=""), _separator(content))
    header = next(lines, None)
    if header is None:
        raise WrongUse(f"{file.path.name} is empty; its first line must name the columns.")
    return header, lines


def _csv_rows(file: SiteFile, stream: io.StringIO, separator: str) -> Iterator[Sequence[Any]]:
    try:
        for row in csv.reader(stream, delimiter=separator):
            if row:
                yield row
    except csv.Error as error:
        raise WrongUse(
            f"{file.path.name} is not a CSV file that can be read; save it anew."
        ) from error


def _separator(content: str) -> str:
    """The one of comma, semicolon and tab that stands most often in the first line."""
    first = content.partition("\n")[0]
    return max(",;\t", key=first.count)


def _read_parquet(file: SiteFile) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    try:
        import duckdb
    except ImportError as error:
        raise WrongUse(
            f"{file.path.name}: reading Parquet needs the site extra; run: "
            "pip install 'oncokring[site]'"
        ) from error
    try:
        with duckdb.connect(":memory:") as connection:
            result = connection.execute("SELECT * FROM read_parquet(?)", [str(file.path)])
            names = [str(column[0]) for column in result.description or ()]
            return names, iter(result.fetchall())
    except duckdb.Error as error:
        raise WrongUse(f"{file.path.name} is not a Parquet file that can be read.") from error
