"""What was read lately, in Redis: for a few seconds, and never what a committed change has made out of date.

A reader that was slow could put back what a change has dropped in the meantime. So a change leaves a mark in its place,
and a reader that misses keeps what it has loaded only where there still is what it found: no value, or the same mark
(compare and set). A change that cannot reach Redis drops nothing; then the short life of values bounds how long they
are believed.

What is read often does not come to its end: some time before, each value at another moment, it is loaded anew behind an
answer. So no request waits for that, and values that were made together do not all end together.
"""

import random
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from inventory_api.redis.guarded import GuardedRedis, RedisUnavailable

NAMESPACE = "inventory-api:read"
VALUE_SECONDS = 5
# Longer than any reader may take that found nothing before the mark was set.
MARK_SECONDS = 60
MARK = b"!"
# Of its life, when a value is loaded anew.
LEAST_AGE, MOST_AGE = 0.4, 0.8

# KEYS: the resource's; ARGV: what was found there, what to keep, its seconds.
KEEP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Representation:
    """What a GET answers: JSON, and its ETag."""

    etag: str
    body: bytes


Load = Callable[[], Awaitable[Representation]]
Refresh = Callable[[], Awaitable[None]]


class ReadCache:
    """Representations by the name of their resource. Without Redis, or when it fails, everything is loaded."""

    def __init__(
        self, name: str, redis: GuardedRedis | None, requests: Counter, *, database: str, release: str
    ) -> None:
        """`database` and `release` tell apart what another service keeps in this Redis, or another release."""
        self._prefix = f"{NAMESPACE}:{database}:"
        self._release = release.encode()
        self._redis = redis
        self._keep_where_unchanged = redis.script(KEEP) if redis is not None else None
        self._results = {result: requests.labels(name, result) for result in ("hit", "miss", "bypass", "unavailable")}
        self._refreshing: set[str] = set()

    async def get(self, resource: str, load: Load) -> tuple[Representation, Refresh | None]:
        """As it is kept, else as loaded; and where it ages, what loads it anew, for which the answer need not wait.

        Raises what `load` raises, and keeps nothing then.
        """
        try:
            found = await self._find(resource)
        except RedisUnavailable:
            self._results["unavailable"].inc()
            return await load(), None
        release, _, rest = found.partition(b"\n")
        if not rest or release != self._release:
            self._results["miss"].inc()
            return await self._load_and_keep(resource, found, load), None
        self._results["hit"].inc()
        ages_at, etag, body = rest.split(b"\n", 2)
        representation = Representation(etag.decode(), body)
        if time.time() < float(ages_at):
            return representation, None
        return representation, partial(self._refresh, resource, found, load)

    async def load(self, load: Load) -> Representation:
        """As it is now, for a client that asks for that."""
        self._results["bypass"].inc()
        return await load()

    async def _refresh(self, resource: str, found: bytes, load: Load) -> None:
        """Once at a time in this process."""
        if resource in self._refreshing:
            return
        self._refreshing.add(resource)
        try:
            await self._load_and_keep(resource, found, load)
        finally:
            self._refreshing.discard(resource)

    async def _load_and_keep(self, resource: str, found: bytes, load: Load) -> Representation:
        began = time.monotonic()
        loaded = await load()
        # What came and went in this time, nobody can tell.
        if time.monotonic() - began < VALUE_SECONDS:
            await self._keep(resource, found, loaded)
        return loaded

    async def drop(self, resources: Collection[str]) -> None:
        """Forget them; and whoever is reading them now, keeps nothing. Never raises."""
        if self._redis is None:
            return
        mark = MARK + str(uuid7()).encode()
        try:
            async with self._redis.use("read_cache.drop") as client:
                if len(resources) == 1:
                    await client.set(self._prefix + next(iter(resources)), mark, ex=MARK_SECONDS)
                    return
                pipeline = client.pipeline(transaction=False)
                for resource in resources:
                    pipeline.set(self._prefix + resource, mark, ex=MARK_SECONDS)
                await pipeline.execute()
        except RedisUnavailable:
            return

    async def _find(self, resource: str) -> bytes:
        """A value, a mark, or nothing."""
        if self._redis is None:
            raise RedisUnavailable("no Redis is configured")
        async with self._redis.use("read_cache.get") as client:
            found: bytes | None = await client.get(self._prefix + resource)  # type: ignore[assignment] # bytes, by default
        return found or b""

    async def _keep(self, resource: str, found: bytes, loaded: Representation) -> None:
        if self._redis is None or self._keep_where_unchanged is None:
            return
        ages_at = time.time() + random.uniform(LEAST_AGE, MOST_AGE) * VALUE_SECONDS  # noqa: S311 -- no secret
        value = b"\n".join((self._release, b"%.3f" % ages_at, loaded.etag.encode(), loaded.body))
        try:
            async with self._redis.use("read_cache.keep"):
                await self._keep_where_unchanged([self._prefix + resource], [found, value, VALUE_SECONDS])
        except RedisUnavailable:
            return
