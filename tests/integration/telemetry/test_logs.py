"""Every line of every process is one JSON object on stdout, whoever writes it."""

import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.process import SERVE_MISBEHAVING, Running, serving
from tests.support.waiting import wait_until

NOISY = (sys.executable, "-m", "tests.support.noisy")
FIELDS = {"timestamp", "level", "service", "message", "logger"}


@pytest.fixture
def settings(database_url: str, keys_file: Path) -> dict[str, Any]:
    return {"database_url": database_url, "api_keys_file": keys_file}


def _lines(process: Running) -> list[dict[str, Any]]:
    lines = process.log_lines()
    assert all(set(line) >= FIELDS for line in lines)
    assert process.stderr == ""
    return lines


def test_warnings_tasks_threads_and_what_nobody_caught_are_lines_of_json(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, command=NOISY, **settings) as server:
        httpx.get(f"{server.api}/noise", headers={"X-Request-ID": "noise"})
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        lines = _lines(server)
    failures = {line["error.message"]: line for line in lines if "error.message" in line}
    assert {message: (line["logger"], line["level"]) for message, line in failures.items()} == {
        "noise of a task": ("asyncio", "error"),
        "noise of a thread": ("inventory_api.telemetry.logging", "error"),
        "noise of the supervisor's thread": ("inventory_api.telemetry.logging", "error"),
        "noise of the supervisor's end": ("inventory_api.telemetry.logging", "critical"),
    }
    assert all("Traceback" in line["error.stack"] for line in failures.values())
    warned = [line for line in lines if line["logger"] == "py.warnings"]
    assert ["noise of the supervisor" in warned[0]["message"], "noise of a warning" in warned[1]["message"]] == [
        True
    ] * 2
    assert warned[1]["request_id"] == "noise"


def test_a_port_that_is_taken_is_told_in_json(settings: dict[str, Any], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with serving(tmp_path, ready=False, PORT=taken.getsockname()[1], **settings) as server:
            assert server.wait() == 1
            assert any(
                "already in use" in line["message"].lower() or "in use" in line["message"] for line in _lines(server)
            )


def test_a_server_worker_that_cannot_start_is_told_in_json(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, ready=False, command=(*SERVE_MISBEHAVING, "unable"), **settings) as server:
        assert server.wait() == 3
        (line,) = [line for line in _lines(server) if line["message"] == "the server worker failed"]
    assert line["error.type"] == "LookupError"


def test_a_dead_collector_under_load_is_said_seldom(settings: dict[str, Any], tmp_path: Path) -> None:
    """Every batch fails, and again; each message is written once a minute."""
    dead: dict[str, Any] = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
    }
    with serving(tmp_path, **dead, **settings) as server:
        for _ in range(20):
            httpx.get(f"{server.api}/nowhere")
        wait_until(
            lambda: 'otel_spans_dropped_total{reason="export_failed",server_worker="0"} 20.0' in server.metrics()
        )
        lines = [line for line in _lines(server) if line["logger"].startswith(("opentelemetry", "urllib3"))]
    assert 1 <= len(lines) <= 3
