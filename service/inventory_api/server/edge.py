"""Answers that need no application: to what is no HTTP, too large or too slow, and to what is too much.

They are the one error shape like all others, with a request id. A request that is shed costs some tens of microseconds
here, and some hundreds where a task, the middlewares and two log lines were made for it: under ten times the load that
can be answered, that decides whether anything is.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from inventory_api.errors import ServiceError
from inventory_api.http.context import PROBES, request_id
from inventory_api.http.errors import SERVER_ERROR, error_content
from inventory_api.http.overload import Gate
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics, method_label

logger = logging.getLogger("inventory_api.access")

# A flood would else be a flood of lines, which cost more than the refusals.
LINES_PER_SECOND = 10
PROBE_TARGET = re.compile(rb"(?:%s)(?:\?|$)" % b"|".join(re.escape(path.encode()) for path in sorted(PROBES)))


class Edge:
    """One for a server worker; without arguments it counts nothing and sheds nothing."""

    def __init__(
        self, metrics: Metrics | None = None, gate: Gate | None = None, closing: Callable[[], bool] = lambda: False
    ) -> None:
        self.closing = closing
        self._metrics = metrics
        self._gate = gate
        self._lines = 0
        self._unlogged = 0
        self._timer: asyncio.TimerHandle | None = None

    def shed(self, target: bytes) -> ServiceError | None:
        """The error for a request that there is no room for, or None. Probes are never shed."""
        if self._gate is None or self._gate.has_room() or PROBE_TARGET.match(target):
            return None
        return self._gate.refuse()

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
        given = Headers(raw=list(headers))
        id_ = request_id(given)
        content, media_type = error_content(error, id_, None, given.getlist("accept"))
        if self._metrics is not None:
            self._count(self._metrics, error, method, seconds)
        self._log(error, id_, client)
        fields = {
            "content-type": media_type,
            "content-length": len(content),
            "x-request-id": id_,
            "x-response-time": f"{seconds * 1000:.2f}ms",
            "server-timing": f"app;dur={seconds * 1000:.2f}",
            **error.headers,
        }
        if close:
            fields["connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return STATUS_LINE[error.status] + head.encode() + b"\r\n" + (b"" if method == "HEAD" else content)

    def _count(self, metrics: Metrics, error: ServiceError, method: str, seconds: float) -> None:
        metrics.request_duration.labels(
            http_request_method=method_label(method),
            http_route=NO_ROUTE,
            http_response_status_code=str(error.status),
        ).observe(seconds)
        if error.status >= SERVER_ERROR:
            metrics.exceptions.labels(http_route=NO_ROUTE, error_type=error.type).inc()

    def _log(self, error: ServiceError, id_: str, client: str | None) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1, self._end_of_second)
        if self._lines >= LINES_PER_SECOND:
            self._unlogged += 1
            return
        self._lines += 1
        fields = {
            "request_id": id_,
            "client.address": client,
            "error.type": error.type,
            "http.response.status_code": error.status,
        }
        logger.info("refused: %s", error.message, extra=fields)

    def _end_of_second(self) -> None:
        if self._unlogged:
            logger.warning("refused %d more requests within a second", self._unlogged)
        self._timer, self._lines, self._unlogged = None, 0, 0
