"""The outermost middleware: request id, timings, access line, request metrics, and the last boundary for errors."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from functools import cache

from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from inventory_api.errors import NotReady, ServiceError
from inventory_api.http.errors import SERVER_ERROR, from_exception, render, report
from inventory_api.telemetry import request_context
from inventory_api.telemetry.metrics import NO_ROUTE, Metrics, method_label
from inventory_api.telemetry.request_context import RequestContext

logger = logging.getLogger("inventory_api.access")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLIENT_CLOSED_REQUEST = 499
PROBES = frozenset({"/system/live", "/system/startup", "/system/ready"})


def request_id(given: str) -> str:
    """The client's id where it is one, else a new UUIDv7."""
    return given if REQUEST_ID.fullmatch(given) else str(uuid7())


class RequestContextMiddleware:
    """Gives each request its context, and each response its headers.

    With `counted`, each request has its access line and its place in the request metrics, but for probes.

    It also catches what nothing inside has: the response is then the error contract's, with the same request id.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, closing: Callable[[], bool], *, counted: bool) -> None:
        self.app = app
        self._metrics = metrics
        self._closing = closing
        self._counted = counted
        # Its values are closed sets, so this is bounded; to look for a series takes longer than to count in it.
        self._duration = cache(metrics.request_duration.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = RequestContext(request_id(Headers(scope=scope).get("x-request-id", "")))
        span = trace.get_current_span()
        if span.get_span_context().is_valid:
            context.trace_id = trace.format_trace_id(span.get_span_context().trace_id)
            span.set_attribute("app.request_id", context.request_id)
        token = request_context.enter(context)
        exchange = _Exchange(scope, receive, send, context, self._closing)
        counted = self._counted and scope["path"] not in PROBES
        if counted:
            self._metrics.active_requests.inc()
        try:
            await self._answer(exchange)
        finally:
            if counted:
                self._metrics.active_requests.dec()
                self._finish(exchange, span)
            request_context.leave(token)

    async def _answer(self, exchange: "_Exchange") -> None:
        try:
            await self.app(exchange.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return  # There is nobody to answer; the access line says 499.
        except asyncio.CancelledError:
            # Only the end of a drain cancels requests. Nothing is left to do after this, so it ends here.
            if exchange.status is not None:
                raise
            await self._refuse(exchange, NotReady("The service is shutting down."))
        except Exception as cause:
            error = from_exception(cause)
            report(error, cause, self._metrics)
            if exchange.status is not None:
                raise  # Too late for another answer: the server closes the connection.
            await self._refuse(exchange, error)

    async def _refuse(self, exchange: "_Exchange", error: ServiceError) -> None:
        exchange.context.error_type = error.type
        response = render(error, Headers(scope=exchange.scope))
        await response(exchange.scope, exchange.receive, exchange.send)

    def _finish(self, exchange: "_Exchange", span: trace.Span) -> None:
        context, scope = exchange.context, exchange.scope
        answered = exchange.complete and not exchange.client_left
        status = exchange.status if answered else CLIENT_CLOSED_REQUEST
        seconds = exchange.seconds if exchange.complete else context.elapsed_seconds()
        sampled = span.get_span_context().trace_flags.sampled
        exemplar = {"trace_id": context.trace_id} if sampled and context.trace_id else None
        self._duration(method_label(scope["method"]), context.route or NO_ROUTE, str(status)).observe(seconds, exemplar)
        fields = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "http.response.status_code": status,
            "duration_ms": round(seconds * 1000, 2),
            "client.address": scope["client"][0] if scope.get("client") else None,
            "principal": context.principal,
        }
        if context.route:
            fields["http.route"] = context.route
        if context.error_type:
            fields["error.type"] = context.error_type
        logger.info("%s %s %s", scope["method"], context.route or scope["path"], status, extra=fields)


class _Exchange:
    """One request and its response, as far as it has got."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, context: RequestContext, closing: Callable[[], bool]
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.context = context
        self.status: int | None = None
        self.complete = False
        self.client_left = False
        self.seconds = 0.0
        self._send = send
        self._closing = closing

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if message["status"] >= SERVER_ERROR:
                self.client_left = await self._has_client_left()
            message["headers"] = [*message.get("headers", ()), *self._own_headers()]
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            # The time ends here: background tasks are not the client's time.
            self.complete = True
            self.seconds = self.context.elapsed_seconds()

    async def _has_client_left(self) -> bool:
        """Whether nobody waits for this failure any more. Asked for failures only: it costs a turn of the loop."""
        try:
            async with asyncio.timeout(0):
                return bool((await self.receive())["type"] == "http.disconnect")
        except TimeoutError:
            return False

    def _own_headers(self) -> Iterator[tuple[bytes, bytes]]:
        context = self.context
        total = context.elapsed_seconds()
        rest = max(total - context.database_seconds - context.pool_wait_seconds, 0.0)
        database, queue = context.database_seconds * 1000, context.pool_wait_seconds * 1000
        timing = f"db;dur={database:.2f}, queue;dur={queue:.2f}, app;dur={rest * 1000:.2f}"
        yield b"x-request-id", context.request_id.encode("ascii")
        yield b"x-response-time", f"{total * 1000:.2f}ms".encode("ascii")
        yield b"server-timing", timing.encode("ascii")
        for name, value in context.response_headers.items():
            yield name.lower().encode("ascii"), value.encode("ascii")
        if self._closing():
            yield b"connection", b"close"
