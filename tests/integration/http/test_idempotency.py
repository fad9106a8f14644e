"""Idempotency-Key: one effect and one answer, however often a request is sent."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from tests.support.database import fetch
from tests.support.service import ADMIN_KEY, Service, error_of, write_keys
from tests.support.waiting import eventually

LINE = {"sku": "A-1", "delta": -1, "reason": "sold"}


@pytest.fixture(autouse=True)
async def _item(service: Service) -> None:
    (await service.put("A-1")).raise_for_status()


async def adjust(service: Service, key: str | None, line: dict[str, Any] | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return await service.api.post("/inventory/adjustments", json={"lines": [line or LINE]}, headers=headers)


async def quantity(service: Service) -> int:
    return int((await service.api.get("/inventory/A-1")).json()["quantity"])


async def test_the_second_time_it_is_replayed(service: Service) -> None:
    first, second = await adjust(service, "k"), await adjust(service, '"k"')
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await quantity(service) == 9
    assert await service.metric("idempotency_total", result="executed") == 1
    assert await service.metric("idempotency_total", result="replayed") == 1


async def test_status_and_location_are_replayed_too(service: Service) -> None:
    body, headers = {"code": "EAST", "name": "East"}, {"Idempotency-Key": "k"}
    first = await service.api.post("/locations", json=body, headers=headers)
    second = await service.api.post("/locations", json=body, headers=headers)
    assert [(one.status_code, one.headers["Location"], one.content) for one in (first, second)] == [
        (201, "/locations/EAST", first.content)
    ] * 2


async def test_without_a_key_what_needs_one_is_a_400_and_what_does_not_is_made(service: Service) -> None:
    refused = await adjust(service, None)
    assert (refused.status_code, error_of(refused)["type"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    assert (await service.api.post("/locations", json={"code": "EAST", "name": "East"})).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, "\u00e9", '"' + "x" * 256 + '"'])
async def test_what_is_no_key_is_a_422(service: Service, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    refused = await service.api.post("/inventory/adjustments", json={"lines": [LINE]}, headers=headers)
    assert (refused.status_code, error_of(refused)["type"]) == (422, "VALIDATION_FAILURE")
    assert error_of(refused)["details"][0]["location"] == ["header", "Idempotency-Key"]
    assert await quantity(service) == 10


async def test_another_request_with_the_same_key_is_refused(service: Service) -> None:
    await adjust(service, "k")
    refused = await adjust(service, "k", {**LINE, "delta": -2})
    assert (refused.status_code, error_of(refused)["type"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await quantity(service) == 9
    assert await service.metric("idempotency_total", result="reused") == 1


async def test_a_key_is_of_one_principal(service: Service, keys_file: Any) -> None:
    await adjust(service, "k")
    write_keys(keys_file, {"admin": ADMIN_KEY, "other": "key-of-another"})
    headers = {"Authorization": "Bearer key-of-another", "Idempotency-Key": "k"}

    async def is_known() -> bool:
        return (await service.anonymous.get("/inventory/A-1", headers=headers)).status_code == 200

    await eventually(is_known)
    other = await service.anonymous.post("/inventory/adjustments", json={"lines": [LINE]}, headers=headers)
    assert (other.status_code, other.headers.get("Idempotent-Replayed")) == (201, None)
    assert await quantity(service) == 8


async def test_an_error_frees_the_key(service: Service) -> None:
    refused = await adjust(service, "k", {**LINE, "delta": -11})
    assert refused.status_code == 409
    assert (await adjust(service, "k")).status_code == 201


async def test_twenty_at_once_have_one_effect_and_one_answer(service: Service) -> None:
    answers = await asyncio.gather(*(adjust(service, "k") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await quantity(service) == 9


async def test_a_duplicate_waits_without_a_connection_and_then_says_that_the_first_is_being_worked_on(
    service: Service, database_url: str
) -> None:
    """The first is played by whoever holds the lock of the key."""
    holder = await asyncpg.connect(database_url)
    await holder.execute("SELECT pg_advisory_lock(hashtextextended('key:admin k', 0))")
    duplicates = asyncio.gather(*(adjust(service, "k") for _ in range(10)))
    used = []
    while not duplicates.done():
        used.append(await service.metric("db_client_connections", state="used"))
        # A scrape takes the same event loop as the duplicates: they must have some of it.
        await asyncio.sleep(0.1)
    await holder.close()
    assert sorted(used)[len(used) // 2] == 0
    refused = await duplicates
    assert {(one.status_code, error_of(one)["type"]) for one in refused} == {(409, "IDEMPOTENCY_IN_PROGRESS")}
    assert {one.headers["Retry-After"] for one in refused} == {"1"}
    assert await service.metric("idempotency_total", result="in_progress") == 10
    assert (await adjust(service, "k")).status_code == 201


async def test_a_database_that_stands_still_is_not_taken_for_a_request_that_came_before(
    service: Service, database_url: str
) -> None:
    """The first of its key waits for a lock of the records, and nobody else has it."""
    holder = await asyncpg.connect(database_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE idempotency_record")
    refused = await adjust(service, "k")
    await transaction.rollback()
    await holder.close()
    assert (refused.status_code, error_of(refused)["type"]) == (503, "DEPENDENCY_UNAVAILABLE")
    assert await service.metric("idempotency_total", result="in_progress") == 0
    assert (await adjust(service, "k")).status_code == 201


async def test_a_record_is_forgotten_after_a_day(service: Service, database_url: str) -> None:
    await adjust(service, "k")
    age = "UPDATE idempotency_record SET created_at = created_at - interval '25 hours' RETURNING key"
    assert await asyncio.to_thread(fetch, database_url, age)
    assert "Idempotent-Replayed" not in (await adjust(service, "k")).headers
    assert "Idempotent-Replayed" in (await adjust(service, "k")).headers
    assert await quantity(service) == 8
