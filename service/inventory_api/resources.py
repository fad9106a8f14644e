"""What lives as long as the process: opened once in order, closed once, the spans last, each close bounded in time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import TracerProvider

from inventory_api.attachments.inspecting import Inspector
from inventory_api.attachments.rules import Rules as AttachmentRules
from inventory_api.database.pool import Database
from inventory_api.health import Health
from inventory_api.http.auth import ApiKeys
from inventory_api.http.pace import Pace
from inventory_api.http.rate_limit.limiter import RateLimiter
from inventory_api.http.transfers import Transfers
from inventory_api.redis.guarded import GuardedRedis
from inventory_api.redis.read_cache import ReadCache
from inventory_api.storage.measured import MeasuredStorage
from inventory_api.telemetry.metrics import Metrics
from inventory_api.webhooks.rules import Rules

logger = logging.getLogger(__name__)

# More than each of them takes by its own bounds of 3 s: only a defect comes to this one.
CLOSE_SECONDS = 3.2


@dataclass(frozen=True)
class Resources:
    """Made without any I/O; `async with resources.opened()` opens them. A dependency that is down never stops it."""

    metrics: Metrics
    tracer_provider: TracerProvider
    api_keys: ApiKeys
    database: Database
    redis: GuardedRedis | None
    item_cache: ReadCache
    rate_limiter: RateLimiter
    webhook_rules: Rules
    storage: MeasuredStorage | None
    attachment_rules: AttachmentRules
    inspector: Inspector
    uploads: Transfers
    upload_pace: Pace
    downloads: Transfers
    health: Health

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open all, and close all, whatever happens in between: connections at once, within one bound; then spans."""
        self.api_keys.refresh()
        await self.database.open()
        if self.storage is not None:
            await self.storage.open()
        await self.health.open()
        try:
            yield
        finally:
            await asyncio.gather(
                _closed("health", self.health.close),
                _closed("redis", self._close_redis),
                _closed("storage", self._close_storage),
                _closed("inspector", self.inspector.close),
                _closed("database", self.database.close),
            )
            # Last, so that what the others still had to say is among them.
            await _closed("spans", lambda: asyncio.to_thread(self.tracer_provider.shutdown))
            logger.info("all resources are closed")

    async def _close_storage(self) -> None:
        if self.storage is not None:
            await self.storage.close()

    async def _close_redis(self) -> None:
        if self.redis is not None:
            await self.redis.close()


async def _closed(name: str, close: Callable[[], Awaitable[None]]) -> None:
    """One that fails or hangs is said, and keeps no other from being closed."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    except Exception:
        logger.exception("%s did not close", name)
