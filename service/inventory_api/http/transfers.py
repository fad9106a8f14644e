"""Bounds how many contents are on their way through this process at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from starlette.types import Scope

from inventory_api.errors import Overloaded
from inventory_api.http.overload import ADMISSION, QUEUE_FULL, QUEUE_TIMEOUT, Admission
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import Metrics

# Those that wait keep what has come of their bodies, and are read no further.
QUEUE_FACTOR = 4
WAIT_SECONDS = 2.0
Direction = Literal["in", "out"]


class Transfers:
    """At most `limit` at once, and in front of them a short queue.

    They take seconds where other requests take milliseconds: so they have places of their own, and a deadline of their
    own, and keep nobody else out.
    """

    def __init__(self, direction: Direction, limit: int, deadline_seconds: float, metrics: Metrics) -> None:
        self._places = asyncio.Semaphore(limit)
        self._most_waiting = limit * QUEUE_FACTOR
        self._waiting = 0
        self._deadline_seconds = deadline_seconds
        self._running = metrics.transfers.labels(direction=direction)
        self._shed = {reason: metrics.shed.labels(reason=reason) for reason in (QUEUE_FULL, QUEUE_TIMEOUT)}

    @asynccontextmanager
    async def place(self, scope: Scope) -> AsyncIterator[None]:
        """For the request of that scope, which gives up its place among the others.

        Raises:
            Overloaded: there is no room.
        """
        admission: Admission | None = scope.get(ADMISSION)
        if admission is not None:
            admission.step_aside()
        if (context := request_context.current()) is not None:
            context.extend_deadline(self._deadline_seconds)
        await self._take_place()
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()
            self._places.release()

    async def _take_place(self) -> None:
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise self._refusal(QUEUE_FULL)
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise self._refusal(QUEUE_TIMEOUT) from error
        finally:
            self._waiting -= 1

    def _refusal(self, reason: str) -> Overloaded:
        self._shed[reason].inc()
        return Overloaded()
