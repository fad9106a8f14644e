"""Migrations: once, by one, and again without harm."""

import asyncio
import logging
from pathlib import Path

import asyncpg
import pytest

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
