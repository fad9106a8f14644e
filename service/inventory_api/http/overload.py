"""Bounds how many requests are answered at once; what is over it is refused soon, so that the rest stays fast."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_api.errors import Overloaded
from inventory_api.http.context import PROBES
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import Metrics

# The wait that the queue is made for, and the longest, since the next requests may take longer than those before.
QUEUE_SECONDS = 0.05
LONGEST_QUEUE_SECONDS = 0.2
# However fast requests are, no more than this many times the limit wait.
QUEUE_FACTOR = 4
# The weight of the newest request in the mean of how long requests take.
SMOOTHING = 0.05
QUEUE_FULL, QUEUE_TIMEOUT = "queue_full", "queue_timeout"
# Where the admission of a request is; the server has put it there, where it has admitted the request itself.
ADMISSION = "inventory_api.admission"
# And where it tells whether the next part of the body is there, and whether the client does not read its answer.
BODY_ARRIVED = "inventory_api.body_arrived"
ANSWER_WAITS = "inventory_api.answer_waits"


class Gate:
    """At most `limit` requests at once, in order of arrival, and in front of them a queue.

    The queue is as long as can be served within `QUEUE_SECONDS`, by how long requests took lately (Little's law), so
    that hardly any waits for nothing: what cannot be answered is refused at once, and costs next to nothing.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._places = asyncio.Semaphore(limit)
        self._admitted = 0
        self._mean_seconds = 0.0
        self._shed = {reason: metrics.shed.labels(reason=reason) for reason in (QUEUE_FULL, QUEUE_TIMEOUT)}

    def admit(self) -> "Admission":
        """Let one more in, at least as far as the queue.

        Raises:
            Overloaded: there is no room.
        """
        self.count()
        return Admission(self)

    def count(self) -> None:
        """One more; see `admit`."""
        queue = self._admitted + 1 - self._limit
        if queue > self._limit * QUEUE_FACTOR or queue * self._mean_seconds / self._limit > QUEUE_SECONDS:
            raise self.refusal(QUEUE_FULL)
        self._admitted += 1

    def refusal(self, reason: str) -> Overloaded:
        """The error, counted."""
        self._shed[reason].inc()
        return Overloaded()

    async def take_place(self) -> None:
        """Wait for one of the `limit` places.

        Raises:
            Overloaded: none was free in time.
        """
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(LONGEST_QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise self.refusal(QUEUE_TIMEOUT) from error

    def leave(self, held_seconds: float | None) -> None:
        """One less; it held a place for that long, or none."""
        self._admitted -= 1
        if held_seconds is not None:
            self._mean_seconds += SMOOTHING * (held_seconds - self._mean_seconds)
            self._places.release()


class Admission:
    """One request on its way through the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._entered: float | None = None
        self._left = False
        self._aside = False

    async def enter(self) -> None:
        """Take a place; see `Gate.take_place`."""
        await self._gate.take_place()
        self._entered = time.perf_counter()

    async def enter_again(self) -> None:
        """After `leave`; see `Gate.admit` and `Gate.take_place`."""
        if self._aside:
            return
        self._gate.count()
        self._entered, self._left = None, False
        await self.enter()

    def step_aside(self) -> None:
        """Leave for good: what the request does from here on is bounded by something else."""
        self._aside = True
        self.leave()

    def leave(self) -> None:
        """Give back what is held. A second time does nothing."""
        if not self._left:
            self._left = True
            self._gate.leave(None if self._entered is None else time.perf_counter() - self._entered)


class OverloadMiddleware:
    """Lets requests through the gate; probes pass beside it.

    What waits for its client holds no place: a few that send or read slowly would else keep all others out. Nor does
    work that follows a response.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        admission: Admission = scope.get(ADMISSION) or self._gate.admit()
        scope[ADMISSION] = admission

        body_arrived, answer_waits = scope.get(BODY_ARRIVED), scope.get(ANSWER_WAITS)

        async def watched_receive() -> Message:
            if body_arrived is None or body_arrived():
                return await receive()
            admission.leave()
            message = await receive()
            await admission.enter_again()
            return message

        async def watched_send(message: Message) -> None:
            if answer_waits is not None and answer_waits():
                admission.leave()
                if context := request_context.current():
                    context.end_deadline()  # It is the server that ends a client which does not read.
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                admission.leave()

        try:
            await admission.enter()
            await self.app(scope, watched_receive, watched_send)
        finally:
            admission.leave()
