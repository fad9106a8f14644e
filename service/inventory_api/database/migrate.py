"""Brings the schema up to date: plain SQL files, applied by pogo-core, one migrator at a time.

The files are `migrations/NNNN-<what>.sql`. A release only adds what the release before it can live with (expand), and
removes what none uses any more a release later (contract), so that old and new pods run side by side.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from inventory_api.database import pool
from inventory_api.database.errors import FAILURES, is_unavailable

logger = logging.getLogger(__name__)

DIRECTORY = Path(__file__).parent / "migrations"
# Any number; the same in every release.
LOCK_KEY = 7_301_044_155
POLL_SECONDS = 1.0
# A migration may wait longer than a request, but never for ever behind a lock that blocks the service too.
SERVER_SETTINGS = {"application_name": "inventory-api-migrate", "lock_timeout": "5000", "statement_timeout": "0"}


class MigrationError(Exception):
    """The schema could not be brought up to date; the message names the cause in one line."""


def known_migrations() -> tuple[str, ...]:
    """The ids of the migrations that this release needs, in order."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.sql")))


async def migrate(dsn: Callable[[], str], *, wait_seconds: float) -> None:
    """Wait for the database and for other migrators, then apply what is missing. Safe to run any number of times.

    Raises:
        MigrationError: the time was over, or a migration failed; a failed one leaves nothing behind of itself.
    """
    deadline = time.monotonic() + wait_seconds
    connection = await _connect(dsn, deadline)
    try:
        async with _lock(connection, deadline):
            await _apply(connection)
    finally:
        connection.terminate()


async def _connect(dsn: Callable[[], str], deadline: float) -> asyncpg.Connection:
    while True:
        try:
            return await pool.connect(dsn(), server_settings=SERVER_SETTINGS, command_timeout=None)
        except FAILURES as error:
            if not is_unavailable(error) or time.monotonic() >= deadline:
                raise MigrationError(f"cannot connect to the database: {str(error) or type(error).__name__}") from error
            logger.info("waiting for the database: %s", str(error) or type(error).__name__)
        await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def _lock(connection: asyncpg.Connection, deadline: float) -> AsyncIterator[None]:
    """Polled: a migrator that waits inside `pg_advisory_lock` blocks another's CREATE INDEX CONCURRENTLY for ever."""
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() >= deadline:
            raise MigrationError("another migrator holds the lock; see pg_locks, locktype = 'advisory'")
        logger.info("waiting for another migrator")
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def _apply(connection: asyncpg.Connection) -> None:
    # Its SQL parsers take memory that only a migrator needs.
    from pogo_core.error import BadMigrationError  # noqa: PLC0415
    from pogo_core.util import migrate as pogo  # noqa: PLC0415

    try:
        await pogo.apply(connection, DIRECTORY, schema_name="public", logger=logger)
    except BadMigrationError as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise MigrationError(f"{error}{cause}") from error
    logger.info("the schema is up to date: %s", known_migrations()[-1])
