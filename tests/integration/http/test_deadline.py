"""Every request has an end, and a COMMIT is not cut short by it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support.service import ITEM, Service, error_of, running

DEADLINE = 0.5
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def hasty(database_url: str, keys_file: Path) -> AsyncIterator[Service]:
    """A service with a short deadline; nothing else is short."""
    async with running(database_url=database_url, api_keys_file=keys_file, request_deadline=DEADLINE) as service:
        yield service


async def test_a_request_that_waits_too_long_is_a_504_and_gives_everything_back(
    hasty: Service, database_url: str
) -> None:
    await hasty.put("A-1")
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM item FOR UPDATE")
        late = await hasty.patch("A-1", {"name": "Nut"})
    await holder.close()
    assert (late.status_code, error_of(late)["type"]) == (504, "DEADLINE_EXCEEDED")
    assert await hasty.metric("db_client_connections", state="used") == 0
    assert (await hasty.api.get("/inventory/A-1")).json()["name"] == ITEM["name"]


async def test_a_body_that_is_late_is_a_408_that_closes_the_connection(hasty: Service) -> None:
    async def stalled() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    late = await hasty.api.put("/inventory/A-1", content=stalled(), headers=JSON)
    assert (late.status_code, error_of(late)["type"]) == (408, "REQUEST_TIMEOUT")
    assert late.headers["Connection"] == "close"


async def test_a_commit_that_takes_longer_than_the_deadline_is_finished_and_answered(
    hasty: Service, database_url: str
) -> None:
    """A trigger that runs at COMMIT sleeps twice the deadline."""
    await hasty.put("A-1")
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"""
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep({DEADLINE * 2}); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON audit_entry DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slow();
    """)
    await connection.close()
    patched = await hasty.patch("A-1", {"name": "Nut"})
    assert (patched.status_code, patched.json()["name"]) == (200, "Nut")
    assert (await hasty.api.get("/inventory/A-1")).json()["name"] == "Nut"


async def test_what_follows_the_response_is_not_under_the_deadline(hasty: Service) -> None:
    from fastapi import Response
    from starlette.background import BackgroundTask

    done: list[bool] = []

    async def slow() -> None:
        await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=DEADLINE * 2)
        done.append(True)

    async def endpoint() -> Response:
        return Response(background=BackgroundTask(slow))

    hasty.app.api.add_api_route("/background", endpoint)
    assert (await hasty.api.get("/background")).status_code == 200
    assert done == [True]
