"""Orders over HTTP: what is sold is reserved, leaves once, or is available again."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from tests.support.database import fetch
from tests.support.selling import assert_accounted, level, line, order, post, reserve
from tests.support.service import Service, error_of


@pytest.fixture(autouse=True)
async def _items(service: Service) -> None:
    for sku in ("A-1", "B-2"):
        (await service.put(sku)).raise_for_status()


@pytest.fixture(autouse=True)
async def _accounted(service: Service, database_url: str) -> Any:
    """Whatever a test does, stock is what the ledger says, and reserved is what somebody has."""
    yield
    await assert_accounted(database_url)


async def test_an_order_reserves_its_lines_and_is_found(service: Service) -> None:
    made = await order(service, line("A-1", 4), line("B-2", 1), external_ref="shop-1")
    assert made.status_code == 201
    sold = made.json()
    assert (made.headers["Location"], sold["status"], sold["external_ref"]) == (
        f"/orders/{sold['id']}", "confirmed", "shop-1",
    )  # fmt: skip
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((10, 4), (10, 1))
    assert (await service.api.get(made.headers["Location"])).json() == sold
    (entry,) = (await service.api.get("/audit", params={"resource": f"order:{sold['id']}"})).json()["items"]
    assert (entry["action"], entry["changes"]["status"]["after"]) == ("create", "confirmed")
    (movement,) = (await service.api.get("/inventory/B-2/movements", params={"limit": 1})).json()["items"]
    assert (movement["kind"], movement["reference"]) == ("order", f"order:{sold['id']}")


async def test_an_order_takes_four_statements_of_which_two_have_the_turn(service: Service) -> None:
    """Whatever its lines: what is sold most is sold as fast as its turn can be taken and given on."""
    statements = "db_client_operation_duration_seconds_count"
    before = await service.metric(statements)
    assert (await order(service, line("A-1", 4), line("B-2", 1))).status_code == 201
    assert await service.metric(statements) == before + 4
    end = "jobs.enqueue_gathered+orders.insert_lines+audit.insert+idempotency.insert"
    for name in ("idempotency.claim", "orders.insert", "stock.take", end):
        assert await service.metric(statements, query_name=name) == 1, name


async def test_what_is_fulfilled_leaves_and_what_is_cancelled_stays(service: Service) -> None:
    first, second = [(await order(service, line("A-1", 3))).json()["id"] for _ in range(2)]
    fulfilled = await post(service, f"/orders/{first}/fulfill")
    assert (fulfilled.status_code, fulfilled.json()["status"]) == (200, "fulfilled")
    assert await level(service, "A-1") == (7, 3)
    cancelled = await post(service, f"/orders/{second}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert await level(service, "A-1") == (7, 0)
    kinds = [one["kind"] for one in (await service.api.get("/inventory/A-1/movements")).json()["items"]]
    assert kinds == ["cancellation", "fulfilment", "order", "order", "set"]
    for one, status in ((first, "fulfilled"), (second, "cancelled")):
        for path in ("fulfill", "cancel"):
            refused = error_of(await post(service, f"/orders/{one}/{path}"))
            assert (refused["type"], refused["message"]) == ("INVALID_TRANSITION", f"The order is {status}.")
    assert await service.metric("orders_total", result="invalid_transition") == 4


async def test_others_are_told_of_each_change_of_an_order_by_a_job_with_its_request(
    service: Service, database_url: str
) -> None:
    first, second = [(await order(service, line("A-1", 3))).json()["id"] for _ in range(2)]
    fulfilled = await post(service, f"/orders/{first}/fulfill")
    await post(service, f"/orders/{second}/cancel")
    statement = """
        SELECT convert_from(payload, 'UTF8') AS events, headers FROM pgqueuer
        WHERE convert_from(payload, 'UTF8') LIKE '%order.%' ORDER BY id
    """
    rows = await asyncio.to_thread(fetch, database_url, statement)
    events = [one for row in rows for one in json.loads(row["events"]) if one["type"].startswith("order.")]
    assert [(event["type"], event["data"]["id"], event["data"]["status"]) for event in events] == [
        ("order.created", first, "confirmed"),
        ("order.created", second, "confirmed"),
        ("order.fulfilled", first, "fulfilled"),
        ("order.cancelled", second, "cancelled"),
    ]
    assert events[2]["timestamp"] == fulfilled.json()["updated_at"] > fulfilled.json()["created_at"]
    assert json.loads(rows[2]["headers"])["request_id"] == fulfilled.headers["X-Request-ID"]


async def test_a_sale_changes_the_etag_of_its_items(service: Service) -> None:
    before = (await service.api.get("/inventory/A-1")).headers["ETag"]
    await order(service, line("A-1", 1))
    after = (await service.api.get("/inventory/A-1", headers={"If-None-Match": before})).headers["ETag"]
    assert before != after


async def test_of_many_who_fulfil_and_cancel_at_once_one_does(service: Service) -> None:
    sold = (await order(service, line("A-1", 3))).json()["id"]
    paths = ["fulfill", "cancel"] * 4
    answers = await asyncio.gather(*(post(service, f"/orders/{sold}/{path}") for path in paths))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    status = (await service.api.get(f"/orders/{sold}")).json()["status"]
    assert await level(service, "A-1") == ((7, 0) if status == "fulfilled" else (10, 0))


async def test_an_order_takes_over_what_a_reservation_holds(service: Service) -> None:
    held = (await reserve(service, line("A-1", 4), line("B-2", 2))).json()
    sold = (await post(service, "/orders", {"reservation_id": held["id"], "external_ref": "r"})).json()
    assert (sold["lines"], sold["reservation_id"]) == (held["lines"], held["id"])
    assert await level(service, "A-1") == (10, 4)
    assert (await service.api.get(f"/reservations/{held['id']}")).json()["status"] == "committed"
    (entry, _) = (await service.api.get("/audit", params={"resource": f"reservation:{held['id']}"})).json()["items"]
    assert (entry["action"], entry["changes"]) == ("commit", {"status": {"before": "active", "after": "committed"}})
    again = error_of(await post(service, "/orders", {"reservation_id": held["id"]}))
    assert (again["type"], again["message"]) == ("INVALID_TRANSITION", "The reservation is committed.")
    await post(service, f"/orders/{sold['id']}/fulfill")
    assert (await level(service, "A-1"), await level(service, "B-2")) == ((6, 0), (8, 0))


async def test_a_reservation_is_taken_over_released_or_extended_by_one_of_many(service: Service) -> None:
    for _ in range(5):
        held = (await reserve(service, line("A-1", 4))).json()["id"]
        taking = [post(service, "/orders", {"reservation_id": held}) for _ in range(3)]
        others = [post(service, f"/reservations/{held}/release") for _ in range(3)]
        answers = await asyncio.gather(*(one for pair in zip(taking, others, strict=True) for one in pair))
        (won,) = [answer for answer in answers if answer.is_success]
        assert {error_of(answer)["type"] for answer in answers if answer is not won} == {"INVALID_TRANSITION"}
        if won.status_code == 201:
            await post(service, f"/orders/{won.json()['id']}/cancel")
    assert await level(service, "A-1") == (10, 0)


async def test_no_two_orders_have_the_same_external_ref(service: Service) -> None:
    answers = await asyncio.gather(*(order(service, line("A-1", 1), external_ref="one") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {error_of(answer)["type"] for answer in answers if answer.is_error} == {"CONFLICT"}
    assert await level(service, "A-1") == (10, 1)
    (found,) = (await service.api.get("/orders", params={"external_ref": "one"})).json()["items"]
    assert found["external_ref"] == "one"


async def test_orders_are_listed_newest_first_by_pages_and_by_status(service: Service) -> None:
    made = [(await order(service, line("A-1", 1))).json()["id"] for _ in range(5)]
    await post(service, f"/orders/{made[1]}/cancel")
    page = (await service.api.get("/orders", params={"limit": 2, "status": "confirmed"})).json()
    rest = (await service.api.get("/orders", params={"status": "confirmed", "cursor": page["next_cursor"]})).json()
    found = [one["id"] for one in (*page["items"], *rest["items"])]
    assert found == [made[4], made[3], made[2], made[0]]
    assert (await service.api.get("/orders", params={"status": "sold"})).status_code == 422
    other = await service.api.get("/orders", params={"cursor": page["next_cursor"]})
    assert error_of(other)["type"] == "INVALID_CURSOR"


@pytest.mark.parametrize(
    "body",
    [{}, {"external_ref": "x"}, {"lines": [line("A-1", 1)], "reservation_id": str(uuid.uuid4())}, {"lines": []}],
)
async def test_an_order_is_of_lines_or_of_a_reservation(service: Service, body: dict[str, Any]) -> None:
    assert error_of(await post(service, "/orders", body))["type"] == "VALIDATION_FAILURE"


async def test_a_key_is_required_to_order_and_makes_what_follows_safe_to_send_again(service: Service) -> None:
    missing = await service.api.post("/orders", json={"lines": [line("A-1", 1)]})
    assert error_of(missing)["type"] == "IDEMPOTENCY_KEY_REQUIRED"
    sold = (await order(service, line("A-1", 1))).json()["id"]
    first, again = [await post(service, f"/orders/{sold}/fulfill", key="once") for _ in range(2)]
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (200, first.json(), "true")
    assert await level(service, "A-1") == (9, 0)


async def test_an_item_with_reserved_stock_keeps_it(service: Service) -> None:
    """Adjustments and edits stop at what is reserved."""
    await order(service, line("A-1", 4))
    lines = [{"sku": "A-1", "delta": -7, "reason": "lost"}]
    refused = error_of(await post(service, "/inventory/adjustments", {"lines": lines}))
    assert refused["type"] == "STOCK_BELOW_RESERVED"
    assert refused["details"][0]["meta"] == {
        "sku": "A-1", "location": "MAIN", "on_hand": 10, "reserved": 4, "available": 6,
    }  # fmt: skip
