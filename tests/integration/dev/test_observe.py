"""`make observe`: what there is runs, what there is not is said, and nothing is left of it."""

import shutil
import signal
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from observability.stack.programs import Ports
from tests.support.process import Running, clean_environment
from tests.support.stores import free_offset
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="NOT RUN: prometheus is not on PATH")


@pytest.fixture
def data(server_directory: Path) -> Path:
    directory = server_directory / f"observe-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o711)
    return directory


@pytest.fixture
def ports() -> Ports:
    return Ports(free_offset())


@pytest.fixture
def observed(data: Path, ports: Ports, tmp_path: Path) -> Iterator[Running]:
    """With somebody else on the collector's port."""
    command = [
        "nice",
        sys.executable,
        "-m",
        "observability.stack",
        "--offset",
        str(ports.offset),
        "--data-dir",
        str(data),
    ]
    with socket.create_server(("127.0.0.1", ports.number("collector"))):
        running = Running([*command, "--no-demo-data"], clean_environment({"INVENTORY_DRAIN_DELAY": 0.2}), tmp_path)
        try:
            yield running
        finally:
            running.kill_all()


@pytest.mark.timeout(240)
def test_what_there_is_runs_and_ends_with_it(observed: Running, ports: Ports, data: Path) -> None:
    def health() -> list[str]:
        assert observed.process.poll() is None, observed.stderr
        try:
            answer = httpx.get(f"{ports.url('prometheus')}/api/v1/targets")
        except httpx.TransportError:
            return []
        # 503, as long as it reads what it had kept.
        targets = answer.json()["data"]["activeTargets"] if answer.status_code == 200 else []
        return [target["health"] for target in targets]

    # The API, the queue worker, and itself.
    wait_until(lambda: health() == ["up"] * 3, 150)
    groups = httpx.get(f"{ports.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
    assert "inventory-api-slo" in {group["name"] for group in groups}
    assert "OpenTelemetry Collector  NOT STARTED" in observed.stderr
    began = [process for process in psutil.process_iter() if str(data) in " ".join(_command(process))]
    assert began
    observed.signal(signal.SIGINT)
    assert observed.wait(60) == 0
    assert not [process for process in began if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
