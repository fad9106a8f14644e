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
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.database import fetch
from tests.support.process import MODULE, Running, clean_environment, free_ports
from tests.support.selling import line, order, post
from tests.support.service import Service
from tests.support.waiting import eventually, wait_until

EVENT = """
INSERT INTO pgqueuer (entrypoint, priority, payload, headers, status)
VALUES ('event', 0, $1, '{"request_id": "r-1", "actor": "key:x", "otel": {}}', 'queued') RETURNING id
"""


def add(url: str, payload: Any) -> int:
    """One whose payload may be anything."""
    (row,) = fetch(url, EVENT, json.dumps(payload).encode())
    return int(row["id"])


class Worker(Running):
    """One process."""

    def __init__(self, directory: Path, url: str, **settings: object) -> None:
        (port,) = free_ports(1)
        values = {"INVENTORY_DATABASE_URL": url, "INVENTORY_HOST": "127.0.0.1", "INVENTORY_MANAGEMENT_PORT": port}
        values |= {f"INVENTORY_{name.upper()}": value for name, value in settings.items()}
        super().__init__([*MODULE, "worker"], clean_environment(values), directory)
        self.management = f"http://127.0.0.1:{port}"

    def metric(self, name: str, **labels: str) -> float:
        text = httpx.get(f"{self.management}/metrics").text
        samples = [sample for family in parse_text(text) for sample in family.samples]
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    def says(self, path: str) -> int:
        try:
            return httpx.get(f"{self.management}/system/{path}").status_code
        except httpx.TransportError:
            return 0


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
        found = [entry for entry in worker.log_lines() if entry["message"].startswith("event ")]
        return found if len(found) == 2 else []

    first, second = await eventually(told)
    assert (first["message"], first["request_id"]) == ("event order.created", made.headers["X-Request-ID"])
    assert (second["message"], second["request_id"]) == ("event order.fulfilled", fulfilled.headers["X-Request-ID"])
    assert (first["event.data"]["id"], first["event.data"]["status"]) == (made.json()["id"], "confirmed")
    assert uuid.UUID(first["event.id"]) < uuid.UUID(second["event.id"])


def test_it_says_how_it_is_and_what_waits(database_url: str, worker: Worker) -> None:
    assert (worker.says("live"), worker.says("startup")) == (200, 200)
    add(database_url, {"broken": True})
    wait_until(lambda: worker.metric("jobs_total", entrypoint="event", outcome="retried") == 1)
    assert worker.metric("jobs_dead_letters") == 0
    assert "failed at start 1 of 10" in " ".join(messages(worker))


def test_it_ends_by_sigterm_with_what_it_has_begun_done(worker: Worker, database_url: str) -> None:
    for _ in range(20):
        add(database_url, {"id": "1", "type": "order.created", "data": {}})
    wait_until(lambda: worker.metric("jobs_total", entrypoint="event", outcome="done") >= 1)
    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert messages(worker)[-1] == "the queue worker has ended"
    assert fetch(database_url, "SELECT id FROM pgqueuer WHERE status = 'picked'") == []


def test_it_ends_while_the_database_is_not_there(tmp_path: Path) -> None:
    """And it has started without it, unready."""
    gone = Worker(tmp_path, "postgresql://nobody@127.0.0.1:9/none")
    try:
        wait_until(lambda: gone.says("ready") == 503)
        assert gone.says("live") == 200
        wait_until(lambda: "the queue cannot be reached" in " ".join(messages(gone)))
        gone.signal(signal.SIGTERM)
        assert gone.wait(30) == 0
    finally:
        gone.kill_all()


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, database_url: str) -> None:
    """Ten times, with jobs in hand; the last one finds what they left."""
    ids = [add(database_url, {"id": str(number), "type": "order.created", "data": {}}) for number in range(2000)]
    told = set[str]()
    for number in range(10):
        directory = tmp_path / str(number)
        directory.mkdir()
        worker = Worker(directory, database_url, job_heartbeat=1)
        wait_until(partial(_has_told, worker, 30))
        worker.kill_all()
        told |= _told(worker)
    directory = tmp_path / "last"
    directory.mkdir()
    worker = Worker(directory, database_url, job_heartbeat=1)
    try:
        wait_until(lambda: not fetch(database_url, "SELECT FROM pgqueuer"), 60)
        told |= _told(worker)
    finally:
        worker.kill_all()
    assert told == {str(number) for number in range(len(ids))}


def _has_told(worker: Worker, many: int) -> bool:
    return len(_told(worker)) >= many


def _told(worker: Worker) -> set[str]:
    """By what it has written, of which the last line may be cut."""
    lines = map(_parsed, worker._stdout.read_text().splitlines())
    return {entry["event.id"] for entry in lines if "event.id" in entry}


def _parsed(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def test_a_management_port_that_is_taken_is_told(tmp_path: Path, database_url: str, worker: Worker) -> None:
    port = worker.management.rpartition(":")[2]
    environment = clean_environment({"INVENTORY_DATABASE_URL": database_url, "INVENTORY_MANAGEMENT_PORT": port})
    done = subprocess.run([*MODULE, "worker"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the management port {port}: Address already in use" in done.stdout
