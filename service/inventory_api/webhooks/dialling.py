"""Connections to hosts that strangers have named: only to an address that was looked at, and to that very one."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore

from inventory_api.webhooks.networks import is_loopback, is_public
from inventory_api.webhooks.resolving import Address

# Of one connection, and so of one answer: its head, and what is read of its body; and at once, as the event loop turns
# in between.
MAX_BYTES = 65_536
READ_BYTES = 4096
# Of one name, that are dialled.
MAX_ADDRESSES = 4
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class AddressRefused(Exception):
    """The name leads elsewhere than to the internet; nothing was sent, and no connection was tried."""


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection by which so much comes and no more, some at a time: an endless head, of responses that are none yet,
    would else be read for as long as it comes, and by nobody else's leave.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MAX_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- as in the library
        """
        Raises:
            httpcore.RemoteProtocolError: more than `MAX_BYTES` have come.
        """
        if not self._left:
            raise httpcore.RemoteProtocolError("more than an answer has come")
        read = await self._stream.read(min(max_bytes, READ_BYTES, self._left), timeout)
        self._left -= len(read)
        return read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as in the library
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- as in the library
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once and dials what it got, so that the answer cannot be another one in between; TLS asks for the name.

    One answer that is not public refuses the name: who mixes them means to be asked again until the other one comes.
    """

    def __init__(self, resolve: Resolve, *, admit_loopback: bool = False) -> None:
        self._resolve = resolve
        self._admit_loopback = admit_loopback
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- as in the library
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The first address that takes a connection, all of them within `timeout` seconds; what is read is bounded.

        Raises:
            AddressRefused: one of its addresses is not public.
            httpcore.ConnectError, httpcore.ConnectTimeout: it has none, or none takes a connection in time.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked(host, port)
                return BoundedStream(await self._dial(addresses, port, timeout, local_address, socket_options))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no connection in time") from error

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        try:
            addresses = await self._resolve(host.removeprefix("[").removesuffix("]"), port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name does not resolve: {error}") from error
        for address in addresses:
            if not (is_public(address) or (self._admit_loopback and is_loopback(address))):
                raise AddressRefused("the name resolves to an address that is not one of the internet")
        return addresses

    async def _dial(
        self,
        addresses: Sequence[Address],
        port: int,
        seconds: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        """One that takes no connection and says nothing leaves the others their share of the time."""
        failure: Exception = httpcore.ConnectError("the name resolves to no address")
        for address in addresses[:MAX_ADDRESSES]:
            share = seconds / min(len(addresses), MAX_ADDRESSES) if seconds else None
            try:
                return await self._network.connect_tcp(
                    str(address), port, share, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
