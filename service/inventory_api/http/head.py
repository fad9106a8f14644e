"""HEAD, which every resource that can be read answers (RFC 9110, 9.3.2)."""

from starlette.types import ASGIApp, Receive, Scope, Send

# For those to whom it makes a difference that nobody will read what they answer.
IS_HEAD = "inventory_api.is_head"


class HeadMiddleware:
    """Routes a HEAD as the GET that it stands for. The server, which still knows it as HEAD, sends no content."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", IS_HEAD: True}
        await self.app(scope, receive, send)
