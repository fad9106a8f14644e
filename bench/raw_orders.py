"""What orders are set against: SQL alone, sent by asyncpg as it is, with nothing around it."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from uuid_utils.compat import uuid7

from inventory_api import audit
from inventory_api.database.statement import Statement, together
from inventory_api.http.idempotency import records
from inventory_api.jobs import queue
from inventory_api.orders import queries as orders
from inventory_api.stock import queries as stock

LOCATION = "MAIN"
# The least that sells one of an item: a guarded update and its movement, no item looked at, no order, no audit, no key.
GUARDED_UPDATE = """
    WITH sold AS (
        UPDATE stock_level
        SET reserved = reserved + 1, version = version + 1
        WHERE sku = $1 AND location = $2 AND on_hand - reserved >= 1
        RETURNING on_hand, reserved
    )
    INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, actor,
                                request_id)
    SELECT $3, $1, $2, 'order', 0, 1, on_hand, reserved, 'bench', 'bench'
    FROM sold
"""
Sale = Callable[[asyncpg.Connection, str], Awaitable[None]]


async def guarded_update(connection: asyncpg.Connection, sku: str) -> None:
    """One statement, committed by itself."""
    await connection.execute(GUARDED_UPDATE, sku, LOCATION, uuid7())


async def same_statements(connection: asyncpg.Connection, sku: str) -> None:
    """The transaction of an order, as the service sends it."""
    await _order(connection, sku, told=True)


async def without_job(connection: asyncpg.Connection, sku: str) -> None:
    """The same, but that nobody is told of it."""
    await _order(connection, sku, told=False)


async def rate(url: str, sale: Sale, skus: Sequence[str], connections: int, seconds: float) -> float:
    """Sales a second, of all connections together."""
    opened = [await asyncpg.connect(url) for _ in range(connections)]
    counted, ends = 0, time.monotonic() + seconds

    async def sell(connection: asyncpg.Connection, number: int) -> None:
        nonlocal counted
        while time.monotonic() < ends:
            await sale(connection, skus[number % len(skus)])
            counted += 1
            number += 7

    try:
        await asyncio.gather(*(sell(connection, number) for number, connection in enumerate(opened)))
    finally:
        for connection in opened:
            await connection.close()
    return counted / seconds


async def _order(connection: asyncpg.Connection, sku: str, *, told: bool) -> None:
    order_id, key, request_id = uuid7(), str(uuid.uuid4()), str(uuid7())
    body = json.dumps({"id": str(order_id), "status": "confirmed", "lines": [[sku, LOCATION, 1]]})
    parts: list[tuple[Statement, tuple[object, ...]]] = [
        (orders.INSERT_LINES, ([order_id], [1], [sku], [LOCATION], [1])),
        (audit.INSERT, ([uuid7()], [f"order:{order_id}"], ["create"], [body], ["bench"], [request_id], [None])),
    ]
    if told:
        level = json.dumps(
            {"sku": sku, "location": LOCATION, "on_hand": 1, "reserved": 1, "available": 0, "version": 2}
        )
        parts.append((queue.ENQUEUE_GATHERED, (["event"] * 2, [0] * 2, [_event(level), _event(body)], ["{}"] * 2)))
    end = together(tuple(statement for statement, _ in parts), records.INSERT)
    arguments = [value for _, values in parts for value in values]
    async with connection.transaction():
        await connection.fetchrow(records.CLAIM.sql, "bench", key)
        await connection.fetchrow(orders.INSERT.sql, order_id, None, None)
        await connection.fetch(
            stock.TAKE.sql, [sku], [None], [1], [uuid7()], "order", f"order:{order_id}", "bench", request_id, None
        )
        await connection.fetchrow(end.sql, *arguments, "bench", key, b"", 201, body, f"/orders/{order_id}")


def _event(data: str) -> str:
    return f'{{"id": "{uuid7()}", "type": "order.created", "timestamp": "2026-03-01T08:00:00.000000Z", "data": {data}}}'
