"""Reservations over HTTP: all of it or nothing, until its time is over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import pytest
from tests.support.database import execute, fetch
from tests.support.selling import EXPIRE, assert_accounted, level, line, order, post, reserve
from tests.support.service import Service, error_of
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
async def _items(service: Service) -> None:
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()


@pytest.fixture(autouse=True)
async def _accounted(service: Service, database_url: str) -> Any:
    """Whatever a test does, stock is what the ledger says, and reserved is what somebody has."""
    yield
    await assert_accounted(database_url)


async def expire(database_url: str, reservation: dict[str, Any]) -> None:
    await execute(database_url, EXPIRE.format(reservation["id"]))


async def test_a_reservation_holds_every_line_until_it_expires(service: Service) -> None:
    made = await reserve(service, line("A-1", 4), line("B-2", 1, location="MAIN"), seconds=60)
    assert made.status_code == 201
    held = made.json()
    assert made.headers["Location"] == f"/reservations/{held['id']}"
    assert (held["status"], held["lines"]) == (
        "active",
        [{"sku": "A-1", "location": "MAIN", "quantity": 4}, {"sku": "B-2", "location": "MAIN", "quantity": 1}],
    )
    lasts = datetime.fromisoformat(held["expires_at"]) - datetime.fromisoformat(held["created_at"])
    assert lasts.total_seconds() == 60
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 4), (10, 1))
    assert (await service.api.get(made.headers["Location"])).json() == held
    (movement, _) = (await service.api.get("/inventory/A-1/movements")).json()["items"]
    assert (movement["kind"], movement["on_hand_delta"], movement["reserved_delta"], movement["reserved"]) == (
        "reservation", 0, 4, 4,
    )  # fmt: skip
    assert movement["reference"] == f"reservation:{held['id']}"
    (entry,) = (await service.api.get("/audit", params={"resource": movement["reference"]})).json()["items"]
    assert (entry["action"], entry["changes"]["status"]) == ("create", {"before": None, "after": "active"})
    assert entry["request_id"] == movement["request_id"] == made.headers["X-Request-ID"]


async def test_lines_of_one_level_are_counted_together_and_each_short_one_is_named(service: Service) -> None:
    """6 and 5 of 10 is too much, whichever comes first; and nothing is held of the line that would fit."""
    refused = error_of(await reserve(service, line("A-1", 6), line("B-2", 1), line("A-1", 5), line("B-2", 9)))
    assert (refused["type"], refused["message"]) == ("INSUFFICIENT_STOCK", "Not enough stock for 2 of 4 lines.")
    assert [(one["location"], one["meta"]["available"]) for one in refused["details"]] == [
        (["body", "lines", 0, "quantity"], 10),
        (["body", "lines", 2, "quantity"], 10),
    ]
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 0), (10, 0))
    made = (await reserve(service, line("A-1", 6), line("A-1", 4))).json()
    assert [one["quantity"] for one in made["lines"]] == [6, 4]
    movements = (await service.api.get("/inventory/A-1/movements")).json()["items"]
    assert [one["reserved_delta"] for one in movements] == [10, 0], "one movement for each level"


async def test_what_is_not_known_or_not_sold_any_more_is_refused_by_line(service: Service) -> None:
    await service.patch("B-2", {"is_discontinued": True})
    for bad, kind, place in (
        (line("B-2", 1), "ITEM_DISCONTINUED", "sku"),
        (line("X-9", 1), "UNKNOWN_SKU", "sku"),
        (line("A-1", 1, location="MOON"), "UNKNOWN_LOCATION", "location"),
    ):
        refused = error_of(await reserve(service, line("A-1", 1), bad))
        assert refused["type"] == kind
        assert [one["location"] for one in refused["details"]] == [["body", "lines", 1, place]]
    assert await level(service, "A-1") == (10, 0)


async def test_a_level_that_is_not_there_has_nothing_available(service: Service, database_url: str) -> None:
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    refused = error_of(await reserve(service, line("A-1", 11), line("B-2", 1, location="EAST")))
    assert [one["meta"]["available"] for one in refused["details"]] == [10, 0]
    levels = await asyncio.to_thread(fetch, database_url, "SELECT FROM stock_level WHERE location = 'EAST'")
    assert levels == [], "what is refused makes nothing"


async def test_what_is_released_is_available_again_once(service: Service) -> None:
    held = (await reserve(service, line("A-1", 4))).json()
    released = await post(service, f"/reservations/{held['id']}/release")
    assert (released.status_code, released.json()["status"]) == (200, "released")
    assert await level(service, "A-1") == (10, 0)
    for path in ("release", "extend"):
        again = error_of(await post(service, f"/reservations/{held['id']}/{path}", {"ttl_seconds": 5}))
        assert (again["type"], again["message"]) == ("INVALID_TRANSITION", "The reservation is released.")
    assert (await service.api.get(f"/reservations/{held['id']}")).json() == released.json()


async def test_two_who_release_at_once_release_it_once(service: Service) -> None:
    held = (await reserve(service, line("A-1", 4))).json()
    answers = await asyncio.gather(*(post(service, f"/reservations/{held['id']}/release") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert await level(service, "A-1") == (10, 0)


async def test_an_extended_reservation_lasts_from_now(service: Service, database_url: str) -> None:
    held = (await reserve(service, line("A-1", 4), seconds=5)).json()
    extended = (await post(service, f"/reservations/{held['id']}/extend", {"ttl_seconds": 3600})).json()
    lasts = datetime.fromisoformat(extended["expires_at"]) - datetime.fromisoformat(extended["updated_at"])
    assert lasts.total_seconds() == 3600
    (row,) = await asyncio.to_thread(fetch, database_url, "SELECT expires_at FROM reservation_line")
    assert row["expires_at"] == datetime.fromisoformat(extended["expires_at"])


async def test_an_expired_hold_stands_in_nobodys_way(service: Service, database_url: str) -> None:
    """It is let go in the transaction that needs it, and only what is needed: the other line by whoever needs that."""
    held = (await reserve(service, line("A-1", 8), line("B-2", 8))).json()
    assert error_of(await reserve(service, line("A-1", 9)))["type"] == "INSUFFICIENT_STOCK"
    await expire(database_url, held)
    made = await reserve(service, line("A-1", 9))
    assert made.status_code == 201
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 9), (10, 8))
    movements = (await service.api.get("/inventory/A-1/movements")).json()["items"]
    assert [(one["kind"], one["reserved_delta"], one["reserved"]) for one in movements[:2]] == [
        ("reservation", 9, 9),
        ("expiry", -8, 0),
    ]
    assert movements[1]["reference"] == f"reservation:{held['id']}"
    audit = (await service.api.get("/audit", params={"resource": f"reservation:{held['id']}"})).json()["items"]
    assert audit[0]["changes"] == {
        "held.A-1.MAIN": {"before": 8, "after": 0},
        "status": {"before": "active", "after": "expired"},
    }
    assert (await order(service, line("B-2", 10))).status_code == 201
    audit = (await service.api.get("/audit", params={"resource": f"reservation:{held['id']}"})).json()["items"]
    assert [entry["action"] for entry in audit] == ["expire", "expire", "create"]
    assert audit[0]["changes"] == {"held.B-2.MAIN": {"before": 8, "after": 0}}, "it expires once"


async def test_nor_in_the_way_of_who_takes_stock_away(service: Service, database_url: str) -> None:
    """By an adjustment, a transfer, a PATCH or a PUT; one that has not expired does."""
    (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).raise_for_status()
    adjustment = {"lines": [{"sku": "A-1", "delta": -1, "reason": "lost"}]}
    transfer = {"lines": [{"sku": "A-1", "from": "MAIN", "to": "EAST", "quantity": 1}]}
    changes: Sequence[Callable[[], Awaitable[httpx.Response]]] = (
        lambda: post(service, "/inventory/adjustments", adjustment),
        lambda: post(service, "/inventory/transfers", transfer),
        lambda: _set_quantity(service, 8),
    )
    for there, change in zip((10, 9, 8), changes, strict=True):
        held = (await reserve(service, line("A-1", there))).json()
        assert error_of(await change())["type"] == "STOCK_BELOW_RESERVED"
        await expire(database_url, held)
        assert (await change()).is_success
        assert (await level(service, "A-1"))[1] == 0
        (entry, *_) = (await service.api.get("/audit", params={"resource": f"reservation:{held['id']}"})).json()[
            "items"
        ]
        assert (entry["action"], entry["changes"]["status"]["after"]) == ("expire", "expired")


async def _set_quantity(service: Service, quantity: int) -> httpx.Response:
    found = await service.api.get("/inventory/A-1")
    return await service.patch("A-1", {"quantity": quantity}, If_Match=found.headers["ETag"])


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE {} SET expires_at = now() + interval '1 hour'; UPDATE {} SET expires_at = now() + interval '1 hour'",
        "UPDATE {} SET held = false; UPDATE {} SET status = 'committed'",
    ],
    ids=["extended", "taken over by an order"],
)
async def test_one_that_is_extended_or_taken_over_just_when_it_expires_is_not_let_go_as_well(
    service: Service, database_url: str, meanwhile: str
) -> None:
    """Whoever needs its stock waits for that to be committed, and looks again."""
    held = (await reserve(service, line("A-1", 8))).json()
    await expire(database_url, held)
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute(meanwhile.format("reservation_line", "reservation"))
        wanted = asyncio.ensure_future(reserve(service, line("A-1", 9)))
        await eventually(lambda: _is_waited_for(holder))
    refused = error_of(await wanted)
    assert (refused["type"], refused["details"][0]["meta"]["reserved"]) == ("INSUFFICIENT_STOCK", 8)
    assert await level(service, "A-1") == (10, 8)
    # As the order would have it that the second one is for, and so that all is accounted for.
    await holder.execute("UPDATE reservation_line SET held = true")
    await holder.close()


async def _is_waited_for(connection: asyncpg.Connection) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    return bool(await connection.fetchval(waiting))


async def test_what_is_short_also_without_expired_holds_names_what_is_then_available(
    service: Service, database_url: str
) -> None:
    """And they are kept: what is refused changes nothing."""
    held = (await reserve(service, line("A-1", 3))).json()
    await reserve(service, line("A-1", 2))
    await expire(database_url, held)
    refused = error_of(await reserve(service, line("A-1", 9)))
    assert [one["meta"]["available"] for one in refused["details"]] == [8]
    assert await level(service, "A-1") == (10, 5)


async def test_an_expired_reservation_is_told_as_such_before_anybody_needed_its_stock(
    service: Service, database_url: str
) -> None:
    held = (await reserve(service, line("A-1", 3))).json()
    await expire(database_url, held)
    assert (await service.api.get(f"/reservations/{held['id']}")).json()["status"] == "expired"
    for path in ("extend", "release"):
        refused = error_of(await post(service, f"/reservations/{held['id']}/{path}", {"ttl_seconds": 60}))
        assert refused["type"] == "RESERVATION_EXPIRED"
    refused = error_of(await post(service, "/orders", {"reservation_id": held["id"]}))
    assert refused["type"] == "RESERVATION_EXPIRED"
    assert await level(service, "A-1") == (10, 3)


async def test_many_who_want_the_last_get_exactly_what_there_is(service: Service, database_url: str) -> None:
    """By reservations and orders, of two items in both orders, while a hold of half of it has expired."""
    held = (await reserve(service, line("A-1", 5), line("B-2", 5))).json()
    await expire(database_url, held)
    pairs = [(line("A-1", 1), line("B-2", 1)), (line("B-2", 1), line("A-1", 1))]
    ways = (reserve, order)
    asked = [ways[number % 2](service, *pairs[number // 2 % 2]) for number in range(40)]
    answers = await asyncio.gather(*asked)
    taken = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(taken) == 10
    assert {error_of(answer)["type"] for answer in refused} <= {"INSUFFICIENT_STOCK"}
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 10), (10, 10))


async def test_the_same_reservation_with_the_same_key_is_made_once(service: Service) -> None:
    body = {"lines": [line("A-1", 2)]}
    first, second = [await post(service, "/reservations", body, key="k") for _ in range(2)]
    assert (second.json(), second.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert await level(service, "A-1") == (10, 2)
    assert await service.metric("reservations_total", result="created") == 1
    assert await service.metric("reservations_total", result="replayed") == 1


async def test_one_that_is_not_there_is_not_found(service: Service) -> None:
    unknown = f"/reservations/{uuid.uuid4()}"
    assert error_of(await service.api.get(unknown))["type"] == "NOT_FOUND"
    for path in ("extend", "release"):
        assert error_of(await post(service, f"{unknown}/{path}", {"ttl_seconds": 5}))["type"] == "NOT_FOUND"
    assert (await service.api.get("/reservations/none")).status_code == 422
    assert error_of(await post(service, "/orders", {"reservation_id": str(uuid.uuid4())}))["type"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        {"lines": []},
        {"lines": [line("A-1", 0)]},
        {"lines": [line("A-1", 1)], "ttl_seconds": 0},
        {"lines": [line("A-1", 1)], "ttl_seconds": 3601},
        {"lines": [line("A-1", 1)] * 101},
        {"lines": [{**line("A-1", 1), "reason": "x"}]},
    ],
)
async def test_what_is_out_of_bounds_is_refused(service: Service, body: dict[str, Any]) -> None:
    assert error_of(await post(service, "/reservations", body))["type"] == "VALIDATION_FAILURE"
