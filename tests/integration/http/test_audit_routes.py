"""The audit of everything, by its filters."""

from typing import Any

import pytest
from tests.support.service import Service, error_of


@pytest.fixture(autouse=True)
async def _changes(service: Service) -> None:
    await service.put("A-1", headers={"X-Request-ID": "first"})
    await service.put("B-2", headers={"X-Request-ID": "second"})
    await service.patch("A-1", {"name": "Nut"}, X_Request_ID="third")
    await service.api.post("/locations", json={"code": "EAST", "name": "East"}, headers={"X-Request-ID": "fourth"})


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ({}, ["fourth", "third", "second", "first"]),
        ({"resource": "item:A-1"}, ["third", "first"]),
        ({"resource": "location:EAST"}, ["fourth"]),
        ({"actor": "key:admin"}, ["fourth", "third", "second", "first"]),
        ({"actor": "key:nobody"}, []),
        ({"request_id": "second"}, ["second"]),
        ({"resource": "item:A-1", "request_id": "second"}, []),
    ],
)
async def test_filters_narrow_the_list_newest_first(
    service: Service, query: dict[str, str], requests: list[str]
) -> None:
    page = (await service.api.get("/audit", params=query)).json()
    assert [entry["request_id"] for entry in page["items"]] == requests
    seen, cursor = list[str](), dict[str, str]()
    while True:
        page = (await service.api.get("/audit", params={**query, "limit": 1, **cursor})).json()
        seen += [entry["request_id"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == requests


@pytest.mark.parametrize("query", [{"resource": ""}, {"actor": "\0"}, {"actr": "key:admin"}, {"limit": "0"}])
async def test_a_filter_that_is_none_is_a_422(service: Service, query: dict[str, Any]) -> None:
    refused = await service.api.get("/audit", params=query)
    assert (refused.status_code, error_of(refused)["type"]) == (422, "VALIDATION_FAILURE")
