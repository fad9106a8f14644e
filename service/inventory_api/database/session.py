"""A unit of work on the database: borrows a connection at its first statement and gives it back at its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import asyncpg
from opentelemetry import trace

from inventory_api.database.errors import (
    FAILURES,
    error_type,
    is_contended,
    is_read_only,
    is_refusal,
    is_unavailable,
)
from inventory_api.database.statement import Statement, columns, together
from inventory_api.errors import DeadlineExceeded, DependencyUnavailable
from inventory_api.telemetry import request_context
from inventory_api.telemetry.spans import child_span

if TYPE_CHECKING:
    from inventory_api.database.pool import Database

T = TypeVar("T")


class LostBeforeFirstStatement(DependencyUnavailable):
    """The connection was gone before anything was sent on it, so nothing can have happened."""


class Session:
    """Runs named statements, measured, each a span. Not for concurrent use.

    Nothing is borrowed until the first statement, so a request that fails its validation never waits for a
    connection; leaving the context always gives back what was borrowed, also under an exception or a cancellation.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._connection: asyncpg.pool.PoolConnectionProxy | None = None
        self._is_in_transaction = False
        self._changed: set[str] = set()
        self._left: dict[Statement, list[Sequence[object]]] = {}

    @property
    def is_in_transaction(self) -> bool:
        return self._is_in_transaction

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self.give_back()

    async def fetch(self, statement: Statement, *arguments: object) -> list[asyncpg.Record]:
        """All rows."""
        return await self._run(statement, lambda connection: connection.fetch(statement.sql, *arguments))

    async def fetch_one(self, statement: Statement, *arguments: object) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self._run(statement, lambda connection: connection.fetchrow(statement.sql, *arguments))

    async def execute(self, statement: Statement, *arguments: object) -> int:
        """For statements without a result: how many rows it has written or removed."""
        tag = await self._run(statement, lambda connection: connection.execute(statement.sql, *arguments))
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def write(self, statement: Statement, *rows: Sequence[object]) -> None:
        """Rows that nobody waits for: within a transaction they are left for its end, and sent together with others.

        The statement is an INSERT whose arguments are the columns, each an array, and writes rows in their order.
        """
        if not rows:
            return
        if self._is_in_transaction:
            self._left.setdefault(statement, []).extend(rows)
        else:
            await self.execute(statement, *columns(rows))

    async def finish(self, statement: Statement, *arguments: object) -> asyncpg.Record | None:
        """As `fetch_one`, together with all that has been left for the end of the transaction."""
        left, self._left = self._left, {}
        left_arguments = [column for rows in left.values() for column in columns(rows)]
        return await self.fetch_one(together((*left,), statement), *left_arguments, *arguments)

    async def _write_left(self) -> None:
        if self._left:
            statement, rows = self._left.popitem()
            await self.finish(statement, *columns(rows))

    def changed(self, *resources: str) -> None:
        """Note what the open transaction changes; `Database.after_commit` is told once it may be seen by others."""
        self._changed.update(resources)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """BEGIN ... COMMIT, or ROLLBACK under any exception. READ COMMITTED: the statements lock what they change.

        The request's deadline ends before COMMIT, whose outcome would else be unknown; `command_timeout` bounds it.
        After it, the connection is given back before anybody is told.
        """
        self._changed.clear()
        self._left.clear()
        connection = await self._borrowed()
        transaction = connection.transaction()
        await self._begin(transaction)
        self._is_in_transaction = True
        try:
            yield
            await self._write_left()
        except BaseException:
            # The error that led here is the one to tell; a connection that cannot roll back is dropped when returned.
            with suppress(*FAILURES):
                await transaction.rollback()
            raise
        finally:
            self._is_in_transaction = False
        if (context := request_context.current()) is not None:
            context.end_deadline()
        try:
            await self._commit(connection, transaction)
        finally:
            # Also after a COMMIT that failed: it may have happened.
            if self._changed:
                await self.give_back()
                await self._database.after_commit(self._changed)

    async def _commit(
        self, connection: asyncpg.pool.PoolConnectionProxy, transaction: asyncpg.transaction.Transaction
    ) -> None:
        """A COMMIT that was sent and not answered may have happened: not the 503 that says that nothing has."""
        try:
            await self._guarded(connection, transaction.commit)
        except DependencyUnavailable as error:
            if error.__cause__ is not None and is_refusal(error.__cause__):
                raise
            raise DeadlineExceeded("The change was not confirmed in time; it may have been made.") from error

    async def _begin(self, transaction: asyncpg.transaction.Transaction) -> None:
        try:
            await self._guarded(self._connection, transaction.start)
        except DependencyUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise  # It was not lost: the server does not answer, and would not on another connection either.
            # Nothing was sent on it yet: whoever wants may begin again, on another connection.
            if self._connection is not None:
                _drop(self._connection)
            await self.give_back()
            raise LostBeforeFirstStatement(error.message) from error

    async def _borrowed(self) -> asyncpg.pool.PoolConnectionProxy:
        if self._connection is None:
            self._connection = await self._database.borrow()
        return self._connection

    async def give_back(self) -> None:
        """Hold no connection any more; the next statement borrows one again. Not within a transaction."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._database.give_back(connection)

    async def _run(self, statement: Statement, call: Callable[[asyncpg.pool.PoolConnectionProxy], Awaitable[T]]) -> T:
        connection = await self._borrowed()
        context = request_context.current()
        failure = ""
        started = time.perf_counter()
        with child_span(self._database.tracer, statement.name, trace.SpanKind.CLIENT, statement.attributes):
            try:
                return await self._guarded(connection, lambda: call(connection))
            except BaseException as error:
                failure = error_type(error.__cause__ or error)
                raise
            finally:
                elapsed = time.perf_counter() - started
                self._database.query_duration(statement.name, failure).observe(elapsed)
                if context is not None:
                    context.database_seconds += elapsed

    async def _guarded(
        self, connection: asyncpg.pool.PoolConnectionProxy | None, call: Callable[[], Awaitable[T]]
    ) -> T:
        """Raise `DependencyUnavailable` for a database that is not there; any other error as it is.

        A connection whose statement was left in the middle is closed: to cancel the statement politely would take
        another connection and another wait, for a server that may not answer at all. It rolls back what was open.
        """
        try:
            return await call()
        except (TimeoutError, asyncio.CancelledError) as error:
            if connection is not None:
                _drop(connection)
            if isinstance(error, TimeoutError):
                raise DependencyUnavailable("The database did not answer in time.") from error
            raise
        except FAILURES as error:
            if is_contended(error):
                raise DependencyUnavailable("Other requests change the same things; send it again.") from error
            if is_read_only(error):
                await self._database.expire()
            if is_unavailable(error):
                raise DependencyUnavailable("The database is not available.") from error
            raise


def _drop(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Close it at once. One that was closed before has left the pool, and would say so by an error."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
