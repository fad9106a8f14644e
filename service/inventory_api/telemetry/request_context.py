"""What is known of the request that is being answered; logs, errors and timings read it."""

import asyncio
import time
from contextvars import ContextVar, Token
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestContext:
    """One request. `trace_id` is None until a span exists, `principal` until authentication, `route` until routing."""

    request_id: str
    trace_id: str | None = None
    principal: str | None = None
    route: str | None = None
    error_type: str | None = None
    database_seconds: float = 0.0
    pool_wait_seconds: float = 0.0
    response_headers: dict[str, str] = field(default_factory=dict)
    deadline: asyncio.Timeout | None = None
    deadline_seconds: float = 0.0
    body_is_late: bool = False
    started: float = field(default_factory=time.perf_counter)

    def elapsed_seconds(self) -> float:
        return time.perf_counter() - self.started

    def extend_deadline(self, seconds: float) -> None:
        """The request has so long, from its beginning, where it has a deadline."""
        if self.deadline is not None and not self.deadline.expired():
            self.deadline_seconds = seconds
            left = seconds - self.elapsed_seconds()
            self.deadline.reschedule(asyncio.get_running_loop().time() + left)

    def seconds_left(self) -> float | None:
        """Of what the request has, or had before `end_deadline`; None where it never had a deadline."""
        return self.deadline_seconds - self.elapsed_seconds() if self.deadline is not None else None

    def end_deadline(self) -> None:
        """From here on the request is finished, however long it takes: a COMMIT, or what follows the response."""
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(None)


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext | None:
    """The context of this task's request, or None outside of requests."""
    return _current.get()


def enter(context: RequestContext) -> Token[RequestContext | None]:
    return _current.set(context)


def leave(token: Token[RequestContext | None]) -> None:
    _current.reset(token)
