"""What only a database server can do wrong: addresses, accounts, statements that hang or write."""

from __future__ import annotations

import sys

import pytest
from data_sources import CODEBOOK, MAPPING, ROWS, table
from psycopg.conninfo import make_conninfo

from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import DataStore
from federation.site.data.mapping import read_mapping
from federation.site.data.sources import open_source
from federation.site.errors import DataError


def read(postgres, tmp_path, **more):
    return table(read_mapping(MAPPING, {"kind": "postgresql", **more}, tmp_path, "m"))


def test_the_address_may_stand_in_the_environment(postgres, tmp_path, monkeypatch):
    postgres.make(ROWS)
    monkeypatch.setenv("ONCO_DSN", postgres.dsn)

    assert read(postgres, tmp_path, dsn_env="ONCO_DSN", tables=["t"]).n == len(ROWS)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("mode", "SOURCE_ADDRESS_OPEN"),
        ("gone", "SOURCE_ADDRESS"),
        ("empty", "SOURCE_ADDRESS"),
        ("binary", "SOURCE_ADDRESS"),
        ("password", "SOURCE_LOGIN"),
        ("wrong", "SOURCE_LOGIN"),
    ],
)
def test_an_address_that_does_not_serve_is_a_code_that_says_nothing(
    postgres, tmp_path, spoil, code
):
    source = postgres.make(ROWS)
    secret = "pa55word-of-the-hospital"
    if spoil == "mode":
        postgres.address.chmod(0o640)
    elif spoil == "gone":
        postgres.address.unlink()
    else:
        text = {
            "empty": b"",
            "password": f"host=127.0.0.1 port=1 user=x password={secret}".encode(),
            "wrong": secret.encode(),
            "binary": b"\xff\xfe\x00",
        }[spoil]
        postgres.address.write_bytes(text)

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)

    assert caught.value.code == code
    assert secret not in repr(caught.value) + caught.value.detail
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_statement_that_hangs_ends_in_a_code(postgres, tmp_path, monkeypatch):
    source = postgres.make(ROWS)
    monkeypatch.setattr("federation.site.data.postgres_source.STATEMENT_SECONDS", 0.2)
    source["query"] = "SELECT t.* FROM t, (SELECT pg_sleep(20)) AS s"
    del source["tables"]

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "SOURCE_TOO_SLOW"


def test_a_statement_cannot_write(postgres, tmp_path):
    source = postgres.make(ROWS)
    postgres.run(
        "CREATE FUNCTION empty_it() RETURNS integer LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM t; RETURN 1; END $$"
    )
    source["query"] = "SELECT t.*, empty_it() FROM t"
    del source["tables"]

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "SOURCE_STATEMENT"
    assert len(postgres.content()) == len(ROWS)


def test_an_account_without_the_right_to_read_is_told_so(postgres, tmp_path):
    source = postgres.make(ROWS)
    postgres.run("CREATE ROLE reads_nothing LOGIN")
    postgres.address.write_text(make_conninfo(postgres.dsn, user="reads_nothing"))
    try:
        with pytest.raises(DataError) as caught:
            read(postgres, tmp_path, **source)
        assert caught.value.code == "SOURCE_FORBIDDEN"
    finally:
        postgres.run("DROP ROLE reads_nothing")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET age = 50 WHERE pid = 'p1'",
        "UPDATE t SET age = age",
        "DELETE FROM t WHERE pid = 'p1'",
        "INSERT INTO t SELECT * FROM t LIMIT 1",
    ],
)
def test_any_change_of_a_row_is_a_new_version(postgres, tmp_path, statement):
    source = open_source(read_mapping(MAPPING, postgres.make(ROWS), tmp_path, "m").source)
    before = source.version()
    postgres.run(statement)

    assert source.version() != before


def test_a_change_elsewhere_in_the_server_is_no_new_version(postgres, tmp_path):
    source = open_source(read_mapping(MAPPING, postgres.make(ROWS), tmp_path, "m").source)
    before = source.version()
    postgres.run("CREATE TABLE other (a integer)")

    assert source.version() == before


def test_a_view_is_a_table(postgres, tmp_path):
    source = postgres.make(ROWS)
    postgres.run("CREATE SCHEMA onco")
    postgres.run("CREATE VIEW onco.v AS SELECT t.* FROM t")
    options = {**source, "schema": "onco", "tables": ["v"]}
    store = DataStore(
        read_mapping(MAPPING, options, tmp_path, "m"), HandleMaker(b"k" * 32, "net", "s")
    )
    assert store.table(CODEBOOK).n == len(ROWS)
    postgres.run("DELETE FROM t WHERE pid = 'p1'")
    assert store.table(CODEBOOK).n == len(ROWS) - 1


def test_without_the_driver_the_hospital_is_told(postgres, tmp_path, monkeypatch):
    source = postgres.make(ROWS)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "DRIVER_MISSING"
