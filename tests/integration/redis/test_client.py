"""The client of Redis on a real one: short waits, credentials as they are now."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.trace import NoOpTracer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from inventory_api.redis import client as redis_client
from inventory_api.redis.breaker import Breaker
from inventory_api.redis.guarded import GuardedRedis, RedisUnavailable
from inventory_api.telemetry.metrics import REDIS_BREAKER_STATE, REDIS_ERRORS


@pytest.fixture
async def user(redis_url: str) -> AsyncIterator[str]:
    """A user of this test alone, with the password `first`."""
    administrator = Redis.from_url(redis_url)
    await administrator.acl_setuser("tester", enabled=True, passwords=["+first"], commands=["+ping"])
    yield "tester"
    await administrator.acl_deluser("tester")
    await administrator.aclose()


async def test_a_rotated_password_counts_at_the_next_connection(redis_url: str, user: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    socket = redis_url.removeprefix("unix://")
    file.write_text(f"unix://{user}:first@{socket}")
    client = redis_client.create(file.read_text)
    assert client is not None
    await client.ping()
    administrator = Redis.from_url(redis_url)
    await administrator.acl_setuser(user, enabled=True, reset_passwords=True, passwords=["+second"], commands=["+ping"])
    await client.connection_pool.disconnect()
    file.write_text(f"unix://{user}:second@{socket}")
    await client.ping()
    await client.aclose()
    await administrator.aclose()


async def test_a_redis_that_does_not_answer_costs_one_short_wait_and_no_retry() -> None:
    """It accepts and says nothing. With redis-py's own defaults this takes the better part of a minute."""
    connections = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = redis_client.create(lambda: f"redis://127.0.0.1:{port}/0")
    assert client is not None
    registry = CollectorRegistry()
    breaker = Breaker("redis", REDIS_BREAKER_STATE.create(registry))
    redis = GuardedRedis(client, breaker, REDIS_ERRORS.create(registry), NoOpTracer())
    async with asyncio.timeout(5):
        with pytest.raises(RedisUnavailable):
            async with redis.use("test") as used:
                await used.ping()
    assert connections == 1
    await redis.close()
    server.close()


def test_without_an_address_there_is_no_client() -> None:
    assert redis_client.create(lambda: None) is None
