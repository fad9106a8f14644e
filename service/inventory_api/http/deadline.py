"""The time that a request has, from its headers to the end of its response."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_api.errors import DeadlineExceeded, RequestTimeout
from inventory_api.telemetry import request_context


class DeadlineMiddleware:
    """Raises `RequestTimeout` when the body is late, and `DeadlineExceeded` when the answer is.

    uvicorn never ends a request by itself, also not when its client has left. What runs after the response, and a
    COMMIT, are not cut short.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = request_context.current()
        if scope["type"] != "http" or context is None:
            await self.app(scope, receive, send)
            return
        context.deadline_seconds = self._seconds

        async def watched_receive() -> Message:
            try:
                return await receive()
            except asyncio.CancelledError:
                context.body_is_late = context.deadline is not None and context.deadline.expired()
                raise

        async def watched_send(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                context.end_deadline()

        try:
            async with asyncio.timeout(self._seconds) as context.deadline:
                await self.app(scope, watched_receive, watched_send)
        except TimeoutError as error:
            if context.deadline is None or not context.deadline.expired():
                raise
            if context.body_is_late:
                raise RequestTimeout(f"The body did not arrive within {context.deadline_seconds:g} s.") from error
            raise DeadlineExceeded(f"There was no answer within {context.deadline_seconds:g} s.") from error
