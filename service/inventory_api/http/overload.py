"""Bounds how many requests are answered at once; what is over it is refused soon, so that the rest stays fast."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_api.errors import Overloaded
from inventory_api.http.context import PROBES
from inventory_api.telemetry.metrics import Metrics

QUEUE_SECONDS = 0.1
# However fast requests are, no more than this many times the limit wait.
QUEUE_FACTOR = 4
# The weight of the newest request in the mean of how long requests take.
SMOOTHING = 0.05


class Gate:
    """At most `limit` requests at once, in order of arrival, and in front of them a queue.

    The queue is as long as can be served within `QUEUE_SECONDS`, by how long requests took lately (Little's law), so
    that hardly any waits for nothing: what cannot be answered is refused at once, and costs next to nothing.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._places = asyncio.Semaphore(limit)
        self._waiting = 0
        self._mean_seconds = 0.0
        self._metrics = metrics

    def has_room(self) -> bool:
        """Whether a request that comes now can be answered."""
        if not self._places.locked():
            return True
        seconds = (self._waiting + 1) * self._mean_seconds / self._limit
        return seconds <= QUEUE_SECONDS and self._waiting < self._limit * QUEUE_FACTOR

    def refuse(self) -> Overloaded:
        """The error for a request for which there is no room."""
        self._metrics.shed.labels(reason="queue_full").inc()
        return Overloaded()

    async def enter(self) -> None:
        """Take a place.

        Raises:
            Overloaded: there is no room, or no place was free in time.
        """
        if not self.has_room():
            raise self.refuse()
        self._waiting += 1
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            self._metrics.shed.labels(reason="queue_timeout").inc()
            raise Overloaded from error
        finally:
            self._waiting -= 1

    def leave(self, seconds: float) -> None:
        """Give the place back that was held for that long."""
        self._mean_seconds += SMOOTHING * (seconds - self._mean_seconds)
        self._places.release()


class OverloadMiddleware:
    """Lets requests through the gate; probes pass beside it. Work that follows a response holds no place."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        await self._gate.enter()
        entered: float | None = time.perf_counter()

        def leave() -> None:
            nonlocal entered
            if entered is not None:
                self._gate.leave(time.perf_counter() - entered)
                entered = None

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                leave()

        try:
            await self.app(scope, receive, watched)
        finally:
            leave()
