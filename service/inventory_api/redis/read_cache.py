"""What was read lately, in Redis: for a few seconds, and never what a committed change has made out of date.

A reader that was slow could put back what a change has dropped in the meantime. So a change also leaves a mark, which
every reader takes along when it misses: its value is kept only where the mark is still the same (compare and set).
A change that cannot reach Redis drops nothing; then the values' short life bounds how long they are believed.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from inventory_api.redis.guarded import GuardedRedis, RedisUnavailable

NAMESPACE = "inventory-api:read"
VALUE_SECONDS = 5
# Longer than any request that may still hold an older mark.
MARK_SECONDS = 60

# KEYS: value, mark; ARGV: the mark that was seen, the value, its seconds.
FILL = """
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Representation:
    """What a GET answers: JSON, and its ETag."""

    etag: str
    body: bytes


class ReadCache:
    """Representations by the name of their resource. Without Redis, or when it fails, everything is loaded."""

    def __init__(
        self, name: str, redis: GuardedRedis | None, requests: Counter, *, database: str, release: str
    ) -> None:
        """`database` and `release` tell apart what another service keeps in this Redis, or another release."""
        self._prefix = f"{NAMESPACE}:{database}"
        self._release = release.encode()
        self._redis = redis
        self._fill = redis.script(FILL) if redis is not None else None
        self._results = {result: requests.labels(name, result) for result in ("hit", "miss", "bypass", "unavailable")}

    async def get(
        self, resource: str, load: Callable[[], Awaitable[Representation]], *, bypass: bool = False
    ) -> Representation:
        """As it is kept, else as loaded. Raises what `load` raises, and keeps nothing then."""
        if bypass:
            self._results["bypass"].inc()
            return await load()
        try:
            value, mark = await self._read(resource)
        except RedisUnavailable:
            self._results["unavailable"].inc()
            return await load()
        release, _, rest = (value or b"").partition(b"\n")
        if rest and release == self._release:
            self._results["hit"].inc()
            etag, _, body = rest.partition(b"\n")
            return Representation(etag.decode(), body)
        self._results["miss"].inc()
        loaded = await load()
        await self._keep(resource, mark or b"", loaded)
        return loaded

    async def drop(self, resources: Collection[str]) -> None:
        """Forget them; and whoever is reading them now, keeps nothing. Never raises."""
        if self._redis is None:
            return
        mark = str(uuid7())
        try:
            async with self._redis.use("read_cache.drop") as client:
                pipeline = client.pipeline(transaction=False)
                for resource in resources:
                    value_key, mark_key = self._keys(resource)
                    # In this order, so that nothing can be kept in between.
                    pipeline.set(mark_key, mark, ex=MARK_SECONDS)
                    pipeline.delete(value_key)
                await pipeline.execute()
        except RedisUnavailable:
            return

    async def _read(self, resource: str) -> tuple[bytes | None, bytes | None]:
        if self._redis is None:
            raise RedisUnavailable("no Redis is configured")
        async with self._redis.use("read_cache.get") as client:
            found: list[bytes | None] = await client.mget(self._keys(resource))  # type: ignore[assignment] # bytes, by default
        return found[0], found[1]

    async def _keep(self, resource: str, mark: bytes, loaded: Representation) -> None:
        value = b"\n".join((self._release, loaded.etag.encode(), loaded.body))
        try:
            if self._redis is not None and self._fill is not None:
                async with self._redis.use("read_cache.keep"):
                    await self._fill(self._keys(resource), [mark, value, VALUE_SECONDS])
        except RedisUnavailable:
            return

    def _keys(self, resource: str) -> list[str]:
        """The value's, and the mark's. The braces keep both on one node of a cluster."""
        return [f"{self._prefix}:{{{resource}}}:{part}" for part in ("value", "mark")]
