"""Bounds how many requests are answered at once; what is over it is refused soon, so that the rest stays fast."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from inventory_api.errors import Overloaded
from inventory_api.http.context import PROBES
from inventory_api.telemetry.metrics import Metrics

QUEUE_SECONDS = 0.1
# Waiting is worth it only for those who can still be served within QUEUE_SECONDS.
QUEUE_FACTOR = 4


class OverloadMiddleware:
    """At most `limit` requests at once, in order of arrival; raises `Overloaded` after a short wait. Probes pass."""

    def __init__(self, app: ASGIApp, limit: int, metrics: Metrics) -> None:
        self.app = app
        self._limit = limit
        self._places = asyncio.Semaphore(limit)
        self._waiting = 0
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            await self.app(scope, receive, send)
        finally:
            self._places.release()

    async def _wait(self) -> None:
        if self._waiting >= self._limit * QUEUE_FACTOR:
            self._metrics.shed.labels(reason="queue_full").inc()
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            self._metrics.shed.labels(reason="queue_timeout").inc()
            raise Overloaded from error
        finally:
            self._waiting -= 1
