"""Adjustments and transfers over HTTP: all of a request or nothing of it, and never below what is there."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from tests.support.database import UNBALANCED, fetch
from tests.support.service import Service, error_of


async def post(service: Service, what: str, *lines: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return await service.api.post(f"/inventory/{what}", json={"lines": lines}, headers=headers)


def adjustment(sku: str, delta: int, **more: str) -> dict[str, Any]:
    return {"sku": sku, "delta": delta, "reason": "counted", **more}


def transfer(sku: str, origin: str, to: str, quantity: int) -> dict[str, Any]:
    return {"sku": sku, "from": origin, "to": to, "quantity": quantity}


async def on_hand(service: Service, sku: str) -> dict[str, int]:
    levels = (await service.api.get(f"/inventory/{sku}")).raise_for_status().json()["levels"]
    return {level["location"]: level["on_hand"] for level in levels}


@pytest.fixture
async def places(service: Service) -> None:
    for code in ("EAST", "WEST"):
        (await service.api.post("/locations", json={"code": code, "name": code})).raise_for_status()


@pytest.fixture
async def stocked(service: Service, places: None) -> None:
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()


async def test_an_adjustment_moves_the_level_writes_the_ledger_and_the_audit(service: Service, stocked: None) -> None:
    etag = (await service.api.get("/inventory/A-1")).headers["ETag"]
    line = adjustment("A-1", -3, reference="count-7")
    response = await post(service, "adjustments", line)
    assert response.status_code == 201
    (movement,) = response.json()["movements"]
    assert {name: movement[name] for name in ("sku", "location", "kind", "on_hand_delta", "reserved_delta")} == {
        "sku": "A-1", "location": "MAIN", "kind": "adjustment", "on_hand_delta": -3, "reserved_delta": 0,
    }  # fmt: skip
    assert (movement["on_hand"], movement["reason"], movement["reference"]) == (7, "counted", "count-7")
    assert movement["request_id"] == response.headers["X-Request-ID"]
    read = await service.api.get("/inventory/A-1")
    assert (read.json()["quantity"], read.headers["ETag"] == etag) == (7, False)
    page = (await service.api.get("/inventory/A-1/movements")).json()
    assert page["items"][0] == movement
    assert [one["kind"] for one in page["items"]] == ["adjustment", "set"]
    entry = (await service.audit("A-1"))[0]
    assert (entry["action"], entry["changes"]) == (
        "adjust", {"levels.MAIN.on_hand": {"before": 10, "after": 7}},
    )  # fmt: skip


async def test_lines_are_made_in_order_and_each_is_a_movement(service: Service, stocked: None) -> None:
    response = await post(
        service,
        "adjustments",
        adjustment("B-2", 5),
        adjustment("A-1", 4, location="WEST"),
        adjustment("A-1", -2, location="WEST"),
    )
    moved = [(one["sku"], one["location"], one["on_hand"]) for one in response.json()["movements"]]
    assert moved == [("B-2", "MAIN", 15), ("A-1", "WEST", 4), ("A-1", "WEST", 2)]
    assert await on_hand(service, "A-1") == {"MAIN": 10, "WEST": 2}


async def test_what_comes_to_nothing_is_in_the_ledger_and_not_in_the_audit(service: Service, stocked: None) -> None:
    """And is read at once: the level has another version."""
    before = (await service.api.get("/inventory/A-1")).headers["ETag"]
    made = await post(service, "adjustments", adjustment("A-1", 5), adjustment("A-1", -5), adjustment("B-2", 1))
    assert len(made.json()["movements"]) == 3
    assert (await service.api.get("/inventory/A-1")).headers["ETag"] != before
    assert [entry["action"] for entry in await service.audit("A-1")] == ["create"]
    assert [entry["action"] for entry in await service.audit("B-2")] == ["adjust", "create"]


async def test_a_transfer_takes_from_one_location_and_gives_to_another(service: Service, stocked: None) -> None:
    response = await post(service, "transfers", transfer("A-1", "MAIN", "EAST", 4))
    assert [one["kind"] for one in response.json()["movements"]] == ["transfer_out", "transfer_in"]
    assert await on_hand(service, "A-1") == {"EAST": 4, "MAIN": 6}


async def test_every_line_that_does_not_fit_is_named_and_nothing_is_made(service: Service, stocked: None) -> None:
    refused = await post(
        service, "adjustments", adjustment("A-1", -11), adjustment("B-2", -1), adjustment("A-1", -10, location="EAST")
    )
    error = error_of(refused)
    assert (refused.status_code, error["type"]) == (409, "INSUFFICIENT_STOCK")
    assert [detail["location"] for detail in error["details"]] == [
        ["body", "lines", 0, "delta"],
        ["body", "lines", 2, "delta"],
    ]
    assert error["message"] == "Not enough stock for 2 of 3 lines."
    assert error["details"][0]["meta"] == {
        "sku": "A-1", "location": "MAIN", "on_hand": 10, "reserved": 0, "available": 10,
    }  # fmt: skip
    assert await on_hand(service, "A-1") == await on_hand(service, "B-2") == {"MAIN": 10}


@pytest.mark.parametrize(
    ("what", "line", "status", "kind", "place"),
    [
        ("adjustments", adjustment("NONE", 1), 422, "UNKNOWN_SKU", ["body", "lines", 0, "sku"]),
        ("adjustments", adjustment("A-1", 1, location="X"), 422, "UNKNOWN_LOCATION", ["body", "lines", 0, "location"]),
        ("transfers", transfer("A-1", "NONE", "MAIN", 1), 422, "UNKNOWN_LOCATION", ["body", "lines", 0, "from"]),
        ("transfers", transfer("A-1", "MAIN", "NONE", 1), 422, "UNKNOWN_LOCATION", ["body", "lines", 0, "to"]),
        ("transfers", transfer("A-1", "MAIN", "MAIN", 1), 422, "VALIDATION_FAILURE", ["body", "lines", 0]),
        ("transfers", transfer("A-1", "MAIN", "EAST", 0), 422, "VALIDATION_FAILURE", ["body", "lines", 0, "quantity"]),
        ("transfers", transfer("A-1", "MAIN", "EAST", 11), 409, "INSUFFICIENT_STOCK", ["body", "lines", 0, "quantity"]),
        ("transfers", transfer("A-1", "EAST", "MAIN", 1), 409, "INSUFFICIENT_STOCK", ["body", "lines", 0, "quantity"]),
        ("adjustments", adjustment("A-1", 0), 422, "VALIDATION_FAILURE", ["body", "lines", 0, "delta"]),
        ("adjustments", adjustment("A-1", 2_147_483_647), 422, "VALIDATION_FAILURE", ["body", "lines", 0, "delta"]),
    ],
)  # fmt: skip
async def test_what_cannot_be_made_is_told_with_its_place(
    service: Service, stocked: None, what: str, line: dict[str, Any], status: int, kind: str, place: list[Any]
) -> None:
    refused = await post(service, what, line)
    assert (refused.status_code, error_of(refused)["type"]) == (status, kind)
    assert error_of(refused)["details"][0]["location"] == place
    assert await on_hand(service, "A-1") == {"MAIN": 10}
    assert len(await service.audit("A-1")) == 1


async def test_a_line_that_cannot_be_made_gives_nothing_to_those_that_follow(service: Service, stocked: None) -> None:
    """Else the second would seem to fit, and be told only once the first is mended."""
    refused = await post(service, "transfers", transfer("A-1", "MAIN", "EAST", 11), transfer("A-1", "EAST", "WEST", 11))
    error = error_of(refused)
    assert error["message"] == "Not enough stock for 2 of 2 lines."
    assert [detail["location"][2] for detail in error["details"]] == [0, 1]


async def test_of_lines_with_several_kinds_of_faults_each_of_the_kind_that_is_told_is_named(
    service: Service, stocked: None, database_url: str
) -> None:
    await asyncio.to_thread(fetch, database_url, "UPDATE stock_level SET reserved = 3 WHERE sku = 'B-2'")
    lines = [adjustment("A-1", -11), adjustment("B-2", -8), adjustment("A-1", -12)]
    error = error_of(await post(service, "adjustments", *lines))
    assert (error["type"], error["message"]) == ("INSUFFICIENT_STOCK", "Not enough stock for 2 of 3 lines.")
    assert [detail["location"][2] for detail in error["details"]] == [0, 2]


async def test_no_more_of_an_item_is_on_hand_than_can_be_counted_whatever_the_locations(
    service: Service, stocked: None
) -> None:
    most = 2_147_483_647
    refused = await post(service, "adjustments", adjustment("B-2", 1), adjustment("A-1", most - 9, location="EAST"))
    error = error_of(refused)
    assert (refused.status_code, error["type"]) == (422, "VALIDATION_FAILURE")
    assert [(detail["location"], detail["code"]) for detail in error["details"]] == [
        (["body", "lines", 1, "delta"], "too_much")
    ]
    assert error["details"][0]["meta"] == {"sku": "A-1", "on_hand": 10}
    assert (await post(service, "adjustments", adjustment("A-1", most - 10, location="EAST"))).status_code == 201
    assert (await post(service, "transfers", transfer("A-1", "MAIN", "EAST", 10))).status_code == 201
    assert (await service.api.get("/inventory/A-1")).json()["quantity"] == most
    assert await on_hand(service, "B-2") == {"MAIN": 10}


async def test_where_a_change_is_found_is_its_location(service: Service, stocked: None) -> None:
    """Also when it is replayed."""
    (await post(service, "adjustments", adjustment("A-1", 1))).raise_for_status()
    lines = [transfer("A-1", "MAIN", "EAST", 1), transfer("B-2", "MAIN", "EAST", 2)]
    first = await post(service, "transfers", *lines, key="k")
    again = await post(service, "transfers", *lines, key="k")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"] == again.headers["Location"]
    location = first.headers["Location"]
    found = (await service.api.get(location)).json()["items"]
    assert found == first.json()["movements"][::-1]
    page = (await service.api.get(f"{location}&limit=3")).json()
    last = (await service.api.get(f"{location}&limit=3&cursor={page['next_cursor']}")).json()
    assert (page["items"] + last["items"], last["next_cursor"]) == (found, None)
    other = await service.api.get("/movements", params={"request_id": "another", "cursor": page["next_cursor"]})
    assert error_of(other)["type"] == "INVALID_CURSOR"


async def test_a_location_that_is_not_active_gives_and_takes_no_more(service: Service, stocked: None) -> None:
    (await post(service, "transfers", transfer("A-1", "MAIN", "EAST", 4))).raise_for_status()
    (await service.api.patch("/locations/EAST", json={"active": False})).raise_for_status()
    refused = await post(service, "adjustments", adjustment("A-1", 1, location="EAST"))
    assert error_of(refused)["details"][0]["code"] == "inactive_location"
    assert (await post(service, "transfers", transfer("A-1", "EAST", "MAIN", 4))).status_code == 201


# On a machine that has other things to do, they may wait for each other for longer than a request should.
@pytest.mark.settings(max_in_flight=64, pool_acquire_timeout=4)
async def test_32_clients_take_a_sku_to_exactly_zero(service: Service, stocked: None, database_url: str) -> None:
    """By adjustments of one to three, more than there is of it: what fits is made, and nothing else."""
    (await post(service, "adjustments", adjustment("A-1", 490))).raise_for_status()
    taken, refused, others = 0, 0, list[str]()
    deltas = iter([1, 3, 2] * 200)

    async def take() -> None:
        nonlocal taken, refused
        for delta in deltas:
            response = await post(service, "adjustments", adjustment("A-1", -delta))
            if response.status_code == 201:
                taken += delta
            elif response.status_code == 409 and error_of(response)["type"] == "INSUFFICIENT_STOCK":
                refused += 1
            else:
                others.append(response.text)

    await asyncio.gather(*(take() for _ in range(32)))
    left = (await on_hand(service, "A-1"))["MAIN"]
    assert others == []
    assert (taken + left, refused > 0) == (500, True)
    assert await asyncio.to_thread(fetch, database_url, UNBALANCED) == []


@pytest.mark.settings(max_in_flight=64, pool_acquire_timeout=4)
async def test_transfers_both_ways_at_once_neither_lose_anything_nor_wait_in_a_circle(
    service: Service, stocked: None, database_url: str
) -> None:
    """Two skus in opposite orders, between locations that have no level yet."""
    lines = [transfer("A-1", "MAIN", "EAST", 1), transfer("B-2", "MAIN", "WEST", 1)]
    back = [transfer("B-2", "WEST", "MAIN", 1), transfer("A-1", "EAST", "MAIN", 1)]
    statuses = set[int]()

    async def move(number: int) -> None:
        for _ in range(15):
            statuses.add((await post(service, "transfers", *(back if number % 2 else lines))).status_code)

    await asyncio.gather(*(move(number) for number in range(16)))
    assert statuses <= {201, 409}
    for sku in ("A-1", "B-2"):
        assert sum((await on_hand(service, sku)).values()) == 10
    assert await asyncio.to_thread(fetch, database_url, UNBALANCED) == []
    assert await service.metric("db_client_operation_duration_seconds_count", error_type="40") == 0
