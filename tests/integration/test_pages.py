"""Pages of what is newest first: each once, also where many have one time, and while others come."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from tests.support.database import fetch
from tests.support.service import Service

TIED = 25
# All of one moment, which is later than that of the item's own.
MOVEMENTS = """
INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, actor,
                            request_id, created_at)
SELECT gen_random_uuid(), 'A-1', 'MAIN', 'adjustment', 0, 0, 10, 0, 'key:x', 'tied', now()
FROM generate_series(1, $1::int)
"""
AUDIT = """
INSERT INTO audit_entry (id, resource, action, changes, actor, request_id, created_at)
SELECT gen_random_uuid(), 'item:A-1', 'adjust', '{}', 'key:x', 'tied', now() FROM generate_series(1, $1::int)
"""
LISTS = ["/inventory/A-1/movements", "/inventory/A-1/audit", "/audit?resource=item:A-1", "/audit?actor=key:x"]


@pytest.fixture(autouse=True)
async def _tied(service: Service, database_url: str) -> None:
    (await service.put("A-1")).raise_for_status()
    for statement in (MOVEMENTS, AUDIT):
        await asyncio.to_thread(fetch, database_url, statement, TIED)


@pytest.fixture
async def others_come(service: Service) -> AsyncIterator[None]:
    """An adjustment after the other, until the test is over."""

    over = asyncio.Event()

    async def adjust() -> None:
        while not over.is_set():
            body = {"lines": [{"sku": "A-1", "delta": 1, "reason": "found"}]}
            await service.api.post("/inventory/adjustments", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    task = asyncio.create_task(adjust())
    yield
    over.set()
    await task


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 4, 25])
async def test_each_is_shown_once(service: Service, others_come: None, path: str, limit: int) -> None:
    seen, cursor = list[str](), ""
    while True:
        query = f"{'&' if '?' in path else '?'}limit={limit}{cursor}"
        page = (await service.api.get(f"{path}{query}")).raise_for_status().json()
        seen += [one["id"] for one in page["items"] if one["request_id"] == "tied"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (len(seen), len(set(seen))) == (TIED, TIED)
