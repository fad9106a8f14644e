"""Bounds the body: by Content-Length at once, then by counting while it streams; and tells where it is no HTTP."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory_api.errors import PayloadTooLarge

MAX_JSON_BYTES = 1_048_576
# How many bytes a body may have, by what is known of the request before it is read.
Limit = Callable[[Scope], int]
# Where the server puts the error of a body that it cannot read on.
BODY_ERROR = "inventory_api.body_error"


class BodyLimitMiddleware:
    """Raises `PayloadTooLarge`, before the body is read where its length is declared; or what the server found."""

    def __init__(self, app: ASGIApp, limit: Limit = lambda _: MAX_JSON_BYTES) -> None:
        self.app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limit(scope)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _error(limit)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if error := scope.get(BODY_ERROR):
                raise error
            received += len(message.get("body", b""))
            if received > limit:
                raise _error(limit)
            return message

        await self.app(scope, counted, send)


def _error(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may be at most {limit} bytes.")
