"""The client of Redis: short time-outs, no retries, credentials read anew at each connection."""

from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

TIMEOUT_SECONDS = 0.1
MAX_CONNECTIONS = 32


class _UrlCredentials(CredentialProvider):
    """The user and password of the URL as it is now, so that a rotated file counts at the next connection."""

    def __init__(self, url: Callable[[], str | None]) -> None:
        self._url = url

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            options = parse_url(self._url() or "redis://")
        except Exception as error:
            # Whatever a file that is being rotated may lead to, a caller of Redis sees as an error of Redis.
            raise AuthenticationError("the credentials of Redis cannot be read") from error
        password = str(options.get("password") or "")
        return (str(options["username"]), password) if options.get("username") else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """As the other; a small file, read at a new connection only."""
        return self.get_credentials()


def create(url: Callable[[], str | None], *, max_connections: int = MAX_CONNECTIONS) -> Redis | None:
    """A client, or None where no URL is set. It connects at first use.

    Whoever uses it bounds the wait for an answer: to have each part of it bounded too would cost as much as a command.
    """
    current = url()
    if current is None:
        return None
    options: dict[str, Any] = dict(parse_url(current))
    has_password = bool(options.pop("password", None))
    options.pop("username", None)
    pool = ConnectionPool(
        **options,
        credential_provider=_UrlCredentials(url) if has_password else None,
        socket_timeout=None,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=max_connections,
    )
    return Redis.from_pool(pool)
