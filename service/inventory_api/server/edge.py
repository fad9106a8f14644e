"""Answers that need no application: to what is no HTTP, too large or too slow, and to what is too much.

They are the one error shape like all others, with a request id. A request that is shed costs some tens of microseconds
here, and some hundreds where a task, the middlewares and two log lines were made for it: under ten times the load that
can be answered, that decides whether anything is.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from inventory_api.errors import ServiceError
from inventory_api.http.context import PROBES, request_id
from inventory_api.http.errors import SERVER_ERROR, error_content
from inventory_api.http.overload import Gate
from inventory_api.telemetry.line_budget import LineBudget
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics, method_label

logger = logging.getLogger("inventory_api.access")

# Of each period, this much is for answers to what was shed; the rest is for those who are served.
PERIOD_SECONDS = 0.01
SLICE_SECONDS = 0.0015
CLOSE = "connection: close\r\n"
PROBE_TARGETS = tuple(path.encode() for path in sorted(PROBES))


class Edge:
    """One for a server worker; without arguments it counts nothing and sheds nothing."""

    def __init__(
        self, metrics: Metrics | None = None, gate: Gate | None = None, closing: Callable[[], bool] = lambda: False
    ) -> None:
        self.closing = closing
        self._metrics = metrics
        self._gate = gate
        self._counters: dict[tuple[str, int], Any] = {}
        # A flood would else be a flood of lines, which cost more than the refusals.
        self._lines = LineBudget(logger, "requests were refused")
        self._deferred: deque[Callable[[], None]] = deque()
        self._worked = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def shed(self, target: bytes) -> ServiceError | None:
        """The error for a request that there is no room for, or None. Probes are never shed."""
        if self._gate is None or self._gate.has_room() or target.startswith(PROBE_TARGETS):
            return None
        return self._gate.refuse()

    def defer(self, answer: Callable[[], None]) -> None:
        """Call it soon, in order of arrival, in the time that refusals may take.

        The event loop reads from all sockets before it goes on with any task: refusals that were written as they come
        in would each bring the next one in, and nobody would be served any more.
        """
        self._deferred.append(answer)
        if self._timer is None:
            self._schedule()

    def answer(
        self,
        error: ServiceError,
        *,
        method: str,
        headers: Sequence[tuple[bytes, bytes]],
        client: str | None,
        seconds: float,
        close: bool,
    ) -> bytes:
        """The whole response, counted and logged. `seconds` is the time since the request began."""
        given = dict(headers)
        id_ = request_id(given.get(b"x-request-id", b"").decode("latin-1"))
        accept = given.get(b"accept", b"").decode("latin-1")
        content, media_type = error_content(error, id_, None, [accept])
        self._count(error, method, seconds)
        fields = {
            "request_id": id_,
            "client.address": client,
            "error.type": error.type,
            "http.response.status_code": error.status,
        }
        self._lines.log(logging.INFO, "refused: %s", error.message, extra=fields)
        duration = f"{seconds * 1000:.2f}"
        extra = "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
        head = (
            f"content-type: {media_type}\r\ncontent-length: {len(content)}\r\nx-request-id: {id_}\r\n"
            f"x-response-time: {duration}ms\r\nserver-timing: app;dur={duration}\r\n{extra}"
            f"{CLOSE if close else ''}\r\n"
        )
        return STATUS_LINE[error.status] + head.encode() + (b"" if method == "HEAD" else content)

    def _schedule(self) -> None:
        wait = self._worked + PERIOD_SECONDS - time.perf_counter()
        self._timer = asyncio.get_running_loop().call_later(max(wait, 0.0), self._work)

    def _work(self) -> None:
        self._timer = None
        self._worked = time.perf_counter()
        while self._deferred and time.perf_counter() - self._worked < SLICE_SECONDS:
            self._deferred.popleft()()
        if self._deferred:
            self._schedule()

    def _count(self, error: ServiceError, method: str, seconds: float) -> None:
        if self._metrics is None:
            return
        # Looking them up by their labels takes longer than counting.
        key = method_label(method), error.status
        if key not in self._counters:
            self._counters[key] = self._metrics.request_duration.labels(
                http_request_method=key[0], http_route=NO_ROUTE, http_response_status_code=str(error.status)
            )
        self._counters[key].observe(seconds)
        if error.status >= SERVER_ERROR:
            self._metrics.exceptions.labels(http_route=NO_ROUTE, error_type=error.type).inc()
