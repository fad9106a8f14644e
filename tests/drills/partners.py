"""Partners that take webhooks, on this machine: each does what it is told to at that moment, and notes what came."""

import asyncio
import json
import os
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.process import Server
from tests.support.service import AUTHORIZATION

NICE = 10
Behaviour = Callable[["Partner", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(eq=False)
class Partner:
    """`taken`: the webhook-id of each request that was answered by 2xx; `asked`: of each that came."""

    behaviour: Behaviour
    port: int = 0
    asked: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


async def takes(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    partner.taken.append(partner.asked[-1])
    writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")


async def hangs(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until whoever asks has had enough."""
    del partner, writer
    await reader.read()


async def fails(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del partner, reader
    writer.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops")


async def fails_often(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Of three it takes one; so it is never believed to be down."""
    await (takes if len(partner.asked) % 3 == 0 else fails)(partner, reader, writer)


async def has_left(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """For good, as it says."""
    del partner, reader
    writer.write(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


async def drips(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An error whose body has no end."""
    del partner
    writer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
    left = asyncio.ensure_future(reader.read())
    while not left.done():
        writer.write(b".")
        await writer.drain()
        await asyncio.wait({left}, timeout=0.1)


async def resets(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del partner, reader
    end = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def redirects_to(other: Partner) -> Behaviour:
    async def redirect(partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del partner, reader
        head = f"HTTP/1.1 307 There\r\nlocation: {other.url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(head.encode())

    return redirect


class Partners:
    """An event loop of their own, in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[int, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run_forever)

    def add(self, behaviour: Behaviour = takes, *, bodies: bool = False) -> Partner:
        """One more; with `bodies` it keeps what it took."""
        partner = Partner(behaviour)
        self._run(self._listen(partner, bodies=bodies))
        return partner

    def close(self, partner: Partner) -> None:
        """Nobody is there, until it is opened."""
        self._run(self._closed(partner.port))

    def open(self, partner: Partner) -> None:
        self._run(self._listen(partner, bodies=False))

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        for port in [*self._servers]:
            self._run(self._closed(port))
        self._run(self._cancelled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, partner: Partner, *, bodies: bool) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await _answer(partner, reader, writer, bodies=bodies)

        server = await asyncio.start_server(connected, "127.0.0.1", partner.port, backlog=512)
        partner.port = server.sockets[0].getsockname()[1]
        self._servers[partner.port] = server

    async def _closed(self, port: int) -> None:
        self._servers.pop(port).close()

    async def _cancelled(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run_forever(self) -> None:
        # They are on machines of their own elsewhere: here they take what others leave.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        self._loop.run_forever()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)


def subscribe(server: Server, partner: Partner, *events: str) -> str:
    """An endpoint of that partner; its id."""
    body = {"url": partner.url, "events": events}
    answer = httpx.post(f"{server.api}/webhooks/endpoints", json=body, headers=AUTHORIZATION)
    return str(answer.raise_for_status().json()["id"])


@contextmanager
def partners() -> Iterator[Partners]:
    """Ended when left."""
    made = Partners()
    made.start()
    try:
        yield made
    finally:
        made.end()


async def _answer(
    partner: Partner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, bodies: bool
) -> None:
    partner.at_once += 1
    partner.most_at_once = max(partner.most_at_once, partner.at_once)
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            partner.asked.append(headers["webhook-id"])
            if bodies:
                partner.bodies.append(json.loads(body))
            await partner.behaviour(partner, reader, writer)
            await writer.drain()
    finally:
        partner.at_once -= 1
        writer.close()
