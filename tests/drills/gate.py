"""Holds every adjustment at its COMMIT: all of its effect is made, and nobody sees it yet."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

LOCK = 7_001
# Deferred, so that it is the COMMIT which waits.
CREATE = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared({LOCK}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON stock_movement DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold();
"""
DROP = "DROP TRIGGER hold ON stock_movement; DROP FUNCTION hold();"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted"


class Gate:
    """Open at first. One that is closed for longer than `statement_timeout` fails whoever waits at it."""

    def __init__(self, runner: asyncio.Runner, connection: asyncpg.Connection) -> None:
        self._runner = runner
        self._connection = connection

    def close(self) -> None:
        self._runner.run(self._connection.execute(f"SELECT pg_advisory_lock({LOCK})"))

    def open(self) -> None:
        self._runner.run(self._connection.execute("SELECT pg_advisory_unlock_all()"))

    def waiting(self) -> int:
        """Transactions that wait at it."""
        return int(self._runner.run(self._connection.fetchval(WAITING, LOCK)))


@contextmanager
def gate(url: str) -> Iterator[Gate]:
    """In the database until left."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        runner.run(connection.execute(CREATE))
        held = Gate(runner, connection)
        try:
            yield held
        finally:
            held.open()
            runner.run(connection.execute(DROP))
            runner.run(connection.close())
