"""The checks of readiness. They share one connection of their own: a saturated pool is not an absent database."""

import asyncio
from collections.abc import Callable

import asyncpg

from inventory_api.database import pool
from inventory_api.database.migrate import known_migrations


class CheckConnection:
    """One connection, made when needed, dropped when anything goes wrong on it."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        self._dsn = dsn
        self._lock = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None

    async def fetch(self, sql: str) -> list[asyncpg.Record]:
        async with self._lock:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await pool.connect(self._dsn())
                return await self._connection.fetch(sql)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


class DatabaseCheck:
    """The database answers, and takes writes."""

    name = "database"

    def __init__(self, connection: CheckConnection) -> None:
        self._connection = connection

    async def run(self) -> None:
        (row,) = await self._connection.fetch("SELECT pg_is_in_recovery() AS standby")
        if row["standby"]:
            raise RuntimeError("the database is a standby, which takes no writes")

    async def close(self) -> None:
        await self._connection.close()


class SchemaCheck:
    """Every migration that this release needs is applied; later ones do no harm (expand and contract)."""

    name = "schema"

    def __init__(self, connection: CheckConnection) -> None:
        self._connection = connection
        self._needed = known_migrations()

    async def run(self) -> None:
        rows = await self._connection.fetch("SELECT migration_id FROM public._pogo_migration")
        missing = sorted(set(self._needed) - {row["migration_id"] for row in rows})
        if missing:
            raise RuntimeError(f"migrations are missing: {', '.join(missing)}")

    async def close(self) -> None:
        """The connection is closed by the database's check."""
