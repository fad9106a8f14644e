"""Redis as requests use it: one bounded wait, a breaker, and one exception for whatever goes wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry import trace
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from inventory_api.redis.breaker import Breaker
from inventory_api.redis.client import MAX_CONNECTIONS, TIMEOUT_SECONDS
from inventory_api.telemetry.spans import child_span

logger = logging.getLogger(__name__)

ATTRIBUTES = {"db.system.name": "redis"}


class RedisUnavailable(Exception):
    """Redis gave no answer that can be used. Its callers do without; it never becomes an answer of the service."""


class GuardedRedis:
    """`async with redis.use(what) as client` for every use of Redis by a request: one command at a time, and a span.

    All of it, with the wait for a connection, ends after `TIMEOUT_SECONDS`. What Redis leaves unanswered opens the
    breaker; what it refuses (OOM, READONLY, MISCONF, ...) does not, as a refusal costs no wait and PING may not see it.
    """

    def __init__(self, client: Redis, breaker: Breaker, errors: Counter, tracer: trace.Tracer) -> None:
        self._client = client
        self._tracer = tracer
        self._breaker = breaker
        self._errors = errors
        # As many as there are connections: who waits here has not touched Redis, so its time-out tells nothing of it.
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._refused: set[str] = set()

    @asynccontextmanager
    async def use(self, what: str) -> AsyncIterator[Redis]:
        """`what` names the span.

        Raises:
            RedisUnavailable: at once while the breaker is open; else when Redis fails, refuses, or is late.
        """
        self._require_closed()
        admitted = False
        try:
            with child_span(self._tracer, what, trace.SpanKind.CLIENT, ATTRIBUTES):
                async with asyncio.timeout(TIMEOUT_SECONDS), self._places:
                    self._require_closed()
                    admitted = True
                    yield self._client
        except (TimeoutError, RedisTimeoutError) as error:
            raise self._unanswered("timeout" if admitted else "pool", error) from error
        except (RedisConnectionError, OSError) as error:
            raise self._unanswered("connection", error) from error
        except RedisError as error:
            raise self._was_refused(what, error) from error
        self._breaker.succeeded()
        self._refused.discard(what)

    @property
    def available(self) -> bool:
        """Whether the breaker is closed."""
        return not self._breaker.is_open

    async def resume(self) -> None:
        """Redis answers again. Connections from before may lead to where it no longer is, so idle ones are closed."""
        await self._client.connection_pool.disconnect(inuse_connections=False)
        self._breaker.close()

    def script(self, source: str) -> AsyncScript:
        """A Lua script, to be called within `use`: by its digest, so that its text is sent once."""
        return self._client.register_script(source)

    async def close(self) -> None:
        await self._client.aclose()

    def _require_closed(self) -> None:
        if self._breaker.is_open:
            raise RedisUnavailable("the breaker is open")

    def _unanswered(self, kind: str, error: Exception) -> RedisUnavailable:
        self._errors.labels(error_type=kind).inc()
        if kind != "pool":
            self._breaker.failed(error)
        return RedisUnavailable(f"{kind}: {error}")

    def _was_refused(self, what: str, error: RedisError) -> RedisUnavailable:
        self._errors.labels(error_type="refused").inc()
        self._breaker.succeeded()
        if what not in self._refused:
            # Once: while it lasts, every request meets it.
            logger.warning("Redis refuses %s: %s", what, error)
        self._refused.add(what)
        return RedisUnavailable(f"refused: {error}")
