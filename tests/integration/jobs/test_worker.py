"""`inventory-api worker` as a process: what it does by itself, what it says, and how it ends."""

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.database import fetch
from tests.support.process import MODULE, clean_environment
from tests.support.queue_worker import Worker, told
from tests.support.selling import line, order, post
from tests.support.service import Service
from tests.support.waiting import eventually, wait_until

KILLS, JOBS = 4, 600
EVENTS = """
INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
SELECT 'event', 0, convert_to(event, 'UTF8'), '{}', 'queued'
FROM generate_series(1, $1::int) AS n,
     format('[{"id": "%s", "type": "x", "timestamp": "2026-03-01T08:00:00Z", "data": 0}]',
            '00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))
     AS event
"""
EVENT = """
INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
VALUES ('event', 0, $1, '{"request_id": "r-1", "actor": "key:x", "otel": {}}', 'queued') RETURNING id
"""


def add(url: str, payload: Any) -> int:
    """One whose payload may be anything."""
    (row,) = fetch(url, EVENT, json.dumps(payload).encode())
    return int(row["id"])


@pytest.fixture
def worker(tmp_path: Path, database_url: str) -> Iterator[Worker]:
    made = Worker(tmp_path, database_url, job_heartbeat=2)
    wait_until(lambda: made.says("ready") == 200)
    yield made
    made.kill_all()


def messages(worker: Worker) -> list[str]:
    return [entry["message"] for entry in worker.log_lines()]


async def test_what_an_order_tells_is_told_under_its_request(service: Service, worker: Worker) -> None:
    """Once it is committed; also what becomes of it, and nothing of what is refused."""
    (await service.put("A-1")).raise_for_status()
    made = await order(service, line("A-1", 3))
    await order(service, line("A-1", 30))
    fulfilled = await post(service, f"/orders/{made.json()['id']}/fulfill")

    async def told() -> list[dict[str, Any]]:
        orders = ("order.created", "order.fulfilled")
        found = [entry for entry in worker.log_lines() if {*entry.get("event.types", ())} & {*orders}]
        return found if len(found) == 2 else []

    # Two jobs, which it may end in any order; the ids of events are in that of their transactions.
    first, second = sorted(await eventually(told), key=lambda entry: str(entry["event.ids"]))
    assert first["request_id"] == made.headers["X-Request-ID"]
    assert second["request_id"] == fulfilled.headers["X-Request-ID"]
    assert first["event.types"] == ["inventory.level.changed", "order.created"]
    assert second["event.types"] == ["order.fulfilled", "inventory.level.changed"]
    ids = [uuid.UUID(event) for event in first["event.ids"] + second["event.ids"]]
    assert ids == sorted(ids)


def test_it_says_how_it_is_and_what_waits(database_url: str, worker: Worker) -> None:
    assert (worker.says("live"), worker.says("startup")) == (200, 200)
    add(database_url, {"broken": True})
    wait_until(lambda: worker.metric("jobs_total", entrypoint="event", outcome="retried") == 1)
    assert worker.metric("jobs_dead_letters") == 0
    assert "failed at start 1 of 10" in " ".join(messages(worker))


def test_it_ends_by_sigterm_with_what_it_has_begun_done(worker: Worker, database_url: str) -> None:
    for _ in range(20):
        add(
            database_url,
            [{"id": str(uuid.uuid4()), "type": "order.created", "timestamp": "2026-03-01T08:00:00Z", "data": {}}],
        )
    wait_until(lambda: worker.metric("jobs_total", entrypoint="event", outcome="done") >= 1)
    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert messages(worker)[-1] == "the queue worker has ended"
    assert fetch(database_url, "SELECT id FROM pgqueuer WHERE status = 'picked'") == []


def test_it_tells_that_it_is_ready_and_how_many_connections_it_may_open(worker: Worker) -> None:
    """One for each of its four jobs, and the four that the chart's budget counts beside them."""
    assert worker.metric("health_ready") == 1
    assert worker.metric("db_client_connection_max") == 4 + 4


def test_it_tells_nothing_of_keys_which_it_does_not_read(worker: Worker) -> None:
    """A gauge at 0 would be taken for a file that could not be read."""
    assert "api_keys_last_reload_successful" not in httpx.get(f"{worker.management}/metrics").text


def test_it_ends_while_the_database_is_not_there(tmp_path: Path) -> None:
    """And it has started without it, unready."""
    gone = Worker(tmp_path, "postgresql://nobody@127.0.0.1:9/none")
    try:
        wait_until(lambda: gone.says("ready") == 503)
        assert gone.says("live") == 200
        assert gone.metric("health_ready") == 0
        wait_until(lambda: "the queue cannot be reached" in " ".join(messages(gone)))
        gone.signal(signal.SIGTERM)
        assert gone.wait(30) == 0
    finally:
        gone.kill_all()


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, database_url: str) -> None:
    """Again and again, with jobs in hand; the last one finds what they left."""
    fetch(database_url, EVENTS, JOBS)
    found = set[str]()
    for number in range(KILLS):
        directory = tmp_path / str(number)
        directory.mkdir()
        worker = Worker(directory, database_url, job_heartbeat=1)
        wait_until(partial(_has_told, worker, 30))
        worker.kill_all()
        found |= told(worker)
    directory = tmp_path / "last"
    directory.mkdir()
    worker = Worker(directory, database_url, job_heartbeat=1)
    try:
        wait_until(lambda: not fetch(database_url, "SELECT FROM pgqueuer"), 60)
        found |= told(worker)
    finally:
        worker.kill_all()
    assert found == {str(uuid.UUID(int=int(str(number), 16))) for number in range(1, JOBS + 1)}


def _has_told(worker: Worker, many: int) -> bool:
    return len(told(worker)) >= many


def test_a_management_port_that_is_taken_is_told(tmp_path: Path, database_url: str, worker: Worker) -> None:
    port = worker.management.rpartition(":")[2]
    environment = clean_environment({"INVENTORY_DATABASE_URL": database_url, "INVENTORY_MANAGEMENT_PORT": port})
    done = subprocess.run([*MODULE, "worker"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the management port {port}: Address already in use" in done.stdout
