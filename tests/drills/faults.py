"""What is done to processes and servers. Each context manager heals what it did, also when the drill fails."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import psutil

from inventory_api.dev.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.support.waiting import wait_until


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Nothing of the process or of its children runs until left; their sockets stay open and take what is sent.

    The parent first: it makes no more children then.
    """
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
    children = process.children(recursive=True)
    try:
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.suspend()
        yield
    finally:
        for member in (*reversed(children), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.resume()


@contextmanager
def stopped(server: EmbeddedPostgres | EmbeddedRedis) -> Iterator[None]:
    """Shut down in order, and started again when left."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def connections_taken(url: str, application: str = "inventory-api") -> Iterator[int]:
    """Another client has every connection that the server gives, those of the application too; tells how many."""
    with asyncio.Runner() as runner:
        taken: list[asyncpg.Connection] = [runner.run(asyncpg.connect(url))]
        try:
            while runner.run(_end_sessions(taken[0], application)):
                runner.run(_take(url, taken))
            yield len(taken)
        finally:
            for connection in taken:
                connection.terminate()
            runner.run(asyncio.sleep(0))


async def _take(url: str, taken: list[asyncpg.Connection]) -> None:
    """Open connections until the server says that there are no more."""
    with contextlib.suppress(asyncpg.TooManyConnectionsError):
        while True:
            taken.append(await asyncpg.connect(url))


async def _end_sessions(connection: asyncpg.Connection, application: str) -> int:
    """End the sessions of an application; tells how many there were."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
    return len(await connection.fetch(query, application))
