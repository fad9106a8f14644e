"""What there is no room for is answered by the protocol itself, on real sockets, as the error contract says."""

import asyncio
import contextlib
import gc
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from tests.support.waiting import eventually

from inventory_api.errors import Overloaded
from inventory_api.http.overload import QUEUE_FACTOR, Admission, Gate, OverloadMiddleware
from inventory_api.server.edge import SLICE_SECONDS, Edge
from inventory_api.server.protocol import HttpProtocol
from inventory_api.telemetry.line_budget import LINES_PER_SECOND
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics

LIMIT = 2
ADMITTED = LIMIT + LIMIT * QUEUE_FACTOR
# More than the kernel keeps for a client that does not read.
LARGE = b"x" * 8_000_000


class Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def send(self, path: str, *, method: str = "GET", request_id: str = "x", more: str = "", body: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {request_id}\r\n{more}\r\n{body}"
        self._writer.write(head.encode())

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], str]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self._reader.readexactly(int(headers["content-length"])) if has_body else b""
        return int(status.split()[1]), headers, body.decode()

    async def is_closed(self) -> bool:
        return await self._reader.read() == b""


@dataclass
class Overloadable:
    """A server that holds each request until `opened`; `address` is limited, `other_address` is not."""

    address: tuple[str, int]
    other_address: tuple[str, int]
    metrics: Metrics
    gate: Gate
    opened: asyncio.Event
    reached: list[str]
    clients: list[Client] = field(default_factory=list)

    async def client(self, address: tuple[str, int] | None = None) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(*(address or self.address))))
        return self.clients[-1]

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, {**labels}) or 0.0


@pytest.fixture
async def server() -> AsyncIterator[Overloadable]:
    metrics, opened, reached = Metrics(), asyncio.Event(), list[str]()
    gate = Gate(LIMIT, metrics)

    async def held(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        if scope["path"].startswith("/held"):
            await opened.wait()
        if scope["path"] == "/body":
            while (await receive()).get("more_body"):
                pass
        if scope["path"] == "/large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": LARGE, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    loop, state = asyncio.get_running_loop(), uvicorn.server.ServerState()
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [sock.getsockname() for sock in sockets]
    protocol = HttpProtocol.of(Edge(metrics, gate), addresses[0][1])
    app = OverloadMiddleware(held, gate)
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, ws="none")
    config.load()

    def create() -> asyncio.Protocol:
        return protocol(config=config, server_state=state, app_state={})

    listening = [await loop.create_server(create, sock=sock) for sock in sockets]
    overloadable = Overloadable(addresses[0], addresses[1], metrics, gate, opened, reached)
    yield overloadable
    opened.set()
    for client in overloadable.clients:
        await client.close()
    for server in listening:
        server.close()
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.gather(*state.tasks, return_exceptions=True)


async def _fill(server: Overloadable) -> list[Client]:
    """As many requests as are let in."""
    clients = [await server.client() for _ in range(ADMITTED)]
    for client in clients:
        client.send("/held")

    async def places_are_taken() -> bool:
        return server.reached.count("/held") == LIMIT

    await eventually(places_are_taken)
    return clients


async def test_the_excess_is_refused_in_the_one_shape_and_the_connection_stays(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    for number in range(3):
        client.send("/inventory/a", request_id=f"id-{number}")
        status, headers, body = await client.answer()
        error = json.loads(body)["error"]
        assert (status, error["type"], error["request_id"]) == (503, "OVERLOADED", f"id-{number}")
        assert set(error) == {"type", "message", "request_id", "trace_id", "details"}
        assert headers["x-request-id"] == f"id-{number}"
        assert 1 <= int(headers["retry-after"]) <= 5
        assert {"content-type", "x-response-time", "server-timing"} <= headers.keys()
    server.opened.set()
    client.send("/held/after")
    assert (await client.answer())[0] == 200


async def test_it_is_counted_as_a_request_and_as_shed_and_never_reaches_the_application(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/inventory/a", method="DELETE")
    await client.answer()
    labels = {"http_request_method": "DELETE", "http_route": NO_ROUTE, "http_response_status_code": "503"}
    assert server.sample("http_server_request_duration_seconds_count", **labels) == 1
    assert server.sample("http_server_shed_total", reason="queue_full") == 1
    assert "/inventory/a" not in server.reached


async def test_problem_json_where_it_is_asked_for(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/x", request_id="id-1", more="Accept: application/problem+json\r\n")
    _, headers, body = await client.answer()
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["instance"] == "urn:inventory-api:request:id-1"


async def test_an_id_that_is_none_is_replaced_and_not_repeated(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/x", request_id='{request_id}"<script>')
    _, headers, body = await client.answer()
    assert json.loads(body)["error"]["request_id"] == headers["x-request-id"]
    assert "script" not in str(headers) + body


async def test_head_has_no_body(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/x", method="HEAD")
    client.send("/x", request_id="next")
    assert (await client.answer(has_body=False))[0] == 503
    assert (await client.answer())[1]["x-request-id"] == "next"


async def test_a_body_of_what_was_refused_does_not_spoil_the_next_request(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/x", method="PUT", more="Content-Length: 20\r\n", body="GET /y HTTP/1.1\r\n\r\n\r")
    assert (await client.answer())[0] == 503
    client.send("/z", request_id="next")
    assert (await client.answer())[1]["x-request-id"] == "next"
    assert not {"/x", "/y", "/z"} & set(server.reached)


async def test_pipelined_requests_are_refused_in_order(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    for number in range(50):
        client.send("/x", request_id=f"id-{number}")
    assert [(await client.answer())[1]["x-request-id"] for _ in range(50)] == [f"id-{n}" for n in range(50)]


async def test_what_comes_behind_a_refusal_does_not_overtake_it(
    server: Overloadable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there is room again by then."""
    refusals = iter([Overloaded()])

    def admit() -> Admission:
        for refusal in refusals:
            raise refusal
        return Gate.admit(server.gate)

    monkeypatch.setattr(server.gate, "admit", admit)
    client = await server.client()
    client.send("/x", request_id="first")
    client.send("/y", request_id="second")
    assert [(await client.answer())[1]["x-request-id"] for _ in range(2)] == ["first", "second"]
    assert server.sample("http_server_shed_total", reason="queue_full") == 1  # that of the first is the test's own


async def test_behind_a_request_that_is_held_the_next_is_decided_on_in_its_turn(server: Overloadable) -> None:
    first, *_ = await _fill(server)
    first.send("/next")
    server.opened.set()
    assert [(await first.answer())[0] for _ in range(2)] == [200, 200]
    assert server.reached.index("/held") < server.reached.index("/next")


async def test_bodies_that_are_waited_for_hold_no_place(server: Overloadable) -> None:
    slow = [await server.client() for _ in range(ADMITTED * 2)]
    for number, client in enumerate(slow):
        client.send("/body", method="POST", more="Content-Length: 2\r\n", body="x")

        async def begun(count: int = number + 1) -> bool:
            return server.reached.count("/body") == count

        await eventually(begun)
    other = await server.client()
    other.send("/other")
    assert (await other.answer())[0] == 200
    for client in slow:
        client.send_raw(b"x")
        assert (await client.answer())[0] == 200


async def test_answers_that_are_not_read_hold_no_place(server: Overloadable) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(ADMITTED * 2):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(server.address)
            deaf.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

            async def begun(count: int = number + 1) -> bool:
                return server.reached.count("/large") == count

            await eventually(begun)
        other = await server.client()
        other.send("/other")
        assert (await other.answer())[0] == 200


async def test_close_is_kept(server: Overloadable) -> None:
    await _fill(server)
    client = await server.client()
    client.send("/x", more="Connection: close\r\n")
    _, headers, _ = await client.answer()
    assert headers["connection"] == "close"
    assert await client.is_closed()


async def test_probes_and_the_other_port_are_not_refused(server: Overloadable) -> None:
    await _fill(server)
    for address, path in ((server.address, "/system/live"), (server.address, "/system/ready")):
        client = await server.client(address)
        client.send(path)
        assert (await client.answer())[0] == 200
    server.opened.set()
    other = await server.client(server.other_address)
    other.send("/metrics")
    assert (await other.answer())[0] == 200


async def test_a_burst_that_comes_in_one_turn_of_the_loop_is_counted_as_it_comes(server: Overloadable) -> None:
    """Before any of its tasks has begun: all of them would else go through the application to be refused there."""
    clients = [await server.client() for _ in range(100)]
    for client in clients:
        client.send("/held")

    async def all_refused() -> bool:
        return server.sample("http_server_shed_total", reason="queue_full") == 100 - ADMITTED

    await eventually(all_refused)
    assert server.sample("http_server_shed_total", reason="queue_timeout") in range(ADMITTED - LIMIT + 1)


@pytest.mark.parametrize("target", ["http://x:99999/", "http://x"])
async def test_what_is_no_request_takes_no_place(server: Overloadable, target: str) -> None:
    for _ in range(2 * ADMITTED):
        client = await server.client()
        client.send(target)
        assert (await client.answer())[0] == 400
    client = await server.client()
    client.send("/x")
    assert (await client.answer())[0] == 200


async def test_a_flood_of_refusals_is_few_lines(server: Overloadable, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inventory_api.access")
    await _fill(server)
    client = await server.client()
    for _ in range(100):
        client.send("/x")
    for _ in range(100):
        await client.answer()

    async def told() -> bool:
        return any("more requests were refused within a second" in message for message in caplog.messages)

    await eventually(told)
    assert sum("refused: " in message for message in caplog.messages) <= 2 * LINES_PER_SECOND


async def test_a_connection_that_is_closed_is_freed_at_once(server: Overloadable) -> None:
    """Also without garbage collection: it looks through what has lived for long only seldom."""
    server.opened.set()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            client = await server.client()
            client.send("/x", more="Connection: close\r\n")
            await client.answer()
            assert await client.is_closed()
            await client.close()

        async def all_are_freed() -> bool:
            return not any(isinstance(found, HttpProtocol) for found in gc.get_objects())

        await eventually(all_are_freed, 5)
    finally:
        gc.enable()


async def test_refusals_leave_the_loop_to_those_who_are_served() -> None:
    """Of a backlog of them, each slice is followed by other work."""
    edge, turns, refused = Edge(), [0], list[int]()

    def refuse() -> None:
        deadline = time.perf_counter() + SLICE_SECONDS
        while time.perf_counter() < deadline:
            pass
        refused.append(turns[0])

    for _ in range(20):
        edge.defer(refuse)
    while len(refused) < 20:
        await asyncio.sleep(0)
        turns[0] += 1
    assert len(set(refused)) == 20
