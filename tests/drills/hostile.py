"""A client that says to a server what no good client says, and listens to all of the answer."""

import asyncio
import contextlib
import itertools
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import httptools

# What the server does not close by then, it does not close.
PATIENCE_SECONDS = 90.0
DRIP_SECONDS = 0.5
CHUNK = b"x" * 65_536
ERROR = {"type", "message", "request_id", "trace_id", "details"}

Parts = Iterable[bytes] | AsyncIterator[bytes]


class Heard(NamedTuple):
    """What came on one connection, and after how many seconds the server closed it."""

    label: str
    seconds: float


class Listener:
    """Parses answers; an error's label has its type, and says when it is not in the one shape."""

    def __init__(self) -> None:
        self._answers: list[str] = []
        self._request_id = ""
        self._body = b""
        self._parser: Any = httptools.HttpResponseParser(self)

    @property
    def label(self) -> str:
        counted = Counter(self._answers)
        return ", ".join(f"{count} x {answer}" if count > 1 else answer for answer, count in counted.items())

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.add("not HTTP")

    def add(self, answer: str) -> None:
        self._answers.append(answer)

    def on_message_begin(self) -> None:
        self._request_id, self._body = "", b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-id":
            self._request_id = value.decode()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self.add(str(status) if status < 400 else f"{status} {self._error_type()}")

    def _error_type(self) -> str:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            error = json.loads(self._body)["error"]
            if set(error) == ERROR and error["request_id"] == self._request_id:
                return str(error["type"])
        return "in another shape"


async def say(port: int, parts: Parts) -> Heard:
    """Send the parts while reading, until the server closes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    listener = Listener()
    sending = asyncio.create_task(_send(writer, parts))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while data := await reader.read(65_536):
                listener.feed(data)
    except ConnectionError:
        listener.add("reset")
    except TimeoutError:
        listener.add("never closed")
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return Heard(listener.label, loop.time() - began)


async def say_all(port: int, sayings: Sequence[Parts], at_once: int = 1000) -> list[Heard]:
    """Each on a connection of its own, so many at once."""
    places = asyncio.Semaphore(at_once)

    async def say_one(parts: Parts) -> Heard:
        async with places:
            return await say(port, parts)

    return list(await asyncio.gather(*map(say_one, sayings)))


async def after(seconds: float, head: bytes) -> AsyncIterator[bytes]:
    """Once, and not at once."""
    await asyncio.sleep(seconds)
    yield head


async def drip(head: bytes, seconds: float = 0) -> AsyncIterator[bytes]:
    """The beginning after so many seconds, then a byte now and then, for ever."""
    await asyncio.sleep(seconds)
    yield head
    while True:
        await asyncio.sleep(DRIP_SECONDS)
        yield b"x"


def flood(head: bytes, mebibytes: int) -> Iterator[bytes]:
    """The beginning, then so much of nothing."""
    return itertools.chain([head], itertools.repeat(CHUNK, mebibytes * 16))


@contextmanager
def deaf(port: int, data: bytes, count: int) -> Iterator[set[int]]:
    """So many clients that send the data, and never read what comes; tells their ports."""
    with contextlib.ExitStack() as stack:
        ports = set()
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            ports.add(client.getsockname()[1])
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(data)
        yield ports


async def _send(writer: asyncio.StreamWriter, parts: Parts) -> None:
    with contextlib.suppress(ConnectionError):
        async for part in parts if isinstance(parts, AsyncIterator) else _each(parts):
            writer.write(part)
            await writer.drain()


async def _each(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
