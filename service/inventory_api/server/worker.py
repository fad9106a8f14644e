"""The server worker: uvicorn under gunicorn, with a drain that loses nothing.

On SIGTERM: unready and `Connection: close` at once, still accepting for `drain_delay`, so that whoever sends requests
here learns of it first; then the API's listener closes and what is in flight gets `drain_timeout`; then the lifespan
ends (background tasks, pools, spans); the management port answers until the end. SIGQUIT (from SIGINT) skips the
delay.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from socket import socket
from types import FrameType
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn import Config, Server
from uvicorn_worker import UvicornWorker

from inventory_api.drain import Drain
from inventory_api.server.protocol import HttpProtocol
from inventory_api.settings import Settings

POLL_SECONDS = 0.05
HEARTBEAT_SECONDS = 1.0


class DrainingServer(Server):
    """uvicorn's server; only its end is another."""

    def __init__(self, config: Config, drain: Drain, settings: Settings) -> None:
        super().__init__(config)
        self._drain = drain
        self._settings = settings
        self._skip_delay = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not uvicorn's, which would raise the signal again at the end and so skip the process's own exit."""
        self._skip_delay |= sig in (signal.SIGQUIT, signal.SIGINT)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        heartbeat = asyncio.create_task(self._keep_beating())
        self._drain.begin()
        await self._until(lambda: self._skip_delay, self._settings.drain_delay)
        for server in self.servers:
            if server.sockets and server.sockets[0].getsockname()[1] == self._settings.port:
                server.close()
        for connection in self._api_connections():
            connection.shutdown()
        await self._until(self._all_answered, self._settings.drain_timeout)
        for task in list(self.server_state.tasks):
            task.cancel("the drain's time is over")
        await self.lifespan.shutdown()
        heartbeat.cancel()
        for server in self.servers:
            server.close()

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """uvicorn tells of ended connections by no event, so this looks."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)

    def _all_answered(self) -> bool:
        return not self._api_connections() and not self.server_state.tasks

    def _api_connections(self) -> list[Any]:
        # Only a connection that has been made knows the address that it came in by.
        connections: list[Any] = list(self.server_state.connections)
        return [found for found in connections if found.server and found.server[1] == self._settings.port]

    async def _keep_beating(self) -> None:
        """gunicorn ends a worker that says nothing for its time-out, also one that is draining."""
        while True:
            if self.config.callback_notify is not None:
                await self.config.callback_notify()
            await asyncio.sleep(HEARTBEAT_SECONDS)


class ServerWorker(UvicornWorker):  # type: ignore[misc]  # has no types
    """Runs `DrainingServer`; gunicorn's `graceful_timeout` holds the sum of its steps."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": HttpProtocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }

    def init_process(self) -> None:
        """As gunicorn's, but that a failure is told by its log line alone: gunicorn prints it bare beside that."""
        try:
            super().init_process()
        except Exception:
            self.log.exception("the server worker failed")
            sys.exit(1 if self.booted else Arbiter.WORKER_BOOT_ERROR)

    async def _serve(self) -> None:
        application = self.wsgi
        self.config.app = application
        server = DrainingServer(self.config, application.drain, self.app.settings)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        await server.serve(sockets=[listener.sock for listener in self.sockets])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
