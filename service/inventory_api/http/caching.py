"""Reads from the cache, but where the client asks for what there is now (RFC 9111, 5.2.1)."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from prometheus_client import Counter
from starlette.background import BackgroundTasks

from inventory_api.database.pool import Database
from inventory_api.database.session import Session
from inventory_api.http.light_work import light_work
from inventory_api.redis.read_cache import ReadCache, Representation

FRESH = frozenset({"no-cache", "no-store", "max-age=0"})
REFRESH = "read_cache.refresh"


class Caching:
    """The cache, as one request may use it."""

    def __init__(self, cache: ReadCache, database: Database, refreshes: Counter, *, bypass: bool) -> None:
        self._cache = cache
        self._database = database
        self._refreshes = refreshes
        self._bypass = bypass

    async def get(
        self, resource: str, load: Callable[[Session], Awaitable[Representation]], tasks: BackgroundTasks
    ) -> Representation:
        """As it is kept, else as `load` loads it. What ages is loaded anew by one of `tasks`."""
        loading = partial(self._load, load)
        if self._bypass:
            return await self._cache.load(loading)
        found, refresh = await self._cache.get(resource, loading)
        if refresh is not None:
            tasks.add_task(light_work, REFRESH, refresh, self._refreshes)
        return found

    async def _load(self, load: Callable[[Session], Awaitable[Representation]]) -> Representation:
        """Its connection is given back before anything is kept."""
        async with self._database.session() as session:
            return await load(session)


def asks_for_fresh(cache_control: Sequence[str]) -> bool:
    """Whether the lines of `Cache-Control` hold a directive that no kept answer satisfies."""
    return not FRESH.isdisjoint(part.strip().lower() for line in cache_control for part in line.split(","))
