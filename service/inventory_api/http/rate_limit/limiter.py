"""Admits a request of a principal, or refuses it."""

from collections.abc import Sequence

from prometheus_client import Counter

from inventory_api.errors import RateLimited
from inventory_api.http.rate_limit.counters import LocalCounters, SharedCounters
from inventory_api.http.rate_limit.policy import Policy, Usage, headers
from inventory_api.redis.guarded import GuardedRedis, RedisUnavailable
from inventory_api.telemetry import request_context


class RateLimiter:
    """Counts in Redis; in this process alone where there is none, or while it is gone."""

    def __init__(self, policies: Sequence[Policy], redis: GuardedRedis | None, limited: Counter) -> None:
        self._policies = policies
        self._shared = SharedCounters(redis) if redis is not None else None
        self._local = LocalCounters()
        self._limited = limited

    async def admit(self, principal: str) -> None:
        """Count a request. The response, whatever it is, tells how the limits stand.

        Raises:
            RateLimited: a limit was used up.
        """
        if not self._policies:
            return
        admitted, usages = await self._count(principal)
        context = request_context.current()
        if context is not None:
            context.response_headers.update(headers(usages))
        if admitted:
            return
        exceeded = [usage for usage in usages if not usage.remaining]
        for usage in exceeded:
            self._limited.labels(policy=usage.policy.name).inc()
        raise RateLimited(max(usage.wait_seconds for usage in exceeded))

    async def _count(self, principal: str) -> tuple[bool, list[Usage]]:
        if self._shared is not None:
            try:
                return await self._shared.count(principal, self._policies)
            except RedisUnavailable:
                pass
        return await self._local.count(principal, self._policies)
