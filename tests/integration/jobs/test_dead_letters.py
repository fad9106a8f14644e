"""Dead letters: listed with what they failed of, replayed, purged; by HTTP and by the command line."""

import asyncio
import getpass
import json
import os
import subprocess
from typing import Any

import asyncpg
import pytest
from tests.support.database import execute, fetch
from tests.support.process import MODULE, clean_environment
from tests.support.service import Service, error_of
from tests.support.working import QUICK, add, until, working

from inventory_api.jobs import command
from inventory_api.jobs.handlers import Work


@pytest.fixture
async def letters(database_url: str) -> list[int]:
    """Three of them, oldest first."""
    await add(database_url, *({"n": number} for number in range(3)))

    async def fail(work: Work) -> None:
        raise ConnectionError(f"refused {work.payload['n']}")

    async with working(database_url, fail) as running:
        await until(lambda: running.outcome("dead") == 3)
        await running.stop()
    await execute(
        database_url, "UPDATE pgqueuer SET updated = now() - id * interval '1 minute' WHERE status = 'failed'"
    )
    rows = await asyncio.to_thread(fetch, database_url, "SELECT id FROM pgqueuer ORDER BY id DESC")
    return [row["id"] for row in rows]


async def test_they_are_listed_newest_first_with_what_they_failed_of(service: Service, letters: list[int]) -> None:
    page = (await service.api.get("/jobs/dead-letters", params={"limit": 2})).json()
    rest = (await service.api.get("/jobs/dead-letters", params={"cursor": page["next_cursor"]})).json()
    items = [*page["items"], *rest["items"]]
    assert [item["id"] for item in items] == letters[::-1]
    assert (items[0]["entrypoint"], items[0]["starts"], items[0]["actor"], items[0]["request_id"]) == (
        "event", QUICK.max_starts, "key:test", "request-1",
    )  # fmt: skip
    assert (items[0]["error"], items[0]["payload"]) == ("ConnectionError: refused 0", {"n": 0})
    assert rest["next_cursor"] is None


async def test_one_that_is_replayed_is_done_as_a_new_one(
    service: Service, database_url: str, letters: list[int]
) -> None:
    replayed = await service.api.post(f"/jobs/dead-letters/{letters[0]}/replay")
    assert (replayed.status_code, replayed.content) == (204, b"")
    done = list[int]()

    async def handle(work: Work) -> None:
        done.append(work.payload["n"])

    async with working(database_url, handle):
        await until(lambda: done == [2])
    assert len((await service.api.get("/jobs/dead-letters")).json()["items"]) == 2
    again = error_of(await service.api.post(f"/jobs/dead-letters/{letters[0]}/replay"))
    assert again["type"] == "NOT_FOUND"
    (entry,) = (await service.api.get("/audit", params={"resource": f"job:{letters[0]}"})).json()["items"]
    assert (entry["action"], entry["actor"]) == ("replay", "key:admin")
    assert entry["changes"]["status"] == {"before": "dead", "after": "queued"}


async def test_one_that_is_purged_is_gone(service: Service, letters: list[int]) -> None:
    purged = await service.api.delete(f"/jobs/dead-letters/{letters[0]}")
    assert purged.status_code == 204
    assert error_of(await service.api.delete(f"/jobs/dead-letters/{letters[0]}"))["type"] == "NOT_FOUND"
    (entry,) = (await service.api.get("/audit", params={"resource": f"job:{letters[0]}"})).json()["items"]
    assert (entry["action"], entry["changes"]["payload"]) == ("purge", {"before": {"n": 2}, "after": None})


async def test_a_job_that_waits_is_no_dead_letter(service: Service, database_url: str) -> None:
    await add(database_url, {})
    (job,) = await asyncio.to_thread(fetch, database_url, "SELECT id FROM pgqueuer")
    assert (await service.api.get("/jobs/dead-letters")).json()["items"] == []
    for answer in (
        await service.api.delete(f"/jobs/dead-letters/{job['id']}"),
        await service.api.post(f"/jobs/dead-letters/{job['id']}/replay"),
    ):
        assert error_of(answer)["type"] == "NOT_FOUND"
    assert len(await asyncio.to_thread(fetch, database_url, "SELECT id FROM pgqueuer")) == 1


async def test_the_command_line_does_the_same(database_url: str, letters: list[int]) -> None:
    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment({"INVENTORY_DATABASE_URL": database_url})
        words = [*MODULE, "jobs", *arguments]
        return await asyncio.to_thread(
            subprocess.run, words, env=environment, capture_output=True, text=True, check=False
        )

    listed: list[dict[str, Any]] = [json.loads(line) for line in (await run("list")).stdout.splitlines()]
    assert [one["id"] for one in listed] == letters[::-1]
    replayed = await run("replay", str(letters[0]))
    assert (replayed.returncode, "is started again" in replayed.stdout) == (0, True)
    assert (await run("purge", str(letters[1]))).returncode == 0
    missing = await run("purge", str(letters[1]))
    assert (missing.returncode, missing.stderr) == (1, "inventory-api jobs: There is no dead letter with this id.\n")
    for wrong in ("0", "x", str(2**63)):
        refused = await run("replay", wrong)
        assert (refused.returncode, refused.stderr.splitlines()[-1].partition("error: ")[2]) == (
            2, f"argument id: {wrong!r} is no id of a job",
        )  # fmt: skip


async def test_the_command_line_does_it_for_an_account_without_a_name(
    database_url: str, letters: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the container, whose user is a number only."""

    def no_name() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", no_name)
    said: list[str] = []
    await command.run(lambda: database_url, "purge", letters[0], said.append)
    assert said == [f"job {letters[0]} is removed"]
    rows = await asyncio.to_thread(fetch, database_url, "SELECT actor FROM audit_entry ORDER BY id DESC LIMIT 1")
    assert rows[0]["actor"] == f"cli:{os.getuid()}"


async def test_one_whose_payload_cannot_be_read_is_one_at_once_and_stands_in_nobodys_way(
    service: Service, database_url: str
) -> None:
    await add(database_url, {})
    await execute(database_url, "UPDATE pgqueuer SET payload = '\\xff7b'")
    await add(database_url, {"n": 1})
    done = list[int]()

    async def handle(work: Work) -> None:
        done.append(work.payload["n"])

    async with working(database_url, handle) as running:
        await until(lambda: done == [1] and running.outcome("dead") == 1)
        await running.stop()
    (letter,) = (await service.api.get("/jobs/dead-letters")).json()["items"]
    assert (letter["starts"], letter["error"], letter["payload"]) == (1, "its payload is not JSON", "\ufffd{")


async def test_one_whose_headers_cannot_be_read_is_not_taken_by_the_database(database_url: str) -> None:
    """PgQueuer reads them of all jobs that it takes together: those beside it would not be done either."""
    await add(database_url, {})
    with pytest.raises(asyncpg.CheckViolationError, match="pgqueuer_headers_are_an_object"):
        await execute(database_url, "UPDATE pgqueuer SET headers = '[]'")


async def test_one_whose_successor_waits_already_is_replayed_beside_it(service: Service, database_url: str) -> None:
    """As of a schedule, whose jobs have one key: the next one came while nobody looked."""
    await add(database_url, {}, dedupe_key="schedule:x")
    await execute(database_url, "UPDATE pgqueuer SET status = 'failed'")
    (letter,) = await asyncio.to_thread(fetch, database_url, "SELECT id FROM pgqueuer")
    await add(database_url, {}, dedupe_key="schedule:x")
    assert (await service.api.post(f"/jobs/dead-letters/{letter['id']}/replay")).status_code == 204
    waiting = await asyncio.to_thread(fetch, database_url, "SELECT id FROM pgqueuer WHERE status = 'queued'")
    assert len(waiting) == 2
