"""A TCP proxy on loopback before a Unix socket, with faults. A process of its own; `proxy.py` starts it.

Arguments: the port and the path of the socket. A mode is a line on stdin and is written to stdout when it holds; the
end of stdin ends the process.

- `pass`: what is said is passed on; also what was held back, as a network does that was away for a while.
- `silence`: a connection is made, and nothing comes through, on old ones and on new ones, in both directions.
- `drop`: as `silence` for the connections that there are, and a new one is never made: its SYNs are dropped.
- `refuse`: the connections are closed, and new ones are refused.
- `reset`: the connections are reset, and new ones are too.
"""

import asyncio
import socket
import struct
import sys
from contextlib import suppress

BACKLOG = 128
AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """One listener, and the pairs of sockets that came of it."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._mode = "pass"
        self._passing = asyncio.Event()
        self._passing.set()
        self._pairs: dict[asyncio.Task[None], tuple[socket.socket, ...]] = {}
        self._fillers: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    async def enter(self, mode: str) -> None:
        self._mode = mode
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if mode in {"refuse", "reset"}:
            await self._end_pairs(reset=mode == "reset")
        if mode == "refuse":
            self._close()
        elif mode == "drop":
            self._stop_accepting()
            self._fill()
        else:
            self._accept()
        if mode in {"silence", "drop"}:
            self._passing.clear()
        else:
            self._passing.set()

    def _accept(self) -> None:
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self._port))
            self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept_all(self._listener))

    def _stop_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None

    def _close(self) -> None:
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _fill(self) -> None:
        """A full queue of connections that nobody accepts: Linux drops the SYNs that come then."""
        if self._listener is None:
            self._accept()
            self._stop_accepting()
        if self._listener is not None:
            self._listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self._port))
            self._fillers.append(filler)

    async def _accept_all(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            if self._mode == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            for end in (client, server):
                end.setblocking(False)
            task = asyncio.create_task(self._serve(client, server))
            self._pairs[task] = (client, server)
            task.add_done_callback(self._close_pair)

    def _close_pair(self, task: asyncio.Task[None]) -> None:
        for end in self._pairs.pop(task):
            end.close()

    async def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            await self._passing.wait()
            await asyncio.get_running_loop().sock_connect(server, self._path)
            ways = [asyncio.create_task(self._relay(*ends)) for ends in ((client, server), (server, client))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _relay(self, source: socket.socket, target: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await loop.sock_recv(source, 65_536):
                await self._passing.wait()
                await loop.sock_sendall(target, data)
            await self._passing.wait()

    async def _end_pairs(self, *, reset: bool) -> None:
        tasks = list(self._pairs)
        for task in tasks:
            client, _ = self._pairs[task]
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def main() -> None:
    proxy = Proxy(int(sys.argv[1]), sys.argv[2])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        await proxy.enter(line.decode().strip())
        sys.stdout.write(line.decode())
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
