"""A Redis that is killed, frozen, silent or unwilling: no 5xx, a bounded number of waits, and recovery by itself."""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.trace import NoOpTracer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from tests.support.redis import OwnRedis, Proxy, own_redis, proxy_to
from tests.support.service import Service, running
from tests.support.waiting import eventually

from inventory_api import health
from inventory_api.redis.breaker import FAILURES_TO_OPEN, Breaker
from inventory_api.redis.client import MAX_CONNECTIONS, create
from inventory_api.redis.guarded import GuardedRedis, RedisUnavailable
from inventory_api.telemetry.metrics import REDIS_BREAKER_STATE, REDIS_ERRORS

AT_ONCE = 60
# As many as there are connections; and who gets a place that the first failures leave, before the last that opens.
MOST_WAITS = MAX_CONNECTIONS + FAILURES_TO_OPEN - 1
FAULTS = {signal.SIGKILL: "killed", signal.SIGSTOP: "frozen"}


@pytest.fixture
def own(server_directory: Path) -> Iterator[OwnRedis]:
    with own_redis(server_directory) as server:
        yield server


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[Proxy]:
    client = Redis.from_url(redis_url)
    await client.flushdb()
    await client.aclose()
    async with proxy_to(redis_url) as started:
        yield started


@pytest.fixture
def limited(database_url: str, keys_file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an application that can answer all at once, and whose checks come often, so that no test waits for them."""
    monkeypatch.setattr(health, "INTERVAL_SECONDS", 0.2)

    @asynccontextmanager
    async def make(redis_url: str, limit: str) -> AsyncIterator[Service]:
        values: dict[str, Any] = {"database_url": database_url, "api_keys_file": keys_file, "redis_url": redis_url}
        async with running(
            **values, rate_limit=limit, max_in_flight=200, pool_acquire_timeout=60, request_deadline=20
        ) as service:
            yield service

    return make


async def _get(service: Service) -> httpx.Response:
    return await service.api.get("/inventory/absent")


async def _statuses(service: Service, count: int) -> Counter[int]:
    """Of that many requests at once."""
    return Counter(answer.status_code for answer in await asyncio.gather(*(_get(service) for _ in range(count))))


def _remaining(response: httpx.Response) -> int:
    return int(response.headers["RateLimit"].partition(";r=")[2].partition(";")[0])


async def _breaker_is(service: Service, state: str) -> bool:
    return await service.metric("redis_breaker_state", state=state) == 1


async def _unanswered(service: Service) -> float:
    kinds = ("timeout", "connection")
    return sum([await service.metric("redis_client_errors_total", error_type=kind) for kind in kinds])


async def _until_readiness_is(service: Service, wanted: str) -> None:
    async def said() -> bool:
        response = await service.management.get("/system/ready")
        assert response.status_code == 200
        return bool(response.json()["status"] == wanted)

    await eventually(said)


async def _expect_counting_in_redis(service: Service, redis_url: str) -> None:
    client: Redis = Redis.from_url(redis_url, decode_responses=True)

    async def counted() -> int:
        return sum([int(str(await client.get(key))) for key in await client.keys("inventory-api:rate-limit:*")])

    before = await counted()
    assert _remaining(await _get(service)) == 500 - await counted() == 500 - before - 1
    await client.aclose()


async def _connect_all(service: Service) -> None:
    """One after the other, so that what fails later is not the making of connections."""
    pool = service.app.api.state.resources.redis._client.connection_pool
    for connection in [await pool.get_connection() for _ in range(MAX_CONNECTIONS)]:
        await pool.release(connection)


@pytest.mark.parametrize("fault", FAULTS, ids=FAULTS.get)
async def test_a_redis_that_goes_in_the_middle_costs_no_error_and_counts_again_when_it_is_back(
    limited: Any, own: OwnRedis, fault: signal.Signals
) -> None:
    async with limited(own.url, "500/hour") as service:
        assert _remaining(await _get(service)) == 499
        running_requests = [asyncio.create_task(_get(service)) for _ in range(AT_ONCE)]
        own.signal(fault)
        assert {(await request).status_code for request in running_requests} == {404}
        assert await _statuses(service, AT_ONCE) == {404: AT_ONCE}
        assert await _breaker_is(service, "open")
        paid = await _unanswered(service)
        assert FAILURES_TO_OPEN <= paid <= MOST_WAITS

        assert await _statuses(service, AT_ONCE) == {404: AT_ONCE}
        assert await _unanswered(service) == paid
        await _until_readiness_is(service, "degraded")

        if fault == signal.SIGSTOP:
            own.signal(signal.SIGCONT)
        else:
            own.start()
        await eventually(lambda: _breaker_is(service, "closed"))
        await _until_readiness_is(service, "ready")
        await _expect_counting_in_redis(service, own.url)


async def test_a_black_hole_costs_as_many_waits_as_were_under_way_and_no_more(
    limited: Any, proxy: Proxy, redis_url: str
) -> None:
    """Counted where they arrive: at the Redis that does not answer."""
    async with limited(proxy.url, "500/hour") as service:
        await _connect_all(service)
        proxy.silence()
        for _ in range(3):
            assert await _statuses(service, AT_ONCE) == {404: AT_ONCE}
        assert await _breaker_is(service, "open")
        commands = proxy.swallowed(b"EVALSHA")
        assert FAILURES_TO_OPEN <= commands <= await _unanswered(service) <= MOST_WAITS
        await _until_readiness_is(service, "degraded")
        assert await _statuses(service, AT_ONCE) == {404: AT_ONCE}
        assert proxy.swallowed(b"EVALSHA") == commands

        proxy.answer = None
        await eventually(lambda: _breaker_is(service, "closed"))
        await _expect_counting_in_redis(service, redis_url)


async def test_while_redis_is_gone_the_process_limits_alone(limited: Any, own: OwnRedis) -> None:
    async with limited(own.url, "30/hour") as service:
        for _ in range(20):
            assert (await _get(service)).status_code == 404
        own.signal(signal.SIGKILL)
        statuses = [(await _get(service)).status_code for _ in range(35)]
        assert statuses == [404] * 30 + [429] * 5


async def _out_of_memory(client: Redis) -> None:
    await client.config_set("maxmemory", 1)


async def _read_only(client: Redis) -> None:
    await client.replicaof("127.0.0.1", "1")


async def _other_password(client: Redis) -> None:
    await client.config_set("requirepass", "secret")
    await client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("fault", [_out_of_memory, _read_only, _other_password])
async def test_a_redis_that_refuses_is_done_without(limited: Any, own: OwnRedis, fault: Any) -> None:
    client = Redis.from_url(own.url)
    async with limited(own.url, "500/hour") as service:
        assert _remaining(await _get(service)) == 499
        await fault(client)
        assert [_remaining(await _get(service)) for _ in range(20)] == list(range(499, 479, -1))
        assert await service.metric("redis_client_errors_total") >= FAILURES_TO_OPEN
    await client.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk\r\n",
        b"-BUSY Redis is busy running a script\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"$3\r\nfoo\r\n",
        b"nonsense\r\n",
    ],
)
async def test_no_answer_of_redis_is_an_error_of_the_service(limited: Any, proxy: Proxy, answer: bytes) -> None:
    async with limited(proxy.url, "500/hour") as service:
        assert (await _get(service)).status_code == 404
        proxy.answer = answer
        assert {(await _get(service)).status_code for _ in range(20)} == {404}


async def test_credentials_that_cannot_be_read_are_no_error_of_the_service(
    limited: Any, own: OwnRedis, tmp_path: Path, database_url: str, keys_file: Path
) -> None:
    del limited
    client = Redis.from_url(own.url)
    await client.config_set("requirepass", "secret")
    file = tmp_path / "url"
    file.write_text(own.url.replace("unix://", "unix://:secret@"))
    async with running(
        database_url=database_url, api_keys_file=keys_file, redis_url_file=file, rate_limit="5/hour"
    ) as service:
        assert _remaining(await _get(service)) == 4
        file.unlink()
        await client.client_kill_filter(_type="normal", skipme=True)
        assert {(await _get(service)).status_code for _ in range(3)} == {404}
    await client.aclose()


async def test_a_refusal_is_said_once_and_opens_nothing(
    limited: Any, own: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """PING would close the breaker at once, and every round of checks would begin it anew."""
    client = Redis.from_url(own.url)
    async with limited(own.url, "500/hour") as service:
        await _out_of_memory(client)
        with caplog.at_level(logging.WARNING):
            for _ in range(FAILURES_TO_OPEN * 2):
                assert (await _get(service)).status_code == 404
        assert await _breaker_is(service, "closed")
        assert await service.metric("redis_client_errors_total", error_type="refused") == FAILURES_TO_OPEN * 2
    assert len([record for record in caplog.records if "Redis refuses" in record.message]) == 1
    await client.aclose()


async def test_a_full_pool_is_done_without_and_tells_nothing_of_redis(redis_url: str) -> None:
    registry = CollectorRegistry()
    client = create(lambda: redis_url)
    assert client is not None
    breaker = Breaker("redis", REDIS_BREAKER_STATE.create(registry))
    redis = GuardedRedis(client, breaker, REDIS_ERRORS.create(registry), NoOpTracer())
    redis._places = asyncio.Semaphore(0)

    async def ping() -> None:
        async with redis.use("test") as used:
            await used.ping()

    results = await asyncio.gather(*(ping() for _ in range(FAILURES_TO_OPEN * 2)), return_exceptions=True)
    assert {type(result) for result in results} == {RedisUnavailable}
    assert registry.get_sample_value("redis_client_errors_total", {"error_type": "pool"}) == FAILURES_TO_OPEN * 2
    assert not breaker.is_open
    await redis.close()
