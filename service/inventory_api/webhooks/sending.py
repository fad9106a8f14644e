"""One request to a partner, and what came of it: bounded in time, and in what is read of the answer."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore

from inventory_api import __version__
from inventory_api.webhooks.dialling import AddressRefused, CheckedBackend
from inventory_api.webhooks.snippet import MAX_READ_BYTES
from inventory_api.webhooks.url import Url

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
BODY_SECONDS = 1.0
MAX_CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner said. `body` is the beginning of it."""

    status: int
    retry_after: str | None
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 -- RFC 9110


class NotAnswered(Exception):
    """There was no answer. `reason` is one of a few words, for people and metrics: nothing that a partner has sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender:
    """Sends each request on a connection of its own; follows no redirect, knows no proxy and no cookie."""

    def __init__(
        self, backend: CheckedBackend, context: ssl.SSLContext | None = None, *, connections: int = MAX_CONNECTIONS
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context or ssl.create_default_context(),
            max_connections=connections,
            max_keepalive_connections=0,
            network_backend=backend,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def post(self, url: Url, headers: Mapping[str, str], body: str) -> Answer:
        """
        Raises:
            NotAnswered: no status within `TOTAL_SECONDS`, or at all; or the address was refused.
        """
        host = f"[{url.host}]" if ":" in url.host else url.host
        request = httpcore.Request(
            b"POST",
            httpcore.URL(scheme=url.scheme.encode(), host=host.encode(), port=url.port, target=url.target.encode()),
            headers=[(name.encode(), value.encode()) for name, value in _all(headers, host, url, body).items()],
            content=body.encode(),
            # By TLS it is asked for as its certificate has it: an address without brackets.
            extensions={
                "timeout": {"connect": CONNECT_SECONDS, "pool": TOTAL_SECONDS},
                "sni_hostname": url.host,
            },
        )
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                response = await self._pool.handle_async_request(request)
        except AddressRefused:
            raise NotAnswered("address refused") from None
        except (TimeoutError, httpcore.TimeoutException):
            raise NotAnswered("timeout") from None
        except httpcore.ConnectError as error:
            raise NotAnswered("tls" if _is_by_tls(error) else "connect") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise NotAnswered("connection lost") from error
        try:
            read = await _beginning(response)
        finally:
            await response.aclose()
        found = {name.lower(): value.decode("ascii", "replace") for name, value in response.headers}
        return Answer(response.status, found.get(b"retry-after"), read)


async def _beginning(response: httpcore.Response) -> bytes:
    """Of its body, as far as it comes in a moment: the status is the answer, whatever becomes of the body."""
    read = bytearray()
    with suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) >= MAX_READ_BYTES:
                    break
    return bytes(read[:MAX_READ_BYTES])


def _is_by_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _all(headers: Mapping[str, str], host: str, url: Url, body: str) -> dict[str, str]:
    is_default = url.port == (443 if url.is_secure else 80)
    return {
        "host": host if is_default else f"{host}:{url.port}",
        "user-agent": f"inventory-api/{__version__}",
        "content-type": "application/json",
        "content-length": str(len(body.encode())),
        "connection": "close",
        **headers,
    }
