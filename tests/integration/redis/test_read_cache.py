"""The read cache on a real Redis: it keeps what was read, and never what a change has made out of date."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from opentelemetry.trace import NoOpTracer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from tests.support.waiting import eventually

from inventory_api.redis import read_cache
from inventory_api.redis.breaker import Breaker
from inventory_api.redis.client import create
from inventory_api.redis.guarded import GuardedRedis
from inventory_api.redis.read_cache import Load, ReadCache, Representation
from inventory_api.telemetry.metrics import CACHE_REQUESTS, REDIS_BREAKER_STATE, REDIS_ERRORS

OLD, NEW = Representation('"1.1"', b'{"is": "old"}'), Representation('"2.1"', b'{"is": "new"}')


class Store:
    """What there is to load, and how often it was."""

    def __init__(self, holds: Representation) -> None:
        self.holds = holds
        self.loads = 0

    async def load(self) -> Representation:
        self.loads += 1
        return self.holds

    async def load_and_be_overtaken(self, writer: ReadCache) -> Representation:
        """The old state; before it can be kept, a change and its drop have passed."""
        loaded = await self.load()
        self.holds = NEW
        await writer.drop(["item:A"])
        return loaded


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[GuardedRedis]:
    client = create(lambda: redis_url)
    assert client is not None
    await client.flushdb()
    registry = CollectorRegistry()
    breaker = Breaker("redis", REDIS_BREAKER_STATE.create(registry))
    yield GuardedRedis(client, breaker, REDIS_ERRORS.create(registry), NoOpTracer())
    await client.aclose()


def cache_on(redis: GuardedRedis | None, *, database: str = "one", release: str = "1.0") -> ReadCache:
    return ReadCache("item", redis, CACHE_REQUESTS.create(CollectorRegistry()), database=database, release=release)


async def read(cache: ReadCache, load: Load) -> Representation:
    """What is answered."""
    representation, _ = await cache.get("item:A", load)
    return representation


async def test_what_was_loaded_once_is_answered_again(redis: GuardedRedis) -> None:
    cache, store = cache_on(redis), Store(OLD)
    assert [await read(cache, store.load) for _ in range(3)] == [OLD] * 3
    assert store.loads == 1


async def test_of_two_processes_one_sees_what_the_other_drops(redis: GuardedRedis) -> None:
    reader, writer, store = cache_on(redis), cache_on(redis), Store(OLD)
    await read(reader, store.load)
    store.holds = NEW
    await writer.drop(["item:A"])
    assert await read(reader, store.load) == NEW


async def test_a_slow_reader_does_not_put_back_what_a_change_has_dropped(redis: GuardedRedis) -> None:
    """It has read the old state, and then is overtaken by the change, its drop, and even by another reader."""
    slow, quick, store = cache_on(redis), cache_on(redis), Store(OLD)

    async def load_and_be_overtaken_by_a_reader_too() -> Representation:
        loaded = await store.load_and_be_overtaken(quick)
        await read(quick, store.load)
        return loaded

    assert await read(slow, load_and_be_overtaken_by_a_reader_too) == OLD
    assert await read(slow, store.load) == NEW


async def test_also_not_where_nobody_else_has_read_it_since(redis: GuardedRedis) -> None:
    cache, store = cache_on(redis), Store(OLD)

    await read(cache, partial(store.load_and_be_overtaken, cache))
    assert await read(cache, store.load) == NEW


async def test_a_value_lives_for_5_seconds_at_most(redis: GuardedRedis, redis_url: str) -> None:
    """It bounds how long a change is not seen whose process could not reach Redis."""
    await read(cache_on(redis), Store(OLD).load)
    async with Redis.from_url(redis_url) as client:
        lives = [await client.pttl(key) for key in await client.keys("inventory-api:read:*")]
    assert len(lives) == 1
    assert 0 < lives[0] <= 5000


async def test_a_value_ends_by_itself(redis: GuardedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_cache, "VALUE_SECONDS", 1)
    cache, store = cache_on(redis), Store(OLD)
    await read(cache, store.load)
    store.holds = NEW

    async def is_new() -> bool:
        return await read(cache, store.load) == NEW

    await eventually(is_new)


@pytest.fixture
def aging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value is due to be loaded anew: before it is made, as it says when to the millisecond, rounded."""
    monkeypatch.setattr(read_cache, "LEAST_AGE", -1)
    monkeypatch.setattr(read_cache, "MOST_AGE", -1)


async def test_a_young_value_is_not_loaded_anew(redis: GuardedRedis) -> None:
    cache, store = cache_on(redis), Store(OLD)
    await read(cache, store.load)
    assert await cache.get("item:A", store.load) == (OLD, None)


async def test_one_that_ages_is_answered_at_once_and_loaded_anew_behind_that(redis: GuardedRedis, aging: None) -> None:
    cache, store = cache_on(redis), Store(OLD)
    await read(cache, store.load)
    store.holds = NEW
    answered, refresh = await cache.get("item:A", store.load)
    assert (answered, store.loads) == (OLD, 1)
    assert refresh is not None
    await refresh()
    assert store.loads == 2
    assert await read(cache, store.load) == NEW


async def test_it_is_loaded_anew_once_at_a_time(redis: GuardedRedis, aging: None) -> None:
    cache, store = cache_on(redis), Store(OLD)
    await read(cache, store.load)
    refreshes = [(await cache.get("item:A", store.load))[1] for _ in range(5)]
    await asyncio.gather(*(refresh() for refresh in refreshes if refresh is not None))
    assert store.loads == 2


async def test_what_is_loaded_anew_does_not_put_back_what_a_change_has_dropped(
    redis: GuardedRedis, aging: None
) -> None:
    cache, store = cache_on(redis), Store(OLD)

    await read(cache, store.load)
    _, refresh = await cache.get("item:A", partial(store.load_and_be_overtaken, cache))
    assert refresh is not None
    await refresh()
    assert await read(cache, store.load) == NEW


async def test_values_that_were_made_together_age_at_other_moments(redis: GuardedRedis, redis_url: str) -> None:
    cache, store = cache_on(redis), Store(OLD)
    for number in range(20):
        await cache.get(f"item:{number}", store.load)
    async with Redis.from_url(redis_url) as client:
        values: list[Any] = [await client.get(key) for key in await client.keys("inventory-api:read:*")]
    moments = [float(value.split(b"\n")[1]) for value in values]
    assert max(moments) - min(moments) > 0.2 * read_cache.VALUE_SECONDS


async def test_another_database_and_another_release_share_nothing(redis: GuardedRedis) -> None:
    await read(cache_on(redis), Store(OLD).load)
    assert await read(cache_on(redis, database="two"), Store(NEW).load) == NEW
    assert await read(cache_on(redis, release="2.0"), Store(NEW).load) == NEW


async def test_a_change_by_one_release_is_seen_by_another(redis: GuardedRedis) -> None:
    """While a rollout lasts, both serve."""
    old, new, store = cache_on(redis, release="1.0"), cache_on(redis, release="2.0"), Store(OLD)
    await read(old, store.load)
    store.holds = NEW
    await new.drop(["item:A"])
    assert await read(old, store.load) == NEW


async def test_what_raises_is_not_kept(redis: GuardedRedis) -> None:
    cache, store = cache_on(redis), Store(NEW)

    async def fail() -> Representation:
        raise LookupError

    with pytest.raises(LookupError):
        await read(cache, fail)
    assert await read(cache, store.load) == NEW


async def test_without_redis_everything_is_loaded() -> None:
    cache, store = cache_on(None), Store(OLD)
    await read(cache, store.load)
    await cache.drop(["item:A"])
    store.holds = NEW
    assert await read(cache, store.load) == NEW
