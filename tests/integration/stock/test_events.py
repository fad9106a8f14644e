"""Whoever is told of stock can rely on it: each version of a level once, and each crossing of a threshold."""

import asyncio
import json
import uuid
from collections import Counter
from typing import Any

import pytest
from jsonschema_rs import validator_for
from tests.support.database import execute, fetch
from tests.support.selling import EXPIRE, line, order, post, reserve
from tests.support.service import ITEM, Service

PAYLOADS = "SELECT convert_from(payload, 'UTF8') AS events FROM pgqueuer WHERE entrypoint = 'event' ORDER BY id"
LEVELS = "SELECT sku, location, version FROM stock_level"
CHANGED, LOW, DEPLETED = "inventory.level.changed", "inventory.level.low", "inventory.level.depleted"


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


async def told(url: str) -> list[dict[str, Any]]:
    """All events, in the order in which they happened."""
    rows = await asyncio.to_thread(fetch, url, PAYLOADS)
    return [event for row in rows for event in json.loads(row["events"])]


async def kinds_of_last(url: str) -> list[str]:
    """Of the last transaction that told of anything."""
    rows = await asyncio.to_thread(fetch, url, PAYLOADS)
    return [event["type"] for event in json.loads(rows[-1]["events"])]


async def adjust(service: Service, *deltas: int, sku: str = "A-1", location: str = "MAIN") -> None:
    lines = [{"sku": sku, "delta": delta, "reason": "count", "location": location} for delta in deltas]
    (await post(service, "/inventory/adjustments", {"lines": lines})).raise_for_status()


async def do_everything(service: Service, url: str) -> None:
    """Everything by which a level changes, once or more."""
    await service.api.post("/locations", json={"code": "EAST", "name": "East"})
    (await service.put("A-1", quantity=100, low_stock_threshold=40)).raise_for_status()
    (await service.put("B-2", quantity=10)).raise_for_status()
    etag = {"If-Match": (await service.api.get("/inventory/A-1")).headers["ETag"]}
    (await service.put("A-1", etag, quantity=90, low_stock_threshold=40)).raise_for_status()
    etag = {"If-Match": (await service.api.get("/inventory/A-1")).headers["ETag"]}
    (await service.api.patch("/inventory/A-1", json={"quantity": 80}, headers=etag)).raise_for_status()
    await adjust(service, 5, -5, 3)
    move = [{"sku": "A-1", "from": "MAIN", "to": "EAST", "quantity": 7}]
    (await post(service, "/inventory/transfers", {"lines": move})).raise_for_status()
    first, second = [(await order(service, line("A-1", 2), line("B-2", 1), line("A-1", 1))).json() for _ in range(2)]
    await post(service, f"/orders/{first['id']}/fulfill")
    await post(service, f"/orders/{second['id']}/cancel")
    held = [(await reserve(service, line("A-1", 20), line("B-2", 2))).json() for _ in range(3)]
    await post(service, f"/reservations/{held[0]['id']}/release")
    (await post(service, "/orders", {"reservation_id": held[1]["id"]})).raise_for_status()
    await execute(url, EXPIRE.format(held[2]["id"]))
    # More than is available, but for what has expired.
    (await order(service, line("A-1", 40), line("B-2", 6))).raise_for_status()
    await adjust(service, -1, sku="B-2")


async def test_each_version_of_each_level_is_told_of_once_and_as_it_was(service: Service, url: str) -> None:
    await do_everything(service, url)
    events = await told(url)
    changes = [event["data"] for event in events if event["type"] == CHANGED]
    versions = Counter((one["sku"], one["location"], one["version"]) for one in changes)
    made = {
        (sku, location, version)
        for sku, location, last in await asyncio.to_thread(fetch, url, LEVELS)
        for version in range(2, last + 1)
    }
    assert versions == dict.fromkeys(made, 1)
    assert all(one["available"] == one["on_hand"] - one["reserved"] >= 0 for one in changes)
    movements = "SELECT DISTINCT sku, location, on_hand, reserved FROM stock_movement"
    reached = {tuple(row) for row in await asyncio.to_thread(fetch, url, movements)}
    assert {(one["sku"], one["location"], one["on_hand"], one["reserved"]) for one in changes} <= reached
    assert len({event["id"] for event in events}) == len(events)
    assert [uuid.UUID(event["id"]).version for event in events[:1]] == [7]


async def test_what_is_told_is_what_the_document_says(service: Service, url: str) -> None:
    """Each kind of event, and nothing that the document does not have."""
    await do_everything(service, url)
    (await service.put("B-2", {"If-Match": "*"}, quantity=9, name="Nut")).raise_for_status()
    await adjust(service, -1, sku="B-2")
    document = (await service.anonymous.get("/openapi.json")).json()
    webhooks, schemas = document["webhooks"], document["components"]["schemas"]
    for webhook in webhooks.values():
        names = [parameter["name"] for parameter in webhook["post"]["parameters"]]
        assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    seen = set()
    for event in await told(url):
        content = webhooks[event["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        body = {name: event[name] for name in ("type", "timestamp", "data")}
        validator_for({**content, "components": {"schemas": schemas}}).validate(body)
        data = schemas[content["$ref"].rpartition("/")[2]]["properties"]["data"]["$ref"].rpartition("/")[2]
        assert event["data"].keys() == schemas[data]["properties"].keys()
        seen.add(event["type"])
    assert seen | {"webhook.test", DEPLETED, LOW} == set(webhooks)


async def test_low_is_told_of_when_it_comes_to_be_so_and_not_again(service: Service, url: str) -> None:
    """Of what is available at the location: by a sale, by a hold, by an adjustment, by an edit."""
    (await service.put("A-1", quantity=10, low_stock_threshold=4)).raise_for_status()
    assert await kinds_of_last(url) == [CHANGED, "inventory.item.updated"]
    await order(service, line("A-1", 5))
    assert await kinds_of_last(url) == [CHANGED, "order.created"]
    held = (await reserve(service, line("A-1", 1))).json()
    assert await kinds_of_last(url) == [CHANGED, LOW]
    await order(service, line("A-1", 1))
    assert await kinds_of_last(url) == [CHANGED, "order.created"]
    await post(service, f"/reservations/{held['id']}/release")
    await adjust(service, 1)
    assert await kinds_of_last(url) == [CHANGED]
    await adjust(service, -3)
    assert await kinds_of_last(url) == [CHANGED, LOW]
    low = [event["data"] for event in await told(url) if event["type"] == LOW][-1]
    assert (low["available"], low["low_stock_threshold"], low["location"]) == (2, 4, "MAIN")
    await adjust(service, 3)
    etag = {"If-Match": (await service.api.get("/inventory/A-1")).headers["ETag"]}
    (await service.api.patch("/inventory/A-1", json={"quantity": 8}, headers=etag)).raise_for_status()
    assert LOW in await kinds_of_last(url)


async def test_depleted_is_told_of_when_nothing_is_left(service: Service, url: str) -> None:
    (await service.put("A-1", quantity=3, low_stock_threshold=0)).raise_for_status()
    await order(service, line("A-1", 2))
    assert DEPLETED not in await kinds_of_last(url)
    made = (await order(service, line("A-1", 1))).json()
    assert await kinds_of_last(url) == [CHANGED, LOW, DEPLETED, "order.created"]
    await post(service, f"/orders/{made['id']}/fulfill")
    assert await kinds_of_last(url) == ["order.fulfilled", CHANGED]


async def test_what_is_refused_or_changes_nothing_is_told_to_nobody(service: Service, url: str) -> None:
    (await service.put("A-1")).raise_for_status()
    before = await told(url)
    assert (await order(service, line("A-1", 11))).status_code == 409
    assert (await service.patch("A-1", {"name": ITEM["name"]})).status_code == 200
    assert (await service.patch("A-1", {"quantity": 1})).status_code == 428
    assert await told(url) == before


async def test_an_expired_hold_is_told_of_once_with_all_that_it_held(service: Service, url: str) -> None:
    """Though its lines are let go one after the other, by whoever needs them."""
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()
    held = (await reserve(service, line("A-1", 10), line("B-2", 10))).json()
    await execute(url, EXPIRE.format(held["id"]))
    for sku in ("A-1", "B-2"):
        (await order(service, line(sku, 1))).raise_for_status()
    (expired,) = [event for event in await told(url) if event["type"] == "reservation.expired"]
    assert expired["data"] == (await service.api.get(f"/reservations/{held['id']}")).json()
    assert expired["timestamp"] == expired["data"]["updated_at"]


async def test_an_item_is_told_of_as_it_is_answered(service: Service, url: str) -> None:
    made = await service.put("A-1")
    patched = await service.patch("A-1", {"name": "Nut", "low_stock_threshold": 3})
    items = [event["data"] for event in await told(url) if event["type"] == "inventory.item.updated"]
    assert items == [made.json(), patched.json()]
