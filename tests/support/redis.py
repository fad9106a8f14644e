"""A Redis of one test, and a way to it that can fall silent."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from inventory_api.dev.embedded import EmbeddedRedis
from inventory_api.dev.processes import Processes


class OwnRedis(EmbeddedRedis):
    """A Redis to be killed, frozen and started again."""

    def signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)
        if number == signal.SIGKILL:
            self._server.wait()


@contextmanager
def own_redis(server_directory: Path) -> Iterator[OwnRedis]:
    """Started, and stopped whatever state it is in."""
    directory = server_directory / "own-redis"
    directory.mkdir(mode=0o711, exist_ok=True)
    processes = Processes(directory / "processes.json")
    server = OwnRedis(directory, processes)
    assert server.start()
    try:
        yield server
    finally:
        server.signal(signal.SIGKILL)
        processes.stop()


class Proxy:
    """Between the service and a Redis on a Unix socket. With `answer` set, nothing gets through: it is the answer."""

    def __init__(self, target: str) -> None:
        self.answer: bytes | None = None
        self.requests: list[bytes] = []
        self.url = ""
        self._target = target.removeprefix("unix://")

    def silence(self) -> None:
        """From now on it accepts and never answers."""
        self.requests.clear()
        self.answer = b""

    def swallowed(self, command: bytes) -> int:
        """How many of a command have arrived since, and were not passed on."""
        return sum(command in request for request in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_unix_connection(self._target)
        back = asyncio.create_task(self._pass_back(from_redis, writer))
        try:
            while data := await reader.read(65536):
                if self.answer is None:
                    to_redis.write(data)
                else:
                    self.requests.append(data)
                    writer.write(self.answer)
        except ConnectionError:
            pass
        finally:
            back.cancel()
            to_redis.close()
            writer.close()

    async def _pass_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@asynccontextmanager
async def proxy_to(redis_url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(redis_url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield proxy
    finally:
        server.close()
