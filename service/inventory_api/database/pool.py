"""The pool of connections: opened once, lazily filled, closed within a bound; every wait has an end.

Two waits are kept apart: that for a free place among `size` (in order of arrival, at most `acquire_timeout`), and
that for a new connection (at most `CONNECT_TIMEOUT`). With one time-out for both, a pool could never fill over a
network that is slower than the wait that a request can afford.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import cache
from typing import Any

import asyncpg
from opentelemetry import trace

from inventory_api.database.errors import FAILURES, is_unavailable
from inventory_api.database.session import Session
from inventory_api.errors import DependencyUnavailable
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import Metrics
from inventory_api.telemetry.spans import child_span

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2.0
CLOSE_TIMEOUT = 3.0
COMMAND_TIMEOUT = 3.0
POOL = "main"
NO_PLACE = "No database connection was free in time."
AfterCommit = Callable[[Collection[str]], Awaitable[None]]
SERVER_SETTINGS = {
    "application_name": "inventory-api",
    "statement_timeout": "3000",
    # Longer than deadlock_timeout (1 s), so that a deadlock is told as one, and its transaction begun again.
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "timezone": "UTC",
}


async def connect(dsn: str, **options: Any) -> asyncpg.Connection:
    """One connection with the service's time-outs, for what must not use the pool."""
    defaults = {"timeout": CONNECT_TIMEOUT, "command_timeout": COMMAND_TIMEOUT, "server_settings": SERVER_SETTINGS}
    return await asyncpg.connect(dsn, **{**defaults, **options})


class Database:
    """The pool and what its users need: `async with database.session() as session`."""

    def __init__(
        self,
        dsn: Callable[[], str],
        *,
        size: int,
        acquire_timeout: float,
        metrics: Metrics,
        tracer: trace.Tracer,
        after_commit: AfterCommit | None = None,
    ) -> None:
        """`dsn` is asked at each new connection, so that rotated credentials count without a restart.

        `after_commit` is told which resources a transaction has changed; it must not raise.
        """
        # Closed sets; to look for a series takes longer than to count in it.
        self.query_duration = cache(metrics.query_duration.labels)
        self.metrics = metrics
        self.after_commit = after_commit or _nobody_to_tell
        self.tracer = tracer
        self._dsn = dsn
        self._size = size
        self._acquire_timeout = acquire_timeout
        self._places = asyncio.Semaphore(size)
        self._used = 0
        self._pool: asyncpg.Pool | None = None
        self._wait = metrics.connection_wait.labels(pool=POOL)
        metrics.connections_max.labels(pool=POOL).set(size)
        metrics.connections.labels(pool=POOL, state="used").set_function(lambda: float(self._used))
        metrics.connections.labels(pool=POOL, state="idle").set_function(self._idle)

    async def open(self) -> None:
        """Make the pool. It connects at first use, so a database that is down never stops the start."""
        self._pool = await asyncpg.create_pool(
            min_size=0, max_size=self._size, connect=self._connect, reset=_nothing_to_reset
        )

    async def close(self) -> None:
        """Close every connection; those still borrowed after `CLOSE_TIMEOUT` seconds are terminated."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await pool.close()
        except TimeoutError:
            logger.warning("connections were still in use after %s s and are terminated", CLOSE_TIMEOUT)
            pool.terminate()

    def session(self) -> Session:
        """A unit of work; see `Session`."""
        return Session(self)

    async def borrow(self) -> asyncpg.pool.PoolConnectionProxy:
        """A connection, for `Session` alone.

        Raises:
            DependencyUnavailable: no place was free in time, or the database cannot be reached.
        """
        started = time.perf_counter()
        with child_span(self.tracer, "database.acquire"):
            try:
                await self._take_place()
                connection = await self._connected()
                self._used += 1
                return connection
            finally:
                elapsed = time.perf_counter() - started
                self._wait.observe(elapsed)
                if (context := request_context.current()) is not None:
                    context.pool_wait_seconds += elapsed

    async def give_back(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        """Return what `borrow` gave. A connection that cannot be reset in time is dropped, and never raises here."""
        try:
            if self._pool is not None:
                await self._pool.release(connection, timeout=CONNECT_TIMEOUT)
        except FAILURES as error:
            logger.warning("a connection was dropped: %s", error)
        finally:
            self._used -= 1
            self._places.release()

    async def expire(self) -> None:
        """Make every connection anew at its next use: those that there are lead to a server that takes no writes."""
        logger.warning("the database is read-only; all connections are made anew")
        if self._pool is not None:
            await self._pool.expire_connections()

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        with self.metrics.connections_pending.labels(pool=POOL).track_inprogress():
            try:
                async with asyncio.timeout(self._acquire_timeout):
                    await self._places.acquire()
            except TimeoutError as error:
                self.metrics.connection_timeouts.labels(pool=POOL).inc()
                raise DependencyUnavailable(NO_PLACE) from error

    async def _connected(self) -> asyncpg.pool.PoolConnectionProxy:
        """The place is this caller's: what the pool holds idle, or a new connection."""
        try:
            if self._pool is None:
                raise DependencyUnavailable("The database is not available.")
            return await self._pool.acquire(timeout=CONNECT_TIMEOUT)
        except BaseException as error:
            self._places.release()
            if is_unavailable(error):
                raise DependencyUnavailable("The database is not available.") from error
            raise

    async def _connect(self, *_: object, **__: object) -> asyncpg.Connection:
        try:
            dsn = self._dsn()
        except Exception as error:
            raise DependencyUnavailable("The address of the database cannot be read.") from error
        return await connect(dsn)

    def _idle(self) -> float:
        return float(self._pool.get_idle_size()) if self._pool is not None else 0.0


async def _nobody_to_tell(_: Collection[str]) -> None:
    """Nothing keeps what was read."""


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """An open transaction is rolled back by asyncpg; of anything else `Statement` sees to it that there is none."""
