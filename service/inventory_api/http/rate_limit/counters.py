"""Fixed windows that begin with a principal's first request: in Redis for all pods, or in this process alone.

A request counts in every window or in none: one that is refused uses up nothing.
"""

import time
from collections.abc import Sequence

from limits.aio.storage import MemoryStorage

from inventory_api.http.rate_limit.policy import Policy, Usage
from inventory_api.redis.guarded import GuardedRedis

NAMESPACE = "inventory-api:rate-limit"

# One round trip, on Redis's clock, which all pods share. KEYS: one a window; ARGV: its quota and its milliseconds.
SCRIPT = """
local admitted = 1
for i, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then admitted = 0 end
end
local state = {admitted}
for i, key in ipairs(KEYS) do
    if admitted == 1 then redis.call('INCR', key) end
    if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
    state[2 * i] = tonumber(redis.call('GET', key) or '0')
    state[2 * i + 1] = redis.call('PTTL', key)
end
return state
"""


def keys(principal: str, policies: Sequence[Policy]) -> list[str]:
    """A window of another length is another key. The braces keep a principal's keys on one node of a cluster."""
    return [f"{NAMESPACE}:{{{principal}}}:{policy.name}:{policy.window_seconds}" for policy in policies]


class SharedCounters:
    """Windows in Redis; its keys expire with their windows."""

    def __init__(self, redis: GuardedRedis) -> None:
        self._redis = redis
        self._script = redis.script(SCRIPT)

    async def count(self, principal: str, policies: Sequence[Policy]) -> tuple[bool, list[Usage]]:
        """Whether the request is admitted, and how it stands then.

        Raises:
            RedisUnavailable: as `GuardedRedis.use`.
        """
        arguments = [value for policy in policies for value in (policy.quota, policy.window_seconds * 1000)]
        async with self._redis.use("rate_limit.count"):
            state: list[int] = await self._script(keys(principal, policies), arguments)
        return bool(state[0]), [
            _usage(policy, used, milliseconds / 1000)
            for policy, used, milliseconds in zip(policies, state[1::2], state[2::2], strict=True)
        ]


class LocalCounters:
    """Windows of this process: with N of them, a principal may make up to N times as many requests."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    async def count(self, principal: str, policies: Sequence[Policy]) -> tuple[bool, list[Usage]]:
        """As that of `SharedCounters`; never waits."""
        named = list(zip(policies, keys(principal, policies), strict=True))
        used = [await self._storage.get(key) for _, key in named]
        admitted = all(count < policy.quota for count, policy in zip(used, policies, strict=True))
        if admitted:
            used = [await self._storage.incr(key, policy.window_seconds) for policy, key in named]
        return admitted, [
            _usage(policy, count, await self._storage.get_expiry(key) - time.time())
            for (policy, key), count in zip(named, used, strict=True)
        ]


def _usage(policy: Policy, used: int, reset_seconds: float) -> Usage:
    """A window that has not begun has all of its time before it."""
    return Usage(policy, used, reset_seconds if used else policy.window_seconds)
