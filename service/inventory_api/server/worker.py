"""The server worker: uvicorn under gunicorn, with a drain that loses nothing.

On SIGTERM: unready and `Connection: close` at once, still accepting for `drain_delay`, so that whoever sends requests
here learns of it first; then the API's listener closes and what is in flight gets `drain_timeout`, and background tasks
a little more; then the lifespan ends (pools, spans); the management port answers until the end. SIGQUIT (from SIGINT)
skips the delay.

Where only this server worker leaves (a reload, a signal to it alone), the service stays ready, and both its listeners
close together: new connections, probes and scrapes too, then reach its siblings.
"""

import asyncio
import faulthandler
import gc
import os
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
from inventory_api.server.listener import Listener
from inventory_api.server.protocol import HttpProtocol
from inventory_api.server.slot import Slot
from inventory_api.server.supervisor import hear_signals
from inventory_api.settings import Settings

POLL_SECONDS = 0.05
HEARTBEAT_SECONDS = 1.0
BACKGROUND_SECONDS = 3.0
# Requests that the drain cuts off still get their answer.
CANCELLED_SECONDS = 0.5
# For the three generations. With Python's (700, 10, 10) a tenth to a fifth of the time under load went into looking for
# garbage; with a first one of 20,000 it stopped everything for 70 ms at a time.
GARBAGE_COLLECTION_THRESHOLDS = (5_000, 5, 10)
# For how long another thread, such as the one that sends spans, may keep the event loop from going on. With Python's
# 5 ms, one request in a hundred of 1,200 a second took about 4 ms and more; docs/performance.md has the figures.
SWITCH_SECONDS = 0.0005


class DrainingServer(Server):
    """uvicorn's server; only how it accepts and how it ends are others."""

    def __init__(self, config: Config, drain: Drain, slot: Slot, settings: Settings) -> None:
        super().__init__(config)
        self._drain = drain
        self._slot = slot
        self._settings = settings
        self._skip_delay = False
        self._listeners: list[Listener] = []

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets=[])
        _settle_interpreter()
        self._listeners = [Listener(sock, self._new_protocol) for sock in sockets or []]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not uvicorn's, which would raise the signal again at the end and so skip the process's own exit."""
        self._skip_delay |= sig in (signal.SIGQUIT, signal.SIGINT)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        heartbeat = asyncio.create_task(self._keep_beating())
        self._slot.leave()
        self._drain.begin()
        await self._until(lambda: self._skip_delay, self._settings.drain_delay)
        ports = self._ports_to_close()
        for listener in self._listeners:
            if listener.port in ports:
                await listener.close()
        for connection in self._connections(ports):
            connection.shutdown()
        await self._until(lambda: not self._connections(ports), self._settings.drain_timeout)
        await self._until(lambda: not self.server_state.tasks, BACKGROUND_SECONDS)
        await self._cancel_tasks()
        await self.lifespan.shutdown()
        heartbeat.cancel()
        for listener in self._listeners:
            await listener.close()

    def _new_protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(self.config, self.server_state, self.lifespan.state)
        return made

    def _ports_to_close(self) -> set[int]:
        """That of the API; the management port answers until the end, unless a sibling does it better."""
        return {self._settings.port} if self._slot.is_last() else {self._settings.port, self._settings.management_port}

    async def _cancel_tasks(self) -> None:
        for task in list(self.server_state.tasks):
            task.cancel("the drain's time is over")
        await self._until(lambda: not self.server_state.tasks, CANCELLED_SECONDS)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """uvicorn tells of ended connections by no event, so this looks."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)

    def _connections(self, ports: set[int]) -> list[Any]:
        # Only a connection that has been made knows the address that it came in by.
        connections: list[Any] = list(self.server_state.connections)
        return [found for found in connections if found.server and found.server[1] in ports]

    async def _keep_beating(self) -> None:
        """gunicorn ends a worker that says nothing for its time-out, also one that is draining."""
        while True:
            if self.config.callback_notify is not None:
                await self.config.callback_notify()
            await asyncio.sleep(HEARTBEAT_SECONDS)


def _settle_interpreter() -> None:
    """The event loop comes first. What is there at the start stays, and garbage is looked for less often."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_COLLECTION_THRESHOLDS)


class ServerWorker(UvicornWorker):  # type: ignore[misc]  # has no types
    """Runs `DrainingServer`; gunicorn's `graceful_timeout` holds the sum of its steps."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }

    def init_signals(self) -> None:
        """As uvicorn's; and a fault, or the end of the supervisor's patience, leaves word of where the code was."""
        super().init_signals()
        hear_signals()
        faulthandler.enable(self.app.stack_file(self.slot_number).open("w"))

    async def callback_notify(self) -> None:
        """The heartbeat. Without its supervisor it would go on for ever, and keep the ports."""
        self.notify()
        if os.getppid() != self.ppid:
            os.kill(os.getpid(), signal.SIGTERM)

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
        self.config.http = HttpProtocol.of(application.edge, self.app.settings.port)
        server = DrainingServer(self.config, application.drain, self.app.slot(), self.app.settings)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        await server.serve(sockets=[listener.sock for listener in self.sockets])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
