"""Up, down, up; the schema is exactly the models'; history and audit cannot be deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DatabaseError

from federation.query.terms import Terms
from migrations import run
from migrations.tables import METADATA
from registry.database import engine_of, make_engine, open_database
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Network

TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(sa.inspect(connection).get_table_names()) - {"alembic_version"}


def _triggers(url: str) -> set[str]:
    with connected(url) as connection:
        return set(connection.exec_driver_sql(TRIGGERS[connection.dialect.name]).scalars())


def test_the_history_is_one_line() -> None:
    script = ScriptDirectory(str(run.FOLDER))
    assert len(script.get_heads()) == 1
    assert [revision.revision for revision in script.walk_revisions()][-1] == "0001"


def test_up_down_up_gives_the_same_tables_and_triggers(empty_url: str) -> None:
    run.upgrade(empty_url)
    tables, triggers = _tables(empty_url), _triggers(empty_url)
    assert tables == set(METADATA.tables)
    assert triggers
    run.downgrade(empty_url, "base")
    assert _tables(empty_url) == set()
    assert _triggers(empty_url) == set()
    run.upgrade(empty_url)
    assert (_tables(empty_url), _triggers(empty_url)) == (tables, triggers)


def test_each_revision_goes_down_and_up_again(empty_url: str) -> None:
    revisions = [item.revision for item in ScriptDirectory(str(run.FOLDER)).walk_revisions()]
    for revision in reversed(revisions):
        run.upgrade(empty_url, revision)
        run.downgrade(empty_url, "-1")
        run.upgrade(empty_url, revision)


def test_the_schema_equals_the_models(empty_url: str) -> None:
    run.upgrade(empty_url)
    with connected(empty_url) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_the_checks_equal_the_models(empty_url: str) -> None:
    # Alembic does not compare CHECK constraints; names at least must be those of the models.
    run.upgrade(empty_url)
    with connected(empty_url) as connection:
        inspector = sa.inspect(connection)
        for table in METADATA.tables.values():
            meant = {
                str(check.name)
                for check in table.constraints
                if isinstance(check, sa.CheckConstraint)
            }
            there = {str(check["name"]) for check in inspector.get_check_constraints(table.name)}
            assert there == meant, table.name


def test_audit_lines_cannot_be_changed_deleted_or_replaced(empty_url: str) -> None:
    _with_one_line(empty_url)
    for attempt in (
        "UPDATE audit_line SET action = 'x'",
        "DELETE FROM audit_line",
        "TRUNCATE audit_line"
        if empty_url.startswith("postgresql")
        else "INSERT OR REPLACE INTO audit_line SELECT * FROM audit_line",
    ):
        with connected(empty_url) as connection:
            with pytest.raises(DatabaseError, match="append-only"):
                connection.exec_driver_sql(attempt)
            connection.rollback()


def test_a_step_back_that_would_delete_audit_is_refused(empty_url: str) -> None:
    _with_one_line(empty_url)
    with pytest.raises(run.MigrationRefused, match="audit_line"):
        run.downgrade(empty_url, "base")
    with connected(empty_url) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_line").scalar() == 1


def test_a_database_newer_than_the_code_is_refused(empty_url: str) -> None:
    run.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(run.MigrationRefused, match="newer version"):
        run.upgrade(empty_url)


def test_a_sqlite_file_is_copied_before_it_changes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    run.upgrade(url, "0001")
    run.upgrade(url)
    assert (tmp_path / "hub.sqlite.before-0001").stat().st_size > 0


def _with_one_line(url: str) -> None:
    run.upgrade(url)
    factory = open_database(url, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    with factory() as session:
        session.add(Network(slug="oncozon", name="Oncozon"))
        announce(session, actor=SYSTEM, action="network.created", about="network:oncozon")
        session.commit()
    engine_of(factory).dispose()


def test_thresholds_kept_by_an_older_hub_get_the_default_of_the_new_key(empty_url: str) -> None:
    """Terms.from_dict wants every key; a hub that was upgraded must go on asking."""
    run.upgrade(empty_url, "0005")
    strict, loose = Terms.strict().to_dict(), Terms.open_data().to_dict()
    with connected(empty_url) as connection:
        for slug, terms in (("a", strict), ("b", loose)):
            old = {key: value for key, value in terms.items() if key != "dominance"}
            connection.execute(
                sa.text(
                    "INSERT INTO institution (slug, name, kind, city, phone)"
                    " VALUES (:slug, :slug, 'general', '', '')"
                ),
                {"slug": slug},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO site_node (institution, sign_pub, box_pub, engine, terms,"
                    " software, enrolled_at) VALUES (:slug, '', '', 'embedded', :terms, '', 0)"
                ),
                {"slug": slug, "terms": json.dumps(old)},
            )
        connection.commit()
    run.upgrade(empty_url)
    with connected(empty_url) as connection:
        kept = dict(connection.execute(sa.text("SELECT institution, terms FROM site_node")).all())
    assert Terms.from_dict(json.loads(kept["a"])) == Terms.strict()
    assert Terms.from_dict(json.loads(kept["b"])) == Terms.open_data()
    run.downgrade(empty_url, "0005")
    with connected(empty_url) as connection:
        (text,) = connection.execute(
            sa.text("SELECT terms FROM site_node WHERE institution = 'a'")
        ).one()
    assert "dominance" not in json.loads(text)
