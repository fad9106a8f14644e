"""A listening socket, from which a busy event loop takes as many connections as it can serve.

uvloop (by libuv) accepts one connection in each of its turns. Under load a turn takes some milliseconds, and a new
connection then waits for seconds in the backlog, whatever is done for the requests of the others.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

logger = logging.getLogger(__name__)

# In one turn: more would give a burst to one server worker, when its siblings are idle.
ACCEPTED_AT_ONCE = 8
# Of connections that were made before the listener closes: gunicorn's backlog.
MOST_WAITING = 2048
# The pause when the process has no file descriptor left, as asyncio has it.
PAUSE_SECONDS = 1.0
OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts on `sock` until `close()`, within the event loop that runs."""

    def __init__(self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self.port: int = sock.getsockname()[1]
        self._sock = sock
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._listen()

    async def close(self) -> None:
        """Take what has connected until now, which would else be reset, and accept no more."""
        if self._sock.fileno() != -1:
            self._loop.remove_reader(self._sock)
            self._accept(MOST_WAITING)
            self._sock.close()
        if self._pause is not None:
            self._pause.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _listen(self) -> None:
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self, most: int = ACCEPTED_AT_ONCE) -> None:
        for _ in range(most):
            try:
                connection, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # A sibling was faster, or the client is gone.
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                self._wait(error)
                return
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        await self._loop.connect_accepted_socket(self._protocol, connection)

    def _wait(self, error: OSError) -> None:
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._listen)
        logger.error("no connection can be accepted for %g s: %s", PAUSE_SECONDS, error)
        self._loop.remove_reader(self._sock)
