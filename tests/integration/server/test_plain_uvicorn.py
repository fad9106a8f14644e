"""The same application under uvicorn alone, without a supervisor."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.process import Server, clean_environment, free_ports
from tests.support.service import AUTHORIZATION
from tests.support.waiting import wait_until


@pytest.fixture
def uvicorn(settings: dict[str, Any], tmp_path: Path) -> Iterator[Server]:
    """uvicorn alone, without a supervisor."""
    port, management_port = free_ports(2)
    named = {f"INVENTORY_{key.upper()}": found for key, found in settings.items()}
    named |= {"INVENTORY_HOST": "127.0.0.1", "INVENTORY_MANAGEMENT_PORT": management_port}
    command = [sys.executable, "-m", "uvicorn", "inventory_api.asgi:app", "--port", str(port)]
    server = Server(command, clean_environment(named), tmp_path, port, management_port)
    try:
        wait_until(server.is_ready)
        yield server
    finally:
        server.kill_all()


def test_plain_uvicorn_serves_the_same_application_on_both_ports(uvicorn: Server) -> None:
    assert uvicorn.put("A-1").status_code == 201
    assert uvicorn.metric("http_server_request_duration_seconds_count", http_request_method="PUT") == 1
    assert uvicorn.metric("server_worker_up", server_worker=0) == 1
    assert httpx.get(f"{uvicorn.management}/inventory/A-1", headers=AUTHORIZATION).status_code == 404
    assert httpx.get(f"{uvicorn.api}/metrics").status_code == 404


def test_plain_uvicorn_closes_everything_when_it_is_told_to_stop(uvicorn: Server) -> None:
    uvicorn.signal(signal.SIGTERM)
    uvicorn.wait(30)
    assert "all resources are closed" in [line["message"] for line in uvicorn.log_lines()]
    assert uvicorn.stderr == ""
    for port in (uvicorn.api, uvicorn.management):
        with pytest.raises(httpx.ConnectError):
            httpx.get(port)


def test_plain_uvicorn_with_a_taken_management_port_says_so_and_does_not_serve(
    uvicorn: Server, settings: dict[str, Any], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    named = {f"INVENTORY_{key.upper()}": found for key, found in settings.items()}
    named |= {"INVENTORY_HOST": "127.0.0.1", "INVENTORY_MANAGEMENT_PORT": uvicorn.management.rpartition(":")[2]}
    second = tmp_path / "second"
    second.mkdir()
    command = [sys.executable, "-m", "uvicorn", "inventory_api.asgi:app", "--port", str(port)]
    server = Server(command, clean_environment(named), second, port, port)
    try:
        assert server.wait(30) != 0
        assert any("already in use" in json.dumps(line) for line in server.log_lines())
    finally:
        server.kill_all()
