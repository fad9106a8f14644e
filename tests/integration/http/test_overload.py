"""What is over the limit is refused soon; what is within it, and probes, are answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.service import Service, error_of, running
from tests.support.waiting import eventually

from inventory_api.http import overload

LIMIT = 2


@pytest.fixture
async def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def service(database_url: str, keys_file: Path, gate: asyncio.Event) -> AsyncIterator[Service]:
    """Answers two requests at once; `/gate` is answered when the test opens it."""

    async def endpoint() -> dict[str, bool]:
        await gate.wait()
        return {"open": True}

    async with running(database_url=database_url, api_keys_file=keys_file, max_in_flight=LIMIT) as started:
        started.app.api.add_api_route("/gate", endpoint)
        yield started


async def _fill(service: Service) -> list[asyncio.Task[httpx.Response]]:
    """As many requests as the service answers at once, all of them waiting at the gate."""
    admitted = [asyncio.create_task(service.api.get("/gate")) for _ in range(LIMIT)]

    async def all_inside() -> bool:
        return await service.metric("http_server_active_requests") == LIMIT

    await eventually(all_inside)
    return admitted


async def test_the_excess_is_refused_and_probes_are_not(
    service: Service, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is long enough here for all to arrive within it, also on a slow machine."""
    monkeypatch.setattr(overload, "LONGEST_QUEUE_SECONDS", 2)
    admitted = await _fill(service)
    excess = await asyncio.gather(*(service.api.get("/gate") for _ in range(20)))
    assert {(answer.status_code, error_of(answer)["type"]) for answer in excess} == {(503, "OVERLOADED")}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 5 for answer in excess)
    assert (await service.anonymous.get("/system/ready")).status_code == 200
    assert await service.metric("http_server_shed_total", reason="queue_timeout") == LIMIT * 4
    assert await service.metric("http_server_shed_total", reason="queue_full") == 20 - LIMIT * 4
    gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*admitted)} == {200}
    assert (await service.api.get("/inventory/absent")).status_code == 404


async def test_a_request_that_waits_a_little_is_answered(
    service: Service, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is made long here, so that a slow machine cannot turn it into a refusal."""
    monkeypatch.setattr(overload, "LONGEST_QUEUE_SECONDS", 60)
    admitted = await _fill(service)
    waiting = asyncio.create_task(service.api.get("/inventory/absent"))

    async def one_waits() -> bool:
        return await service.metric("http_server_active_requests") == LIMIT + 1

    await eventually(one_waits)
    gate.set()
    answer = await waiting
    await asyncio.gather(*admitted)
    assert answer.status_code == 404
    assert (await service.api.get("/inventory/absent")).status_code == 404
