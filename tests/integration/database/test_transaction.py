"""Transactions are begun again where that can help, and only there."""

import asyncio
import contextlib

import asyncpg
import pytest
from opentelemetry import trace
from tests.support.proxy import Fault, proxying
from tests.support.service import Service, error_of

from inventory_api.database import pool
from inventory_api.database.pool import Database
from inventory_api.database.session import Session
from inventory_api.database.statement import Statement
from inventory_api.database.transaction import RETRIES, in_transaction
from inventory_api.errors import DeadlineExceeded, DependencyUnavailable, NotFound
from inventory_api.telemetry.metrics import Metrics

LOCK = Statement("test.lock", "SELECT 1 FROM location WHERE code = $1 FOR UPDATE")
FAIL = Statement("test.fail", "SELECT 1/0")


@pytest.fixture
async def database(database_url: str) -> Database:
    tracer = trace.NoOpTracerProvider().get_tracer("test")
    made = Database(lambda: database_url, size=4, acquire_timeout=1, metrics=Metrics(), tracer=tracer)
    await made.open()
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO location (code, name) VALUES ('EAST', 'East')")
    await connection.close()
    return made


async def test_two_that_deadlock_both_succeed(database: Database) -> None:
    """Each holds what the other wants; PostgreSQL ends one, which begins again."""
    both_hold = asyncio.Barrier(2)
    begun: list[str] = []

    @in_transaction
    async def lock(session: Session, first: str, second: str) -> None:
        begun.append(first)
        await session.fetch(LOCK, first)
        if len(begun) <= 2:
            await both_hold.wait()
        await session.fetch(LOCK, second)

    async def one(first: str, second: str) -> None:
        async with database.session() as session:
            await lock(session, first, second)

    await asyncio.gather(one("MAIN", "EAST"), one("EAST", "MAIN"))
    assert len(begun) == 3
    await database.close()


async def test_a_collision_that_does_not_end_is_a_503_after_the_last_try(database: Database) -> None:
    tries: list[int] = []

    @in_transaction
    async def collide(_: Session) -> None:
        tries.append(1)
        raise asyncpg.SerializationError("again")

    async with database.session() as session:
        with pytest.raises(DependencyUnavailable):
            await collide(session)
    assert len(tries) == RETRIES + 1
    await database.close()


async def test_any_other_error_is_raised_at_once(database: Database) -> None:
    tries: list[int] = []

    @in_transaction
    async def fail(session: Session) -> None:
        tries.append(1)
        await session.fetch(FAIL)

    async with database.session() as session:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await fail(session)
    assert tries == [1]
    await database.close()


async def test_a_connection_that_was_lost_while_idle_costs_nobody_an_error(
    database: Database, database_url: str
) -> None:
    """The server ends every session of the pool, as a restart does."""

    @in_transaction
    async def lock(session: Session) -> None:
        await session.fetch(LOCK, "MAIN")

    async def one() -> None:
        async with database.session() as session:
            await lock(session)

    await one()
    administrator = await asyncpg.connect(database_url)
    await administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'inventory-api' AND datname = current_database()"
    )
    await administrator.close()
    await asyncio.gather(*(one() for _ in range(4)))
    await database.close()


async def test_a_begin_that_is_not_answered_is_told_at_once_and_not_tried_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another try would hold a place of the pool for as long again."""
    monkeypatch.setattr(pool, "COMMAND_TIMEOUT", 0.5)
    tracer = trace.NoOpTracerProvider().get_tracer("test")

    @in_transaction
    async def lock(session: Session) -> None:
        await session.fetch(LOCK, "MAIN")

    with proxying(database_url) as proxy:
        database = Database(lambda: proxy.url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=tracer)
        await database.open()

        async def one() -> None:
            async with database.session() as session:
                await lock(session)

        await one()
        with proxy.fault("silence"):
            with pytest.raises(DependencyUnavailable, match="did not answer in time"):
                await one()
        await one()
        await database.close()


@pytest.mark.parametrize("fault", ["silence", "reset"])
async def test_a_commit_that_is_not_answered_is_told_as_one_that_may_have_happened(
    database_url: str, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """The network goes between the last statement and COMMIT. A 503 would say that nothing was changed."""
    monkeypatch.setattr(pool, "COMMAND_TIMEOUT", 0.5)
    tracer = trace.NoOpTracerProvider().get_tracer("test")
    with proxying(database_url) as proxy, contextlib.ExitStack() as cut:
        database = Database(lambda: proxy.url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=tracer)
        await database.open()

        @in_transaction
        async def lock(session: Session) -> None:
            await session.fetch(LOCK, "MAIN")
            cut.enter_context(proxy.fault(fault))

        async with database.session() as session:
            with pytest.raises(DeadlineExceeded):
                await lock(session)
        await database.close()


@pytest.mark.parametrize("fault", ["silence", "reset"])
async def test_a_rollback_that_fails_does_not_hide_why_there_was_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """And the next transaction has another connection."""
    monkeypatch.setattr(pool, "COMMAND_TIMEOUT", 0.5)
    tracer = trace.NoOpTracerProvider().get_tracer("test")
    with proxying(database_url) as proxy:
        database = Database(lambda: proxy.url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=tracer)
        await database.open()

        @in_transaction
        async def refuse(session: Session, cut: contextlib.ExitStack) -> None:
            await session.fetch(LOCK, "MAIN")
            cut.enter_context(proxy.fault(fault))
            raise NotFound("on purpose")

        for _ in range(2):
            async with database.session() as session:
                with contextlib.ExitStack() as cut, pytest.raises(NotFound):
                    await refuse(session, cut)
        await database.close()


async def test_a_commit_that_the_server_refuses_is_told_as_refused(database: Database, database_url: str) -> None:
    """A full disk, said by a trigger that is deferred to COMMIT: nothing was changed."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$;
        CREATE CONSTRAINT TRIGGER refused_commit AFTER INSERT ON location DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse();
    """)
    await connection.close()

    @in_transaction
    async def insert(session: Session) -> None:
        await session.execute(Statement("test.insert", "INSERT INTO location (code, name) VALUES ('WEST', 'West')"))

    async with database.session() as session:
        with pytest.raises(DependencyUnavailable):
            await insert(session)
    await database.close()


async def test_after_a_failover_one_request_fails_and_the_next_finds_the_new_primary(
    service: Service, database_url: str
) -> None:
    """Sessions that began while the database was read-only stay so, as those of a demoted primary do."""
    name = database_url.partition("@/")[2].partition("?")[0]
    administrator = await asyncpg.connect(database_url)
    await administrator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert (await service.api.get("/inventory/A-1")).status_code == 404
    await administrator.execute("SET default_transaction_read_only = off")
    await administrator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await administrator.close()
    refused = await service.put("A-1")
    assert (refused.status_code, error_of(refused)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert (await service.put("A-1")).status_code == 201
