"""Whether Redis answers; the only one to close the breaker of Redis again."""

from redis.asyncio import Redis

from inventory_api.redis.guarded import GuardedRedis


class RedisCheck:
    """A PING on a connection of its own, so that a full pool is not taken for a Redis that is gone."""

    name = "redis"

    def __init__(self, client: Redis, redis: GuardedRedis) -> None:
        self._client = client
        self._redis = redis

    async def run(self) -> None:
        """With the breaker open, on a new connection: requests will need new ones, with the credentials of now.

        A PING that was sent before the breaker opened proves nothing of what came since.
        """
        if self._redis.available:
            await self._client.ping()
            return
        await self._client.connection_pool.disconnect()
        await self._client.ping()
        await self._redis.resume()

    async def close(self) -> None:
        await self._client.aclose()
