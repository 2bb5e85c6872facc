"""[source] of site.toml and source: of a mapping: wrong ones are told in a sentence."""

from __future__ import annotations

import pytest

from federation.site.data.mapping import read_mapping
from federation.site.data.source_options import read_options
from federation.site.errors import SetupError

MAPPING = b"codebook: t/1\nkey: pid\nvariables: {age: {column: age}}\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "postgresql", "tables": ["t"]}, "dsn_env"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_env": "A", "dsn_file": "b"}, "not both"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_env": "postgresql://u:p@h/d"}, "name of an"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_file": 1}, "dsn_file"),
        ({"kind": "postgresql", "dsn_env": "A"}, "tables"),
        ({"kind": "postgresql", "dsn_env": "A", "tables": ["t"], "query": "SELECT 1"}, "both"),
        ({"kind": "postgresql", "dsn_env": "A", "query": "SELECT 1; DROP TABLE t"}, "without"),
        ({"kind": "postgresql", "dsn_env": "A", "query": "DELETE FROM t"}, "one SELECT"),
        ({"kind": "postgresql", "dsn_env": "A", "query": ""}, "one SELECT"),
        ({"kind": "postgresql", "dsn_env": "A", "tables": ["t"], "schema": 1}, "schema"),
        ({"kind": "csv", "path": "a", "files": {"b": "c"}}, "both path and files"),
        ({"kind": "csv", "files": {}}, "1 to 20 files"),
        ({"kind": "csv", "files": {"a": 1}}, "1 to 20 files"),
        ({"kind": "csv", "path": "a", "timeout_seconds": 0}, "between 1"),
        ({"kind": "csv", "path": "a", "timeout_seconds": "x"}, "must be a number"),
        ({"kind": "csv", "path": "a", "max_rows": True}, "must be a number"),
        ({"kind": "csv", "path": "a", "max_rows": 1e9}, "between 1"),
        ({"kind": "csv", "path": "a", "encoding": "zip"}, "encoding"),
        ({"kind": "csv", "path": "a\x00b"}, "path"),
        ({"kind": "sqlite", "path": "a", "tables": [f"t{n}" for n in range(21)]}, "tables"),
        ({"kind": "sqlite", "path": "a", "tables": ["t"], "join": {"left": "t.a"}}, "join"),
        ({"path": "a"}, "kind"),
    ],
)
def test_a_wrong_source_is_told_in_a_sentence(tmp_path, more, said):
    with pytest.raises(SetupError, match=said) as caught:
        read_mapping(MAPPING, more, tmp_path, "m")
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["path: other.csv", "kind: sqlite", "query: SELECT 1", "dsn_env: A", "max_rows: 5"]
)
def test_a_mapping_names_no_file_host_or_statement(tmp_path, line):
    with pytest.raises(SetupError, match=r"site\.toml"):
        read_mapping(MAPPING + f"source: {{{line}}}\n".encode(), {}, tmp_path, "m")


@pytest.mark.parametrize(
    "site",
    [
        {"kind": "parquet", "path": "nkr.parquet"},
        {"kind": "sqlite", "path": "nkr.sqlite", "tables": ["nkr"]},
        {"kind": "duckdb", "path": "nkr.duckdb", "tables": ["nkr"]},
        {"kind": "postgresql", "dsn_env": "ONCO_DSN", "tables": ["nkr"]},
    ],
)
def test_a_mapping_written_over_a_csv_file_serves_other_sources_too(tmp_path, site):
    """The shipped mapping of the NKR says ';' for its CSV file; a database has no delimiter."""
    found = read_options(site, {"delimiter": ";", "encoding": "cp1252"}, tmp_path, "m")

    assert (found.kind, found.null) == (site["kind"], {"", "NA"})
    with pytest.raises(SetupError, match="unknown key 'delimiter'"):
        read_options({**site, "delimiter": ";"}, {}, tmp_path, "m")
