"""Locations over HTTP."""

from typing import Any

import pytest
from tests.support.service import Service, error_of

EAST = {"code": "EAST", "name": "East", "active": True}


async def test_post_creates_with_location_and_get_reads_the_same(service: Service) -> None:
    created = await service.api.post("/locations", json={"code": "EAST", "name": "East"})
    assert (created.status_code, created.headers["Location"]) == (201, "/locations/EAST")
    read = await service.api.get("/locations/EAST")
    assert read.json() == created.json()
    assert {name: read.json()[name] for name in EAST} == EAST
    etag = {"If-None-Match": read.headers["ETag"]}
    assert (await service.api.get("/locations/EAST", headers=etag)).status_code == 304


async def test_a_second_one_with_the_same_code_is_a_conflict(service: Service) -> None:
    refused = await service.api.post("/locations", json={"code": "MAIN", "name": "Other"})
    assert (refused.status_code, error_of(refused)["type"]) == (409, "CONFLICT")
    assert (await service.api.get("/locations/MAIN")).json()["name"] == "Main warehouse"


async def test_patch_changes_the_given_field_and_no_other_and_the_audit_has_it(service: Service) -> None:
    before = await service.api.get("/locations/MAIN")
    after = await service.api.patch("/locations/MAIN", json={"active": False})
    changed = {name for name in before.json() if before.json()[name] != after.json()[name]}
    assert changed == {"active", "version", "updated_at"}
    stale = {"If-Match": before.headers["ETag"]}
    assert (await service.api.patch("/locations/MAIN", json={"name": "x"}, headers=stale)).status_code == 412
    same = await service.api.patch("/locations/MAIN", json={"active": False})
    assert same.headers["ETag"] == after.headers["ETag"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "EMPTY_PATCH"),
        ({"name": None}, "VALIDATION_FAILURE"),
        ({"active": 1}, "VALIDATION_FAILURE"),
        ({"code": "X"}, "VALIDATION_FAILURE"),
    ],
)
async def test_patch_refuses_with_422(service: Service, body: Any, kind: str) -> None:
    refused = await service.api.patch("/locations/MAIN", json=body)
    assert (refused.status_code, error_of(refused)["type"]) == (422, kind)


async def test_pages_show_each_once_newest_first(service: Service) -> None:
    for number in range(7):
        (await service.api.post("/locations", json={"code": f"L-{number}", "name": "x"})).raise_for_status()
    seen, cursor = list[str](), None
    while True:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await service.api.get("/locations", params=query)).raise_for_status().json()
        seen += [location["code"] for location in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [*(f"L-{number}" for number in reversed(range(7))), "MAIN"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_what_is_not_there_is_a_404(service: Service, method: str) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    missing = await service.api.request(method, "/locations/NONE", json=body)
    assert (missing.status_code, error_of(missing)["type"]) == (404, "NOT_FOUND")
