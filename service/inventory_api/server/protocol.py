"""uvicorn's HTTP protocol, hardened: bounds on headers and on every wait, and refusals in the error contract's shape.

uvicorn with httptools takes headers and trailers of any size, and as many requests ahead as a client sends. It waits
for ever for the end of headers, for the rest of a body that nobody reads any more, for a client that sends an empty
line or that reads no answers. Here each of these has an end. Where an upgrade is asked for, which curl and Java do to
come to HTTP/2, the body would be taken for the next request, and what follows be lost. Here nothing is upgraded.
"""

import asyncio
import socket
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from inventory_api.errors import BadRequest, HeadersTooLarge, Overloaded, RequestTimeout, ServiceError
from inventory_api.http.body_limit import BODY_ERROR
from inventory_api.http.overload import ADMISSION, ANSWER_WAITS, BODY_ARRIVED, Admission
from inventory_api.server import message_head
from inventory_api.server.alarm import Alarm
from inventory_api.server.edge import Edge

Headers = list[tuple[bytes, bytes]]


class HttpProtocol(HttpToolsProtocol):
    """One connection. `edge` answers what is refused: a subclass per server sets it (`of`)."""

    edge = Edge()
    # The edge sheds requests of this port only.
    api_port: int | None = None
    # Of the headers; and of what is between the chunks of a body, and behind them.
    max_header_bytes = 32_768
    # Requests that wait for the answer of one before them.
    max_pipelined = 128
    # From the first byte of a request to the end of its headers; also for a connection that sends nothing at all.
    header_seconds = 10.0
    # For what a client still sends of a request that was refused.
    linger_seconds = 2.0
    # For a client that takes none of what is sent to it.
    unread_seconds = 20.0
    # For the first request of a connection that was accepted just before the listener closed.
    last_request_seconds = 1.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._running: RequestResponseCycle | None = None
        self._in_headers = False
        self._in_framing = False
        self._without_upgrade = b""
        self._progress = 0
        self._header_bytes = 0
        self._most_header_bytes = 0
        self._refused = False
        self._shed = False
        self._unanswered = 0
        self._is_ended = False
        self._alarm = Alarm(self.loop)
        self._message_began = self.loop.time()

    @classmethod
    def of(cls, edge: Edge, api_port: int) -> type["HttpProtocol"]:
        """The protocol of one server."""
        return type(cls.__name__, (cls,), {"edge": edge, "api_port": api_port})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the kernel then ends what is closed and not read, too
            milliseconds = int(self.unread_seconds * 1000)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._alarm.set(self.header_seconds, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._alarm.end()
        # uvicorn tells the last of pipelined requests only, and goes on with the others.
        for cycle in (self._running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        progress = self._progress if self._in_headers or self._in_framing else None
        self._most_header_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__  # What a callback raised, if that is what ended it.
            self._refuse(cause if isinstance(cause, ServiceError) else BadRequest())
        if not self._in_headers:
            self._most_header_bytes = 0
        if (self._in_headers or self._in_framing) and self._progress == progress:
            # Nothing but headers, trailers or extensions of a chunk, and still no end of them.
            self._header_bytes += len(data)
            self._check_header_bytes()
        elif self._in_headers:
            refuse = partial(self._refuse, RequestTimeout("The headers did not arrive in time."))
            self._alarm.set(self.header_seconds, refuse)
        elif self._is_idle() and not self._alarm.is_set:
            # Neither a request nor an answer: empty lines, or the rest of a body that was answered already.
            self._alarm.set(self.header_seconds, self.transport.close)

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser has stopped for good behind the headers.
                data = self._without_upgrade + data[upgrade.args[0] :]
                self._without_upgrade = b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._progress += 1
        self._message_began = self.loop.time()
        self._header_bytes = 0
        self._in_headers = True

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._alarm.clear()
        if self._most_header_bytes > self.max_header_bytes:
            self._header_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            self._check_header_bytes()
        if len(self.pipeline) + self._unanswered >= self.max_pipelined:
            raise BadRequest("Too many requests were sent ahead.")  # Raised, so that the parser goes no further.
        if self._refused:
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        message_head.check(method, version, self.headers)
        if self.parser.should_upgrade():
            self._without_upgrade = message_head.without_upgrade(method, self.url, version, self.headers)
            return
        self._in_framing = True
        try:
            admission = self._admit()
        except Overloaded as error:
            self._shed_request(error)
            return
        if admission is not None:
            self.scope[ADMISSION] = admission  # type: ignore[literal-required]
        try:
            super().on_headers_complete()
        except Exception:
            # The target is none. The application, which gives places back, is never called.
            if admission is not None:
                admission.leave()
            raise
        self.scope[BODY_ARRIVED] = self.cycle.message_event.is_set  # type: ignore[literal-required]
        # Of `flow` and not of this: a cycle would keep closed connections until there is a full collection.
        self.scope[ANSWER_WAITS] = partial(getattr, self.flow, "write_paused")  # type: ignore[literal-required]

    def on_chunk_header(self) -> None:
        """Trailers follow the last one. They are no headers of the request."""
        self._header_bytes = 0
        self.headers = []

    def on_chunk_complete(self) -> None:
        """The next one follows, which may have extensions."""
        self._in_framing = True
        self._header_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._in_framing = False
        self._progress += 1
        if not self._refused and not self._shed:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_framing = False
        if self._refused or self._without_upgrade:
            return
        if self._shed:
            self._shed = False
        else:
            super().on_message_complete()
        if self._is_idle():
            self._alarm.set(self.timeout_keep_alive, self.transport.close)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _admit(self) -> Admission | None:
        """Let the request in, or raise `Overloaded`; None where the application has to decide."""
        # Behind a request that is still being answered, an answer would come too early.
        if self._is_answering() or not self.server or self.server[1] != self.api_port:
            return None
        if self._unanswered:
            raise self.edge.refusal()  # It must not overtake those before it.
        return self.edge.admit(self.url)

    def _shed_request(self, error: ServiceError) -> None:
        """Answer it soon; the connection stays, since a new one would cost more.

        A client that sends more, and does not wait for the answer, is read no further until then.
        """
        self._shed = True
        self._unanswered += 1
        if self._unanswered > 1:
            self.flow.pause_reading()
        method, close = self.parser.get_method().decode("ascii"), not self.parser.should_keep_alive()
        self.edge.defer(partial(self._answer_shed, error, method, self.headers, close))

    def _answer_shed(self, error: ServiceError, method: str, headers: Headers, close: bool) -> None:
        self._unanswered -= 1
        if self.transport.is_closing() or self._is_ended:
            return
        self.flow.resume_reading()
        # What was refused after it has no answer of its own.
        close |= self.edge.closing() or (self._refused and not self._unanswered)
        self._write(error, method, headers, close=close)

    def shutdown(self) -> None:
        """Close once there is nothing left to answer; a request that is on its way is waited for."""
        if self._unanswered:
            return  # The answer closes it.
        if self._is_answering():
            self.cycle.keep_alive = False
        elif self.cycle is None and not self._in_headers:
            self._alarm.set(self.last_request_seconds, self.transport.close)
        elif not self._in_headers:
            self.transport.close()

    def _check_header_bytes(self) -> None:
        if self._header_bytes > self.max_header_bytes:
            self._refuse(HeadersTooLarge(f"Headers, or trailers, may be at most {self.max_header_bytes} bytes."))

    def _is_idle(self) -> bool:
        return not self._in_headers and not self._is_answering()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its annotation says
        return cycle is not None and not cycle.response_complete

    def _refuse(self, error: ServiceError) -> None:
        """Answer and close; what still comes is thrown away for a while, or the client would see a reset instead."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._in_headers = False
        if self._is_answering():
            # That answer is the last one. It is to this request, where its body is what is wrong.
            self.cycle.keep_alive = False
            if self.cycle.more_body:
                self.cycle.scope[BODY_ERROR] = error  # type: ignore[literal-required]
                self.cycle.message_event.set()
            return
        if not self._unanswered:
            self._write(error, "", self.headers or [], close=True)

    def _write(self, error: ServiceError, method: str, headers: Headers, *, close: bool) -> None:
        seconds = self.loop.time() - self._message_began
        client = self.client[0] if self.client else None
        answer = self.edge.answer(error, method=method, headers=headers, client=client, seconds=seconds, close=close)
        self.transport.write(answer)
        if close:
            self._refused = self._is_ended = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._alarm.set(self.linger_seconds, self.transport.close)
