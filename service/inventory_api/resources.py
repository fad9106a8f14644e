"""What lives as long as the process: opened once in order, closed once in the other, each close bounded in time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from opentelemetry.sdk.trace import TracerProvider

from inventory_api import redis_client
from inventory_api.database.checks import CheckConnection, DatabaseCheck, SchemaCheck
from inventory_api.database.pool import Database
from inventory_api.drain import Drain
from inventory_api.health import Check, Health
from inventory_api.http.auth import ApiKeys
from inventory_api.redis_client import RedisCheck
from inventory_api.settings import Settings
from inventory_api.telemetry import tracing
from inventory_api.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 4.0


class Resources:
    """Made without any I/O; `async with resources.opened()` opens them. A dependency that is down never stops it."""

    def __init__(self, settings: Settings, metrics: Metrics, tracer_provider: TracerProvider, drain: Drain) -> None:
        self.metrics = metrics
        self.tracer_provider = tracer_provider
        self.api_keys = ApiKeys(settings.api_keys_file, metrics.api_keys_loaded)
        self.database = Database(
            settings.current_database_url,
            size=settings.pool_max,
            acquire_timeout=settings.pool_acquire_timeout,
            metrics=metrics,
            tracer=tracer_provider.get_tracer("inventory_api.database"),
        )
        self.redis = redis_client.create(settings.current_redis_url)
        connection = CheckConnection(settings.current_database_url)
        checks: list[Check] = [DatabaseCheck(connection), SchemaCheck(connection)]
        if self.redis is not None:
            checks.append(RedisCheck(self.redis))
        self.health = Health(
            checks, required=settings.required_checks, draining=lambda: drain.draining, up=metrics.health_check
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open all, and close all in reverse, whatever happens in between. Spans are flushed last."""
        self.api_keys.refresh()
        await self.database.open()
        await self.health.open()
        try:
            yield
        finally:
            await _closed("health", self.health.close)
            if self.redis is not None:
                await _closed("redis", self.redis.aclose)
            await _closed("database", self.database.close)
            await _closed("spans", lambda: tracing.shut_down(self.tracer_provider))
            logger.info("all resources are closed")


async def _closed(name: str, close: Callable[[], Awaitable[None]]) -> None:
    """One that fails or hangs is said, and keeps no other from being closed."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    except Exception:
        logger.exception("%s did not close", name)
