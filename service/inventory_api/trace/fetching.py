"""JSON of a store's HTTP API: bounded in time and in size, follows no redirect, and says in words why there is none."""

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import httpcore

from inventory_api.trace.model import SourceFailed

CONNECT_SECONDS = 2.0
MAX_BYTES = 64 * 1024 * 1024
OK, NOT_FOUND = 200, 404


def base_url(text: str) -> str:
    """The address of a store, without a slash at its end.

    Raises:
        ValueError: it is none, or has a user, a query or a fragment.
    """
    parts = urlsplit(text)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not text.isascii()
        or parts.query
        or parts.fragment
    ):
        raise ValueError("not the address of a store: http(s)://host[:port][/path]")
    if "@" in parts.netloc:
        raise ValueError("an address with a user would be seen by others: reach the store by a forwarded port")
    # Raises ValueError where it is no port.
    _ = parts.port
    return text.rstrip("/")


class Client:
    """`await client.get(...)`, each answer within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(max_connections=4, max_keepalive_connections=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def get(self, url: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """The answer as JSON; None where the store has nothing by that name (404).

        Raises:
            SourceFailed: no such answer.
        """
        target = f"{url}?{urlencode(parameters)}" if parameters else url
        try:
            async with asyncio.timeout(self._seconds):
                status, body = await self._answer(target)
        except (TimeoutError, httpcore.TimeoutException):
            raise SourceFailed(f"no answer within {self._seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise SourceFailed(f"cannot be reached: {error}") from error
        if status == NOT_FOUND:
            return None
        if status != OK:
            raise SourceFailed(f"answers {status}")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise SourceFailed("answers something else than JSON") from None

    async def _answer(self, url: str) -> tuple[int, bytes]:
        timeouts = {"connect": min(CONNECT_SECONDS, self._seconds), "pool": self._seconds, "read": self._seconds}
        headers = [("Host", urlsplit(url).netloc), ("Accept", "application/json")]
        async with self._pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response:
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise SourceFailed(f"answers with more than {MAX_BYTES} bytes")
        return response.status, bytes(body)
