"""The pool: every wait has an end, and the address counts as it is now."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from opentelemetry import trace
from tests.support.proxy import proxying

from inventory_api.database.pool import NO_PLACE, Database
from inventory_api.database.statement import Statement
from inventory_api.errors import DependencyUnavailable
from inventory_api.telemetry.metrics import Metrics

SHOW = Statement("test.show", "SELECT name, setting FROM pg_settings WHERE name LIKE '%_timeout'")
WHERE = Statement("test.where", "SELECT current_database() AS name")
SLEEP = Statement("test.sleep", "SELECT pg_sleep(3600)")
TRACER = trace.NoOpTracerProvider().get_tracer("test")


@pytest.mark.time_outs
async def test_every_session_has_the_time_outs_of_the_service(database_url: str) -> None:
    database = Database(lambda: database_url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    async with database.session() as session:
        found = {row["name"]: row["setting"] for row in await session.fetch(SHOW)}
    await database.close()
    assert found["statement_timeout"] == "3000"
    assert found["lock_timeout"] == "2000"
    assert found["idle_in_transaction_session_timeout"] == "10000"
    assert int(found["lock_timeout"]) > int(found["deadlock_timeout"])


@pytest.mark.time_outs
async def test_a_statement_that_does_not_end_is_ended_and_its_connection_replaced(database_url: str) -> None:
    database = Database(lambda: database_url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    async with asyncio.timeout(20):
        async with database.session() as session:
            with pytest.raises(DependencyUnavailable):
                await session.fetch(SLEEP)
        async with database.session() as session:
            assert await session.fetch(WHERE)
    await database.close()


@pytest.mark.time_outs
async def test_a_server_that_does_not_answer_costs_one_wait(database_url: str) -> None:
    """The network goes silent: the own time-out ends the wait, and nothing after that waits."""
    with proxying(database_url) as proxy:
        database = Database(lambda: proxy.url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
        await database.open()
        async with database.session() as session:
            await session.fetch(WHERE)
        loop = asyncio.get_running_loop()
        with proxy.fault("silence"):
            started = loop.time()
            async with asyncio.timeout(30):
                async with database.session() as session:
                    with pytest.raises(DependencyUnavailable):
                        await session.fetch(WHERE)
            waited = loop.time() - started
        await database.close()
    assert waited < 30


async def test_who_finds_no_free_connection_is_told_soon_and_counted_and_the_place_is_free_again(
    database_url: str,
) -> None:
    metrics = Metrics()
    database = Database(lambda: database_url, size=1, acquire_timeout=0.1, metrics=metrics, tracer=TRACER)
    await database.open()
    async with asyncio.timeout(20), database.session() as holder:
        await holder.fetch(WHERE)
        for _ in range(2):
            async with database.session() as session:
                with pytest.raises(DependencyUnavailable, match=NO_PLACE):
                    await session.fetch(WHERE)
    assert metrics.registry.get_sample_value("db_client_connection_timeouts_total", {"pool": "main"}) == 2
    assert metrics.registry.get_sample_value("db_client_connection_wait_time_seconds_count", {"pool": "main"}) == 3
    async with database.session() as session:
        assert await session.fetch(WHERE)
    await database.close()


async def test_who_cannot_connect_gives_the_place_back(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    database = Database(file.read_text, size=1, acquire_timeout=0.1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    file.write_text(f"postgresql://postgres@/x?host={tmp_path}")
    for _ in range(2):
        async with database.session() as session:
            with pytest.raises(DependencyUnavailable, match="The database is not available"):
                await session.fetch(WHERE)
    file.write_text(database_url)
    async with database.session() as session:
        assert await session.fetch(WHERE)
    await database.close()


async def test_a_rotated_address_counts_at_the_next_connection(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(database_url)
    database = Database(file.read_text, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    names = []
    for url in (database_url, empty_database_url):
        file.write_text(url)
        await database.expire()
        async with database.session() as session:
            names += [row["name"] for row in await session.fetch(WHERE)]
    await database.close()
    assert len(set(names)) == 2


async def test_an_address_that_cannot_be_read_is_a_dependency_that_is_not_there(tmp_path: Path) -> None:
    database = Database((tmp_path / "absent").read_text, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    async with database.session() as session:
        with pytest.raises(DependencyUnavailable):
            await session.fetch(WHERE)
    await database.close()


async def test_a_lock_that_another_holds_is_told_as_what_it_is(database_url: str) -> None:
    database = Database(lambda: database_url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE location")
        async with database.session() as session:
            with pytest.raises(DependencyUnavailable, match="Other requests change the same things"):
                await session.fetch(Statement("test.locked", "SELECT 1 FROM location"))
    await holder.close()
    await database.close()


async def test_giving_back_costs_no_round_trip(database_url: str) -> None:
    """The last that the server saw of the connection is the statement, and no reset after it."""
    database = Database(lambda: database_url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    async with database.session() as session:
        await session.fetch(WHERE)
    observer = await asyncpg.connect(database_url)
    seen = await observer.fetch(
        "SELECT query FROM pg_stat_activity WHERE application_name = 'inventory-api' AND datname = current_database()"
    )
    await observer.close()
    await database.close()
    assert [row["query"] for row in seen] == [WHERE.sql]


async def test_a_transaction_that_was_left_open_is_rolled_back_before_another_borrows(database_url: str) -> None:
    database = Database(lambda: database_url, size=1, acquire_timeout=1, metrics=Metrics(), tracer=TRACER)
    await database.open()
    async with database.session() as session:
        await session.execute(Statement("test.begin", "BEGIN"))
        await session.execute(Statement("test.insert", "INSERT INTO location (code, name) VALUES ('LEFT', 'x')"))
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg says that it had to
    async with database.session() as session:
        assert await session.fetch(Statement("test.find", "SELECT 1 FROM location WHERE code = 'LEFT'")) == []
    await database.close()


async def test_who_came_first_is_served_first_also_when_newcomers_find_a_connection_just_free(
    database_url: str,
) -> None:
    """asyncpg's own queue lets a newcomer take what a waiter was just woken for: the unlucky then wait for ever."""
    database = Database(lambda: database_url, size=1, acquire_timeout=30, metrics=Metrics(), tracer=TRACER)
    await database.open()
    served: list[int] = []

    async def use(number: int) -> None:
        async with database.session() as session:
            await session.fetch(WHERE)
            served.append(number)

    tasks = []
    for number in range(500):
        tasks.append(asyncio.create_task(use(number)))
        # One newcomer in every turn of the loop, so also in that between a give-back and the waking of a waiter.
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    await database.close()
    assert served == list(range(500))
