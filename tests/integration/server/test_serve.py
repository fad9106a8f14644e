"""gunicorn, server workers and both ports, as processes."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.otlp import attributes, collecting
from tests.support.process import Server, clean_environment, free_ports, serving
from tests.support.service import ADMIN_KEY, ITEM
from tests.support.waiting import wait_until

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture
def settings(database_url: str, redis_url: str, keys_file: Path) -> dict[str, Any]:
    return {"database_url": database_url, "redis_url": redis_url, "api_keys_file": keys_file}


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, **settings) as started:
        yield started


def _put(server: Server, sku: str, **headers: str) -> httpx.Response:
    return httpx.put(f"{server.api}/inventory/{sku}", json=ITEM, headers={**HEADERS, **headers})


def test_every_line_of_stdout_is_json_whoever_logs(server: Server) -> None:
    _put(server, "A-1")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    lines = server.log_lines()
    assert {"gunicorn.error", "uvicorn.error", "inventory_api.access", "inventory_api.health"} <= {
        line["logger"] for line in lines
    }
    assert all({"timestamp", "level", "service", "message"} <= set(line) for line in lines)
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
    assert server.stderr == ""


def test_the_management_port_answers_probes_and_metrics_and_nothing_else(server: Server) -> None:
    assert httpx.get(f"{server.management}/system/live").status_code == 200
    assert httpx.get(f"{server.management}/metrics").status_code == 200
    assert httpx.get(f"{server.management}/inventory/A-1", headers=HEADERS).status_code == 404
    assert httpx.get(f"{server.api}/system/live").status_code == 200
    assert httpx.get(f"{server.api}/metrics").status_code == 404


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_no_http_is_answered_in_the_error_shape(server: Server, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(garbage)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    error = json.loads(body)["error"]
    assert error["type"] == "BAD_REQUEST"
    assert error["request_id"].encode() in head


@pytest.mark.parametrize(
    ("rest", "refusal"),
    [
        (b"garbage\r\n", ("400", "BAD_REQUEST")),
        (b"2\r\n{}\r\n0\r\nX-Endless: " + b"x" * 2_000_000, ("431", "HEADERS_TOO_LARGE")),
        (b"2\r\n{}\r\n0\r\n" + b"X-Many: x\r\n" * 200_000, ("431", "HEADERS_TOO_LARGE")),
    ],
    ids=["no chunk", "one trailer", "many trailers"],
)
def test_a_body_that_is_no_http_is_told_of_at_once_and_not_at_the_deadline(
    server: Server, rest: bytes, refusal: tuple[str, str]
) -> None:
    authorization = f"Authorization: {HEADERS['Authorization']}\r\nContent-Type: application/json\r\n"
    begin = f"PUT /inventory/A-1 HTTP/1.1\r\nHost: x\r\n{authorization}Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(begin.encode() + rest)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # It does not wait for the end of what is sent.
            while data := connection.recv(65_536):
                answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head.split()[1].decode(), json.loads(body)["error"]["type"]) == refusal


def test_metrics_are_valid_in_both_formats_and_say_who_counted(server: Server) -> None:
    _put(server, "A-1")
    openmetrics = httpx.get(f"{server.management}/metrics", headers={"Accept": "application/openmetrics-text"})
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {"http_server_request_duration_seconds", "process_resident_memory_bytes", "app_build_info"} <= {
        family.name
        for family in openmetrics_parser.text_string_to_metric_families(openmetrics.text)  # type: ignore[no-untyped-call]
    }
    samples = [sample for family in parse_text(server.metrics()) for sample in family.samples]
    assert all(sample.labels["server_worker"] == "0" for sample in samples)
    counted = {"http_request_method": "PUT", "http_route": "/inventory/{sku}", "http_response_status_code": "201"}
    assert [
        s.value for s in samples if s.name.endswith("duration_seconds_count") and counted.items() <= s.labels.items()
    ] == [1]


def test_any_of_two_workers_tells_the_metrics_of_both_and_a_killed_one_comes_back_in_its_slot(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with serving(tmp_path, workers=2, **settings) as server:
        up = ('server_worker_up{server_worker="0"} 1.0', 'server_worker_up{server_worker="1"} 1.0')
        wait_until(lambda: all(line in server.metrics() for line in up))
        for n in range(20):
            _put(server, f"A-{n}")
        counts = [
            sample.value
            for family in parse_text(server.metrics())
            for sample in family.samples
            if sample.name == "http_server_request_duration_seconds_count"
            and sample.labels["http_request_method"] == "PUT"
        ]
        assert sum(counts) == 20
        killed = server.children()[0]
        killed.kill()
        wait_until(lambda: not killed.is_running() and server.restarted_as(2))
        wait_until(lambda: all(line in server.metrics() for line in up))


def test_one_request_id_joins_error_log_trace_and_audit(
    settings: dict[str, Any], tmp_path: Path, database_url: str
) -> None:
    with (
        collecting() as collector,
        serving(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_BSP_SCHEDULE_DELAY=100, **settings
        ) as server,
    ):
        assert _put(server, "A-1", **{"X-Request-ID": "joined"}).status_code == 201
        openmetrics = httpx.get(f"{server.management}/metrics", headers={"Accept": "application/openmetrics-text"})
        failed = httpx.get(f"{server.api}/inventory/absent", headers={**HEADERS, "X-Request-ID": "failed"})
        for port in (server.api, server.management):
            httpx.get(f"{port}/system/ready")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        (line,) = [line for line in server.log_lines() if line.get("request_id") == "joined"]
        spans = collector.trace(line["trace_id"])
    assert f'# {{trace_id="{line["trace_id"]}"}}' in openmetrics.text, "the exemplar of its bucket"
    assert failed.json()["error"]["trace_id"] in {line.get("trace_id") for line in server.log_lines()}
    (request,) = [span for span in spans if attributes(span).get("app.request_id") == "joined"]
    assert request.name == "PUT /inventory/{sku}"
    assert attributes(request)["http.response.status_code"] == "201"
    names = {span.name for span in spans}
    assert {"database.acquire", "inventory.insert_item", "audit.insert"} <= names
    assert not [name for name in names if name.endswith((" send", " receive"))]
    assert not [span for span in collector.spans() if "/system/" in span.name]
    row = asyncio.run(_fetch_one(database_url, "SELECT request_id, trace_id FROM audit_entry"))
    assert tuple(row) == ("joined", line["trace_id"])


def test_a_dead_collector_does_not_delay_the_end(settings: dict[str, Any], tmp_path: Path) -> None:
    """A socket that accepts and never answers: the flush has its bound, and the process exits by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, drain_timeout=5, **settings) as server:
            _put(server, "A-1")
            server.signal(signal.SIGTERM)
            assert server.wait(20) == 0
            assert any("spans were not all sent" in line["message"] for line in server.log_lines())
            assert any("all resources are closed" in line["message"] for line in server.log_lines())


def test_a_collector_that_refuses_does_not_disturb_requests(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", **settings) as server:
        assert _put(server, "A-1").status_code == 201


async def test_a_drain_under_keep_alive_clients_fails_no_request(settings: dict[str, Any], tmp_path: Path) -> None:
    """Clients that go elsewhere on `Connection: close`, as a Service's endpoints do: none sees a reset or a 5xx."""
    with serving(tmp_path, drain_delay=3, **settings) as server:
        _put(server, "A-1")
        failures: list[str] = []
        answered = 0

        async def client() -> None:
            nonlocal answered
            async with httpx.AsyncClient(headers=HEADERS) as session:
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
        _put(server, "A-1")
        holder = await asyncpg.connect(database_url)
        async with httpx.AsyncClient(headers=HEADERS, timeout=30) as client:
            async with holder.transaction():
                await holder.execute("SELECT 1 FROM item FOR UPDATE")
                patch = asyncio.create_task(client.patch(f"{server.api}/inventory/A-1", json={"name": "Nut"}))
                await asyncio.to_thread(wait_until, lambda: "inventory.lock_item" in _activity(database_url))
                server.signal(signal.SIGTERM)
                await asyncio.to_thread(wait_until, lambda: _status(server) == "draining")
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


def test_the_start_survives_a_database_that_is_down(keys_file: Path, tmp_path: Path) -> None:
    url = f"postgresql://postgres@/x?host={tmp_path}"
    with serving(tmp_path, ready=False, database_url=url, api_keys_file=keys_file) as server:
        wait_until(lambda: _status(server) == "unready")
        assert httpx.get(f"{server.management}/system/live").status_code == 200
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INVENTORY_POOL_MAXX", "1", "INVENTORY_POOL_MAXX is not a setting; did you mean INVENTORY_POOL_MAX?"),
        ("INVENTORY_POOL_MAX", "many", "INVENTORY_POOL_MAX: Input should be a valid integer"),
        ("INVENTORY_DATABASE_URL", "", "INVENTORY_DATABASE_URL is not set"),
        ("INVENTORY_DATABASE_URL", "mysql://x", "INVENTORY_DATABASE_URL: must begin with postgresql:// or postgres://"),
        ("INVENTORY_DATABASE_URL", "postgresql://h:99999/x", "INVENTORY_DATABASE_URL: a port must be a number"),
        ("INVENTORY_REDIS_URL_FILE", "/absent", "INVENTORY_REDIS_URL_FILE: /absent: No such file or directory"),
        ("INVENTORY_REDIS_URL", "http://x", "INVENTORY_REDIS_URL: must begin with redis:// or rediss:// or unix://"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, settings: dict[str, Any], name: str, value: str, message: str
) -> None:
    named = {f"INVENTORY_{key.upper()}": found for key, found in settings.items()} | {name: value}
    if name.endswith("_FILE"):
        del named[name.removesuffix("_FILE")]
    command = [sys.executable, "-m", "inventory_api.cli", "serve"]
    server = Server(command, clean_environment(named), tmp_path, *free_ports(2))
    assert server.wait(30) == 2
    server.kill_all()
    assert message in server.stderr
    assert len(server.stderr.splitlines()) == 1


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
    assert _put(uvicorn, "A-1").status_code == 201
    assert uvicorn.metric("http_server_request_duration_seconds_count", http_request_method="PUT") == 1
    assert uvicorn.metric("server_worker_up", server_worker=0) == 1
    assert httpx.get(f"{uvicorn.management}/inventory/A-1", headers=HEADERS).status_code == 404
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


def _status(server: Server) -> str:
    try:
        return str(httpx.get(f"{server.management}/system/ready").json().get("status"))
    except httpx.TransportError:
        return "unreachable"


def _activity(database_url: str) -> str:
    """The names of the statements that wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
    row = asyncio.run(_fetch_one(database_url, query))
    return "inventory.lock_item" if row[0] else ""


async def _fetch_one(database_url: str, query: str) -> Any:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchrow(query)
    finally:
        await connection.close()
