"""Limits per principal: shared by all that use one Redis, told by headers, decided before the body is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from tests.support.otlp import attributes, collecting
from tests.support.service import ADMIN_KEY, ITEM, Service, error_of, running, write_keys
from tests.support.waiting import eventually

from inventory_api.http.auth import SCOPES
from inventory_api.http.routing import Route, RouteTable
from inventory_api.redis import client as redis_client
from inventory_api.redis import guarded

OTHER = {"Authorization": "Bearer another"}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Empty."""
    client = Redis.from_url(redis_url, decode_responses=True)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "keys.json", {"admin": ADMIN_KEY, "other": "another"})


@pytest.fixture
def limited(database_url: str, redis_url: str, redis: Redis, keys_file: Path) -> Any:
    """Makes applications on one Redis."""
    del redis

    @asynccontextmanager
    async def make(limit: str, **values: Any) -> AsyncIterator[Service]:
        settings = {"database_url": database_url, "redis_url": redis_url, "api_keys_file": keys_file}
        async with running(**{**settings, "rate_limit": limit, **values}) as service:
            yield service

    return make


async def _get(service: Service, **headers: str) -> httpx.Response:
    return await service.api.get("/inventory/absent", headers=headers)


async def test_two_applications_on_one_redis_share_the_limit(limited: Any) -> None:
    async with limited("5/hour") as first, limited("5/hour") as second:
        statuses = [(await _get(service)).status_code for service in (first, second) * 3]
    assert statuses == [404] * 5 + [429]


async def test_the_refusal_has_the_one_shape_and_says_when_to_come_back(limited: Any, redis: Redis) -> None:
    async with limited("1/hour") as service:
        admitted, refused = await _get(service), await _get(service)
        assert await service.metric("http_server_rate_limited_total", policy="default") == 1
        assert await service.metric("http_server_rate_limited_total") == 1
    assert admitted.headers["RateLimit-Policy"] == refused.headers["RateLimit-Policy"] == '"default";q=1;w=3600'
    assert admitted.headers["RateLimit"] == '"default";r=0;t=3600'
    assert (refused.status_code, error_of(refused)["type"]) == (429, "RATE_LIMITED")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["RateLimit"] == f'"default";r=0;t={refused.headers["Retry-After"]}'
    (key,) = await redis.keys()
    assert str(key).startswith("inventory-api:rate-limit:")
    assert 0 < await redis.ttl(key) <= 3600


async def test_each_principal_has_a_limit_of_its_own(limited: Any) -> None:
    async with limited("1/hour") as service:
        assert [(await _get(service)).status_code for _ in range(2)] == [404, 429]
        assert [(await _get(service, **OTHER)).status_code for _ in range(2)] == [404, 429]


async def test_after_the_wait_there_is_quota_again(limited: Any) -> None:
    async with limited("2/second") as service:
        for _ in range(2):

            async def refused() -> bool:
                return bool((await _get(service)).status_code == 429)

            async def admitted() -> bool:
                return bool((await _get(service)).status_code == 404)

            await eventually(refused)
            await eventually(admitted)


async def test_what_one_window_refuses_uses_up_no_other(limited: Any) -> None:
    """A client that hammers for a second must not find the hour gone."""
    async with limited("2/hour;100/day") as service:
        answers = [await _get(service) for _ in range(10)]
        assert await service.metric("http_server_rate_limited_total", policy="hour") == 8
        assert await service.metric("http_server_rate_limited_total", policy="day") == 0
    assert [answer.status_code for answer in answers] == [404] * 2 + [429] * 8
    assert '"day";r=98;' in answers[-1].headers["RateLimit"]
    assert int(answers[-1].headers["Retry-After"]) <= 3600


async def test_a_limited_body_is_not_read(limited: Any) -> None:
    begun = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal begun
        begun = True
        yield b"{}"

    async with limited("1/hour") as service:
        await _get(service)
        response = await service.api.put("/inventory/A-1", content=body())
    assert (response.status_code, begun) == (429, False)


async def test_what_is_not_authorised_and_probes_are_neither_counted_nor_limited(
    limited: Any, redis: Redis, tmp_path: Path
) -> None:
    file = write_keys(tmp_path / "few.json", {"admin": ADMIN_KEY}, [scope for scope in SCOPES if scope != "audit:read"])
    async with limited("1/hour", api_keys_file=file) as service:
        for path, status in (("/inventory/x/audit", 403), ("/nowhere", 404), ("/system/ready", 200)):
            for _ in range(3):
                response = await service.api.get(path)
                assert response.status_code == status
                assert "RateLimit" not in response.headers
        assert (await service.anonymous.get("/inventory/x")).status_code == 401
        assert (await service.management.get("/metrics")).status_code == 200
        assert await redis.keys() == []
        assert (await _get(service)).status_code == 404


async def test_every_answer_to_a_counted_request_has_the_headers_and_without_a_limit_none_has(
    limited: Any, service: Service
) -> None:
    async with limited("100/hour") as counted:
        answers = [
            await counted.put("A-1"),
            await counted.api.get("/inventory/A-1"),
            await counted.api.put("/inventory/A-1", content=b"{"),
            await counted.api.put("/inventory/A-1", json=ITEM),
        ]
    assert [answer.status_code for answer in answers] == [201, 200, 415, 428]
    remaining = [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers]
    assert remaining == [f'"default";r={left}' for left in (99, 98, 97, 96)]
    assert "RateLimit" not in (await _get(service)).headers


async def test_without_redis_the_process_limits_alone(limited: Any) -> None:
    async with limited("2/hour", redis_url="") as first, limited("2/hour", redis_url="") as second:
        answers = [await _get(service) for service in (first, first, first, second)]
    assert [answer.status_code for answer in answers] == [404, 404, 429, 404]
    assert answers[0].headers["RateLimit"] == '"default";r=1;t=3600'
    assert 3500 < int(answers[2].headers["Retry-After"]) <= 3600


async def test_two_hundred_at_once_are_counted_exactly(limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there are connections. Waits are long here, so that a slow machine does not count by itself."""
    monkeypatch.setattr(guarded, "TIMEOUT_SECONDS", 30)
    monkeypatch.setattr(redis_client, "TIMEOUT_SECONDS", 30)
    async with limited("150/hour", max_in_flight=200, pool_acquire_timeout=60, request_deadline=20) as service:
        answers = await asyncio.gather(*(_get(service) for _ in range(200)))
        assert await service.metric("redis_client_errors_total") == 0
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(404), statuses.count(429)) == (150, 50)


async def test_a_use_of_redis_is_one_span_under_that_of_the_request_and_tells_no_argument(
    limited: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        async with limited("5/hour") as service:
            response = await _get(service)
        spans = collector.trace(error_of(response)["trace_id"])
        assert not [span for span in collector.spans() if span.name == "PING"]
    (command,) = [span for span in spans if span.name == "rate_limit.count"]
    (server,) = [span for span in spans if not span.parent_span_id]
    assert command.parent_span_id == server.span_id
    assert attributes(command) == {"db.system.name": "redis"}


async def test_the_document_tells_of_429_and_its_headers(service: Service) -> None:
    document = (await service.anonymous.get("/openapi.json")).json()
    table: RouteTable = service.app.api.state.route_table
    for method, path, route in table.operations():
        if isinstance(route, Route):
            responses = document["paths"][path][method.lower()]["responses"]
            assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(responses["429"]["headers"])
            for status in {"200", "201"} & set(responses):
                assert {"RateLimit", "RateLimit-Policy"} <= set(responses[status]["headers"])
