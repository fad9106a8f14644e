"""What a scrape of a real process gives."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.otlp import collecting
from tests.support.process import Server, serving
from tests.support.service import AUTHORIZATION
from tests.support.waiting import wait_until

METHODS = ("GET", "HEAD", "PUT", "DELETE", "PURGE", "MKCOL", "PROPFIND", "M-SEARCH", "REPORT", "LINK")


@pytest.fixture
def server(database_url: str, keys_file: Path, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, database_url=database_url, api_keys_file=keys_file) as started:
        yield started


def test_series_stay_as_they_are_whatever_paths_and_methods_are_tried(server: Server) -> None:
    _fuzz(server, range(3))
    before = _series(server)
    _fuzz(server, range(3, 40))
    assert _series(server) == before


def _fuzz(server: Server, numbers: range) -> None:
    with httpx.Client(base_url=server.api, headers=AUTHORIZATION) as client:
        for n in numbers:
            for method in METHODS:
                client.request(method, f"/nowhere/{n}")
            for path in (
                f"/inventory/absent-{n}",
                f"/inventory/{n}/{n}",
                f"/{n}" * 2_000,
                f"/é{n}?é={n}",
                f"/{n}%ff%00",
            ):
                client.get(path)
            _send(server, f"ODD{n} /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            _send(server, f"GET /\xe9{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))


def _send(server: Server, request: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request)
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def _series(server: Server) -> set[str]:
    lines = server.metrics().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_promtool_finds_nothing_to_say(server: Server) -> None:
    httpx.get(f"{server.api}/inventory/absent", headers=AUTHORIZATION)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=server.metrics(), text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_span_of_a_process_is_sent_or_counted(database_url: str, keys_file: Path, tmp_path: Path) -> None:
    """With a collector that takes every second batch, and a queue that is too small."""
    statuses = iter([200, 400] * 1_000)
    with collecting(lambda: next(statuses)) as collector:
        tracing: dict[str, Any] = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_MAX_QUEUE_SIZE": 4,
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 4,
            "OTEL_BSP_SCHEDULE_DELAY": 200,
        }
        with serving(tmp_path, database_url=database_url, api_keys_file=keys_file, **tracing) as server:
            with httpx.Client(base_url=server.api) as client:
                for _ in range(200):
                    client.get("/nowhere")
            wait_until(lambda: len(collector.spans()) + sum(_dropped(server).values()) == 200)
            dropped = _dropped(server)
    assert set(dropped) == {"queue_full", "export_failed", "shutdown"}
    assert collector.spans()
    assert dropped["export_failed"] > 0


def _dropped(server: Server) -> dict[str, float]:
    lines = [line for line in server.metrics().splitlines() if line.startswith("otel_spans_dropped_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}
