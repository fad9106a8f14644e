"""The list of items: filters, order, and pages that show each item once."""

import asyncio
from typing import Any

import pytest
from tests.support.database import fetch
from tests.support.service import Service, error_of


async def listed(service: Service, **query: Any) -> list[str]:
    """The skus of all pages."""
    skus, cursor = list[str](), dict[str, str]()
    while True:
        response = await service.api.get("/inventory", params={**query, **cursor})
        page = response.raise_for_status().json()
        skus += [item["sku"] for item in page["items"]]
        if page["next_cursor"] is None:
            return skus
        cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
async def items(service: Service) -> None:
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    await service.put("bolt-1", name="Bolt M8", quantity=5, low_stock_threshold=5)
    await service.put("BOLT-2", name="Large bolt", quantity=6, low_stock_threshold=5)
    await service.put("nut-1", name="bolt's nut", is_discontinued=True, warehouse_location="EAST")
    await service.put("Z", name="\U0010ffff % _ \\", quantity=0)


async def test_items_are_listed_by_sku_as_each_is_read(service: Service, items: None) -> None:
    page = (await service.api.get("/inventory")).json()
    assert [item["sku"] for item in page["items"]] == ["BOLT-2", "Z", "bolt-1", "nut-1"]
    for item in page["items"]:
        assert item == (await service.api.get(f"/inventory/{item['sku']}")).json()


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ({"location": "EAST"}, ["nut-1"]),
        ({"location": "NONE"}, []),
        ({"discontinued": "true"}, ["nut-1"]),
        ({"discontinued": "false"}, ["BOLT-2", "Z", "bolt-1"]),
        ({"low_stock": "true"}, ["bolt-1"]),
        ({"low_stock": "false"}, ["BOLT-2", "Z", "nut-1"]),
        ({"q": "BOLT"}, ["BOLT-2", "bolt-1", "nut-1"]),
        ({"q": "bolt m"}, ["bolt-1"]),
        ({"q": "%"}, []),
        ({"q": "\U0010ffff %"}, ["Z"]),
        ({"q": "bolt", "discontinued": "false", "location": "MAIN", "low_stock": "false"}, ["BOLT-2"]),
        ({"updated_since": "2020-01-01T00:00:00Z"}, ["BOLT-2", "Z", "bolt-1", "nut-1"]),
        ({"updated_since": "2020-01-01t00:00:00.5z"}, ["BOLT-2", "Z", "bolt-1", "nut-1"]),
        ({"updated_since": "2100-01-01T00:00:00+02:00"}, []),
    ],
)
async def test_filters_narrow_the_list_and_pages_keep_to_them(
    service: Service, items: None, query: dict[str, str], skus: list[str]
) -> None:
    assert await listed(service, **query) == skus
    assert await listed(service, **query, limit=1) == skus


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "x"},
        {"discontinuted": "true"},
        {"discontinued": "maybe"},
        {"q": ""},
        {"q": "\0"},
        {"q": "x" * 201},
        {"location": "a b"},
        {"updated_since": "yesterday"},
        {"updated_since": "2026-01-01T00:00:00"},
        {"updated_since": "0001-01-01T00:00:00+23:59"},
        {"updated_since": "2026-W01-1T00:00:00Z"},
        {"updated_since": "20260101T000000Z"},
        {"updated_since": "2026-01-01T00Z"},
        [("location", "MAIN"), ("location", "EAST")],
        [("limit", "1"), ("limit", "1")],
    ],
)
async def test_a_filter_that_is_none_is_a_422_and_not_a_list_of_everything(service: Service, query: Any) -> None:
    refused = await service.api.get("/inventory", params=query)
    assert (refused.status_code, error_of(refused)["type"]) == (422, "VALIDATION_FAILURE")
    assert "yesterday" not in refused.text


async def test_a_cursor_is_of_one_list(service: Service, items: None) -> None:
    cursor = (await service.api.get("/inventory", params={"limit": 1, "q": "bolt"})).json()["next_cursor"]
    for query in ({"q": "nut"}, {}, {"q": "bolt", "low_stock": "true"}):
        refused = await service.api.get("/inventory", params={**query, "cursor": cursor})
        assert (refused.status_code, error_of(refused)["type"]) == (400, "INVALID_CURSOR")
    assert (await service.api.get("/inventory", params={"limit": 2, "q": "bolt", "cursor": cursor})).status_code == 200


async def test_more_than_200_is_taken_as_200(service: Service, database_url: str) -> None:
    insert = """
        INSERT INTO item (sku, name, warehouse_location, is_discontinued, attributes)
        SELECT 'S-' || n, 'x', 'MAIN', false, '{}' FROM generate_series(1, 250) n
        """
    await asyncio.to_thread(fetch, database_url, insert)
    assert len((await service.api.get("/inventory", params={"limit": 1000})).json()["items"]) == 200


async def test_while_others_are_inserted_none_that_was_there_is_skipped_or_shown_twice(service: Service) -> None:
    there = [f"S-{number:03d}" for number in range(0, 200, 2)]
    await asyncio.gather(*(service.put(sku) for sku in there[:8]))
    for sku in there[8:]:
        (await service.put(sku)).raise_for_status()

    async def insert() -> None:
        for number in range(1, 200, 2):
            await service.put(f"S-{number:03d}")

    inserting = asyncio.create_task(insert())
    seen = await listed(service, limit=3)
    await inserting
    assert seen == sorted(set(seen))
    assert set(there) <= set(seen)
