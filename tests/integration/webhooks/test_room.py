"""What may be claimed, and what comes of it for an endpoint: by the statements alone, with nothing sent."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tests.support.database import execute, fetch
from tests.support.delivering import add_endpoint, delivery_of, endpoint_of, send_test
from tests.support.service import Service
from tests.support.working import database

from inventory_api.database.session import Session
from inventory_api.webhooks import claims, recording
from inventory_api.webhooks.claims import Claim
from inventory_api.webhooks.recording import Result

PARTNER = "https://partner.example/"
SECONDS = 30.0
LAPSED = "UPDATE webhook_delivery SET claimed_until = clock_timestamp()"
# What a person has asked for becomes what waits like others.
ORDINARY = "UPDATE webhook_delivery SET requested_at = NULL"
FAILING = "UPDATE webhook_endpoint SET failures = 1, failing_since = clock_timestamp()"
PAUSED = "UPDATE webhook_endpoint SET {} = clock_timestamp() + interval '1 hour'"


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Session]:
    async with database(database_url) as opened, opened.session() as made:
        yield made


async def waiting(service: Service, count: int) -> dict[str, object]:
    """An endpoint, and so many tests for it."""
    endpoint = await add_endpoint(service, PARTNER)
    for _ in range(count):
        await send_test(service, endpoint)
    return endpoint


async def record(session: Session, *results: Result) -> None:
    async with session.transaction():
        await recording.record(session, results)


def result(claim: Claim, status: int, **more: float) -> Result:
    return Result(claim, status, None, None, 0.1, status < 300, retry_seconds=0.0, retry_after_seconds=more.get("asks"))


@pytest.mark.parametrize(("state", "is_well", "room"), [("", True, claims.AT_ONCE), (FAILING, False, 1)])
async def test_what_is_being_sent_takes_up_room(
    service: Service, session: Session, database_url: str, state: str, is_well: bool, room: int
) -> None:
    await waiting(service, 6)
    await execute(database_url, state or "SELECT")
    assert len(await claims.claim(session, 10, SECONDS, is_well=is_well)) == room
    assert await claims.claim(session, 10, SECONDS, is_well=is_well) == []
    assert await claims.claim(session, 10, SECONDS, is_well=not is_well) == []


async def test_claims_of_which_nothing_was_heard_take_up_none(
    service: Service, session: Session, database_url: str
) -> None:
    await waiting(service, 5)
    await execute(database_url, "UPDATE webhook_delivery SET retries_left = 5")
    first = await claims.claim(session, 10, SECONDS, is_well=True)
    await execute(database_url, LAPSED)
    again = await claims.claim(session, 10, SECONDS, is_well=True)
    assert len(first) == len(again) == claims.AT_ONCE


@pytest.mark.parametrize("column", ["paused_until", "retry_after"])
async def test_one_that_is_paused_is_sent_only_what_was_asked_for(
    service: Service, session: Session, database_url: str, column: str
) -> None:
    endpoint = await waiting(service, 2)
    await execute(database_url, ORDINARY)
    await execute(database_url, PAUSED.format(column))
    assert await claims.claim(session, 10, SECONDS, is_well=True) == []
    asked = await send_test(service, endpoint)
    assert [str(one.delivery_id) for one in await claims.claim(session, 10, SECONDS, is_well=True)] == [asked["id"]]


async def test_what_was_asked_for_is_claimed_first(service: Service, session: Session, database_url: str) -> None:
    """Of one endpoint, and of several."""
    endpoint = await waiting(service, 10)
    await waiting(service, 1)
    await execute(database_url, ORDINARY)
    asked = await send_test(service, endpoint)
    assert [str(one.delivery_id) for one in await claims.claim(session, 1, SECONDS, is_well=True)] == [asked["id"]]


async def test_what_is_handed_back_is_still_this_workers(service: Service, session: Session, database_url: str) -> None:
    """Not what another one has claimed since, nor what has come to its end."""
    await waiting(service, 2)
    await execute(database_url, "UPDATE webhook_delivery SET retries_left = 5")
    lapsed, done = await claims.claim(session, 10, SECONDS, is_well=True)
    await record(session, result(done, 204))
    await execute(database_url, LAPSED)
    assert len(await claims.claim(session, 10, SECONDS, is_well=True)) == 1
    assert await claims.hand_back(session, [lapsed, done]) == 0
    found = {
        (one.number, status): (await delivery_of(service, {"id": str(one.delivery_id)}))["attempts"][-1]["reason"]
        for one, status in ((lapsed, "lapsed"), (done, "done"))
    }
    assert found == {(1, "lapsed"): "worker lost", (1, "done"): None}
    assert await claims.claim(session, 10, SECONDS, is_well=True) == []


async def test_pauses_double_up_to_five_minutes_and_end_with_a_success(
    service: Service, session: Session, database_url: str
) -> None:
    endpoint = await waiting(service, 1)
    await execute(database_url, "UPDATE webhook_delivery SET retries_left = 30")
    pauses = []
    for _ in range(12):
        (claim,) = [
            *await claims.claim(session, 1, SECONDS, is_well=True),
            *await claims.claim(session, 1, SECONDS, is_well=False),
        ]
        await record(session, result(claim, 500))
        (row,) = await asyncio.to_thread(
            fetch,
            database_url,
            "SELECT round(extract(epoch FROM paused_until - clock_timestamp()))::int AS seconds FROM webhook_endpoint",
        )
        pauses.append(row["seconds"])
        await execute(database_url, "UPDATE webhook_endpoint SET paused_until = NULL")
    assert pauses == [None] * 4 + [10, 20, 40, 80, 160, 300, 300, 300]
    (claim,) = await claims.claim(session, 1, SECONDS, is_well=False)
    await record(session, result(claim, 204))
    found = await endpoint_of(service, endpoint)
    assert (found["failures"], found["failing_since"], found["paused_until"]) == (0, None, None)


async def test_a_success_ends_the_failures_before_it_and_not_those_after(
    service: Service, session: Session, database_url: str
) -> None:
    """Also where all are recorded together."""
    endpoint = await waiting(service, 4)
    long_ago = "UPDATE webhook_endpoint SET failures = 3, failing_since = clock_timestamp() - interval '4 days'"
    first, second, third, fourth = await claims.claim(session, 4, SECONDS, is_well=True)
    await execute(database_url, long_ago)
    await record(session, result(first, 500), result(second, 204), result(third, 500))
    found = await endpoint_of(service, endpoint)
    assert found["failures"] == 1
    since = datetime.now(UTC) - datetime.fromisoformat(found["failing_since"])
    assert since.total_seconds() < 3600, "it fails since then, and not since before"
    await record(session, result(fourth, 204))
    assert (await endpoint_of(service, endpoint))["failures"] == 0


async def test_a_later_request_for_a_shorter_pause_shortens_none(
    service: Service, session: Session, database_url: str
) -> None:
    endpoint = await waiting(service, 3)
    first, second, third = await claims.claim(session, 3, SECONDS, is_well=True)
    await record(session, result(first, 429, asks=3000))
    until = (await endpoint_of(service, endpoint))["paused_until"]
    await record(session, result(second, 429, asks=5), result(third, 204))
    assert (await endpoint_of(service, endpoint))["paused_until"] == until
