"""The client of S3: whom it asks, with which credentials, and how long it waits.

All of it comes from the environment, as for AWS's own tools. AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL: the bucket is in
the path then, else of the host's name. AWS_REGION or AWS_DEFAULT_REGION. AWS_CA_BUNDLE. Credentials, in this order:
variables, a web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, which EKS sets for a service account that has a
role), files, EKS Pod Identity, the machine's. Those that expire are renewed by botocore itself.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import NoCredentialsError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
CREDENTIALS_SECONDS = 2.0
CLOSE_SECONDS = 2.0

# A content is covered by its checksum, which is signed. To hash it once more would hold up the event loop.
SIGNING = {"payload_signing_enabled": False}
CONFIG = AioConfig(
    signature_version="s3v4",
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    # What is tried again, `S3Storage` says.
    retries={"mode": "standard", "total_max_attempts": 1},
    # A checksum that is known is sent; none is computed on the event loop.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    # The descriptions of the service are files of megabytes: a thread reads them.
    warm_up_loader_caches=True,
)


class Client:
    """Made at first use, or before: where there are no credentials yet, the next use looks for them again."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._session: AioSession = get_session()
        if region := os.environ.get("AWS_REGION"):
            self._session.set_config_variable("region", region)
        self._making = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._client: S3Client | None = None
        self._is_closed = False

    async def get(self) -> "S3Client":
        """
        Raises:
            NoCredentialsError: there are none.
            TimeoutError: who gives out credentials did not answer in time.
            RuntimeError: it was closed.
        """
        if self._client is None:
            async with self._making:
                if self._client is None:
                    self._client = await self._made()
        return self._client

    async def _made(self) -> "S3Client":
        if self._is_closed:
            raise RuntimeError("the client of S3 was closed")
        async with asyncio.timeout(CREDENTIALS_SECONDS):
            credentials = await self._session.get_credentials()
        # A client without them would be one without for ever.
        if credentials is None:
            raise NoCredentialsError
        own = AioConfig(max_pool_connections=self._connections, s3={**SIGNING, "addressing_style": _addressing_style()})
        config = CONFIG.merge(own)
        return await self._stack.enter_async_context(self._session.create_client("s3", config=config))

    async def close(self) -> None:
        """Its connections with it."""
        self._is_closed = True
        self._client = None
        async with asyncio.timeout(CLOSE_SECONDS):
            await self._stack.aclose()


def _addressing_style() -> str:
    """Left to botocore, what it signs for a bucket of AWS would lead to another region's host, which redirects."""
    has_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return "path" if has_endpoint else "virtual"
