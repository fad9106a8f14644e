"""The end of a server: what is on its way is answered."""

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from tests.support.database import fetch
from tests.support.process import serving
from tests.support.service import ADMIN_KEY, AUTHORIZATION
from tests.support.waiting import wait_until


def test_a_dead_collector_does_not_delay_the_end(settings: dict[str, Any], tmp_path: Path) -> None:
    """A socket that accepts and never answers: the flush has its bound, and the process exits by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, drain_timeout=5, **settings) as server:
            server.put("A-1")
            server.signal(signal.SIGTERM)
            assert server.wait(20) == 0
            assert any("spans were not all sent" in line["message"] for line in server.log_lines())
            assert any("all resources are closed" in line["message"] for line in server.log_lines())


async def test_a_drain_under_keep_alive_clients_fails_no_request(settings: dict[str, Any], tmp_path: Path) -> None:
    """Clients that go elsewhere on `Connection: close`, as a Service's endpoints do: none sees a reset or a 5xx."""
    with serving(tmp_path, drain_delay=3, **settings) as server:
        server.put("A-1")
        failures: list[str] = []
        answered = 0

        async def client() -> None:
            nonlocal answered
            async with httpx.AsyncClient(headers=AUTHORIZATION) as session:
                while True:
                    try:
                        response = await session.get(f"{server.api}/inventory/A-1")
                    except httpx.TransportError as error:
                        failures.append(repr(error))
                        return
                    answered += 1
                    if response.status_code != 200:
                        failures.append(response.text)
                    if response.headers.get("Connection") == "close":
                        return

        clients = [asyncio.create_task(client()) for _ in range(20)]
        await asyncio.to_thread(wait_until, lambda: answered > 100)
        server.signal(signal.SIGTERM)
        await asyncio.gather(*clients)
        assert failures == []
        assert await asyncio.to_thread(server.wait) == 0


async def test_a_request_in_flight_is_finished_and_the_management_port_answers_meanwhile(
    settings: dict[str, Any], tmp_path: Path, database_url: str
) -> None:
    with serving(tmp_path, drain_delay=0, **settings) as server:
        server.put("A-1")
        holder = await asyncpg.connect(database_url)
        async with httpx.AsyncClient(headers=AUTHORIZATION, timeout=30) as client:
            async with holder.transaction():
                await holder.execute("SELECT 1 FROM item FOR UPDATE")
                patch = asyncio.create_task(client.patch(f"{server.api}/inventory/A-1", json={"name": "Nut"}))
                await asyncio.to_thread(wait_until, lambda: "inventory.lock_item" in _activity(database_url))
                server.signal(signal.SIGTERM)
                await asyncio.to_thread(wait_until, lambda: server.status() == "draining")
                assert httpx.get(f"{server.management}/system/live").status_code == 200
            response = await patch
        await holder.close()
        assert (response.status_code, response.headers["Connection"]) == (200, "close")
        assert await asyncio.to_thread(server.wait) == 0


async def test_a_request_that_the_drain_cuts_off_is_answered_in_the_one_shape(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """Its body never comes; the drain does not wait for it longer than it says."""
    with serving(tmp_path, drain_delay=0, drain_timeout=1, request_deadline=1, **settings) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"PATCH /inventory/A-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        await asyncio.to_thread(
            wait_until, lambda: "http_server_active_requests{" + 'server_worker="0"} 1.0' in server.metrics()
        )
        server.signal(signal.SIGTERM)
        answer = await reader.read()
        writer.close()
        assert int(answer.split()[1]) in {408, 503}
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["request_id"]
        assert await asyncio.to_thread(server.wait) == 0
        assert [line for line in server.log_lines() if line["level"] == "error"] == []


def _activity(database_url: str) -> str:
    """The names of the statements that wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
    row = fetch(database_url, query)[0]
    return "inventory.lock_item" if row[0] else ""
