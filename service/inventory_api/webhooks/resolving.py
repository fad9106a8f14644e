"""Names to addresses, without a thread: one whose servers are slow keeps nobody else's from being looked up."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import TracebackType
from typing import Self

import aiodns
import pycares

Address = IPv4Address | IPv6Address

# Of one server, and how often each is asked.
TIMEOUT_SECONDS = 2.0
TRIES = 2


class Resolver:
    """As the system is set up, but that a name is taken as it is: in no search domain, such as a cluster's own."""

    async def __aenter__(self) -> Self:
        self._channel = aiodns.DNSResolver(timeout=TIMEOUT_SECONDS, tries=TRIES, flags=pycares.ARES_FLAG_NOSEARCH)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def __call__(self, host: str, port: int) -> list[Address]:
        """All addresses of it.

        Raises:
            OSError: it has none, or nobody answers.
        """
        try:
            found = await self._channel.getaddrinfo(host, socket.AF_UNSPEC, port=port, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            raise OSError(str(error.args[-1])) from error
        texts = [node.addr[0] for node in found.nodes]
        return list(dict.fromkeys(ip_address(text.decode() if isinstance(text, bytes) else text) for text in texts))
