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

from inventory_api.errors import Overloaded, ServiceError
from inventory_api.http.context import PROBES, request_id
from inventory_api.http.errors import SERVER_ERROR, error_content
from inventory_api.http.negotiation import PROBLEM_JSON, prefers_problem
from inventory_api.http.overload import QUEUE_FULL, Admission, Gate
from inventory_api.telemetry.line_budget import LineBudget
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics, method_label

logger = logging.getLogger("inventory_api.access")

# Of each period, this much is for answers to what was shed; the rest is for those who are served.
PERIOD_SECONDS = 0.01
SLICE_SECONDS = 0.0004
# No request id has braces.
PLACE = b"{request_id}"
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
        self._counters: dict[tuple[str, str], tuple[Any, Any]] = {}
        # A flood would else be a flood of lines, which cost more than the refusals.
        self._lines = LineBudget(logger, "requests were refused")
        self._templates: dict[tuple[str, str, bool], tuple[bytes, bytes]] = {}
        self._deferred: deque[Callable[[], None]] = deque()
        self._worked = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, target: bytes) -> Admission | None:
        """Let a request in; None where nothing limits it. Probes are never refused.

        Raises:
            Overloaded: there is no room for it.
        """
        if self._gate is None or target.startswith(PROBE_TARGETS):
            return None
        return self._gate.admit()

    def refusal(self) -> Overloaded:
        """The error for a request that comes behind one for which there was no room."""
        return self._gate.refusal(QUEUE_FULL) if self._gate else Overloaded()

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
        accept = given.get(b"accept")
        head, content = self._template(
            error, problem=accept is not None and prefers_problem([accept.decode("latin-1")])
        )
        self._count(error, method, seconds)
        if self._lines.has_room():
            fields = {
                "request_id": id_,
                "client.address": client,
                "error.type": error.type,
                "http.response.status_code": error.status,
            }
            logger.info("refused: %s", error.message, extra=fields)
        content = content.replace(PLACE, id_.encode())
        duration = f"{seconds * 1000:.2f}"
        retry = "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
        lines = (
            f"content-length: {len(content)}\r\nx-request-id: {id_}\r\nx-response-time: {duration}ms\r\n"
            f"server-timing: app;dur={duration}\r\n{retry}{CLOSE if close else ''}\r\n"
        )
        return head + lines.encode() + (b"" if method == "HEAD" else content)

    def _template(self, error: ServiceError, *, problem: bool) -> tuple[bytes, bytes]:
        """The constant part of the head, and the content with a place for the request id."""
        key = error.type, error.message, problem
        if key not in self._templates:
            content, media_type = error_content(error, PLACE.decode(), None, [PROBLEM_JSON] if problem else [])
            self._templates[key] = STATUS_LINE[error.status] + f"content-type: {media_type}\r\n".encode(), content
        return self._templates[key]

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
        key = method_label(method), error.type
        if key not in self._counters:
            duration = self._metrics.request_duration.labels(
                http_request_method=key[0], http_route=NO_ROUTE, http_response_status_code=str(error.status)
            )
            exceptions = None
            if error.status >= SERVER_ERROR:
                exceptions = self._metrics.exceptions.labels(http_route=NO_ROUTE, error_type=error.type)
            self._counters[key] = duration, exceptions
        duration, exceptions = self._counters[key]
        duration.observe(seconds)
        if exceptions is not None:
            exceptions.inc()
