"""The protocol on real sockets, with short times."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from tests.support.waiting import eventually
from uvicorn.server import ServerState

from inventory_api.server.protocol import HttpProtocol

LARGE = b"x" * 8_000_000
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class HastyProtocol(HttpProtocol):
    """As in production, but sooner."""

    header_seconds = 0.4
    linger_seconds = 0.4
    unread_seconds = 1.0


@pytest.fixture
def state() -> ServerState:
    """Of the server; its `connections` are those that are open."""
    return ServerState()


@pytest.fixture
async def port(state: ServerState) -> AsyncIterator[int]:
    """An application that answers 200 without reading, or echoes the length of the body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = 0
        if scope["path"] == "/read":
            more = True
            while more:
                message = await receive()
                length += len(message.get("body", b""))
                more = message.get("more_body", False)
        elif scope["path"] == "/slow":
            await receive()
            await slow.wait()
        elif scope["path"] == "/until-left":
            while (await receive())["type"] != "http.disconnect":
                pass
        body = LARGE if scope["path"] == "/large" else str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    slow = asyncio.Event()
    config = uvicorn.Config(app, http=HastyProtocol, lifespan="off", log_config=None, timeout_keep_alive=1, ws="none")
    config.load()
    loop = asyncio.get_running_loop()

    def create() -> asyncio.Protocol:
        return HastyProtocol(config=config, server_state=state, app_state={})

    server = await loop.create_server(create, "127.0.0.1", 0)
    loop.call_later(0.3, slow.set)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for connection in list(state.connections):
        connection.transport.abort()
    for task in state.tasks:
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)


async def _exchange(port: int, *parts: bytes) -> bytes:
    """Send the parts, and read until the server closes, which it must; it may do so before all is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = asyncio.create_task(reader.read())
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        async with asyncio.timeout(10):
            return await received
    finally:
        writer.close()


def _refusal(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert error["request_id"].encode() in head
    assert b"connection: close" in head
    assert b"x-response-time: " in head
    return int(head.split()[1]), error["type"]


async def test_a_connection_that_sends_nothing_is_closed(port: int) -> None:
    assert await _exchange(port) == b""


async def test_headers_that_do_not_end_in_time_are_a_408(port: int) -> None:
    assert _refusal(await _exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n")) == (408, "REQUEST_TIMEOUT")


async def _drip(port: int, head: bytes) -> bytes:
    """Send the beginning, then a byte now and then, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    writer.write(head)
    while not reading.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"x")
        await asyncio.wait({reading}, timeout=0.05)
    writer.close()
    return await reading


async def test_headers_that_drip_do_not_gain_time(port: int) -> None:
    """Each byte is progress, and the time is counted from the first."""
    assert _refusal(await _drip(port, b"GET / HTTP/1.1\r\nX-Drip: ")) == (408, "REQUEST_TIMEOUT")


async def test_a_body_that_drips_after_its_answer_does_not_hold_the_connection(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    assert (await _drip(port, head)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "parts",
    [
        (b"GET / HTTP/1.1\r\nX-Large: " + b"x" * 40_000 + b"\r\n\r\n",),
        (b"GET / HTTP/1.1\r\n", *[b"X-Many: x\r\n" * 1_000] * 8, b"\r\n"),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nX-Endless: ", *[b"x" * 65_536] * 1_000),
    ],
    ids=["one", "many", "url", "64 MiB"],
)
async def test_headers_over_32_kib_are_a_431_that_the_client_can_read(port: int, parts: tuple[bytes, ...]) -> None:
    assert _refusal(await _exchange(port, *parts)) == (431, "HEADERS_TOO_LARGE")


async def test_headers_just_under_the_bound_pass(port: int) -> None:
    large = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: " + b"x" * 32_000 + b"\r\n\r\n"
    assert (await _exchange(port, large)).startswith(b"HTTP/1.1 200")


async def test_a_large_body_before_the_next_request_is_not_taken_for_its_headers(port: int) -> None:
    body = b"x" * 200_000
    first = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    second = [b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"Connection: close\r\n\r\n"]
    answer = await _exchange(port, first + second[0], *second[1:])
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"200000" in answer


async def test_a_body_that_was_not_read_does_not_spoil_the_next_request(port: int) -> None:
    body = b"x" * 100_000
    unread = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await _exchange(port, unread, last)).count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("stray", [b"", b"\r\n"])
async def test_a_kept_connection_that_stays_idle_is_closed_also_after_a_stray_empty_line(
    port: int, stray: bytes
) -> None:
    assert (await _exchange(port, REQUEST, stray)).count(b"HTTP/1.1 200") == 1


async def test_garbage_behind_a_request_does_not_cut_its_answer(port: int) -> None:
    answer = await _exchange(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


async def test_more_requests_ahead_than_the_bound_are_not_kept(port: int) -> None:
    """The connection ends with the answers to those before."""
    answer = await _exchange(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + REQUEST * 5_000)
    assert answer.count(b"HTTP/1.1 200") == HttpProtocol.max_pipelined + 1
    assert answer.count(b"HTTP/1.1") == HttpProtocol.max_pipelined + 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="it is the kernel of Linux that ends them")
@pytest.mark.parametrize("requests", [1, 20])
async def test_a_client_that_reads_no_answers_is_left(port: int, requests: int, state: ServerState) -> None:
    """Whether one answer is larger than what the kernel takes, or the next one waits for it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * requests)

        async def there() -> bool:
            return bool(state.connections)

        async def gone() -> bool:
            return not state.connections

        await eventually(there)
        await eventually(gone, 10)


async def test_with_requests_ahead_too_the_one_that_is_answered_is_told_that_its_client_has_left(
    port: int, state: ServerState
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /until-left HTTP/1.1\r\nHost: x\r\n\r\n" + REQUEST * 3)

    async def begun() -> bool:
        return bool(state.tasks)

    async def ended() -> bool:
        return not state.tasks

    await eventually(begun)
    writer.transport.abort()
    await eventually(ended, 10)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
        b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /read HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["no host", "two hosts", "HTTP/2.0", "a tunnel", "a coding", "a coding of HTTP/1.0"],
)
async def test_what_others_could_read_in_another_way_is_refused(port: int, head: bytes) -> None:
    assert _refusal(await _exchange(port, head)) == (400, "BAD_REQUEST")


async def test_a_client_of_http_1_0_needs_no_host(port: int) -> None:
    assert (await _exchange(port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")


UPGRADE = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_is_read_where_an_upgrade_is_asked_for(port: int, framing: str) -> None:
    """As curl and Java do to come to HTTP/2. What is behind it is the next request, and nothing of it is one."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    if framing == "length":
        sent = b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        sent = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head = b"POST /read HTTP/1.1\r\n" + UPGRADE
    for parts in ([head + sent + last], [head, sent, last], [bytes([byte]) for byte in head + sent + last]):
        answer = await _exchange(port, *parts)
        assert answer.count(b"HTTP/1.1 200") == answer.count(b"HTTP/1.1") == 2
        assert str(len(body)).encode() in answer


async def test_requests_ahead_that_ask_for_an_upgrade_are_answered_and_bounded(port: int) -> None:
    upgrade = b"GET / HTTP/1.1\r\n" + UPGRADE + b"\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await _exchange(port, upgrade * 3 + last)).count(b"HTTP/1.1 200") == 4
    answer = await _exchange(port, b"GET /slow HTTP/1.1\r\n" + UPGRADE + b"\r\n" + upgrade * 5_000)
    assert answer.count(b"HTTP/1.1 200") == HttpProtocol.max_pipelined + 1


async def test_many_small_chunks_are_no_extensions(port: int) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"30000" in await _exchange(port, head, *[b"1\r\nx\r\n" * 100] * 300, b"0\r\n\r\n")
