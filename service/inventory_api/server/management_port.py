"""The management port of a server that knows of one port only: `uvicorn inventory_api.asgi:app`."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.types import ASGIApp
from uvicorn import Config, Server

from inventory_api.server.protocol import HttpProtocol

STOP_SECONDS = 1


class _InnerServer(Server):
    """Ends with the server around it, which alone is told of signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(management: ASGIApp, host: str, port: int) -> AsyncIterator[None]:
    """Serve until left.

    Raises:
        OSError: the port is taken, perhaps by another process of the same server; `inventory-api serve` runs several.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    config = Config(
        management,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _InnerServer(config)
    with socket.create_server((host, port), family=family) as listener:
        task = asyncio.create_task(server.serve([listener]), name="management")
        try:
            yield
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await task
