"""The request's deadline behind a COMMIT, which has ended it: see `Session.transaction`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inventory_api.storage.model import StorageUnavailable
from inventory_api.telemetry import request_context


@asynccontextmanager
async def rest_of_deadline() -> AsyncIterator[None]:
    """Wait for the storage only as long as the request would have had. What was committed is for the caller to mend.

    Raises:
        StorageUnavailable: it took longer.
    """
    context = request_context.current()
    try:
        async with asyncio.timeout(context.seconds_left() if context else None):
            yield
    except TimeoutError as error:
        raise StorageUnavailable("timeout") from error
