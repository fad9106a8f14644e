"""Sends requests by a schedule, whether or not answers come. A process of its own; `load.py` starts it.

Nothing waits for anything: a request is sent when it is due, on a kept connection that is free or on a new one, and
its latency counts from the time that it was due. So a server that stands still is seen by every request that was
meant for it, and not by the few that a client which waits would have sent. With `connections` all busy, a request is
not sent, and that is an outcome too.

The plan is JSON on the command line. One line is written for each outcome, a JSON list in the order of `Outcome`.
The end of stdin ends the schedule; what is on its way then has `patience` seconds, and then the process ends.
"""

import asyncio
import json
import math
import os
import resource
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httptools
import uvloop

ERROR = {"type", "message", "request_id", "trace_id", "details"}
FLUSH_SECONDS = 0.05
NUMBER = "%09d"  # of one length, so that the length of a body is known


class Pending:
    """One request on its way."""

    __slots__ = ("begun", "due", "kind", "number")

    def __init__(self, number: int, kind: "Kind", due: float) -> None:
        self.number = number
        self.kind = kind
        self.due = due
        self.begun = 0.0


class Kind:
    """One kind of request; `{n}` in its path, headers and body becomes the number of the request."""

    def __init__(self, plan: dict[str, Any], host: str, prefix: str, keep: bool) -> None:
        self.name: str = plan["name"]
        self.weight: int = plan["weight"]
        self.credit = 0
        body = _template(plan["body"])
        given = {name: _template(value) for name, value in plan["headers"].items()}
        fields = {"Host": host, "X-Request-ID": f"{prefix}{NUMBER}", **given}
        if body:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body.replace(NUMBER, "9" * 9)))}
        if not keep:
            fields["Connection"] = "close"
        path = _template(plan["path"])
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._template = f"{plan['method']} {path} HTTP/1.1\r\n{head}\r\n{body}".encode()
        self._numbers = self._template.count(NUMBER.encode())

    def render(self, number: int) -> bytes:
        return self._template % ((number,) * self._numbers)


class Connection(asyncio.Protocol):
    """One connection, with at most one request on it."""

    def __init__(self, generator: "Generator", pending: Pending) -> None:
        self.pending: Pending | None = pending
        self._generator = generator
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self.pending is None:  # it took too long to come here
            self._transport.abort()
        else:
            self.send(self.pending)

    def send(self, pending: Pending) -> None:
        self.pending = pending
        pending.begun = time.monotonic()
        self._transport.write(pending.kind.render(pending.number))

    def is_closed(self) -> bool:
        return bool(self._transport.is_closing())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fail(f"not HTTP: {type(error).__name__}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(type(exc).__name__ if exc else "closed without an answer")
        self._generator.closed(self)

    def fail(self, problem: str) -> None:
        """End the request, if there is one, and the connection."""
        pending, self.pending = self.pending, None
        if pending is not None:
            self._generator.ended(self, pending, problem=problem)
        if self._transport is not None:
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"x-request-id":
            self._request_id = value.decode()
        elif lower == b"retry-after":
            self._retry_after = True
        elif lower == b"connection":
            self._closing = value.lower() == b"close"

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        pending, self.pending = self.pending, None
        if pending is None:  # nobody asked: a refusal of an idle connection
            self._transport.abort()
            return
        status = self._parser.get_status_code()
        kind, message, shape, state = "", "", True, ""
        if status >= 400 or self._generator.reads_state:
            kind, message, shape, state = self._read(f"{self._generator.prefix}{pending.number:09d}", status)
        if self._closing or not self._parser.should_keep_alive():
            self._transport.close()
        self._generator.ended(
            self,
            pending,
            status=status,
            error=kind,
            message=message,
            shape=shape,
            retry=self._retry_after,
            state=state,
            closing=self._closing,
        )
        self._reset()

    def _read(self, request_id: str, status: int) -> tuple[str, str, bool, str]:
        """The error's type and message; whether all is in the one shape, under its own id; the state beside it."""
        with suppress(ValueError, AttributeError, TypeError):
            body = json.loads(self._body)
            error = body.get("error") or {}
            known = self._request_id == request_id
            shape = known and (status < 400 or (set(error) == ERROR and error["request_id"] == request_id))
            return str(error.get("type", "")), str(error.get("message", "")), shape, str(body.get("status", ""))
        return "", "", False, ""

    def _reset(self) -> None:
        self._body = b""
        self._request_id = ""
        self._retry_after = False
        self._closing = False


class Generator:
    """The schedule, the connections and the file of outcomes."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.prefix: str = plan["prefix"]
        self.reads_state: bool = plan["reads_state"]
        self._address = (plan["host"], plan["port"])
        self._rate: float = plan["rate"]
        self._most: int = plan["connections"]
        self._patience: float = plan["patience"]
        self._longest: float = plan["longest"]
        self._cycle = _cycle([Kind(kind, plan["host"], self.prefix, plan["keep"]) for kind in plan["kinds"]])
        self._output = Path(plan["output"]).open("w", buffering=1 << 16)  # noqa: SIM115 -- closed at the end of `run`
        self._open: set[Connection] = set()
        self._free: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._number = 0
        self._start = 0.0
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        self._start = time.monotonic()
        self._loop.add_reader(sys.stdin, self._stopping.set)
        self._loop.call_later(self._longest, self._stopping.set)
        self._begin()
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._stopping.wait()
            self._sweep()
        while any(connection.pending for connection in self._open):
            await asyncio.sleep(FLUSH_SECONDS)
            self._sweep()
        self._output.close()

    def ended(
        self,
        connection: Connection,
        pending: Pending,
        *,
        status: int = 0,
        problem: str = "",
        error: str = "",
        message: str = "",
        shape: bool = True,
        retry: bool = False,
        state: str = "",
        closing: bool = False,
    ) -> None:
        now = time.monotonic()
        begun = pending.begun or now
        row = (pending.number, pending.kind.name, pending.due, begun, now, status, problem, error, message, shape)
        self._output.write(json.dumps([*row, retry, state, closing]) + "\n")
        if not problem and not connection.is_closed():
            self._free.append(connection)

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _begin(self) -> None:
        threading.Thread(target=self._keep_time, daemon=True).start()

    def _keep_time(self) -> None:
        """Wake the loop when a request is due. A thread: the loop's own timers are a millisecond too late."""
        while not self._stopping.is_set():
            number = math.floor((time.monotonic() - self._start) * self._rate) + 1
            time.sleep(max(self._start + number / self._rate - time.monotonic(), 0))
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._send_due)

    def _send_due(self) -> None:
        while not self._stopping.is_set() and (due := self._start + self._number / self._rate) <= time.monotonic():
            self._send(Pending(self._number, self._cycle[self._number % len(self._cycle)], due))
            self._number += 1

    def _send(self, pending: Pending) -> None:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                connection.send(pending)
                return
        connection = Connection(self, pending)
        if len(self._open) >= self._most:
            self.ended(connection, pending, problem="not sent")
            return
        self._open.add(connection)
        task = self._loop.create_task(self._connect(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: Connection) -> None:
        try:
            await self._loop.create_connection(lambda: connection, *self._address)
        except OSError as error:
            connection.fail(type(error).__name__)
            self.closed(connection)

    def _sweep(self) -> None:
        """End what took longer than the patience, and let the harness see what there is."""
        late = time.monotonic() - self._patience
        for connection in [c for c in self._open if c.pending is not None and c.pending.due < late]:
            connection.fail("no answer in time")
        self._output.flush()


def _template(text: str) -> str:
    return text.replace("%", "%%").replace("{n}", NUMBER)


def _cycle(kinds: list[Kind]) -> list[Kind]:
    """Each kind as often as its weight, evenly spread."""
    total = sum(kind.weight for kind in kinds)
    cycle = []
    for _ in range(total):
        for kind in kinds:
            kind.credit += kind.weight
        chosen = max(kinds, key=lambda kind: kind.credit)
        chosen.credit -= total
        cycle.append(chosen)
    return cycle


async def main(generator: type[Generator]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plan = json.loads(sys.argv[1])
    # By default the thread that keeps the time may be kept waiting by the loop for 5 ms, and the loop by it.
    sys.setswitchinterval(0.0002)
    with suppress(PermissionError):
        os.nice(plan["nice"])
    await generator(plan).run()


if __name__ == "__main__":
    uvloop.run(main(Generator))
