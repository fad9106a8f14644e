"""Reads from the cache, but where the client asks for what there is now (RFC 9111, 5.2.1)."""

from collections.abc import Awaitable, Callable, Sequence

from inventory_api.redis.read_cache import ReadCache, Representation

FRESH = frozenset({"no-cache", "no-store", "max-age=0"})


class Caching:
    """The cache, as one request may use it."""

    def __init__(self, cache: ReadCache, *, bypass: bool) -> None:
        self._cache = cache
        self._bypass = bypass

    async def get(self, resource: str, load: Callable[[], Awaitable[Representation]]) -> Representation:
        """See `ReadCache.get`."""
        return await self._cache.get(resource, load, bypass=self._bypass)


def asks_for_fresh(cache_control: Sequence[str]) -> bool:
    """Whether the lines of `Cache-Control` hold a directive that no kept answer satisfies."""
    return not FRESH.isdisjoint(part.strip().lower() for line in cache_control for part in line.split(","))
