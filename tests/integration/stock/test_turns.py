"""Whoever changes an item waits for a turn, and turns come in the order in which they were asked for."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable

import asyncpg
import httpx
import pytest
from tests.support.selling import assert_accounted, level, line, order, reserve
from tests.support.service import Service
from tests.support.waiting import eventually

TURN = "hashtext('item'), hashtext('A-1') & 1023"
WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


@pytest.fixture
async def holder(service: Service, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Has the turn of A-1."""
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"SELECT pg_advisory_lock({TURN})")
    yield connection
    await connection.close()


def adjust(service: Service, *skus: str) -> Awaitable[httpx.Response]:
    lines = [{"sku": sku, "delta": 1, "reason": "found"} for sku in skus]
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return service.api.post("/inventory/adjustments", json={"lines": lines}, headers=headers)


async def test_changes_are_made_in_the_order_in_which_they_came(service: Service, holder: asyncpg.Connection) -> None:
    """Adjustments of one and of two items, and edits, of which the second comes to another version."""
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    transfer = {"lines": [{"sku": "A-1", "from": "MAIN", "to": "EAST", "quantity": 1}]}
    waiting: list[asyncio.Future[httpx.Response]] = []
    for change in (
        adjust(service, "A-1"),
        service.patch("A-1", {"name": "Nut"}),
        adjust(service, "B-2", "A-1"),
        service.api.post("/inventory/transfers", json=transfer, headers={"Idempotency-Key": "t"}),
        service.patch("A-1", {"name": "Washer"}),
        adjust(service, "A-1"),
    ):
        waiting.append(asyncio.ensure_future(change))
        await eventually(lambda: _waiters(holder, len(waiting)))
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in answers] == [201, 200, 201, 201, 200, 201]
    made = [entry["request_id"] for entry in reversed(await service.audit("A-1"))][1:]
    assert made == [answer.headers["X-Request-ID"] for answer in answers]


async def test_the_location_of_an_item_is_what_it_is_when_the_turn_comes(
    service: Service, holder: asyncpg.Connection
) -> None:
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    moved = asyncio.ensure_future(service.patch("A-1", {"warehouse_location": "EAST"}))
    await eventually(lambda: _waiters(holder, 1))
    adjusted = asyncio.ensure_future(adjust(service, "A-1"))
    await eventually(lambda: _waiters(holder, 2))
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    assert (await moved).status_code == 200
    assert (await adjusted).json()["movements"][0]["location"] == "EAST"


async def test_that_location_may_be_newer_than_the_request(service: Service, holder: asyncpg.Connection) -> None:
    """Of an item whose turn is taken after that of A-1, and so not yet while it is waited for."""
    later = await holder.fetchval(
        "SELECT sku FROM (SELECT 'L-' || n AS sku FROM generate_series(1, 100) AS n) AS made"
        " WHERE hashtext(sku) & 1023 > hashtext('A-1') & 1023 LIMIT 1"
    )
    (await service.put(later)).raise_for_status()
    adjusted = asyncio.ensure_future(adjust(service, "A-1", later))
    await eventually(lambda: _waiters(holder, 1))
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    (await service.patch(later, {"warehouse_location": "EAST"})).raise_for_status()
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    assert [made["location"] for made in (await adjusted).json()["movements"]] == ["MAIN", "EAST"]


async def test_a_location_takes_no_stock_from_those_who_wait_when_it_is_made_inactive(
    service: Service, holder: asyncpg.Connection
) -> None:
    waiting = asyncio.ensure_future(adjust(service, "A-1"))
    await eventually(lambda: _waiters(holder, 1))
    (await service.api.patch("/locations/MAIN", json={"active": False})).raise_for_status()
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    refused = await waiting
    assert (refused.status_code, refused.json()["error"]["details"][0]["code"]) == (422, "inactive_location")


async def test_an_order_has_what_those_before_it_have_made_of_the_level(
    service: Service, holder: asyncpg.Connection, database_url: str
) -> None:
    """All ten are sold, and five more come, while others wait: neither more nor less than those is sold."""
    waiting: list[asyncio.Future[httpx.Response]] = []
    for change in (
        order(service, line("A-1", 10)),
        order(service, line("A-1", 1)),
        adjust(service, *["A-1"] * 5),
        order(service, line("A-1", 2), line("A-1", 2)),
        order(service, line("A-1", 2)),
        reserve(service, line("A-1", 1)),
        order(service, line("A-1", 1)),
    ):
        waiting.append(asyncio.ensure_future(change))
        await eventually(lambda: _waiters(holder, len(waiting)))
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in answers] == [201, 409, 201, 201, 409, 201, 409]
    assert await level(service, "A-1") == (15, 15)
    await assert_accounted(database_url)


async def test_an_item_with_another_turn_does_not_wait(service: Service, holder: asyncpg.Connection) -> None:
    held = asyncio.ensure_future(adjust(service, "A-1"))
    await eventually(lambda: _waiters(holder, 1))
    assert (await adjust(service, "B-2")).status_code == 201
    assert not held.done()
    await holder.execute(f"SELECT pg_advisory_unlock({TURN})")
    assert (await held).status_code == 201


@pytest.mark.usefixtures("holder")
async def test_a_turn_that_does_not_come_is_a_503_to_come_again(service: Service) -> None:
    refused = await adjust(service, "A-1")
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert refused.headers["Retry-After"]


async def _waiters(connection: asyncpg.Connection, wanted: int) -> bool:
    return bool(await connection.fetchval(WAITING) == wanted)
