"""Clients that wait: each keeps one connection, asks again after its answer, and goes where it is told to go.

Unlike the generator's open loop they find what a drain loses: the request that was sent on a connection which the
server closes at that moment.
"""

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .load import AUTHORIZATION

THINK_SECONDS = 0.3
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 0.05

_serial = itertools.count()


@dataclass
class Answers:
    """`refused` are connections that were not made: nothing was sent on them."""

    statuses: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: int = 0

    def labels(self) -> Counter[str]:
        wrong = [f"{status}" for status in self.statuses.values() if status != 200]
        return Counter([*self.failures, *wrong])


class Clients(threading.Thread):
    """`count` of them, from `start()` to `stop()`; `persistent` ones connect again where no connection is made."""

    def __init__(self, port: int, skus: Sequence[str], count: int, *, persistent: bool) -> None:
        super().__init__()
        self.answers = Answers()
        self._port = port
        self._skus = itertools.cycle(skus)
        self._count = count
        self._persistent = persistent
        self._prefix = f"client-{next(_serial)}-"
        self._numbers = itertools.count()
        self._stopping = threading.Event()

    def run(self) -> None:
        asyncio.run(self._ask())

    def stop(self) -> Answers:
        """Ends each after the answer that it waits for."""
        self._stopping.set()
        self.join()
        return self.answers

    async def _ask(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._client(number / self._count * THINK_SECONDS))

    async def _client(self, delay: float) -> None:
        await asyncio.sleep(delay)  # not all at once
        while not self._stopping.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                self.answers.refused += 1
                if not self._persistent:
                    return
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._converse(reader, writer)
            finally:
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        while keep and not self._stopping.is_set():
            number = next(self._numbers)
            id_ = f"{self._prefix}{number}"
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    writer.write(self._request(number, id_))
                    keep = await self._read_answer(reader, id_)
            except (OSError, EOFError, TimeoutError) as error:
                self.answers.failures.append(type(error).__name__)
                return
            if keep:
                await asyncio.sleep(THINK_SECONDS)

    def _request(self, number: int, id_: str) -> bytes:
        """Every fourth is a change."""
        body = f'{{"name": "Name {number}"}}' if number % 4 == 0 else ""
        if body:
            self.answers.changes.append(id_)
        lines = [
            f"{'PATCH' if body else 'GET'} /inventory/{next(self._skus)} HTTP/1.1",
            "Host: drill",
            f"X-Request-ID: {id_}",
            *(f"{name}: {value}" for name, value in AUTHORIZATION.items()),
            *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
        ]
        return "\r\n".join([*lines, "", body]).encode()

    async def _read_answer(self, reader: asyncio.StreamReader, id_: str) -> bool:
        """Whether the connection may be kept."""
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        await reader.readexactly(int(headers.get("content-length", 0)))
        self.answers.statuses[id_] = int(status.split()[1])
        return headers.get("connection") != "close"


@contextmanager
def asking(port: int, skus: Sequence[str], count: int, *, persistent: bool = False) -> Iterator[Clients]:
    """They ask until left, also where the drill fails."""
    clients = Clients(port, skus, count, persistent=persistent)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()
