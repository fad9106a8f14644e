"""Reservations and orders, as a client makes them; and what must be true of stock that is reserved."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.database import UNBALANCED, fetch
from tests.support.service import Service

# Levels whose `reserved` is not the sum of what reservations hold and of what confirmed orders have.
UNACCOUNTED = """
SELECT sku, location, level.reserved, coalesce(allocated.quantity, 0) AS allocated
FROM stock_level level
FULL JOIN (
    SELECT sku, location, sum(quantity) AS quantity
    FROM (SELECT sku, location, quantity FROM reservation_line WHERE held
          UNION ALL
          SELECT sku, location, quantity FROM sales_order_line JOIN sales_order ON id = order_id
          WHERE status = 'confirmed') AS part
    GROUP BY sku, location
) AS allocated USING (sku, location)
WHERE coalesce(level.reserved, 0) <> coalesce(allocated.quantity, 0)
"""
EXPIRE = "UPDATE reservation SET expires_at = now() - interval '1 second' WHERE id = '{0}'; "
EXPIRE += "UPDATE reservation_line SET expires_at = now() - interval '1 second' WHERE reservation_id = '{0}'"


def line(sku: str, quantity: int, **more: str) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, **more}


async def post(service: Service, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> httpx.Response:
    """With a key of its own, unless one is given."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return (
        await service.api.post(path, json=body, headers=headers)
        if body is not None
        else (await service.api.post(path, headers=headers))
    )


async def reserve(service: Service, *lines: Mapping[str, Any], seconds: int = 600) -> httpx.Response:
    return await post(service, "/reservations", {"lines": lines, "ttl_seconds": seconds})


async def order(service: Service, *lines: Mapping[str, Any], **more: Any) -> httpx.Response:
    return await post(service, "/orders", {"lines": lines, **more})


async def level(service: Service, sku: str, location: str = "MAIN") -> tuple[int, int]:
    """On hand, and reserved of it."""
    levels = (await service.api.get(f"/inventory/{sku}")).raise_for_status().json()["levels"]
    (found,) = [one for one in levels if one["location"] == location]
    return found["on_hand"], found["reserved"]


async def assert_accounted(database_url: str) -> None:
    """Stock is what the ledger says, and reserved is what somebody has."""
    for query in (UNBALANCED, UNACCOUNTED):
        assert await asyncio.to_thread(fetch, database_url, query) == []
