"""GET of an item with the read cache before it."""

from typing import Any

import pytest
from tests.support.service import Service
from tests.support.waiting import eventually

from inventory_api.redis import read_cache

HIT = {"cache": "item", "result": "hit"}


async def statements(service: Service) -> float:
    return await service.metric("db_client_operation_duration_seconds_count", query_name="inventory.get_item")


async def test_the_second_read_asks_redis_alone_and_is_the_same(service: Service) -> None:
    await service.put("A-1")
    first = await service.api.get("/inventory/A-1")
    before = await statements(service)
    second = await service.api.get("/inventory/A-1")
    assert await statements(service) == before
    assert await service.metric("cache_requests_total", **HIT) == 1
    assert (second.status_code, second.content, second.headers["ETag"], second.headers["Content-Type"]) == (
        first.status_code, first.content, first.headers["ETag"], first.headers["Content-Type"]
    )  # fmt: skip
    revalidated = await service.api.get("/inventory/A-1", headers={"If-None-Match": first.headers["ETag"]})
    assert revalidated.status_code == 304
    assert await service.metric("cache_requests_total", **HIT) == 2


ADJUSTMENT = {"lines": [{"sku": "A-1", "delta": -1, "reason": "sold"}]}
TRANSFER = {"lines": [{"sku": "A-1", "from": "MAIN", "to": "EAST", "quantity": 1}]}
CHANGES: dict[str, tuple[str, str, Any]] = {
    "patch": ("PATCH", "/inventory/A-1", {"name": "Nut"}),
    "adjustment": ("POST", "/inventory/adjustments", ADJUSTMENT),
    "transfer": ("POST", "/inventory/transfers", TRANSFER),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_who_has_the_answer_to_a_change_reads_it(service: Service, change: str) -> None:
    await service.api.post("/locations", json={"code": "EAST", "name": "East", "active": True})
    await service.put("A-1")
    before = await service.api.get("/inventory/A-1")
    method, path, body = CHANGES[change]
    changed = await service.api.request(method, path, json=body, headers={"Idempotency-Key": change})
    assert changed.is_success, changed.text
    assert (await service.api.get("/inventory/A-1")).headers["ETag"] != before.headers["ETag"]


async def test_replacing_an_item_is_read_at_once(service: Service) -> None:
    created = await service.put("A-1")
    await service.api.get("/inventory/A-1")
    await service.put("A-1", {"If-Match": created.headers["ETag"]}, name="Nut")
    assert (await service.api.get("/inventory/A-1")).json()["name"] == "Nut"


async def test_a_change_that_is_refused_drops_nothing(service: Service) -> None:
    await service.put("A-1")
    await service.api.get("/inventory/A-1")
    refused = await service.patch("A-1", {"name": "Nut"}, If_Match='"7.7"')
    assert refused.status_code == 412
    await service.api.get("/inventory/A-1")
    assert await service.metric("cache_requests_total", **HIT) == 1


@pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "No-Store, x=1"])
async def test_no_cache_reads_what_is_now(service: Service, directive: str) -> None:
    await service.put("A-1")
    await service.api.get("/inventory/A-1")
    before = await statements(service)
    await service.api.get("/inventory/A-1", headers={"Cache-Control": directive})
    assert await statements(service) == before + 1
    assert await service.metric("cache_requests_total", cache="item", result="bypass") == 1


async def test_an_item_that_is_not_there_is_not_remembered_as_absent(service: Service) -> None:
    assert (await service.api.get("/inventory/A-1")).status_code == 404
    await service.put("A-1")
    assert (await service.api.get("/inventory/A-1")).status_code == 200


async def test_a_key_without_the_scope_reads_nothing_from_the_cache_either(service: Service) -> None:
    await service.put("A-1")
    await service.api.get("/inventory/A-1")
    assert (await service.anonymous.get("/inventory/A-1")).status_code == 401


async def test_what_is_read_often_is_loaded_anew_behind_an_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_cache, "LEAST_AGE", 0)
    monkeypatch.setattr(read_cache, "MOST_AGE", 0)
    await service.put("A-1")
    first = await service.api.get("/inventory/A-1")
    loaded = await statements(service)
    second = await service.api.get("/inventory/A-1")
    assert (second.content, second.headers["ETag"]) == (first.content, first.headers["ETag"])
    done = {"task": "read_cache.refresh", "result": "done"}
    await eventually(lambda: _counted(service, "background_tasks_total", done))
    assert await statements(service) == loaded + 1
    assert await service.metric("db_client_connections", state="used") == 0


async def _counted(service: Service, name: str, labels: dict[str, str]) -> bool:
    return await service.metric(name, **labels) == 1
