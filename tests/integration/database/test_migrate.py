"""Migrations: once, by one, and again without harm."""

import asyncio
import logging
from pathlib import Path

import asyncpg
import pytest
from pogo_core.util import migrate as pogo

from inventory_api.database import migrate as module
from inventory_api.database.migrate import LOCK_KEY, MigrationError, known_migrations, migrate


async def test_many_migrators_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(lambda: empty_database_url, wait_seconds=30) for _ in range(4)))
    await migrate(lambda: empty_database_url, wait_seconds=30)
    connection = await asyncpg.connect(empty_database_url)
    applied = [row[0] for row in await connection.fetch("SELECT migration_id FROM _pogo_migration ORDER BY 1")]
    await connection.close()
    assert tuple(applied) == known_migrations()


async def test_a_held_lock_ends_in_an_error_that_names_it(empty_database_url: str) -> None:
    """Polled, so that the wait has an end and blocks nobody."""
    holder = await asyncpg.connect(empty_database_url)
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    with pytest.raises(MigrationError, match="another migrator holds the lock"):
        await migrate(lambda: empty_database_url, wait_seconds=0)
    await holder.close()


async def test_a_database_that_is_absent_is_waited_for_and_then_named() -> None:
    with pytest.raises(MigrationError, match="cannot connect to the database"):
        await migrate(lambda: "postgresql://postgres@127.0.0.1:1/postgres", wait_seconds=0)


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (
        "-- broken\n-- depends:\n-- migrate: apply\nCREATE TABLE half (a int);\nSELECT 1/0;\n-- migrate: rollback\n"
    )
    (tmp_path / "0001-broken.sql").write_text(broken)
    monkeypatch.setattr(module, "DIRECTORY", tmp_path)
    with caplog.at_level(logging.INFO), pytest.raises(MigrationError, match="0001-broken: division by zero"):
        await migrate(lambda: empty_database_url, wait_seconds=10)
    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    await connection.close()


async def test_the_statements_of_a_migration_are_applied_as_they_are_written(database_url: str) -> None:
    """The splitter of statements keeps a function's body whole."""
    connection = await asyncpg.connect(database_url)
    body = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'refuse_change'")
    await connection.close()
    assert "RAISE EXCEPTION" in body
    assert "END" in body


SCHEMA = """
SELECT 'column', table_name || '.' || column_name || ' ' || data_type
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'constraint', pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'function', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2
"""


async def test_what_is_rolled_back_leaves_nothing_and_can_be_applied_again(empty_database_url: str) -> None:
    logger = logging.getLogger(__name__)
    connection = await asyncpg.connect(empty_database_url)
    await migrate(lambda: empty_database_url, wait_seconds=10)
    applied = await connection.fetch(SCHEMA)
    await pogo.rollback(
        connection, module.DIRECTORY, count=len(known_migrations()), schema_name="public", logger=logger
    )
    left = [row for row in await connection.fetch(SCHEMA) if "pogo" not in row[1]]
    await migrate(lambda: empty_database_url, wait_seconds=10)
    again = await connection.fetch(SCHEMA)
    await connection.close()
    assert [row for row in left if row[0] != "constraint"] == []
    assert again == applied


async def test_items_that_are_low_in_stock_when_it_comes_to_be_kept_are_found(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = module.DIRECTORY
    for name in known_migrations()[:2]:
        (tmp_path / f"{name}.sql").write_text((directory / f"{name}.sql").read_text())
    monkeypatch.setattr(module, "DIRECTORY", tmp_path)
    await migrate(lambda: empty_database_url, wait_seconds=10)
    connection = await asyncpg.connect(empty_database_url)
    for sku, threshold, on_hand in (("LOW", 5, 5), ("ENOUGH", 5, 6), ("WITHOUT", None, 0)):
        item = "INSERT INTO item VALUES ($1, 'x', 'MAIN', false, $2, '{}')"
        await connection.execute(item, sku, threshold)
        await connection.execute("INSERT INTO stock_level VALUES ($1, 'MAIN', $2)", sku, on_hand)
    monkeypatch.setattr(module, "DIRECTORY", directory)
    await migrate(lambda: empty_database_url, wait_seconds=10)
    low = await connection.fetch("SELECT sku FROM item WHERE is_low_stock")
    await connection.close()
    assert [row[0] for row in low] == ["LOW"]
